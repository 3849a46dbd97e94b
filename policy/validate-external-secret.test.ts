import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { formatFieldPath, formatProblem } from '../api/problem.ts';
import { checkExternalSecret, checkStore } from './check-object.ts';
import { validateExternalSecretSpec } from './validate-external-secret.ts';

const good: ExternalSecretSpec = {
  secretStoreRef: { name: 'store' },
  data: [{ secretKey: 'a', remoteRef: { key: 'app', property: 'p' } }],
};
const fields = (spec: ExternalSecretSpec): string[] =>
  validateExternalSecretSpec(spec).map((problem) => `${problem.reason} ${formatFieldPath(problem.path)}`);

test('a plain object has no problems', () => {
  assert.deepEqual(validateExternalSecretSpec(good), []);
  assert.deepEqual(
    validateExternalSecretSpec({
      ...good,
      refreshInterval: '0',
      refreshPolicy: 'Periodic',
      target: { creationPolicy: 'Owner', deletionPolicy: 'Retain' },
    }),
    [],
  );
});

const extract = { extract: { key: 'k' } };
const cases: [string, ExternalSecretSpec, string[]][] = [
  [
    'rule 1: Delete with Merge',
    { ...good, target: { creationPolicy: 'Merge', deletionPolicy: 'Delete' } },
    ['FieldValueInvalid spec.target.deletionPolicy'],
  ],
  [
    'rule 1: Delete with None',
    { ...good, target: { creationPolicy: 'None', deletionPolicy: 'Delete' } },
    ['FieldValueInvalid spec.target.deletionPolicy'],
  ],
  [
    'rule 1: Delete with CreateOrMerge',
    { ...good, target: { creationPolicy: 'CreateOrMerge', deletionPolicy: 'Delete' } },
    ['FieldValueInvalid spec.target.deletionPolicy'],
  ],
  [
    'rule 2: Merge with None',
    { ...good, target: { creationPolicy: 'None', deletionPolicy: 'Merge' } },
    ['FieldValueInvalid spec.target.deletionPolicy'],
  ],
  ['rule 3: nothing to fetch', { secretStoreRef: { name: 's' } }, ['FieldValueRequired spec']],
  [
    'rule 4: service-account token',
    { ...good, target: { template: { type: 'kubernetes.io/service-account-token' } } },
    ['FieldValueForbidden spec.target.template.type'],
  ],
  [
    'rule 6: bootstrap token',
    { ...good, target: { template: { type: 'bootstrap.kubernetes.io/token' } } },
    ['FieldValueForbidden spec.target.template.type'],
  ],
  [
    'rule 5: annotations of a service-account token',
    {
      ...good,
      target: {
        template: {
          type: 'kubernetes.io/service-account-token',
          templateFrom: [{ literal: 'a: b', target: 'annotations' }],
        },
      },
    },
    ['FieldValueForbidden spec.target.template.templateFrom[0].target'],
  ],
  [
    'rule 7: a path as target',
    {
      ...good,
      target: { template: { templateFrom: [{ literal: 'a: b', target: 'metadata.ownerReferences' }] } },
    },
    ['FieldValueInvalid spec.target.template.templateFrom[0].target'],
  ],
  [
    'rule 8: extract and find',
    { ...good, dataFrom: [{ ...extract, find: { name: { regexp: 'x' } } }] },
    ['FieldValueInvalid spec.dataFrom[0]'],
  ],
  ['rule 9: an empty entry', { ...good, dataFrom: [{}] }, ['FieldValueRequired spec.dataFrom[0]']],
  [
    'rule 10: an empty sourceRef',
    { ...good, dataFrom: [{ sourceRef: {} }] },
    ['FieldValueRequired spec.dataFrom[0].sourceRef'],
  ],
  [
    'rule 11: a key twice',
    { ...good, data: [...(good.data ?? []), { secretKey: 'a', remoteRef: { key: 'other' } }] },
    ['FieldValueDuplicate spec.data[1].secretKey'],
  ],
  ['no store', { data: good.data }, ['FieldValueRequired spec.secretStoreRef.name']],
  [
    'an empty key',
    { ...good, data: [{ secretKey: 'a', remoteRef: { key: '' } }] },
    ['FieldValueRequired spec.data[0].remoteRef.key'],
  ],
  ['not a duration', { ...good, refreshInterval: '10' }, ['FieldValueInvalid spec.refreshInterval']],
  [
    'sourceRef with a store alone',
    { ...good, dataFrom: [{ sourceRef: { storeRef: { name: 's' } } }] },
    ['FieldValueRequired spec.dataFrom[0]'],
  ],
];
for (const [name, spec, expected] of cases) {
  test(name, () => {
    const found = fields(spec);
    for (const field of expected) assert.ok(found.includes(field), `${field} not in ${found.join(', ')}`);
  });
}

