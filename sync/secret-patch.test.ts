import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ANNOTATION_PENDING } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { dataHash, fieldManager } from '../api/go-hash.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { SecretObject } from '../kube/objects.ts';
import { ownerReference } from './ownership.ts';
import { diff, heldHash, newSecret, type SecretPatch } from './secret-patch.ts';
import { type DesiredSecret, shape } from './shape.ts';

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
const writer = { name: 'app', uid: 'u1' };
const owner = ownerReference(writer);
const values = (data: Record<string, string>) =>
  new Map(Object.entries(data).map(([key, text]) => [key, SecretValue.fromText(text)]));
const desired = shape(es, values({ a: '1', b: '2' }), undefined);
const patchOf = (present: SecretObject, wanted = desired): SecretPatch | undefined =>
  diff(present, wanted, writer).patch;
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
  const templated = shape({ ...es, spec: { target: { template: { type: 'Opaque' } } } }, values({}), {
    data: undefined,
    labels: {},
    annotations: {},
  });
  assert.deepEqual(Object.keys(templated.labels).sort(), [
    'reconcile.external-secrets.io/created-by',
    'reconcile.external-secrets.io/managed',
  ]);
});

test('types that are credentials of the cluster are not written', () => {
  const type = 'kubernetes.io/service-account-token';
  assert.throws(() => shape({ ...es, spec: { target: { template: { type } } } }, values({}), undefined), {
    code: 'SECRET_TYPE_FORBIDDEN',
  });
});

test('nothing differs, nothing is written', () => {
  assert.equal(patchOf(live()), undefined);
});

test('data is replaced as a whole, bound to the version that was read', () => {
  const patch = patchOf(live({ data: { a: Buffer.from('old').toString('base64'), foreign: 'eA==' } }));
  assert.deepEqual(patch, {
    metadata: { uid: 's1', resourceVersion: '7' },
    data: { a: Buffer.from('1').toString('base64'), b: Buffer.from('2').toString('base64'), foreign: null },
  });
});

test('base64 that is written differently is the same data', () => {
  const present = live();
  const padded = { ...present, data: { a: 'MQ', b: 'Mg==' } };
  assert.equal(patchOf(padded), undefined);
});

test('a pending Secret of ours only changes in metadata', () => {
  const pending = newSecret(desired, { pending: 'v1.x' });
  const patch = patchOf({
    ...pending,
    metadata: { ...pending.metadata, uid: 's1', resourceVersion: '7' },
  });
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
  assert.deepEqual(patchOf({ ...present, metadata })?.metadata.labels, { former: null });
});

test('the reference to an earlier object of the same name is exchanged, those of others stay', () => {
  const other = { apiVersion: 'v1', kind: 'ConfigMap', name: 'c', uid: 'c1' };
  const present = live();
  const metadata = {
    ...present.metadata,
    ownerReferences: [other, ownerReference({ name: 'app', uid: 'u0' })],
  };
  assert.deepEqual(patchOf({ ...present, metadata })?.metadata.ownerReferences, [other, owner]);
});

test('an immutable Secret keeps its data, and what can be written is; another type is in the way', () => {
  const frozen = diff(live({ immutable: true, data: {} }), desired, writer);
  assert.equal(frozen.blocked?.code, 'TARGET_IMMUTABLE');
  assert.equal(frozen.patch, undefined);
  const present = live({ immutable: true, data: {} });
  const labels = { ...present.metadata.labels };
  delete labels['team'];
  const partly = diff({ ...present, metadata: { ...present.metadata, labels } }, desired, writer);
  assert.equal(partly.blocked?.code, 'TARGET_IMMUTABLE');
  assert.deepEqual(partly.patch, { metadata: { uid: 's1', resourceVersion: '7', labels: { team: 'x' } } });
  assert.deepEqual(diff(live({ immutable: true }), desired, writer), {
    patch: undefined,
    blocked: undefined,
  });
  const typed: DesiredSecret = { ...desired, type: 'Opaque' };
  assert.throws(
    () => diff(live({ type: 'kubernetes.io/tls' }), typed, writer),
    /has type kubernetes.io\/tls, wanted is Opaque/,
  );
  assert.equal(patchOf(live({ type: 'kubernetes.io/tls' })), undefined);
});

test('target.immutable freezes what is there, and never writes data again', () => {
  const wanted: DesiredSecret = { ...desired, immutable: true };
  assert.equal(newSecret(wanted, {}).immutable, true);
  assert.deepEqual(patchOf(live({ data: { a: 'eA==' } }), wanted), {
    metadata: { uid: 's1', resourceVersion: '7' },
    immutable: true,
  });
  assert.equal(patchOf(live({ immutable: true, data: { a: 'eA==' } }), wanted), undefined);
});

