import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SecretValue } from '../../api/secret-value.ts';
import type { ProviderError } from '../contract.ts';
import { type AwsLogin, AwsSession } from './session.ts';

const LIFE_MS = 3_600_000;

function bed(lifeMs: number | undefined = LIFE_MS) {
  const clock = { ms: 1_000, now: () => clock.ms + 5e11, monotonic: () => clock.ms };
  const log = { logins: 0, fail: false };
  const login: AwsLogin = {
    label: 'AWS STS us-west-2: get credentials',
    reach: { region: 'us-west-2' },
    async credentials() {
      await setImmediate();
      if (log.fail) throw new Error('down');
      log.logins++;
      return {
        accessKeyId: `k${log.logins}`,
        secretAccessKey: SecretValue.fromText('s'),
        expiresAt: lifeMs === Number.POSITIVE_INFINITY ? undefined : clock.now() + lifeMs,
      };
    },
  };
  const session = new AwsSession(clock);
  const never = new AbortController().signal;
  const credentials = () => session.credentials(login, never);
  const key = async (): Promise<string> => (await credentials()).accessKeyId;
  const pass = async (ms: number): Promise<string> => {
    clock.ms += ms;
    const now = await key();
    for (let i = 0; i < 4; i++) await setImmediate();
    return now;
  };
  return { clock, log, login, session, credentials, key, pass, never };
}

describe('a session of AWS', () => {
  test('gets credentials once for all, also when they come together', async () => {
    const { log, key } = bed();
    assert.deepEqual(await Promise.all([key(), key(), key()]), ['k1', 'k1', 'k1']);
    assert.equal(log.logins, 1);
  });

  test('gets new ones after two thirds of their life, while the old ones serve', async () => {
    const { key, pass } = bed();
    await key();
    assert.equal(await pass(LIFE_MS * 0.66), 'k1');
    assert.equal(await pass(LIFE_MS * 0.01), 'k1');
    assert.equal(await key(), 'k2');
  });

  test('if that fails the old ones serve to their end, and it is tried again', async () => {
    const { log, key, pass } = bed();
    await key();
    log.fail = true;
    assert.equal(await pass(LIFE_MS * 0.7), 'k1');
    assert.equal(await pass(LIFE_MS * 0.1), 'k1');
    log.fail = false;
    assert.equal(await pass(LIFE_MS * 0.1), 'k1');
    assert.equal(await key(), 'k2');
  });

  test('what has expired is not used', async () => {
    const { log, key, pass } = bed();
    await key();
    assert.equal(await pass(LIFE_MS + 1), 'k2');
    log.fail = true;
    await assert.rejects(pass(LIFE_MS + 1), /down/);
  });

  test('refused credentials are replaced, but not when they are new or were given', async () => {
    const { session, credentials, key, pass } = bed();
    const first = await credentials();
    assert.equal(session.refused(first), false);
    await pass(61_000);
    assert.equal(session.refused(first), true);
    assert.equal(await key(), 'k2');
    // Somebody who still holds the first credentials tries again with the second.
    assert.equal(session.refused(first), true);
    assert.equal(await key(), 'k2');

    const given = bed(Number.POSITIVE_INFINITY);
    const only = await given.credentials();
    await given.pass(1e12);
    assert.equal(given.session.refused(only), false);
    assert.equal(given.log.logins, 1);
  });

  test('who gives up gets an error of the union, and does not stop the others', async () => {
    const { session, login, key } = bed();
    const gone = new AbortController();
    const given = session.credentials(login, gone.signal);
    const other = key();
    gone.abort();
    await assert.rejects(given, (error: ProviderError) => error.code === 'PROVIDER_TIMEOUT');
    assert.equal(await other, 'k1');
  });
});
