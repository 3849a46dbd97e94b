import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatProblem } from '../api/problem.ts';
import { storeWarnings, validateStoreSpec } from './validate-store.ts';

const provider = { express: { host: 'http://express' } };
const problems = (more: object, kind: 'SecretStore' | 'ClusterSecretStore' = 'ClusterSecretStore') =>
  validateStoreSpec(kind, kind === 'SecretStore' ? 'team' : undefined, {
    provider,
    ...more,
  }).map(formatProblem);
const warnings = (more: object, kind: 'SecretStore' | 'ClusterSecretStore' = 'ClusterSecretStore') =>
  storeWarnings(kind, { provider, ...more }).map(formatProblem);
const select = (...matchExpressions: readonly object[]): object => ({
  conditions: [{ namespaces: ['a'] }, { namespaceSelector: { matchExpressions } }],
});
const AT = 'spec.conditions[1].namespaceSelector.matchExpressions[0]';

test('a provider: exactly one, and one of those there are', () => {
  assert.deepEqual(problems({}), []);
  assert.match(problems({ provider: {} }).join(), /^spec\.provider: .* found none/);
  assert.match(problems({ provider: { ...provider, vault: {} } }).join(), /found 2 \(express, vault\)/);
  assert.match(problems({ provider: { gitlab: {} } }).join(), /^spec\.provider\.gitlab: .*not supported yet/);
});

test('how often it is checked', () => {
  for (const refreshInterval of [0, 300, '', '5m', '1h30m'])
    assert.deepEqual(problems({ refreshInterval }), [], String(refreshInterval));
  assert.match(problems({ refreshInterval: -1 }).join(), /^spec\.refreshInterval: must not be negative/);
  for (const refreshInterval of ['-5m', 'often', '5'])
    assert.match(problems({ refreshInterval }).join(), /is not a duration/, refreshInterval);
});

describe('conditions', () => {
  test('expressions have to compile', () => {
    const conditions = [{ namespaceRegexes: ['^a.*$', '('] }];
    assert.match(problems({ conditions }).join(), /^spec\.conditions\[0\]\.namespaceRegexes\[1\]: must be a/);
  });

  test('a selector is one that Kubernetes takes', () => {
    const sound = [
      { key: 'a', operator: 'In', values: ['x'] },
      { key: 'a', operator: 'NotIn', values: ['x', 'y'] },
      { key: 'a', operator: 'Exists' },
      { key: 'a', operator: 'DoesNotExist', values: [] },
    ];
    assert.deepEqual(problems(select(...sound)), []);
    for (const [expression, expected] of [
      [
        { key: 'a', operator: 'in', values: ['x'] },
        `${AT}.operator: "in" is not an operator; supported values: In, NotIn, Exists, DoesNotExist`,
      ],
      [{ key: 'a', operator: 'NotIn' }, `${AT}.values: NotIn compares with values; list at least one`],
      [{ key: 'a', operator: 'Exists', values: ['x'] }, `${AT}.values: Exists has no values; leave them out`],
    ] as const)
      assert.deepEqual(problems(select(expression)), [expected]);
  });
});

test('what changes nothing is said', () => {
  assert.deepEqual(warnings({ conditions: [{ namespaces: ['a'] }] }), []);
  assert.deepEqual(warnings({ conditions: [{ namespaces: ['a'] }] }, 'SecretStore'), [
    'spec.conditions: a SecretStore serves its own namespace alone; they change nothing',
  ]);
  assert.deepEqual(warnings({ retrySettings: { maxRetries: 3 } }), [
    'spec.retrySettings: when something is tried again is not up to the store here; they change nothing',
  ]);
});
