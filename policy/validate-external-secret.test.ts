import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExternalSecretSpec, RewriteStep } from '../api/external-secrets/v1/index.ts';
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

test('what is not supported is refused by name, never ignored', () => {
  const generatorRef = { kind: 'QuayAccessToken', name: 'p' } as const;
  const spec: ExternalSecretSpec = {
    ...good,
    target: { manifest: { apiVersion: 'v1', kind: 'ConfigMap' } },
    data: [{ secretKey: 'a', remoteRef: { key: 'k' }, sourceRef: { generatorRef } }],
    dataFrom: [{ sourceRef: { generatorRef } }],
  };
  assert.deepEqual(
    validateExternalSecretSpec(spec)
      .filter((problem) => problem.reason === 'FieldValueNotSupported')
      .map((problem) => formatFieldPath(problem.path))
      .sort(),
    [
      'spec.dataFrom[0].sourceRef.generatorRef.kind',
      'spec.data[0].sourceRef.generatorRef',
      'spec.target.manifest',
    ],
  );
});

test('everything that an ExternalSecret can say beside is supported', () => {
  const other = { sourceRef: { storeRef: { name: 's' } } };
  const strategies = { decodingStrategy: 'Auto', nullBytePolicy: 'Fail', metadataPolicy: 'Fetch' } as const;
  const spec: ExternalSecretSpec = {
    refreshPolicy: 'OnChange',
    syncWindows: { kind: 'allow', windows: [{ schedule: '@daily', duration: '1h' }] },
    target: {
      creationPolicy: 'CreateOrMerge',
      deletionPolicy: 'Merge',
      immutable: true,
      template: {
        mergePolicy: 'Merge',
        metadata: { labels: { a: '{{ .a }}' }, annotations: { b: '{{ .a | quote }}' } },
        data: { b: '{{ .a }}' },
        templateFrom: [{ literal: 'c: {{ .a }}', valuesDecodingStrategy: 'Base64' }],
      },
    },
    data: [{ secretKey: 'a', remoteRef: { key: 'k', ...strategies }, ...other }],
    dataFrom: [
      { find: { path: 'x', tags: { a: 'b' } }, ...other },
      {
        extract: { key: 'k', ...strategies },
        rewrite: [{ regexp: { source: '(a)', target: '$1' } }],
        ...other,
      },
    ],
  };
  assert.deepEqual(validateExternalSecretSpec(spec).map(formatProblem), []);
});

describe('expressions that can never work', () => {
  const problemsOf = (change: Partial<ExternalSecretSpec>): string[] =>
    validateExternalSecretSpec({ ...good, ...change }).map(formatProblem);
  const template = (text: string, data = good.data): string[] =>
    problemsOf({ ...(data === undefined ? {} : { data }), target: { template: { data: { key: text } } } });
  const AT = 'spec.target.template.data.key: ';

  test('templates: syntax, functions, arguments, keys; each with its place', () => {
    assert.deepEqual(template('{{ .a }}'), []);
    assert.deepEqual(template('x\n{{ .a | nope }}'), [
      `${AT}line 2, column 9: function "nope" not defined\n    {{ .a | nope }}\n            ^^^^`,
    ]);
    assert.deepEqual(template('{{ trunc 3 }}'), [
      `${AT}line 1, column 4: wrong number of args for trunc: want 2 got 1\n    {{ trunc 3 }}\n       ^^^^^`,
    ]);
    assert.deepEqual(template('{{ .b }}'), [
      `${AT}line 1, column 4: no key "b" is fetched; there is .a\n    {{ .b }}\n       ^^`,
    ]);
    assert.match(template('{{ if .a }}').join(), /unexpected EOF/);
  });

  test('a key that a branch reads, index, or a dataFrom may give: only running it tells', () => {
    assert.deepEqual(template('{{ if .a }}{{ .b }}{{ end }}{{ index . "c" }}'), []);
    const spec = {
      dataFrom: [{ extract: { key: 'k' } }],
      target: { template: { data: { key: '{{ .b }}' } } },
    };
    assert.deepEqual(problemsOf(spec), []);
  });

  test('metadata and literals are templates too', () => {
    const found = problemsOf({
      target: {
        template: {
          metadata: { labels: { l: '{{ nope }}' }, annotations: { 'a.b/c': '{{ nope }}' } },
          templateFrom: [{ literal: '{{ nope }}' }],
        },
      },
    });
    assert.deepEqual(
      found.map((text) => text.split(': ')[0]),
      [
        'spec.target.template.templateFrom[0].literal',
        'spec.target.template.metadata.annotations[a.b/c]',
        'spec.target.template.metadata.labels.l',
      ],
    );
  });

  test('regular expressions, rewrites, schedules and durations', () => {
    const step = (rewrite: RewriteStep): string[] =>
      problemsOf({ dataFrom: [{ extract: { key: 'k' }, rewrite: [rewrite] }] });
    assert.deepEqual(step({ regexp: { source: 'a(', target: '' } }), [
      'spec.dataFrom[0].rewrite[0].regexp.source: must be a regular expression (RE2): missing closing ) in `a(`',
    ]);
    assert.deepEqual(step({ merge: { strategy: 'JSON' } }), [
      'spec.dataFrom[0].rewrite[0].merge.into: strategy JSON needs a key to write the merged object under; set into',
    ]);
    assert.match(
      step({ transform: { template: '{{ .other }}' } }).join(),
      /no key "other" is fetched; there is \.value/,
    );
    assert.match(
      problemsOf({ dataFrom: [{ find: { name: { regexp: '(?<=a)b' } } }] }).join(),
      /find\.name\.regexp: must be/,
    );
    const window = (schedule: string, duration: string): string[] =>
      problemsOf({ syncWindows: { kind: 'deny', windows: [{ schedule, duration }] } });
    assert.deepEqual(window('*/5 * * * *', '1h'), []);
    assert.match(
      window('61 * * * *', '1h').join(),
      /^spec\.syncWindows\.windows\[0\]\.schedule: "61 \* \* \* \*" is not a schedule/,
    );
    assert.match(window('@daily', 'long').join(), /^spec\.syncWindows\.windows\[0\]\.duration: "long"/);
  });
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
