import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFieldPath } from '../problem.ts';
import { checkMetadata } from './check-metadata.ts';

const fieldsOf = (metadata: unknown, scope: 'Namespaced' | 'Cluster' = 'Namespaced'): string[] => {
  const { unknown, invalid } = checkMetadata(scope, metadata);
  return [...unknown, ...invalid].map(({ rule, path }) => `${formatFieldPath(path)} ${rule}`);
};

const cases: readonly [string, unknown, string[]][] = [
  ['a name', { name: 'a.b-c', namespace: 'shop' }, []],
  ['a name that the server makes', { generateName: 'a-' }, []],
  ['no metadata', undefined, ['metadata.name schema-required']],
  ['no name', { labels: {} }, ['metadata.name schema-required']],
  ['upper case', { name: 'App' }, ['metadata.name schema-format']],
  ['a number', { name: 5 }, ['metadata.name schema-type']],
  ['a dot in a namespace', { name: 'a', namespace: 'a.b' }, ['metadata.namespace schema-format']],
  ['an unknown field', { name: 'a', label: {} }, ['metadata.label schema-unknown-field']],
  ['an unknown field that is null', { name: 'a', label: null }, ['metadata.label schema-unknown-field']],
  ['what kubectl create --dry-run writes', { name: 'a', creationTimestamp: null }, []],
  ['labels', { name: 'a', labels: { 'a.b/c_D': 'x.Y', d: '', e: null } }, []],
  ['a label that is no text', { name: 'a', labels: { live: true } }, ['metadata.labels.live schema-type']],
  ['the value of a label', { name: 'a', labels: { a: 'b c' } }, ['metadata.labels.a schema-format']],
  [
    'a long value of a label',
    { name: 'a', labels: { a: 'b'.repeat(64) } },
    ['metadata.labels.a schema-format'],
  ],
  ['the key of a label', { name: 'a', labels: { 'a/b/c': '' } }, ['metadata.labels[a/b/c] schema-format']],
  ['an upper case prefix', { name: 'a', labels: { 'A/b': '' } }, ['metadata.labels[A/b] schema-format']],
  ['annotations', { name: 'a', annotations: { 'A.b/c': 'any text\n' } }, []],
  [
    'the key of an annotation',
    { name: 'a', annotations: { 'a b': '' } },
    ['metadata.annotations[a b] schema-format'],
  ],
  [
    'large annotations',
    { name: 'a', annotations: { a: 'x'.repeat(262_144) } },
    ['metadata.annotations schema-format'],
  ],
  ['a list', [], ['metadata schema-type']],
];
for (const [what, metadata, expected] of cases)
  test(what, () => assert.deepEqual(fieldsOf(metadata), expected));

test('the namespace of a kind that has none is passed over, as by the API server', () => {
  assert.deepEqual(fieldsOf({ name: 'a', namespace: 'Not One' }, 'Cluster'), []);
});
