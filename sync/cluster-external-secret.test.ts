import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ANNOTATION_FORCE_SYNC } from '../api/external-secrets/names.ts';
import type {
  ClusterExternalSecret,
  ClusterExternalSecretSpec,
  ExternalSecret,
} from '../api/external-secrets/v1/index.ts';
import type { ObjectMeta } from '../api/meta.ts';
import {
  changesTo,
  clusterOwner,
  clusterStatus,
  desiredExternalSecret,
  invalidStatus,
  type NamespaceOutcome,
  selectsNamespace,
  statusPatch,
} from './cluster-external-secret.ts';

const externalSecretSpec = { data: [{ secretKey: 'a', remoteRef: { key: 'k' } }] };
const ces = (
  spec: Partial<ClusterExternalSecretSpec> = {},
  metadata: ObjectMeta = {},
): ClusterExternalSecret => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ClusterExternalSecret',
  metadata: { name: 'ces', uid: 'u1', ...metadata },
  spec: { externalSecretSpec, ...spec },
});
const live = (change: Partial<ObjectMeta> = {}): ExternalSecret => {
  const desired = desiredExternalSecret(ces(), 'shop');
  return { ...desired, metadata: { ...desired.metadata, resourceVersion: '7', ...change } };
};

test('a namespace is selected by any selector, by the old one, or by its name', () => {
  const spec: ClusterExternalSecretSpec = {
    externalSecretSpec,
    namespaceSelectors: [
      { matchLabels: { a: '1' } },
      { matchExpressions: [{ key: 'b', operator: 'Exists' }] },
    ],
    namespaceSelector: { matchLabels: { c: '1' } },
    namespaces: ['named'],
  };
  for (const labels of [{ a: '1' }, { b: '' }, { c: '1' }]) assert.ok(selectsNamespace(spec, 'x', labels));
  assert.ok(selectsNamespace(spec, 'named', {}));
  assert.equal(selectsNamespace(spec, 'x', { a: '2' }), false);
  assert.equal(selectsNamespace({ externalSecretSpec }, 'x', { a: '1' }), false);
  assert.ok(selectsNamespace({ externalSecretSpec, namespaceSelectors: [{}] }, 'x', {}));
});

