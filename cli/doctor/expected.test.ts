/** What doctor expects is what deploy/ makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MUTATING_HOOKS, VALIDATING_HOOKS } from './expected-hooks.ts';
import { expectedRules, type Rule, rightsOf } from './expected-rights.ts';
import { configurations, readManifests } from './testing/state.ts';

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
}

const textsOf = (rules: readonly Rule[]): readonly string[] =>
  [
    ...new Set(
      rightsOf(rules).map(
        ({ group, resource, verb, name = '', own }) =>
          `${own ? 'own ' : ''}${verb} ${resource}.${group} ${name}`,
      ),
    ),
  ].toSorted();

for (const program of ['webhook', 'poller'] as const)
  test(`the rights of the ${program} are those of its roles`, () => {
    const roles = readManifests<Role>('manifests').filter(
      ({ kind, metadata }) =>
        kind.endsWith('Role') && metadata.name === `external-secrets-admission-${program}`,
    );
    const granted = roles.flatMap(({ kind, rules = [] }) =>
      rules.map(
        ({ apiGroups, resources, verbs, resourceNames }): Rule => ({
          groups: apiGroups,
          resources,
          verbs,
          ...(resourceNames === undefined ? {} : { names: resourceNames }),
          ...(kind === 'Role' ? { own: true } : {}),
        }),
      ),
    );
    // A rule with several names grants its verbs on each of them.
    const byName = granted.flatMap((rule) =>
      (rule.names ?? [undefined]).map((name) => ({
        ...rule,
        ...(name === undefined ? {} : { names: [name] }),
      })),
    );
    // In a cluster-wide installation.
    const rules = expectedRules('external-secrets-admission')[program].filter(
      (rule) => rule.for !== 'scoped',
    );
    const expected = textsOf(rules);
    const there = new Set(textsOf(byName));
    assert.ok(there.size > 20);
    assert.deepEqual(
      expected.filter((right) => !there.has(right)),
      [],
      'expected and not granted',
    );
    const known = new Set(expected);
    // One rule of the poller names both configurations for both kinds.
    const surplus = [...there].filter((right) => !known.has(right) && !/webhookconfigurations/.test(right));
    assert.deepEqual(surplus, [], 'granted and not expected');
  });

test('the hooks are those of the webhook configurations', () => {
  const hooks = configurations.flatMap(({ webhooks = [] }) => webhooks);
  const live = hooks.map(({ name, failurePolicy, timeoutSeconds, rules = [] }) => [
    name,
    {
      failurePolicy,
      timeoutSeconds,
      operations: [...new Set(rules.flatMap(({ operations }) => operations))],
      resources: rules
        .flatMap(({ apiGroups, resources }) =>
          apiGroups.flatMap((group) => resources.map((one) => `${one}.${group}`)),
        )
        .toSorted(),
    },
  ]);
  assert.deepEqual({ ...VALIDATING_HOOKS, ...MUTATING_HOOKS }, Object.fromEntries(live));
});
