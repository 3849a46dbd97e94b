import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  ANNOTATION_ADOPT,
  ANNOTATION_PENDING,
  LABEL_CREATED_BY,
  LABEL_MANAGED,
} from '../api/external-secrets/names.ts';
import { createdByHash, fieldManager } from '../api/go-hash.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { signMarker, specHash } from './marker.ts';
import { ownerReference, ownership } from './ownership.ts';
import { decodeData } from './secret-data.ts';

const key = { id: 'k', key: randomBytes(32) };
const es = { namespace: 'ns', name: 'app', uid: 'u1' };
const data = { a: Buffer.from('1').toString('base64') };
const secret = (metadata: Partial<ObjectMeta>) => ({
  metadata: { namespace: 'ns', name: 'target', ...metadata },
  data,
});
const kind = (metadata: Partial<ObjectMeta>, keys = [key]) => ownership(secret(metadata), es, keys).kind;
const marker = (externalSecret: string) =>
  signMarker(key, {
    namespace: 'ns',
    secret: 'target',
    externalSecret,
    specHash: specHash({}),
    data: decodeData({ data }),
  });

test('a controller of this kind and name is ours, whatever its version; another uid dangles', () => {
  assert.equal(kind({ ownerReferences: [ownerReference(es)] }), 'owned');
  assert.equal(
    kind({ ownerReferences: [{ ...ownerReference(es), apiVersion: 'external-secrets.io/v1beta1' }] }),
    'owned',
  );
  assert.equal(kind({ ownerReferences: [ownerReference({ name: 'app', uid: 'u0' })] }), 'dangling');
});

test('another controller is respected, whatever the labels say', () => {
  const labels = { [LABEL_MANAGED]: 'true' };
  assert.equal(
    kind({ labels, ownerReferences: [ownerReference({ name: 'other', uid: 'u1' })] }),
    'other-external-secret',
  );
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app', uid: 'u1', controller: true };
  assert.equal(kind({ labels, ownerReferences: [deployment] }), 'other-controller');
  // The same kind in somebody else's group is somebody else's.
  assert.equal(
    kind({ labels, ownerReferences: [{ ...ownerReference(es), apiVersion: 'example.com/v1' }] }),
    'other-controller',
  );
});

test('S98 an object of KES is another one than that of ESO with the same name', () => {
  const kes = { namespace: 'ns', name: 'kubernetes-client.io/app', uid: 'u2' };
  const ofKes = { metadata: { name: 's', ownerReferences: [ownerReference(kes)] } };
  assert.deepEqual(ownership(ofKes, es, []), {
    kind: 'other-external-secret',
    owner: 'kubernetes-client.io/app',
  });
  assert.deepEqual(ownership(ofKes, kes, []), { kind: 'owned' });
  assert.deepEqual(ownership({ metadata: { name: 's', ownerReferences: [ownerReference(es)] } }, kes, []), {
    kind: 'other-external-secret',
    owner: 'app',
  });
  // As KES itself writes it.
  assert.deepEqual(ownerReference(kes), {
    apiVersion: 'kubernetes-client.io/v1',
    kind: 'ExternalSecret',
    name: 'app',
    uid: 'u2',
    controller: true,
  });
});

test('without a controller the labels decide: a restored backup is ours, a copy for another object is not', () => {
  assert.equal(kind({ labels: { [LABEL_MANAGED]: 'true' } }), 'labelled');
  assert.equal(
    kind({ labels: { [LABEL_MANAGED]: 'true', [LABEL_CREATED_BY]: createdByHash('ns', 'app') } }),
    'labelled',
  );
  assert.equal(
    kind({ labels: { [LABEL_MANAGED]: 'true', [LABEL_CREATED_BY]: createdByHash('ns', 'other') } }),
    'unmanaged',
  );
  assert.equal(kind({ labels: { [LABEL_CREATED_BY]: createdByHash('ns', 'app') } }), 'unmanaged');
  assert.equal(kind({}), 'unmanaged');
});

test('a Secret that only another ExternalSecret has written to is shared, not ours', () => {
  const labels = { [LABEL_MANAGED]: 'true' };
  const by = (...names: string[]) => names.map((name) => ({ manager: fieldManager(name) }));
  assert.deepEqual(ownership(secret({ labels, managedFields: by('other') }), es, []), {
    kind: 'shared',
    owner: 'other',
  });
  assert.equal(kind({ labels, managedFields: by('other', 'app') }), 'labelled');
  assert.equal(kind({ labels, managedFields: [{ manager: 'velero' }] }), 'labelled');
});

test('an owner that does not control leaves the Secret unmanaged', () => {
  assert.equal(kind({ ownerReferences: [{ ...ownerReference(es), controller: false }] }), 'unmanaged');
});

test('a pending marker counts if we signed it, for whom it was signed', () => {
  assert.equal(kind({ annotations: { [ANNOTATION_PENDING]: marker('app') } }), 'pending');
  assert.equal(kind({ annotations: { [ANNOTATION_PENDING]: marker('other') } }), 'other-external-secret');
  assert.equal(kind({ annotations: { [ANNOTATION_PENDING]: marker('app') } }, []), 'unmanaged');
  assert.equal(kind({ annotations: { [ANNOTATION_PENDING]: `${marker('app')}x` } }), 'unmanaged');
});

test('a Secret can offer itself', () => {
  assert.equal(kind({ annotations: { [ANNOTATION_ADOPT]: 'true' } }), 'adoptable');
  assert.equal(kind({ annotations: { [ANNOTATION_ADOPT]: 'yes' } }), 'unmanaged');
});
