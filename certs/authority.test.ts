import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  decodeState,
  encodeState,
  goesBefore,
  hookPaths,
  isOurs,
  newTokens,
  refilled,
  type SharedState,
  salvageState,
  stateSecret,
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
  answered: 'tonight',
  generation: 7,
  tokens: newTokens(),
};
const metadata = { namespace: 'system', name: 'ca', uid: 'u', resourceVersion: '1' };
const decode = (data: Record<string, string>) => decodeState({ metadata, data });

test('a state survives the Secret', () => {
  assert.deepEqual(decode(encodeState(full)), full);
  const plain = { ...full, next: undefined, previous: [], answered: undefined };
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
    ['no generation', { ...good, generation: base64('soon') }, /generation is not a number/],
    ['another generation', { ...good, generation: base64('8') }, /digest does not fit/],
    ['no digest', { ...good, digest: '' }, /digest does not fit/],
    ['another CA, whole', { ...good, 'ca.crt': base64(two.cert), 'ca.key': base64(two.key) }, /digest/],
    ['a key more', { ...good, note: base64('x') }, /digest does not fit/],
    ['a short token', { ...good, 'mutate-token': base64('abc') }, /mutate-token is not a token/],
  ];
  for (const [name, data, message] of cases) {
    test(name, () => {
      assert.throws(
        () => decode(data),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'CERTIFICATE');
          assert.match(error.message, message);
          assert.match(error.message, /^Secret system\/ca: .*delete it: the webhook makes a new one/);
          assert.ok(!error.message.includes('hunter2'));
          return true;
        },
      );
    });
  }
});

describe('what is left of a damaged Secret is used', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const salvage = (over: Record<string, string>) =>
    salvageState({ metadata, data: { ...encodeState(full), ...over } }, () => Promise.resolve(three));
  const others = (state: SharedState) => state.previous.map((cert) => cert);

  test('all is there: the CA signs on, the others stay trusted, a new count', async () => {
    assert.deepEqual(await salvage({ digest: '' }), {
      ...full,
      next: undefined,
      previous: [two.cert, three.cert],
      generation: 8,
    });
  });
  test('the key is lost: the next CA signs, the current one stays trusted', async () => {
    const state = await salvage({ 'ca.key': base64('x') });
    assert.deepEqual(state.current, two);
    assert.deepEqual(others(state), [one.cert, three.cert]);
    assert.deepEqual(state.tokens, full.tokens);
  });
  test('a token is lost: that one is new', async () => {
    const { tokens } = await salvage({ 'mutate-token': base64('x') });
    assert.equal(tokens.validate, full.tokens.validate);
    assert.notEqual(tokens.mutate, full.tokens.mutate);
    assert.match(tokens.mutate, /^[0-9a-f]{64}$/);
  });
  test('nothing: a new CA', async () => {
    const state = await salvageState({ metadata, data: { 'ca.crt': 'AAAA' } }, () => Promise.resolve(three));
    assert.deepEqual([state.current, state.previous, state.generation], [three, [], 1]);
    assert.deepEqual(decode(encodeState(state)), state);
  });
});

test('which of two states goes before the other: the later step, else the older CA', async () => {
  assert.ok(goesBefore(full, { ...full, generation: 6 }));
  assert.ok(!goesBefore(full, { ...full, generation: 8 }));
  assert.ok(!goesBefore(full, full));
  const late = { ...full, current: await buildAuthority(now + 60_000, DAY) };
  assert.ok(goesBefore(full, late));
  assert.ok(!goesBefore(late, full));
  const twin = { ...full, current: two };
  assert.notEqual(goesBefore(full, twin), goesBefore(twin, full));
});

test('a Secret is ours by its label, which comes back with the data', () => {
  assert.ok(isOurs(stateSecret('system', 'ca', full)));
  assert.ok(!isOurs({ metadata }));
  const again = refilled({ metadata: { ...metadata, labels: { a: 'b' } }, data: { x: 'y' } }, full);
  assert.ok(isOurs(again));
  assert.equal(again.metadata.labels?.['a'], 'b');
  assert.deepEqual(decodeState(again), full);
});
