import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { parseObject } from '../api/json.ts';
import { pack, unpack } from './projection.ts';

const example = (): ExternalSecret => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: {
    name: 'checkout-database',
    namespace: 'team-042',
    uid: '5f1f4a1e-3c54-4d0c-9f5e-0d8f6a9b7c21',
    resourceVersion: '181923',
    generation: 3,
    creationTimestamp: '2026-11-22T06:00:00Z',
    labels: { 'app.kubernetes.io/name': 'checkout' },
  },
  spec: {
    refreshInterval: '10s',
    secretStoreRef: { kind: 'ClusterSecretStore', name: 'vault' },
    target: { name: 'checkout-database', creationPolicy: 'Owner', deletionPolicy: 'Retain' },
    data: ['host', 'port', 'user', 'password', 'database'].map((property) => ({
      secretKey: property.toUpperCase(),
      remoteRef: {
        conversionStrategy: 'Default',
        decodingStrategy: 'None',
        key: 'teams/042/checkout',
        metadataPolicy: 'None',
        nullBytePolicy: 'Ignore',
        property,
      },
    })),
  },
  status: {
    binding: { name: 'checkout-database' },
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'SecretSynced',
        message: 'secret synced',
        lastTransitionTime: '2026-11-22T06:00:05Z',
      },
    ],
    refreshTime: '2026-11-22T06:10:05Z',
    syncedResourceVersion: '3-0f2a6e4b8c1d3f5a7b9c0e2d4f6a8b1c3d5e7f90a2b4c6d8e0f1a3b5',
  },
});

test('whatever stands in an object comes back, in the same order', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.dictionary(fc.string(), fc.string()), (value, labels) => {
      const object = { ...example(), spec: value, extra: value } as unknown as ExternalSecret;
      const whole = { ...object, metadata: { ...object.metadata, labels } };
      assert.equal(JSON.stringify(unpack(pack(whole))), JSON.stringify(whole));
    }),
  );
});

test('an object of more than a megabyte, numbers beyond a double, and text of all alphabets come back', () => {
  const text = `{"metadata":{"name":"a","annotations":{"日本語":"😀 ${'xyz'.repeat(400_000)}"}},"spec":{"n":9007199254740993}}`;
  assert.equal(JSON.stringify(unpack(pack(parseObject(text) as ExternalSecret))), text);
});

test('managedFields are not kept, and the object that was given is left as it is', () => {
  const object = example();
  const managed = { ...object, metadata: { ...object.metadata, managedFields: [{ manager: 'kubectl' }] } };
  assert.deepEqual(unpack(pack(managed)), object);
  assert.equal(managed.metadata.managedFields.length, 1);
});

test('an ordinary object takes a fraction of its JSON, also one that kubectl applied', () => {
  const object = example();
  const { metadata, spec } = object;
  const applied = JSON.stringify({ apiVersion: object.apiVersion, kind: object.kind, metadata: {}, spec });
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': applied };
  const both = [object, { ...object, metadata: { ...metadata, annotations } }] as const;
  for (const one of both) {
    const [size, json] = [pack(one).length, JSON.stringify(one).length];
    assert.ok(size * 4 < json, `${size} of ${json} bytes`);
  }
});
