import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SecretValue } from '../api/secret-value.ts';
import { type TokenLogin, TokenSession } from './token-session.ts';

const LIFE_MS = 3_600_000;

function bed() {
  const clock = { ms: 1_000, now: () => clock.ms + 5e11, monotonic: () => clock.ms };
  const log = { logins: 0, fail: false };
  const login: TokenLogin = {
    label: 'Cloud: get a token',
    async token() {
      await setImmediate();
      if (log.fail) throw new Error('down');
      log.logins++;
      return { value: SecretValue.fromText(`t${log.logins}`), expiresAt: clock.now() + LIFE_MS };
    },
  };
  const session = new TokenSession(clock);
  const never = new AbortController().signal;
  const value = () => session.token(login, never);
  const token = async (): Promise<string> => (await value()).revealText();
  const pass = async (ms: number): Promise<string> => {
    clock.ms += ms;
    const now = await token();
    for (let i = 0; i < 4; i++) await setImmediate();
    return now;
  };
  return { clock, log, login, session, value, token, pass };
}

describe('a session with a token', () => {
  test('logs in once for all, also when they come together', async () => {
    const { log, token } = bed();
    assert.deepEqual(await Promise.all([token(), token(), token()]), ['t1', 't1', 't1']);
    assert.equal(log.logins, 1);
  });

  test('gets another after two thirds of its life, while the old one serves', async () => {
    const { token, pass } = bed();
    await token();
    assert.equal(await pass(LIFE_MS * 0.66), 't1');
    assert.equal(await pass(LIFE_MS * 0.01), 't1');
    assert.equal(await token(), 't2');
  });

  test('if that fails the old one serves to its end, and it is tried again', async () => {
    const { log, token, pass } = bed();
    await token();
    log.fail = true;
    assert.equal(await pass(LIFE_MS * 0.7), 't1');
    assert.equal(await pass(LIFE_MS * 0.1), 't1');
    log.fail = false;
    assert.equal(await pass(LIFE_MS * 0.1), 't1');
    assert.equal(await token(), 't2');
    log.fail = true;
    await assert.rejects(pass(LIFE_MS), /down/);
  });

  test('a token that was refused is replaced, unless it is new: then there is no other', async () => {
    const { clock, session, value, token } = bed();
    const first = await value();
    assert.equal(session.refused(first), false);
    clock.ms += 61_000;
    assert.equal(session.refused(first), true);
    assert.equal(await token(), 't2');
    assert.equal(session.refused(first), true, 'somebody else has replaced it');
  });

  test('who has given up gets an error of the union, and others are not disturbed', async () => {
    const { session, login, token } = bed();
    const gone = new AbortController();
    const one = session.token(login, gone.signal);
    const other = token();
    gone.abort();
    await assert.rejects(one, { code: 'PROVIDER_TIMEOUT' });
    assert.equal(await other, 't1');
    await assert.rejects(session.token(login, gone.signal), { code: 'PROVIDER_TIMEOUT' });
  });
});