describe('keys of others', () => {
  const ours = (keys: readonly string[], operation = 'Update') => ({
    manager: fieldManager('app'),
    operation,
    fieldsV1: { 'f:data': Object.fromEntries([['.', {}], ...keys.map((key) => [`f:${key}`, {}])]) },
  });
  const text = (value: string): string => Buffer.from(value).toString('base64');
  const merging = (policy: 'Merge' | 'CreateOrMerge'): DesiredSecret => {
    const { 'reconcile.external-secrets.io/created-by': _, ...labels } = desired.labels;
    return { ...desired, policy, labels };
  };
  const shared = (
    data: Record<string, string>,
    managedFields: NonNullable<SecretObject['metadata']['managedFields']>,
  ): SecretObject => {
    const base = newSecret(merging('Merge'), {});
    return {
      ...base,
      metadata: { ...base.metadata, uid: 's1', resourceVersion: '7', managedFields },
      data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, text(value)])),
    };
  };

  for (const policy of ['Merge', 'CreateOrMerge'] as const) {
    test(`${policy} writes and removes only its own, whichever kind of write made them its own`, () => {
      for (const operation of ['Update', 'Apply']) {
        const present = shared({ a: '1', b: 'old', former: 'x', foreign: 'y' }, [
          ours(['a', 'b', 'former'], operation),
        ]);
        assert.deepEqual(patchOf(present, merging(policy)), {
          metadata: {
            uid: 's1',
            resourceVersion: '7',
            annotations: {
              'reconcile.external-secrets.io/data-hash': dataHash(
                new Map([
                  ['a', Buffer.from('1')],
                  ['b', Buffer.from('2')],
                  ['foreign', Buffer.from('y')],
                ]),
              ),
            },
          },
          data: { b: text('2'), former: null },
        });
      }
    });
  }

  test('what only another writer changed is no reason to write, so nobody is fought', () => {
    const present = shared({ a: '1', b: '2', foreign: 'changed' }, [ours(['a', 'b'])]);
    assert.equal(patchOf(present, merging('Merge')), undefined);
  });

  test('a former key that somebody else has taken over is theirs', () => {
    const present = shared({ a: '1', b: '2', former: 'theirs' }, [
      ours(['a', 'b']),
      { manager: 'kubectl-edit', fieldsV1: { 'f:data': { 'f:former': {} } } },
    ]);
    assert.equal(patchOf(present, merging('Merge')), undefined);
  });

  test('the hash of what we hold does not move with keys of others', () => {
    const before = heldHash(shared({ a: '1', b: '2' }, [ours(['a', 'b'])]), 'app', 'Merge');
    assert.equal(heldHash(shared({ a: '1', b: '2', x: '3' }, [ours(['a', 'b'])]), 'app', 'Merge'), before);
    assert.notEqual(heldHash(shared({ a: '1', b: 'x' }, [ours(['a', 'b'])]), 'app', 'Merge'), before);
    assert.notEqual(heldHash(shared({ a: '1' }, [ours(['a', 'b'])]), 'app', 'Merge'), before);
  });
});

test('from Owner to Orphan or Merge: our reference and the label created-by go', () => {
  const { 'reconcile.external-secrets.io/created-by': _, ...labels } = desired.labels;
  for (const policy of ['Orphan', 'Merge', 'CreateOrMerge'] as const) {
    const metadata = patchOf(live(), { ...desired, policy, labels })?.metadata;
    assert.deepEqual(metadata?.labels, { 'reconcile.external-secrets.io/created-by': null }, policy);
    assert.deepEqual(metadata?.ownerReferences, [], policy);
  }
});

test('finalizers are added to those that stand there', () => {
  const present = live();
  const metadata = { ...present.metadata, finalizers: ['a/b'] };
  const wanted: DesiredSecret = { ...desired, finalizers: ['c/d', 'a/b'] };
  assert.deepEqual(patchOf({ ...present, metadata }, wanted)?.metadata.finalizers, ['a/b', 'c/d']);
  assert.equal(patchOf({ ...present, metadata }), undefined);
});

test('a key that is called like a property of every object is a key', () => {
  const odd = shape(es, values({ ['__proto__']: 'x', constructor: 'y' }), undefined);
  const body = JSON.parse(JSON.stringify(newSecret(odd, { owner }))) as SecretObject;
  assert.deepEqual(Object.keys(body.data ?? {}).sort(), ['__proto__', 'constructor']);
  const { patch } = diff(live(), odd, writer);
  assert.deepEqual(Object.keys(patch?.data ?? {}).sort(), ['__proto__', 'a', 'b', 'constructor']);
});
