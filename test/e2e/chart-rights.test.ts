/** The roles that the chart renders: no more than is needed, and no less. No cluster is needed for it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  expectedRules,
  type Feature,
  type ProgramName,
  type Right,
  rightsOf,
} from '../../cli/doctor/expected-rights.ts';
import { CLUSTER_WIDE } from '../../cli/doctor/gather-rights.ts';
import { podOf, type Rendered, type Rule, refusal, renderRest } from './support/chart.ts';

describe('least privilege', () => {
  const clusterRules = (manifests: readonly Rendered[]): readonly Rule[] =>
    manifests
      .filter(
        ({ kind, metadata }) =>
          kind === 'ClusterRole' && metadata.labels?.['app.kubernetes.io/component'] !== undefined,
      )
      .flatMap(({ rules = [] }) => rules);

  test('with scopedRBAC no ClusterRole is about Secrets, and all else stays in the namespace', async () => {
    const manifests = await renderRest({ file: 'scoped-values.yaml' });
    const resources = new Set(clusterRules(manifests).flatMap((rule) => rule.resources));
    assert.deepEqual(
      [...resources].toSorted((a, b) => (a < b ? -1 : 1)),
      [
        'clustersecretpolicies',
        'mutatingwebhookconfigurations',
        'namespaces',
        'subjectaccessreviews',
        'validatingwebhookconfigurations',
      ],
    );
    const scoped = manifests.filter(
      ({ kind, metadata }) => kind === 'Role' && metadata.namespace === 'team-a',
    );
    assert.equal(scoped.length, 2);
    for (const program of ['webhook', 'poller'])
      assert.ok(podOf(manifests, program).containers[0].args.includes('--scoped-namespace=team-a'));
    const hooks = manifests.flatMap(({ webhooks = [] }) => webhooks);
    assert.ok(hooks.length > 0);
    for (const { namespaceSelector, name } of hooks) {
      assert.deepEqual(
        namespaceSelector?.matchExpressions[0],
        { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['team-a'] },
        name,
      );
    }
    assert.match(await refusal({ scopedRBAC: true }), /needs scopedNamespace/);
  });

  test('rights on kinds that are not used are not there, nor are their hooks', async () => {
    const manifests = await renderRest({ file: 'namespaced-store-values.yaml' });
    const resources = clusterRules(manifests).flatMap((rule) => rule.resources);
    for (const unwanted of [/^cluster(secretstores|externalsecrets|generators)/, /serviceaccounts\/token/])
      assert.ok(!resources.some((one) => unwanted.test(one)), String(unwanted));
    assert.ok(!clusterRules(manifests).some(({ apiGroups }) => apiGroups.includes('kubernetes-client.io')));
    const hooks = manifests.flatMap(({ webhooks = [] }) => webhooks.map(({ name }) => name));
    assert.ok(hooks.length > 4);
    assert.ok(
      !hooks.some((name) =>
        /clustersecretstore|clusterexternalsecret|clustergenerator|kubernetes-client/.test(name),
      ),
    );
  });

  test('nobody may read all Secrets of the cluster but the two programs', async () => {
    for (const { kind, metadata, rules = [] } of await renderRest({ file: 'everything-values.yaml' })) {
      if (!kind.endsWith('Role')) continue;
      const reads = rules.some(
        ({ resources, resourceNames }) => resources.includes('secrets') && !resourceNames,
      );
      const isProgram = metadata.labels?.['app.kubernetes.io/component'] !== undefined;
      assert.ok(!reads || isProgram, metadata.name);
    }
  });
});

const CLUSTER = 'everywhere';
const rightText = (place: string, { group, resource, verb, name = '' }: Right): string =>
  `${place}: ${verb} ${resource}.${group} ${name}`.trim();

/** What the ServiceAccount of a program may do: `PLACE: VERB RESOURCE.GROUP NAME`, by way of every binding that names it. */
function granted(manifests: readonly Rendered[], program: ProgramName, own: string): ReadonlySet<string> {
  const { serviceAccountName } = podOf(manifests, program);
  const rights = new Set<string>();
  for (const { kind, metadata, roleRef, subjects = [] } of manifests) {
    const isOurs = subjects.some(
      (one) => one.kind === 'ServiceAccount' && one.name === serviceAccountName && one.namespace === own,
    );
    if (!isOurs) continue;
    const place = kind === 'RoleBinding' ? (metadata.namespace ?? '') : CLUSTER;
    const role = manifests.find(
      (one) =>
        one.kind === roleRef?.kind &&
        one.metadata.name === roleRef.name &&
        (one.kind === 'ClusterRole' || one.metadata.namespace === place),
    );
    assert.ok(role?.rules, `${kind} ${metadata.name}`);
    for (const { apiGroups, resources, verbs, resourceNames } of role.rules) {
      const rule = { groups: apiGroups, resources, verbs };
      for (const right of rightsOf([resourceNames === undefined ? rule : { ...rule, names: resourceNames }]))
        rights.add(rightText(place, right));
    }
  }
  return rights;
}

