import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOTATION_PENDING } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { fieldManager } from '../api/go-hash.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { SecretObject } from '../kube/objects.ts';
import { ownerReference } from './ownership.ts';
import { diff, newSecret } from './secret-patch.ts';
import { shape } from './shape.ts';

const es: ExternalSecret = {
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: {
    namespace: 'ns',
    name: 'app',
    uid: 'u1',
    labels: { team: 'x' },
    annotations: { note: 'y', 'external-secrets-admission.io/require-sync': 'true' },
  },
  spec: { target: { name: 'target' } },
};
const owner = ownerReference({ name: 'app', uid: 'u1' });
const values = (data: Record<string, string>) =>
  new Map(Object.entries(data).map(([key, text]) => [key, SecretValue.fromText(text)]));
const desired = shape(es, values({ a: '1', b: '2' }));
const live = (change: Partial<SecretObject> = {}): SecretObject => {
  const base = newSecret(desired, { owner });
  return { ...base, metadata: { ...base.metadata, uid: 's1', resourceVersion: '7' }, ...change };
};

test('labels and annotations of the ExternalSecret are copied, our own are not', () => {
  assert.equal(desired.labels['team'], 'x');
  assert.equal(desired.annotations['note'], 'y');
  assert.equal('external-secrets-admission.io/require-sync' in desired.annotations, false);
});

test('with a template nothing is copied', () => {
  const templated = shape({ ...es, spec: { target: { template: { type: 'Opaque' } } } }, values({}));
  assert.deepEqual(Object.keys(templated.labels).sort(), [
    'reconcile.external-secrets.io/created-by',
    'reconcile.external-secrets.io/managed',
  ]);
});

test('types that are credentials of the cluster are not written', () => {
  const type = 'kubernetes.io/service-account-token';
  assert.throws(() => shape({ ...es, spec: { target: { template: { type } } } }, values({})), {
    code: 'SECRET_TYPE_FORBIDDEN',
  });
});

test('nothing differs, nothing is written', () => {
  assert.equal(diff(live(), desired, owner), undefined);
});

test('data is replaced as a whole, bound to the version that was read', () => {
  const patch = diff(
    live({ data: { a: Buffer.from('old').toString('base64'), foreign: 'eA==' } }),
    desired,
    owner,
  );
  assert.deepEqual(patch, {
    metadata: { uid: 's1', resourceVersion: '7' },
    data: { a: Buffer.from('1').toString('base64'), b: Buffer.from('2').toString('base64'), foreign: null },
  });
});

test('base64 that is written differently is the same data', () => {
  const present = live();
  const padded = { ...present, data: { a: 'MQ', b: 'Mg==' } };
  assert.equal(diff(padded, desired, owner), undefined);
});

test('a pending Secret of ours only changes in metadata', () => {
  const pending = newSecret(desired, { pending: 'v1.x' });
  const patch = diff(
    { ...pending, metadata: { ...pending.metadata, uid: 's1', resourceVersion: '7' } },
    desired,
    owner,
  );
  assert.deepEqual(patch, {
    metadata: {
      uid: 's1',
      resourceVersion: '7',
      annotations: { [ANNOTATION_PENDING]: null },
      ownerReferences: [owner],
    },
  });
});

test('labels of others stay, those we once set and no longer want go', () => {
  const present = live();
  const metadata = {
    ...present.metadata,
    labels: { ...present.metadata.labels, foreign: '1', former: '2' },
    managedFields: [
      {
        manager: fieldManager('app'),
        fieldsV1: { 'f:metadata': { 'f:labels': { 'f:former': {}, 'f:team': {} } } },
      },
    ],
  };
  assert.deepEqual(diff({ ...present, metadata }, desired, owner)?.metadata.labels, { former: null });
});

test('the reference to an earlier object of the same name is exchanged, those of others stay', () => {
  const other = { apiVersion: 'v1', kind: 'ConfigMap', name: 'c', uid: 'c1' };
  const present = live();
  const metadata = {
    ...present.metadata,
    ownerReferences: [other, ownerReference({ name: 'app', uid: 'u0' })],
  };
  assert.deepEqual(diff({ ...present, metadata }, desired, owner)?.metadata.ownerReferences, [other, owner]);
});

test('an immutable Secret, or one of another type, is said to be in the way', () => {
  assert.throws(() => diff(live({ immutable: true, data: {} }), desired, owner), {
    code: 'TARGET_IMMUTABLE',
  });
  assert.equal(diff(live({ immutable: true }), desired, owner), undefined);
  assert.throws(
    () => diff(live({ type: 'kubernetes.io/tls' }), desired, owner),
    /has type kubernetes.io\/tls, wanted is Opaque/,
  );
});

test('a key that is called like a property of every object is a key', () => {
  const odd = shape(es, values({ ['__proto__']: 'x', constructor: 'y' }));
  const body = JSON.parse(JSON.stringify(newSecret(odd, { owner }))) as SecretObject;
  assert.deepEqual(Object.keys(body.data ?? {}).sort(), ['__proto__', 'constructor']);
});
