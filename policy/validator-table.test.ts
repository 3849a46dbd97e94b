// The table of External Secrets Operator's validator tests, by its names (eso.md 9.3).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DataFromEntry, ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { formatFieldPath } from '../api/problem.ts';
import { checkExternalSecret } from './check-object.ts';
import { validateExternalSecretSpec } from './validate-external-secret.ts';

const data = [{ secretKey: 'a', remoteRef: { key: 'k' } }];
const secretStoreRef = { name: 'store' };
const good: ExternalSecretSpec = { secretStoreRef, data };
const extract = { key: 'k' };
const find = { name: { regexp: 'x' } };
const sourceRef = { generatorRef: { kind: 'Fake', name: 'g' } } as const;
const from = (...dataFrom: DataFromEntry[]): ExternalSecretSpec => ({ secretStoreRef, dataFrom });
const template = (
  content: NonNullable<NonNullable<ExternalSecretSpec['target']>['template']>,
): ExternalSecretSpec => ({ ...good, target: { template: content } });
const twice: ExternalSecretSpec = { ...good, data: [...data, { secretKey: 'a', remoteRef: { key: 'l' } }] };

/** Where it is refused, and in which words; nothing for what is allowed. */
const CASES: readonly [name: string, spec: ExternalSecretSpec, path?: string, words?: RegExp][] = [
  [
    'deletionPolicy Delete with creationPolicy Merge',
    { ...good, target: { deletionPolicy: 'Delete', creationPolicy: 'Merge' } },
    'spec.target.deletionPolicy',
    /^deletionPolicy=Delete must not be used when the controller doesn't own the secret/,
  ],
  [
    'deletionPolicy Delete with creationPolicy None',
    { ...good, target: { deletionPolicy: 'Delete', creationPolicy: 'None' } },
    'spec.target.deletionPolicy',
    /^deletionPolicy=Delete must not be used/,
  ],
  [
    'deletionPolicy Delete with creationPolicy CreateOrMerge',
    { ...good, target: { deletionPolicy: 'Delete', creationPolicy: 'CreateOrMerge' } },
    'spec.target.deletionPolicy',
    /^deletionPolicy=Delete must not be used/,
  ],
  [
    'deletionPolicy Merge with creationPolicy None',
    { ...good, target: { deletionPolicy: 'Merge', creationPolicy: 'None' } },
    'spec.target.deletionPolicy',
    /^deletionPolicy=Merge must not be used with creationPolicy=None/,
  ],
  ['neither data nor dataFrom', { secretStoreRef }, 'spec', /^either data or dataFrom should be specified/],
  [
    'find with extract',
    from({ find, extract }),
    'spec.dataFrom[0]',
    /^extract, find, or generatorRef cannot be set at the same time/,
  ],
  [
    'generator with find',
    from({ find, sourceRef }),
    'spec.dataFrom[0]',
    /^extract, find, or generatorRef cannot be set at the same time/,
  ],
  [
    'generator with extract',
    from({ extract, sourceRef }),
    'spec.dataFrom[0]',
    /^extract, find, or generatorRef cannot be set at the same time/,
  ],
  ['empty dataFrom entry', from({}), 'spec.dataFrom[0]', /^either extract, find, or sourceRef must be set/],
  ['duplicate keys with Retain', twice, 'spec.data[1].secretKey', /^duplicate secretKey found: a/],
  ['duplicate keys with Delete', { ...twice, target: { deletionPolicy: 'Delete' } }],
  [
    'service-account token with its annotation',
    template({
      type: 'kubernetes.io/service-account-token',
      metadata: { annotations: { 'kubernetes.io/service-account.name': 'default' } },
    }),
    'spec.target.template.type',
    /^template\.type=kubernetes\.io\/service-account-token .*is not allowed/,
  ],
  [
    'service-account token with annotations of templateFrom',
    template({
      type: 'kubernetes.io/service-account-token',
      templateFrom: [{ literal: 'a: b', target: 'Annotations' }],
    }),
    'spec.target.template.templateFrom[0].target',
    /with templateFrom target=Annotations is not allowed/,
  ],
  [
    'bootstrap token',
    template({ type: 'bootstrap.kubernetes.io/token' }),
    'spec.target.template.type',
    /^template\.type=bootstrap\.kubernetes\.io\/token is not allowed/,
  ],
  ...['Data', 'data', 'Annotations', 'annotations', 'LABELS', ''].map(
    (target): [string, ExternalSecretSpec] => [
      `templateFrom target ${JSON.stringify(target)}`,
      template({ templateFrom: [{ literal: 'a: b', target }] }),
    ],
  ),
  ...['type', 'metadata.annotations', 'immutable', 'metadata.ownerReferences', 'spec.data', 'dat'].map(
    (target): [string, ExternalSecretSpec, string, RegExp] => [
      `9.3 #49 templateFrom target ${JSON.stringify(target)}`,
      template({ templateFrom: [{ literal: 'a: b', target }] }),
      'spec.target.template.templateFrom[0].target',
      new RegExp(`^templateFrom target=${target} is not allowed when targeting a Secret`),
    ],
  ),
];

describe('9.3 validator', () => {
  for (const [name, spec, path, words] of CASES) {
    test(`${name}: ${path === undefined ? 'allowed' : 'refused'}`, () => {
      const problems = validateExternalSecretSpec(spec);
      if (path === undefined || words === undefined) {
        assert.deepEqual(problems, []);
        return;
      }
      const found = problems.find((problem) => formatFieldPath(problem.path) === path);
      assert.match(found?.message ?? JSON.stringify(problems), words);
    });
  }

  test('nil object: a problem and no exception', () => {
    for (const nothing of [undefined, null, {}]) {
      const object = {
        apiVersion: 'external-secrets.io/v1',
        kind: 'ExternalSecret',
        metadata: { name: 'a' },
      };
      assert.ok(checkExternalSecret({ ...object, spec: nothing }).problems.length > 0);
    }
  });

  test('multiple errors are all told', () => {
    const spec: ExternalSecretSpec = {
      secretStoreRef,
      target: { deletionPolicy: 'Delete', creationPolicy: 'Merge' },
      dataFrom: [{ find, extract }, {}],
    };
    assert.deepEqual(
      validateExternalSecretSpec(spec)
        .map(({ path }) => formatFieldPath(path))
        .sort(),
      ['spec.dataFrom[0]', 'spec.dataFrom[1]', 'spec.target.deletionPolicy'],
    );
  });
});