interface Release {
  readonly own: string;
  readonly scope: string;
}

/** Where a right has to be, in an installation that serves one namespace. */
function needed(
  program: ProgramName,
  right: Right & { readonly own: boolean },
  { own, scope }: Release,
): string {
  if (right.own) return rightText(own, right);
  // The webhook reads the one Namespace, which a Role in it may allow. The poller watches it, which none may.
  if (right.resource === 'namespaces')
    return program === 'webhook' ? rightText(scope, right) : rightText(CLUSTER, { ...right, name: scope });
  return rightText(CLUSTER_WIDE.has(right.resource) ? CLUSTER : scope, right);
}

describe('a release for one namespace has the rights that esa doctor asks for, where it asks for them, and no other', () => {
  const conversion = { crds: { conversion: { enabled: false } } };
  const releases: readonly (Release & {
    readonly title: string;
    readonly values: object;
    readonly inUse: readonly Feature[];
  })[] = [
    { title: 'with the CRDs', own: 'operator', scope: 'team-a', values: {}, inUse: ['crds'] },
    { title: 'where it is itself', own: 'team-a', scope: 'team-a', values: conversion, inUse: [] },
    {
      title: 'with kinds of the cluster and that of KES',
      own: 'operator',
      scope: 'team-a',
      values: { ...conversion, scopedClusterKinds: true, kes: { enabled: true } },
      inUse: ['cluster-stores', 'cluster-generators', 'kes'],
    },
    {
      title: 'with ClusterGenerators, and no ClusterSecretStores',
      own: 'operator',
      scope: 'team-a',
      values: { ...conversion, scopedClusterKinds: true, processClusterStore: false },
      inUse: ['cluster-generators'],
    },
  ];
  for (const { title, own, scope, values, inUse } of releases)
    test(title, async () => {
      const manifests = await renderRest({
        release: 'mine',
        namespace: own,
        values: { scopedNamespace: scope, scopedRBAC: true, ...values },
      });
      // Roles are there for shards whether or not they are used.
      const features = new Set<Feature>(['scoped', 'shards', ...inUse]);
      for (const program of ['webhook', 'poller'] as const) {
        const rules = expectedRules('mine-external-secrets-admission')[program].filter(
          (rule) => rule.for === undefined || features.has(rule.for),
        );
        const wanted = new Set(rightsOf(rules).map((right) => needed(program, right, { own, scope })));
        const there = granted(manifests, program, own);
        assert.deepEqual([...wanted].filter((right) => !there.has(right)).toSorted(), [], 'missing');
        // One rule of the poller names both configurations for both kinds.
        const surplus = [...there].filter(
          (right) => !wanted.has(right) && !/webhookconfigurations/.test(right),
        );
        assert.deepEqual(surplus.toSorted(), [], 'surplus');
      }
    });
});

test('two releases have no object of the cluster in common', async () => {
  const values = { crds: { conversion: { enabled: false } } };
  const names = async (release: string): Promise<string[]> =>
    (await renderRest({ release, namespace: release, values }))
      .filter(({ metadata }) => metadata.namespace === undefined)
      .map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  const [one, two] = await Promise.all([names('team-a'), names('team-b')]);
  assert.ok(one.length > 5);
  assert.deepEqual(
    one.filter((name) => two.includes(name)),
    [],
  );
});
