import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  decodeState,
  encodeState,
  hookPaths,
  newTokens,
  type SharedState,
  trustBundle,
} from './authority.ts';
import { buildAuthority, buildLeaf } from './build.ts';
import { splitBundle } from './x509.ts';

const now = Date.now();
const DAY = 86_400_000;
const [one, two, three] = await Promise.all([
  buildAuthority(now, DAY),
  buildAuthority(now, DAY),
  buildAuthority(now, DAY),
]);
const leaf = await buildLeaf(one, ['x'], now, DAY);
const full: SharedState = {
  current: one,
  next: two,
  previous: [three.cert],
  switchedAt: Date.parse('2026-11-22T01:02:03.004Z'),
  tokens: newTokens(),
};
const metadata = { namespace: 'system', name: 'ca', uid: 'u', resourceVersion: '1' };
const decode = (data: Record<string, string>) => decodeState({ metadata, data });

test('a state survives the Secret', () => {
  assert.deepEqual(decode(encodeState(full)), full);
  const plain = { ...full, next: undefined, previous: [], switchedAt: undefined };
  assert.deepEqual(decode(encodeState(plain)), plain);
});

test('the bundle holds all CAs, oldest first; paths hold 32 random bytes each', () => {
  assert.deepEqual(
    splitBundle(trustBundle(full)).map((pem) => `${pem}\n`),
    [three.cert, one.cert, two.cert],
  );
  const paths = Object.values(hookPaths(full));
  for (const path of paths) assert.match(path, /^\/(validate|mutate|convert)\/[0-9a-f]{64}$/);
  assert.equal(new Set(paths.map((path) => path.split('/')[2])).size, 3);
});

test('a Secret without data is to be filled', () => {
  assert.equal(decodeState({ metadata }), undefined);
  assert.equal(decode({}), undefined);
});

describe('what is not ours is refused with what to do', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const good = encodeState(full);
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  const cases: [string, Record<string, string>, RegExp][] = [
    ['foreign keys', { 'tls.crt': base64('x') }, /ca\.crt is not a certificate/],
    ['garbage', { ...good, 'ca.crt': base64('hunter2') }, /ca\.crt is not a certificate/],
    ['a broken key', { ...good, 'ca.key': base64('hunter2') }, /ca\.key is not a private key/],
    ['the key of another CA', { ...good, 'ca.key': base64(two.key) }, /not a self-signed RSA CA that fits/],
    ['a key that is not RSA', { ...good, 'ca.key': base64(String(ec)) }, /not a self-signed RSA CA/],
    [
      'a leaf',
      { ...good, 'ca.crt': base64(leaf.cert), 'ca.key': base64(leaf.key) },
      /not a self-signed RSA CA/,
    ],
    ['half a next CA', { ...good, 'next-ca.key': '' }, /next-ca\.key is not a private key/],
    [
      'a leaf among the previous',
      { ...good, 'previous-ca.crt': base64(leaf.cert) },
      /previous-ca\.crt holds/,
    ],
    ['no time', { ...good, 'switched-at': base64('soon') }, /switched-at is not a time/],
    ['a short token', { ...good, 'mutate-token': base64('abc') }, /mutate-token is not a token/],
  ];
  for (const [name, data, message] of cases) {
    test(name, () => {
      assert.throws(
        () => decode(data),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'CERTIFICATE');
          assert.match(error.message, message);
          assert.match(error.message, /^Secret system\/ca: .*delete it and restart the webhook/);
          assert.ok(!error.message.includes('hunter2'));
          return true;
        },
      );
    });
  }
});
