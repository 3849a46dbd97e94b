import assert from 'node:assert/strict';
import { test } from 'node:test';
import { convertReview } from './convert.ts';
import { readReview } from './review.ts';

const KIND = { group: 'external-secrets.io', version: 'v1', kind: 'ExternalSecret' };
const OBJECT = { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', metadata: { name: 'app' } };

const read = (request: object) =>
  readReview({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u', kind: KIND, operation: 'CREATE', object: OBJECT, ...request },
  });

/** Arrays in each other. */
function nested(levels: number): unknown {
  let value: unknown = 'x';
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

test('a request as the API server sends it is read; what it leaves out has a default', () => {
  const { request } = read({ namespace: 'shop', oldObject: null });
  assert.equal(request?.namespace, 'shop');
  assert.deepEqual(request.userInfo, {});
  assert.equal(read({ object: undefined, operation: 'DELETE' }).request?.object, null);
  assert.equal(read({ object: { ...OBJECT, spec: nested(900) } }).oddity, undefined);
});

test('a request that makes no sense keeps its uid and gets a reason', () => {
  for (const [request, oddity] of [
    [{ kind: { kind: 'ExternalSecret' } }, /request\.kind/],
    [{ operation: 'PATCH' }, /request\.operation/],
    [{ name: 5 }, /request\.name/],
    [{ userInfo: { groups: 'admins' } }, /request\.userInfo/],
    [{ userInfo: { extra: { a: 'b' } } }, /request\.userInfo/],
    [{ object: 'x' }, /request\.object/],
    [{ object: { ...OBJECT, kind: 'SecretStore' } }, /request\.object/],
    [{ object: { ...OBJECT, apiVersion: 'external-secrets.io/v1beta1' } }, /request\.object/],
    [{ object: { ...OBJECT, metadata: { name: {} } } }, /request\.object/],
    [{ object: { ...OBJECT, metadata: { annotations: { a: 1 } } } }, /request\.object/],
    [{ oldObject: [] }, /request\.oldObject/],
    [{ object: { ...OBJECT, spec: nested(5_000) } }, /nests deeper than 1500 levels/],
  ] as const) {
    const review = read(request);
    assert.equal(review.uid, 'u');
    assert.match(review.oddity ?? '', oddity);
  }
});

test('without a uid there is nothing to answer', () => {
  assert.throws(() => read({ uid: undefined }), { code: 'INVALID_OBJECT' });
  assert.throws(() => readReview(null), { code: 'INVALID_OBJECT' });
  assert.throws(() => convertReview({ kind: 'ConversionReview' }), { code: 'INVALID_OBJECT' });
});

test('a conversion that cannot be done fails as a review', () => {
  const convert = (request: object) =>
    (
      convertReview({
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'ConversionReview',
        request: { uid: 'u', desiredAPIVersion: 'external-secrets.io/v1', objects: [OBJECT], ...request },
      }) as { response: { uid: string; result: { status: string; message?: string } } }
    ).response;
  assert.deepEqual(convert({}).result, { status: 'Success' });
  for (const request of [
    { objects: undefined },
    { objects: [null] },
    { objects: [OBJECT, { ...OBJECT, kind: 'Pod' }] },
    { desiredAPIVersion: 'external-secrets.io/v2' },
    { objects: [{ ...OBJECT, spec: nested(5_000) }] },
  ]) {
    const { uid, result } = convert(request);
    assert.equal(uid, 'u');
    assert.equal(result.status, 'Failed');
    assert.notEqual(result.message ?? '', '');
  }
});
