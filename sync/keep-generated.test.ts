import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExternalSecret, TargetSpec } from '../api/external-secrets/v1/index.ts';
import { fieldManager } from '../api/go-hash.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { SecretObject } from '../kube/objects.ts';
import { keepGenerated } from './keep-generated.ts';
import type { Ownership } from './ownership.ts';

const object = (target: TargetSpec = {}): ExternalSecret => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { name: 'app', namespace: 'ns' },
  spec: { target },
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** `a` was set by the ExternalSecret `app`, all else by somebody else. */
const live: SecretObject = {
  metadata: {
    name: 'app',
    managedFields: [{ manager: fieldManager('app'), fieldsV1: { 'f:data': { 'f:a': {} } } }],
  },
  data: { a: base64('old a'), b: base64('old b'), fetched: base64('old') },
};

const data = new Map(['a', 'b', 'c', 'fetched'].map((key) => [key, SecretValue.fromText(`new ${key}`)]));
const generated = new Set(['a', 'b', 'c']);

const kept = (es: ExternalSecret, owned: Ownership): Record<string, string> =>
  Object.fromEntries(
    [...keepGenerated(es, { data, generated }, live, owned)].map(([key, value]) => [key, value.revealText()]),
  );

test('generated values that stand there stay, new keys and fetched values come', () => {
  const expected = { a: 'old a', b: 'old b', c: 'new c', fetched: 'new fetched' };
  for (const kind of ['owned', 'dangling', 'labelled'] as const)
    assert.deepEqual(kept(object(), { kind }), expected);
});

test('values of a Secret that is not the object’s own are none of its', () => {
  const expected = { a: 'new a', b: 'new b', c: 'new c', fetched: 'new fetched' };
  assert.deepEqual(kept(object(), { kind: 'unmanaged' }), expected);
  assert.deepEqual(kept(object(), { kind: 'adoptable' }), expected);
  assert.deepEqual(kept(object(), { kind: 'other-external-secret', owner: 'x' }), expected);
});

test('of a Secret that is shared, own keys stay', () => {
  for (const creationPolicy of ['Merge', 'CreateOrMerge'] as const) {
    assert.deepEqual(kept(object({ creationPolicy }), { kind: 'unmanaged' }), {
      a: 'old a',
      b: 'new b',
      c: 'new c',
      fetched: 'new fetched',
    });
  }
});

test('a value that a template changes is not taken for the one that it was made of', () => {
  const template = { data: { a: '{{ .a }}', b: 'b is {{ .b }}' } };
  assert.deepEqual(kept(object({ template }), { kind: 'owned' }), {
    a: 'old a',
    b: 'new b',
    c: 'new c',
    fetched: 'new fetched',
  });
});
