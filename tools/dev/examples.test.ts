import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { readExample } from './examples.ts';

const metadataOf = (text: string): unknown[] =>
  parseAllDocuments(text).map((document) => (document.toJS() as { metadata: unknown }).metadata);

test('an example is led to another namespace with labels of its own, and to a Vault if there is one', () => {
  const labels = { 'app.kubernetes.io/managed-by': 'somebody' };
  const openBao = { address: 'http://127.0.0.1:8200', token: 'root' };
  const text = readExample({ namespace: 'other', labels, openBao }, 'vault-token/1-namespace.yaml');
  assert.deepEqual(metadataOf(text), [
    { labels, name: 'other' },
    { name: 'vault-token', namespace: 'other' },
  ]);
  assert.match(text, /token: root/);
  const store = readExample({ namespace: 'demo', labels: {}, openBao }, 'vault-token/2-store.yaml');
  assert.match(store, /server: http:\/\/127\.0\.0\.1:8200$/m);
});

test('where they are meant for nothing changes, and without a Vault its address stays', () => {
  const place = { namespace: 'demo', labels: {}, openBao: undefined };
  assert.deepEqual(metadataOf(readExample(place, 'fake/1-namespace.yaml')), [{ name: 'demo' }]);
  assert.match(readExample(place, 'vault-token/2-store.yaml'), /vault\.example\.com/);
  // The key of the remote secret has the same word in it.
  assert.match(readExample({ ...place, namespace: 'x' }, 'fake/2-store.yaml'), /key: demo\/database/);
});