describe('the ExternalSecret of a namespace', () => {
  test('has the name of its owner unless another is given, and the metadata that is asked for', () => {
    const { metadata, spec } = desiredExternalSecret(ces(), 'shop');
    assert.deepEqual([metadata.name, metadata.namespace, metadata.labels], ['ces', 'shop', undefined]);
    assert.equal(metadata.annotations, undefined);
    assert.equal(spec, externalSecretSpec);
    const named = ces({
      externalSecretName: 'db',
      externalSecretMetadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
    });
    const other = desiredExternalSecret(named, 'shop').metadata;
    assert.deepEqual([other.name, other.labels, other.annotations], ['db', { a: 'b' }, { c: 'd' }]);
  });

  test('is told to sync when its owner is, and only then', () => {
    const annotations = { [ANNOTATION_FORCE_SYNC]: 'own', c: 'd' };
    const spec = { externalSecretMetadata: { annotations } };
    assert.deepEqual(desiredExternalSecret(ces(spec), 'shop').metadata.annotations, { c: 'd' });
    const forced = ces(spec, { annotations: { [ANNOTATION_FORCE_SYNC]: '9', other: 'x' } });
    assert.deepEqual(desiredExternalSecret(forced, 'shop').metadata.annotations, {
      c: 'd',
      [ANNOTATION_FORCE_SYNC]: '9',
    });
  });

  test('belongs to who controls it, whichever version that wrote', () => {
    const [owner] = live().metadata.ownerReferences ?? [];
    assert.ok(owner);
    assert.equal(clusterOwner(live()), 'ces');
    const ownedBy = (change: object) => clusterOwner(live({ ownerReferences: [{ ...owner, ...change }] }));
    assert.equal(ownedBy({ apiVersion: 'external-secrets.io/v1beta1' }), 'ces');
    assert.equal(ownedBy({ apiVersion: 'external-secrets.io.example/v1' }), undefined);
    assert.equal(ownedBy({ kind: 'Deployment' }), undefined);
    assert.equal(ownedBy({ controller: false }), undefined);
    assert.equal(clusterOwner({ metadata: {} }), undefined);
  });

  test('is left as it is while it is as wanted, whatever ESO has written', () => {
    const desired = desiredExternalSecret(ces(), 'shop');
    assert.deepEqual(changesTo(live({ finalizers: ['x'] }), desired), []);
    const owners = live().metadata.ownerReferences?.map((one) => ({
      ...one,
      apiVersion: 'external-secrets.io/v1beta1',
    }));
    assert.deepEqual(changesTo(live({ ownerReferences: owners }), desired), []);
  });

  test('is changed in what differs, in the version that was seen', () => {
    const version = { op: 'replace', path: '/metadata/resourceVersion', value: '7' };
    const desired = desiredExternalSecret(ces({ externalSecretMetadata: { labels: { a: 'b' } } }), 'shop');
    assert.deepEqual(changesTo(live({ annotations: { mine: 'x' } }), desired), [
      version,
      { op: 'add', path: '/metadata/labels', value: { a: 'b' } },
      { op: 'remove', path: '/metadata/annotations' },
    ]);
    const spec = { ...externalSecretSpec, refreshInterval: '9h' };
    assert.deepEqual(changesTo({ ...live(), spec }, desiredExternalSecret(ces(), 'shop')), [
      version,
      { op: 'add', path: '/spec', value: externalSecretSpec },
    ]);
  });

  test('of an owner that was made anew under its name gets that as its owner', () => {
    const other = { apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x' };
    const [owner] = live().metadata.ownerReferences ?? [];
    assert.ok(owner);
    const desired = desiredExternalSecret(ces({}, { uid: 'u2' }), 'shop');
    const [, change] = changesTo(live({ ownerReferences: [other, owner] }), desired);
    assert.deepEqual(change, {
      op: 'add',
      path: '/metadata/ownerReferences',
      value: [other, { ...owner, uid: 'u2' }],
    });
  });
});

describe('the status', () => {
  const outcomes = new Map<string, NamespaceOutcome>([
    ['b', { ok: true }],
    ['c', { ok: false, reason: 'r'.repeat(1_000) }],
    ['a', { ok: true }],
  ]);

  test('lists namespaces in order, and says why some failed', () => {
    const status = clusterStatus(ces(), outcomes);
    assert.deepEqual(status.provisionedNamespaces, ['a', 'b']);
    assert.equal(status.failedNamespaces?.length, 1);
    assert.equal(status.failedNamespaces?.[0]?.reason?.length, 400);
    assert.deepEqual(status.conditions, [
      { type: 'Ready', status: 'False', message: 'one or more namespaces failed: 1 of 3' },
    ]);
  });

  test('fits into an object however many namespaces fail', () => {
    const reason = 'x'.repeat(5_000);
    const many = Array.from(
      { length: 10_000 },
      (_, n) => [`${'n'.repeat(57)}-${n}`, { ok: false, reason }] as const,
    );
    const size = JSON.stringify(clusterStatus(ces(), new Map(many))).length;
    assert.ok(size < 1_000_000, `${size}`);
  });

  test('of one that makes no sense keeps what was made', () => {
    const status = invalidStatus(ces(), ['a'], 'spec.x: no');
    assert.deepEqual(status.provisionedNamespaces, ['a']);
    assert.deepEqual(status.failedNamespaces, [{ namespace: 'unknown', reason: 'spec.x: no' }]);
    assert.equal(status.conditions?.[0]?.status, 'False');
  });

  test('is written only where it says something new, and what is over is taken away', () => {
    const before = clusterStatus(ces(), outcomes);
    assert.equal(statusPatch(before, clusterStatus(ces(), new Map(outcomes))), undefined);
    const healed = clusterStatus(ces(), new Map([...outcomes, ['c', { ok: true }]]));
    assert.deepEqual(statusPatch(before, healed), {
      provisionedNamespaces: ['a', 'b', 'c'],
      failedNamespaces: null,
      conditions: [{ type: 'Ready', status: 'True' }],
    });
  });
});
