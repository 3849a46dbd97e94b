import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, EsaError } from '../api/errors.ts';
import { DEFAULT_STORE_LIMITS } from '../policy/store-limits.ts';
import { ProviderError } from '../providers/contract.ts';
import { CircuitBreaker, StoreUnavailable } from './breaker.ts';

const LABEL = 'SecretStore shop/vault';

/** A breaker whose jitter is none, under a clock that is moved by hand. */
function setUp() {
  let time = 0;
  let asked = 0;
  let recovered = 0;
  const breaker = new CircuitBreaker({
    clock: { now: () => time, monotonic: () => time },
    settings: DEFAULT_STORE_LIMITS,
    onRecovered: () => {
      recovered += 1;
    },
    random: () => 0,
  });
  const ask = (result: () => unknown = () => 'ok'): Promise<unknown> =>
    breaker.run(LABEL, async () => {
      asked += 1;
      return result();
    });
  return {
    breaker,
    ask,
    fail: (code: ErrorCode = 'PROVIDER_TIMEOUT', retryAfterMs?: number) =>
      assert.rejects(
        ask(() => {
          if (!code.startsWith('PROVIDER_')) throw new EsaError(code, 'no');
          throw new ProviderError(code as 'PROVIDER_TIMEOUT', 'Vault x: read other/key: the cause', {
            ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          });
        }),
        { code },
      ),
    advance: (ms: number) => {
      time += ms;
    },
    asked: () => asked,
    recovered: () => recovered,
  };
}
const left = (ms: number) => (error: unknown) =>
  error instanceof StoreUnavailable && error.retryAfterMs === ms && error.code === 'STORE_UNAVAILABLE';

test('three failures in a row open it: nobody is let through, and the message holds the cause, but not whose', async () => {
  const s = setUp();
  await s.fail();
  await s.fail('PROVIDER_UNREACHABLE');
  assert.equal(s.breaker.state, 'closed');
  await s.fail();
  assert.equal(s.breaker.state, 'open');
  s.advance(400);
  await assert.rejects(s.ask(), left(600));
  await assert.rejects(s.ask(), {
    message: 'SecretStore shop/vault: the cause (failing, left alone for a moment)',
  });
  assert.equal(s.asked(), 3);
});

test('any answer in between begins the count anew, what never reached the provider does not', async () => {
  for (const answer of ['PROVIDER_DENIED', 'PROVIDER_NOT_FOUND', 'PROVIDER_INVALID_RESPONSE'] as const) {
    const s = setUp();
    await s.fail();
    await s.fail();
    await s.fail(answer);
    await s.fail();
    await s.fail();
    assert.equal(s.breaker.state, 'closed', answer);
  }
  const s = setUp();
  await s.fail();
  await s.fail();
  await s.fail('KUBE_API');
  await s.fail();
  assert.equal(s.breaker.state, 'open');
});

test('then one request finds out; if it fails everything stays as it is for the same time again', async () => {
  const s = setUp();
  for (let i = 0; i < 3; i += 1) await s.fail();
  s.advance(1_000);
  assert.equal(s.breaker.state, 'half-open');
  await s.fail();
  assert.equal(s.breaker.state, 'open');
  await assert.rejects(s.ask(), left(1_000));
  assert.equal(s.asked(), 4);
});

test('while one finds out others wait for what it finds, and go through if it is good', async () => {
  const s = setUp();
  for (let i = 0; i < 3; i += 1) await s.fail();
  s.advance(1_000);
  const { promise, resolve } = Promise.withResolvers<string>();
  const probe = s.ask(() => promise);
  const others = [s.ask(() => 1), s.ask(() => 2)];
  await new Promise((done) => setImmediate(done));
  assert.equal(s.asked(), 4);
  resolve('back');
  assert.deepEqual(await Promise.all([probe, ...others]), ['back', 1, 2]);
  assert.equal(s.breaker.state, 'closed');
  assert.ok(s.breaker.idle);
});

test('they do not wait for one that takes long', async () => {
  const s = setUp();
  for (let i = 0; i < 3; i += 1) await s.fail();
  s.advance(1_000);
  const { promise, resolve } = Promise.withResolvers<string>();
  const probe = s.ask(() => promise);
  await assert.rejects(s.ask(), StoreUnavailable);
  s.advance(300);
  await assert.rejects(s.ask(), StoreUnavailable);
  assert.equal(s.asked(), 4);
  resolve('back');
  await probe;
  assert.equal(s.breaker.state, 'closed');
});

test('an answer to what was sent before it opened closes it, a failure of that says nothing new', async () => {
  const s = setUp();
  const { promise, reject } = Promise.withResolvers<string>();
  const early = [Promise.withResolvers<string>(), { promise, reject }] as const;
  const answers = early.map(({ promise: answer }) => s.ask(() => answer));
  for (let i = 0; i < 3; i += 1) await s.fail();
  s.advance(900);
  early[1].reject(new ProviderError('PROVIDER_TIMEOUT', 'late'));
  await assert.rejects(answers[1] ?? Promise.resolve());
  await assert.rejects(s.ask(), left(100));
  early[0].resolve('ok');
  await answers[0];
  assert.equal(s.breaker.state, 'closed');
});

test('429, and 503 with Retry-After, is a pause for everybody, up to five minutes', async () => {
  const s = setUp();
  await s.fail('PROVIDER_THROTTLED', 7_000);
  assert.equal(s.breaker.state, 'paused');
  await assert.rejects(s.ask(), {
    message: 'SecretStore shop/vault: too many requests (left alone for a while, as it asked)',
  });
  s.advance(6_000);
  await assert.rejects(s.ask(), left(1_000));
  s.advance(1_000);
  assert.equal(await s.ask(), 'ok');
  assert.equal(s.recovered(), 1);
  await s.fail('PROVIDER_THROTTLED', 86_400_000);
  await assert.rejects(s.ask(), left(300_000));
  s.advance(300_000);
  await s.fail('PROVIDER_UNREACHABLE', 4_000);
  await assert.rejects(s.ask(), left(4_000));
  await assert.rejects(s.ask(), {
    message: 'SecretStore shop/vault: the cause (left alone for a while, as it asked)',
  });
});

test('429 that does not say for how long is a pause as long as after a failure', async () => {
  const s = setUp();
  await s.fail('PROVIDER_THROTTLED');
  await assert.rejects(s.ask(), left(1_000));
});

test('answers to what was sent before do not end a pause', async () => {
  const s = setUp();
  const { promise, resolve } = Promise.withResolvers<string>();
  const early = s.ask(() => promise);
  await s.fail('PROVIDER_THROTTLED', 7_000);
  resolve('ok');
  await early;
  assert.equal(s.breaker.state, 'paused');
  assert.equal(s.recovered(), 0);
});

test('who waited for a place while it opened does not ask any more', async () => {
  const s = setUp();
  const place = Promise.withResolvers<void>();
  const waits = s.breaker.run(LABEL, async (recheck) => {
    await place.promise;
    recheck();
    assert.fail('it was asked');
  });
  for (let i = 0; i < 3; i += 1) await s.fail();
  place.resolve();
  await assert.rejects(waits, left(1_000));
});

test('how many failures open it, and for how long, can be set', async () => {
  const s = setUp();
  s.breaker.configure({ breakerFailures: 1, breakerCoolDownMs: 250 });
  await s.fail();
  await assert.rejects(s.ask(), left(250));
});
