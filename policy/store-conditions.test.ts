import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesSelector, offersNamespace } from './store-conditions.ts';

test('no conditions offer the store to all namespaces', () => {
  assert.equal(offersNamespace(undefined, 'a', {}), true);
  assert.equal(offersNamespace([], 'a', {}), true);
});

test('9.3 #53 conditions are alternatives, and so are their fields', () => {
  const conditions = [
    { namespaces: ['a'] },
    { namespaceSelector: { matchLabels: { team: 'x' } }, namespaceRegexes: ['^b-'] },
  ];
  assert.equal(offersNamespace(conditions, 'a', {}), true);
  assert.equal(offersNamespace(conditions, 'b-1', {}), true);
  assert.equal(offersNamespace(conditions, 'c', { team: 'x' }), true);
  assert.equal(offersNamespace(conditions, 'c', { team: 'y' }), false);
});

test('9.3 #53 a pattern is not anchored, and a broken one matches nothing', () => {
  assert.equal(offersNamespace([{ namespaceRegexes: ['prod'] }], 'nonprod', {}), true);
  assert.equal(offersNamespace([{ namespaceRegexes: ['('] }], '(', {}), false);
});

test('an empty condition and an unknown operator match nothing; an empty selector matches all', () => {
  assert.equal(offersNamespace([{}], 'a', {}), false);
  assert.equal(matchesSelector({ matchExpressions: [{ key: 'k', operator: 'Maybe' }] }, { k: 'v' }), false);
  assert.equal(matchesSelector({}, {}), true);
});

test('expressions follow Kubernetes', () => {
  const one = (operator: string, values: string[], labels: Record<string, string>) =>
    matchesSelector({ matchExpressions: [{ key: 'k', operator, values }] }, labels);
  assert.equal(one('In', ['v'], { k: 'v' }), true);
  assert.equal(one('In', ['v'], {}), false);
  assert.equal(one('NotIn', ['v'], {}), true);
  assert.equal(one('NotIn', ['v'], { k: 'v' }), false);
  assert.equal(one('Exists', [], { k: '' }), true);
  assert.equal(one('DoesNotExist', [], { k: '' }), false);
});