test('what the engine cannot do yet is refused by name, never ignored', () => {
  const spec: ExternalSecretSpec = {
    ...good,
    refreshPolicy: 'OnChange',
    syncWindows: { kind: 'allow', windows: [{ schedule: '@daily', duration: '1h' }] },
    target: {
      creationPolicy: 'Orphan',
      deletionPolicy: 'Delete',
      immutable: true,
      manifest: { apiVersion: 'v1', kind: 'ConfigMap' },
      template: { data: { a: 'b' } },
    },
    data: [
      {
        secretKey: 'a',
        remoteRef: { key: 'k', metadataPolicy: 'Fetch', decodingStrategy: 'Base64', nullBytePolicy: 'Fail' },
        sourceRef: { storeRef: { name: 's' } },
      },
    ],
    dataFrom: [
      { find: { path: 'x' } },
      { sourceRef: { generatorRef: { kind: 'Password', name: 'p' } } },
      {
        ...extract,
        rewrite: [{ regexp: { source: 'a', target: 'b' } }],
        sourceRef: { storeRef: { name: 's' } },
      },
    ],
  };
  assert.deepEqual(
    validateExternalSecretSpec(spec)
      .filter((problem) => problem.reason === 'FieldValueNotSupported')
      .map((problem) => formatFieldPath(problem.path))
      .sort(),
    [
      'spec.data[0].remoteRef.decodingStrategy',
      'spec.data[0].remoteRef.nullBytePolicy',
      'spec.data[0].sourceRef',
      'spec.dataFrom[0].find',
      'spec.dataFrom[1].sourceRef.generatorRef',
      'spec.dataFrom[2].rewrite',
      'spec.dataFrom[2].sourceRef.storeRef',
      'spec.refreshPolicy',
      'spec.syncWindows',
      'spec.target.creationPolicy',
      'spec.target.deletionPolicy',
      'spec.target.immutable',
      'spec.target.manifest',
      'spec.target.template',
    ].sort(),
  );
});

test('paths are those of the version that the user wrote', () => {
  const object = {
    apiVersion: 'external-secrets.io/v1alpha1',
    kind: 'ExternalSecret',
    metadata: { name: 'a', namespace: 'ns' },
    spec: { secretStoreRef: { name: 's' }, refreshInterval: 'soon', dataFrom: [{ key: '' }] },
  };
  assert.deepEqual(
    checkExternalSecret(object)
      .problems.map((problem) => formatFieldPath(problem.path))
      .sort(),
    ['spec.dataFrom[0].key', 'spec.refreshInterval'],
  );
});

test('what the schema refuses is said with its path, before any rule', () => {
  const object = {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name: 'a' },
    spec: { data: [{ secretKey: 'a b', remoteRef: {} }] },
  };
  assert.deepEqual(
    checkExternalSecret(object)
      .problems.map((problem) => formatFieldPath(problem.path))
      .sort(),
    ['spec.data[0].remoteRef.key', 'spec.data[0].secretKey'],
  );
});

test('no object, no spec: a problem, not an exception', () => {
  for (const spec of [undefined, null, 'x', 3]) {
    const object = {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'a' },
      spec,
    };
    assert.deepEqual(checkExternalSecret(object).problems.map(formatProblem), [
      'spec: the spec is missing; say what to fetch',
    ]);
    assert.equal(checkStore({ ...object, kind: 'SecretStore' }, 'SecretStore').problems.length, 1);
  }
});

test('stores: exactly one provider that exists, with rules of its own', () => {
  const store = (provider: unknown, rest: object = {}) =>
    checkStore(
      {
        apiVersion: 'external-secrets.io/v1',
        kind: 'SecretStore',
        metadata: { name: 's', namespace: 'ns' },
        spec: { provider, ...rest },
      },
      'SecretStore',
    ).problems.map((problem) => formatFieldPath(problem.path));
  assert.deepEqual(store({ fake: { data: [{ key: 'k', value: 'v' }] } }), []);
  assert.deepEqual(store({}), ['spec.provider']);
  assert.deepEqual(store({ fake: { data: [] }, vault: { server: 'https://v', auth: {} } }), [
    'spec.provider',
  ]);
  assert.deepEqual(store({ gitlab: {} }), ['spec.provider.gitlab']);
  assert.deepEqual(store({ fake: { data: [{ key: 'k', value: 'v' }] } }, { refreshInterval: -1 }), [
    'spec.refreshInterval',
  ]);
  assert.deepEqual(
    store({ fake: { data: [{ key: 'k', value: 'v' }] } }, { conditions: [{ namespaceRegexes: ['('] }] }),
    ['spec.conditions[0].namespaceRegexes[0]'],
  );
});
