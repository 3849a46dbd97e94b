import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseMarker, signMarker, specHash, verifyMarker } from './marker.ts';

const key = { id: 'k1', key: randomBytes(32) };
const data = new Map([['a', Buffer.from('1')]]);
const subject = {
  namespace: 'ns',
  secret: 'target',
  externalSecret: 'my.es',
  specHash: specHash({ a: 1 }),
  data,
};

test('a marker is verified against the Secret it was made for', () => {
  const marker = parseMarker(signMarker(key, subject));
  assert.ok(marker);
  assert.equal(marker.externalSecret, 'my.es');
  assert.equal(marker.specHash, subject.specHash);
  assert.equal(verifyMarker([key], marker, { namespace: 'ns', name: 'target', data }), true);
});

test('that of an ExternalSecret of KES names it with its group, and is none of an ExternalSecret of that name', () => {
  const marker = parseMarker(signMarker(key, { ...subject, externalSecret: 'kubernetes-client.io/my.es' }));
  assert.equal(marker?.externalSecret, 'kubernetes-client.io/my.es');
  const secret = { namespace: 'ns', name: 'target', data };
  assert.equal(verifyMarker([key], marker, secret), true);
  assert.equal(verifyMarker([key], { ...marker, externalSecret: 'my.es' }, secret), false);
  assert.equal(parseMarker(signMarker(key, { ...subject, externalSecret: 'example.com/my.es' })), undefined);
});

test('a marker proves nothing elsewhere, with other data, another name or an unknown key', () => {
  const text = signMarker(key, subject);
  const marker = parseMarker(text);
  assert.ok(marker);
  const secret = { namespace: 'ns', name: 'target', data };
  assert.equal(verifyMarker([key], marker, { ...secret, namespace: 'other' }), false);
  assert.equal(verifyMarker([key], marker, { ...secret, name: 'other' }), false);
  assert.equal(verifyMarker([key], marker, { ...secret, data: new Map([['a', Buffer.from('2')]]) }), false);
  assert.equal(verifyMarker([key], { ...marker, externalSecret: 'other' }, secret), false);
  assert.equal(verifyMarker([key], { ...marker, specHash: 'other' }, secret), false);
  assert.equal(verifyMarker([{ id: 'k2', key: key.key }], marker, secret), false);
  assert.equal(verifyMarker([{ id: 'k1', key: randomBytes(32) }], marker, secret), false);
});

test('parts cannot be shifted against each other', () => {
  const one = signMarker(key, { ...subject, namespace: 'ab', secret: 'c' });
  const two = signMarker(key, { ...subject, namespace: 'a', secret: 'bc' });
  assert.notEqual(one.split('.')[3], two.split('.')[3]);
});

test('what is no marker is not parsed', () => {
  for (const text of ['', 'v1', 'v2.a.b.c.d', 'v1.a.b.c.', 'v1.a.b.c.UPPER', 'true'])
    assert.equal(parseMarker(text), undefined);
});

test('the spec hash does not depend on the order of members', () => {
  assert.equal(specHash({ a: 1, b: { c: [1, 2], d: undefined } }), specHash({ b: { c: [1, 2] }, a: 1 }));
  assert.notEqual(specHash({ a: [1, 2] }), specHash({ a: [2, 1] }));
});
