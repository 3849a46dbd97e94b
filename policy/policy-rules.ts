/** The rules of a ClusterSecretPolicy, one function each. A rule that is absent has nothing to say. */
import { parseGoDuration } from '../api/duration.ts';
import type { StoreKind } from '../api/external-secrets/names.ts';
import type { ExternalSecretSpec, StoreRef } from '../api/external-secrets/v1/index.ts';
import type { ClusterSecretPolicySpec, PolicyRule } from '../api/policy/cluster-secret-policy.ts';
import type { FieldPath } from '../api/problem.ts';
import { matchesGlob, matchesKey, showKeyPattern } from './patterns.ts';
import type { PolicySubject } from './policy-subject.ts';
import { mayMatchServer, showServerPattern } from './server-guard.ts';
import { functionsOf } from './template-functions.ts';

export interface Finding {
  /** In the hub version. */
  readonly path: FieldPath;
  readonly message: string;
}

interface Rule {
  readonly id: PolicyRule;
  readonly judge: (spec: ClusterSecretPolicySpec, subject: PolicySubject) => readonly Finding[];
}

/** More alternatives than this help nobody in a message. */
const SHOWN = 10;
const DEFAULT_INTERVAL_MS = 3_600_000;

function oneOf(allowed: readonly string[]): string {
  if (allowed.length === 0) return 'nothing is allowed here';
  const more = allowed.length > SHOWN ? `, ... (${allowed.length - SHOWN} more)` : '';
  return `allowed: ${allowed.slice(0, SHOWN).join(', ')}${more}`;
}

interface NamedStore {
  readonly kind: StoreKind;
  readonly name: string;
  readonly path: FieldPath;
}

/** The stores that a spec names, each where it is named first. */
export function namedStores(spec: ExternalSecretSpec): readonly NamedStore[] {
  const seen = new Map<string, NamedStore>();
  const add = (ref: StoreRef | undefined, path: FieldPath): void => {
    const { kind = 'SecretStore', name = '' } = ref ?? {};
    if (name !== '' && !seen.has(`${kind}/${name}`))
      seen.set(`${kind}/${name}`, { kind, name, path: [...path, 'name'] });
  };
  add(spec.secretStoreRef, ['spec', 'secretStoreRef']);
  for (const list of ['dataFrom', 'data'] as const) {
    for (const [index, { sourceRef }] of (spec[list] ?? []).entries())
      add(sourceRef?.storeRef, ['spec', list, index, 'sourceRef', 'storeRef']);
  }
  return [...seen.values()];
}

/** The templates that stand in the ExternalSecret itself. */
function ownTemplates(spec: ExternalSecretSpec): { path: FieldPath; text: string }[] {
  const template = spec.target?.template;
  const at: FieldPath = ['spec', 'target', 'template'];
  const all = (map: Readonly<Record<string, string>> | undefined, path: FieldPath) =>
    Object.entries(map ?? {}).map(([key, text]) => ({ path: [...path, key], text }));
  return [
    ...(template?.templateFrom ?? []).flatMap(({ literal }, index) =>
      literal === undefined ? [] : [{ path: [...at, 'templateFrom', index, 'literal'], text: literal }],
    ),
    ...all(template?.data, [...at, 'data']),
    ...all(template?.metadata?.annotations, [...at, 'metadata', 'annotations']),
    ...all(template?.metadata?.labels, [...at, 'metadata', 'labels']),
    ...(spec.dataFrom ?? []).flatMap(({ rewrite = [] }, index) =>
      rewrite.flatMap(({ transform }, step) =>
        transform === undefined
          ? []
          : [
              {
                path: ['spec', 'dataFrom', index, 'rewrite', step, 'transform', 'template'],
                text: transform.template,
              },
            ],
      ),
    ),
  ];
}

const stores: Rule['judge'] = ({ stores: patterns }, { object }) => {
  if (patterns === undefined || object === undefined) return [];
  const allowed = oneOf(patterns.map(({ kind, name }) => `${kind ?? 'any store'} ${name}`));
  return namedStores(object.spec).flatMap(({ kind, name, path }) =>
    patterns.some((one) => (one.kind ?? kind) === kind && matchesGlob(one.name, name))
      ? []
      : [{ path, message: `${kind} "${name}" may not be used; ${allowed}` }],
  );
};

const providers: Rule['judge'] = ({ providers: names }, { stores: used = [] }) =>
  names === undefined
    ? []
    : used.flatMap(({ kind, name, provider, path }) =>
        names.includes(provider)
          ? []
          : [{ path, message: `${kind} "${name}" is of provider ${provider}; ${oneOf(names)}` }],
      );

const keys: Rule['judge'] = ({ keys: patterns }, { namespace, stores: used = [], found }) => {
  if (patterns === undefined) return [];
  const allowed = oneOf(patterns.map((pattern) => showKeyPattern(pattern, namespace)));
  const isAllowed = (key: string): boolean => patterns.some((pattern) => matchesKey(pattern, namespace, key));
  const findings: Finding[] = used.flatMap(({ reads }) =>
    reads.flatMap(({ path, key }) =>
      isAllowed(key) ? [] : [{ path, message: `"${key}" may not be read; ${allowed}` }],
    ),
  );
  const denied = (found?.keys ?? []).filter((key) => !isAllowed(key)).length;
  if (found === undefined || denied === 0) return findings;
  // Their names are not told: who may not read a secret need not learn that it is there.
  const message = `${denied} of the ${found.keys.length} secrets that the find came upon may not be read, so none is; narrow it by path or name (${allowed})`;
  return [...findings, { path: found.path, message }];
};

