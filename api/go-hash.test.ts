// The goldens come from Go: go run test/oracles/go-hash/main.go > api/go-values.golden.json
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATION_CONVERSION } from './external-secrets/names.ts';
import { createdByHash, dataHash, fieldManager, syncedResourceVersion } from './go-hash.ts';
import goldens from './go-values.golden.json' with { type: 'json' };

describe('9.4 ObjectHash: hashes are those of Go', () => {
  for (const [index, { data, hash }] of goldens.data.entries()) {
    it(`data ${index}: ${Object.keys(data ?? {}).join(' ') || 'empty'}`, () => {
      const entries = Object.entries<string | null>(data ?? {});
      assert.equal(
        dataHash(new Map(entries.map(([key, value]) => [key, Buffer.from(value ?? '', 'base64')]))),
        hash,
      );
    });
  }

  for (const { namespace, name, hash } of goldens.createdBy) {
    it(`created-by ${namespace}/${name}`, () => assert.equal(createdByHash(namespace, name), hash));
  }

  for (const { generation, annotations, labels, version } of goldens.meta) {
    it(`synced resource version ${generation}`, () => {
      const map = (value: object | null) => (value ?? undefined) as Record<string, string> | undefined;
      assert.equal(syncedResourceVersion(generation, map(annotations), map(labels)), version);
    });
  }

  for (const { name, manager } of goldens.managers) {
    it(`field manager of a name of ${name.length} characters`, () =>
      assert.equal(fieldManager(name), manager));
  }
});

it('what conversion parks is not hashed', () => {
  const parked = { a: 'b', [ANNOTATION_CONVERSION]: '{"refreshPolicy":"OnChange"}' };
  assert.equal(syncedResourceVersion(3, parked, undefined), syncedResourceVersion(3, { a: 'b' }, {}));
});

it('the bytes of a Buffer that is a view on a larger one are its own', () => {
  const whole = Buffer.from('xxabxx');
  assert.equal(
    dataHash(new Map([['k', whole.subarray(2, 4)]])),
    dataHash(new Map([['k', Buffer.from('ab')]])),
  );
});
