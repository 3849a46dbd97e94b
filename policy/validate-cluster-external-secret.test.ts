import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { formatProblem } from '../api/problem.ts';
import { checkClusterExternalSecret } from './check-object.ts';
import { labelKeyError, labelValueError } from './label-syntax.ts';

const good = {
  namespaceSelectors: [{ matchLabels: { team: 'shop' } }],
  externalSecretSpec: {
    secretStoreRef: { name: 'vault', kind: 'ClusterSecretStore' },
    data: [{ secretKey: 'a', remoteRef: { key: 'k' } }],
  },
};
const check = (spec: object) =>
  checkClusterExternalSecret({
    apiVersion: 'external-secrets.io/v1',
    kind: 'ClusterExternalSecret',
    metadata: { name: 'ces' },
    spec,
  });
const problemsOf = (change: object): string[] => check({ ...good, ...change }).problems.map(formatProblem);
const expression = (rule: object): object => ({ namespaceSelectors: [{ matchExpressions: [rule] }] });

describe('a ClusterExternalSecret', () => {
  test('is sound, and comes with the defaults of an ExternalSecret', () => {
    const { problems, warnings, hub } = check(good);
    assert.deepEqual([problems, warnings], [[], []]);
    assert.equal(hub.spec.externalSecretSpec.refreshInterval, '1h0m0s');
  });

  test('is refused what an ExternalSecret is refused, by the path inside of it', () => {
    const externalSecretSpec = {
      ...good.externalSecretSpec,
      refreshInterval: 'often',
      target: { creationPolicy: 'Merge', deletionPolicy: 'Delete', template: { data: { a: '{{ .b' } } },
    };
    const paths = check({ ...good, externalSecretSpec }).problems.map(
      (problem) => formatProblem(problem).split(': ')[0],
    );
    assert.deepEqual(
      new Set(paths),
      new Set([
        'spec.externalSecretSpec.refreshInterval',
        'spec.externalSecretSpec.target.deletionPolicy',
        'spec.externalSecretSpec.target.template.data.a',
      ]),
    );
  });

  test('is refused what the schema does not have', () => {
    assert.deepEqual(
      problemsOf({ externalSecretSpec: { ...good.externalSecretSpec, refreshIntervall: '1h' } }),
      ['spec.externalSecretSpec.refreshIntervall: no such field; remove it or correct its name'],
    );
    assert.match(problemsOf({ externalSecretSpec: undefined }).join(), /^spec\.externalSecretSpec: /);
    assert.match(problemsOf({ externalSecretName: 'Not_A_Name' }).join(), /^spec\.externalSecretName: /);
    assert.match(problemsOf({ namespaces: ['a', 'b.c'] }).join(), /^spec\.namespaces\[1\]: /);
    for (const spec of [undefined, null, 'text'])
      assert.equal(check(spec as unknown as object).problems.length, 1);
  });

  for (const [what, change, said] of [
    [
      'an operator',
      expression({ key: 'a', operator: 'Equals' }),
      /matchExpressions\[0\]\.operator: "Equals" is/,
    ],
    [
      'In without values',
      expression({ key: 'a', operator: 'In' }),
      /matchExpressions\[0\]\.values: In compares/,
    ],
    [
      'Exists with values',
      expression({ key: 'a', operator: 'Exists', values: ['b'] }),
      /matchExpressions\[0\]\.values: Exists has no values/,
    ],
    [
      'a value',
      expression({ key: 'a', operator: 'In', values: ['b', 'b c'] }),
      /matchExpressions\[0\]\.values\[1\]: the value of a label/,
    ],
    ['a key', expression({ key: 'a b', operator: 'Exists' }), /matchExpressions\[0\]\.key: the name must be/],
    [
      'a label',
      { namespaceSelectors: [{ matchLabels: { 'Team/a': 'b' } }] },
      /^spec\.namespaceSelectors\[0\]\.matchLabels\[Team\/a\]: what stands before/,
    ],
    [
      'the deprecated selector',
      { namespaceSelector: { matchLabels: { a: '-' } } },
      /^spec\.namespaceSelector\.matchLabels\.a: the value of a label/,
    ],
    ['an interval', { refreshTime: 'daily' }, /^spec\.refreshTime: "daily" is not a duration/],
    ['a negative interval', { refreshTime: '-1h' }, /^spec\.refreshTime: "-1h" is not a duration/],
    [
      'a label to set',
      { externalSecretMetadata: { labels: { a: 'b c' } } },
      /^spec\.externalSecretMetadata\.labels\.a: the value of a label/,
    ],
    [
      'an annotation to set',
      { externalSecretMetadata: { annotations: { 'a/b/c': '' } } },
      /^spec\.externalSecretMetadata\.annotations\[a\/b\/c\]: the name must be/,
    ],
    [
      'too many annotations',
      { externalSecretMetadata: { annotations: { a: 'x'.repeat(262_144) } } },
      /^spec\.externalSecretMetadata\.annotations: 262145 bytes are too many/,
    ],
  ] as const) {
    test(`is refused ${what} that cannot be`, () => {
      const problems = problemsOf(change);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', said);
    });
  }

  test('is admitted with a word where nothing is selected, or something is a trap', () => {
    const { problems, warnings } = check({
      externalSecretSpec: {
        ...good.externalSecretSpec,
        target: { creationPolicy: 'Orphan', deletionPolicy: 'Delete' },
      },
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      warnings.map((warning) => formatProblem(warning).split(':')[0]),
      ['spec.externalSecretSpec.target.deletionPolicy', 'spec.namespaceSelectors'],
    );
    assert.deepEqual(check({ ...good, namespaceSelectors: undefined, namespaces: ['a'] }).warnings, []);
  });
});

test('keys and values of labels are those of the API server', () => {
  const long = 'a'.repeat(63);
  for (const key of ['a', 'A.b_c-1', `example.com/${long}`, `${'b'.repeat(253)}/a`, '1'])
    assert.equal(labelKeyError(key), undefined, key);
  for (const key of [
    '',
    '-a',
    'a-',
    `${long}a`,
    '/a',
    'a/',
    'A/b',
    'a/b/c',
    `${'b'.repeat(254)}/a`,
    'a b',
    'ä',
  ])
    assert.notEqual(labelKeyError(key), undefined, key);
  for (const value of ['', 'a', 'A.b_c-1', long]) assert.equal(labelValueError(value), undefined, value);
  for (const value of ['-', 'a.', `${long}a`, 'a/b', 'a b'])
    assert.notEqual(labelValueError(value), undefined);
});

test('what docs/cluster-external-secrets.md shows is sound', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/cluster-external-secrets.md'), 'utf8');
  const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']): unknown => parse(text));
  assert.equal(blocks.length, 1);
  for (const block of blocks) {
    const { problems, warnings } = checkClusterExternalSecret(block);
    assert.deepEqual([problems, warnings], [[], []]);
  }
});