const servers: Rule['judge'] = ({ servers: patterns }, { stores: used = [] }) => {
  if (patterns === undefined) return [];
  const allowed = oneOf(patterns.map(showServerPattern));
  return used.flatMap(({ kind, name, servers: urls, path }) =>
    urls
      .filter((url) => !patterns.some((pattern) => mayMatchServer(pattern, url)))
      .map((url) => ({
        path,
        message: `${kind} "${name}" leads to ${url.origin}, which may not be used; ${allowed}`,
      })),
  );
};

const refreshInterval: Rule['judge'] = ({ refreshInterval: rule }, { object }) => {
  if (rule === undefined || object === undefined) return [];
  const { refreshPolicy = 'Periodic', refreshInterval: text = '' } = object.spec;
  if (refreshPolicy !== 'Periodic') return [];
  const interval = parseGoDuration(text) ?? DEFAULT_INTERVAL_MS;
  const minimum = parseGoDuration(rule.minimum) ?? Number.POSITIVE_INFINITY;
  // 0 or less reads once (eso.md 2.2), which asks less of the provider than any interval.
  if (interval <= 0 || interval >= minimum) return [];
  return [
    {
      path: ['spec', 'refreshInterval'],
      message: `"${text}" is too short; allowed: ${rule.minimum} or longer, and 0 or refreshPolicy CreatedOnce or OnChange`,
    },
  ];
};

function among(field: string, allowed: readonly string[] | undefined, actual: string): readonly Finding[] {
  if (allowed === undefined || allowed.includes(actual)) return [];
  return [{ path: ['spec', 'target', field], message: `"${actual}" may not be used; ${oneOf(allowed)}` }];
}

const creationPolicies: Rule['judge'] = (spec, { object }) =>
  object === undefined
    ? []
    : among('creationPolicy', spec.creationPolicies, object.spec.target?.creationPolicy ?? 'Owner');

const deletionPolicies: Rule['judge'] = (spec, { object }) =>
  object === undefined
    ? []
    : among('deletionPolicy', spec.deletionPolicies, object.spec.target?.deletionPolicy ?? 'Retain');

const secretTypes: Rule['judge'] = ({ secretTypes: types }, { object }) => {
  if (types === undefined || object === undefined) return [];
  const type = object.spec.target?.template?.type || 'Opaque';
  if (types.includes(type)) return [];
  return [
    {
      path: ['spec', 'target', 'template', 'type'],
      message: `Secrets of type ${type} may not be made; ${oneOf(types)}`,
    },
  ];
};

const requiredLabels: Rule['judge'] = ({ requiredLabels: labels = [] }, { object }) =>
  object === undefined
    ? []
    : labels.flatMap(({ key, values }): Finding[] => {
        const value = Object.hasOwn(object.labels, key) ? object.labels[key] : undefined;
        const path: FieldPath = ['metadata', 'labels', key];
        const wanted = values === undefined ? 'set it' : `set it to one of: ${values.join(', ')}`;
        if (value === undefined) return [{ path, message: `the label is missing; ${wanted}` }];
        if (values === undefined || values.includes(value)) return [];
        return [{ path, message: `the label must not be "${value}"; ${wanted}` }];
      });

const maximumKeys: Rule['judge'] = ({ maximumKeys: maximum }, { object, keyCount }) => {
  if (maximum === undefined) return [];
  const remedy = `at most ${maximum} are allowed; split it`;
  if (keyCount !== undefined && keyCount > maximum)
    return [{ path: ['spec', 'target'], message: `the Secret would have ${keyCount} keys; ${remedy}` }];
  const named = new Set((object?.spec.data ?? []).map(({ secretKey }) => secretKey)).size;
  return named > maximum ? [{ path: ['spec', 'data'], message: `${named} keys are named; ${remedy}` }] : [];
};

const forbiddenTemplateFunctions: Rule['judge'] = (
  { forbiddenTemplateFunctions: forbidden = [] },
  { object, templates = [] },
) => {
  if (forbidden.length === 0) return [];
  const texts = [...(object === undefined ? [] : ownTemplates(object.spec)), ...templates];
  return texts.flatMap(({ path, text }) => {
    const called = functionsOf(text);
    return forbidden
      .filter((name) => called.has(name))
      .map((name) => ({
        path,
        message: `the function ${name} may not be called; not allowed: ${forbidden.join(', ')}`,
      }));
  });
};

export const RULES: readonly Rule[] = [
  { id: 'stores', judge: stores },
  { id: 'providers', judge: providers },
  { id: 'keys', judge: keys },
  { id: 'servers', judge: servers },
  { id: 'refreshInterval', judge: refreshInterval },
  { id: 'creationPolicies', judge: creationPolicies },
  { id: 'deletionPolicies', judge: deletionPolicies },
  { id: 'secretTypes', judge: secretTypes },
  { id: 'requiredLabels', judge: requiredLabels },
  { id: 'maximumKeys', judge: maximumKeys },
  { id: 'forbiddenTemplateFunctions', judge: forbiddenTemplateFunctions },
];
