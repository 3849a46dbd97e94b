import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SecretValue } from '../../api/secret-value.ts';
import { type LoginMethod, VaultSession } from './session.ts';

class Hand {
  ms = 1_000;
  now = (): number => this.ms;
  monotonic = (): number => this.ms;
}

interface Given {
  ttlMs?: number;
  renewable?: boolean;
  /** Requests it is good for. */
  uses?: number;
  isBatch?: boolean;
  /** Life after a renewal; undefined: refused. */
  renewedTtlMs?: number | undefined;
}

function bed(given: Given = {}) {
  const clock = new Hand();
  const log = { logins: 0, renewals: 0, fail: false, revoked: [] as string[] };
  const ttlMs = given.ttlMs ?? 60_000;
  const method: LoginMethod = {
    label: 'Vault x: login',
    async login() {
      await setImmediate();
      if (log.fail) throw new Error('down');
      log.logins++;
      return {
        token: SecretValue.fromText(`t${log.logins}`),
        ttlMs,
        renewable: given.renewable ?? false,
        uses: given.uses ?? Number.POSITIVE_INFINITY,
        isBatch: given.isBatch ?? false,
      };
    },
    async revoke(token) {
      log.revoked.push(token.revealText());
      if (log.fail) throw new Error('down');
    },
    async renew() {
      await setImmediate();
      log.renewals++;
      return given.renewedTtlMs === undefined ? undefined : { ttlMs: given.renewedTtlMs, renewable: true };
    },
  };
  const session = new VaultSession(clock);
  const source = session.source(method);
  const never = new AbortController().signal;
  const token = async (): Promise<string> => (await source.token(never)).revealText();
  const pass = async (ms: number): Promise<void> => {
    clock.ms += ms;
    await token();
    for (let i = 0; i < 4; i++) await setImmediate();
  };
  return { log, clock, session, source, token, pass, never };
}

describe('a session', () => {
  test('logs in once for all, also when they come together', async () => {
    const { log, token } = bed();
    assert.deepEqual(await Promise.all([token(), token(), token()]), ['t1', 't1', 't1']);
    assert.equal(await token(), 't1');
    assert.equal(log.logins, 1);
  });

  test('a token without an end is used for ever', async () => {
    const { log, token, pass } = bed({ ttlMs: Number.POSITIVE_INFINITY });
    await token();
    await pass(1e12);
    assert.equal(log.logins, 1);
  });

  test('a token that cannot be renewed is replaced before it expires, without anyone waiting', async () => {
    const { log, token, pass } = bed();
    await token();
    await pass(53_000);
    assert.deepEqual([log.logins, log.renewals], [1, 0]);
    await pass(2_000);
    assert.equal(log.logins, 2);
    assert.equal(await token(), 't2');
  });

  test('an hour of polling each 10 s costs about a login a minute', async () => {
    const { log, token, pass } = bed();
    await token();
    for (let i = 0; i < 360; i++) await pass(10_000);
    assert.ok(log.logins <= 61, `${log.logins} logins`);
  });

  test('a renewable one is renewed at two thirds, until that brings no more', async () => {
    const bedOfMax = bed({ renewable: true, renewedTtlMs: 60_000 });
    await bedOfMax.token();
    await bedOfMax.pass(41_000);
    await bedOfMax.pass(41_000);
    assert.deepEqual([bedOfMax.log.logins, bedOfMax.log.renewals], [1, 2]);

    const atMaximum = bed({ renewable: true, renewedTtlMs: 20_000 });
    await atMaximum.token();
    await atMaximum.pass(41_000);
    await atMaximum.pass(15_000);
    assert.deepEqual([atMaximum.log.logins, atMaximum.log.renewals], [1, 1]);
    await atMaximum.pass(4_000);
    assert.deepEqual([atMaximum.log.logins, atMaximum.log.renewals], [2, 1]);
  });

  test('a refused renewal is not tried again', async () => {
    const { log, token, pass } = bed({ renewable: true });
    await token();
    await pass(41_000);
    await pass(5_000);
    assert.deepEqual([log.logins, log.renewals], [1, 1]);
  });

  test('a login that fails in the background is tried again; after the expiry everyone sees the failure', async () => {
    const { log, token, pass } = bed();
    await token();
    log.fail = true;
    await pass(55_000);
    assert.equal(await token(), 't1');
    await pass(3_000);
    await assert.rejects(pass(2_000), /down/);
    log.fail = false;
    assert.equal(await token(), 't2');
  });

  test('a refused token is replaced once; a second refusal costs no login for a minute', async () => {
    const { log, source, token, pass, never } = bed({ ttlMs: 3_600_000 });
    const first = await source.token(never);
    assert.deepEqual(await Promise.all([source.refused(first, never), source.refused(first, never)]), [
      true,
      true,
    ]);
    assert.equal(log.logins, 2);
    assert.equal(await source.refused(first, never), true);
    assert.equal(await source.refused(await source.token(never), never), false);
    assert.equal(log.logins, 2);
    await pass(61_000);
    assert.equal(await source.refused(await source.token(never), never), true);
    assert.equal(await token(), 't3');
  });

  test('a policy that denies for ever costs hardly a login an hour, while the token is good for something else', async () => {
    const { log, clock, source, never } = bed({ ttlMs: 1e9 });
    for (let minutes = 0; minutes < 8 * 60; minutes += 1) {
      clock.ms += 60_000;
      source.worked();
      await source.refused(await source.token(never), never);
    }
    assert.ok(log.logins <= 7 + 8, `${log.logins} logins in eight hours`);
  });

  test('a token that is good for nothing any more is replaced within a minute, however long a policy has denied', async () => {
    const { log, clock, source, never } = bed({ ttlMs: 1e9 });
    for (let minutes = 0; minutes < 60; minutes += 1) {
      clock.ms += 60_000;
      source.worked();
      await source.refused(await source.token(never), never);
    }
    const before = log.logins;
    clock.ms += 60_000;
    assert.equal(await source.refused(await source.token(never), never), true);
    assert.equal(log.logins, before + 1);
  });

  test('stores that share a token share its look-up, until a request is refused', async () => {
    const { clock, session, never } = bed();
    const fixed = session.fixed(SecretValue.fromText('given'));
    let asked = 0;
    const lookUp = (): Promise<void> =>
      session.lookUp(async () => {
        await setImmediate();
        asked += 1;
      }, never);
    await Promise.all([lookUp(), lookUp(), lookUp()]);
    clock.ms += 30_000;
    await lookUp();
    assert.equal(asked, 1);
    await fixed.refused(SecretValue.fromText('given'), never);
    await lookUp();
    assert.equal(asked, 2);
    clock.ms += 60_000;
    await lookUp();
    assert.equal(asked, 3);
  });

  test('where the new token helped, the next refusal is answered at once', async () => {
    const { log, source, never } = bed({ ttlMs: 3_600_000 });
    assert.equal(await source.refused(await source.token(never), never), true);
    source.accepted();
    assert.equal(await source.refused(await source.token(never), never), true);
    assert.equal(log.logins, 3);
  });

  test('a login that fails after a refusal says nothing about the policy: the next refusal tries again', async () => {
    const { log, source, never } = bed({ ttlMs: 3_600_000 });
    const first = await source.token(never);
    log.fail = true;
    await assert.rejects(source.refused(first, never), /down/);
    log.fail = false;
    assert.equal(await source.refused(await source.token(never), never), true);
    assert.equal(log.logins, 2);
  });

  test('a caller that gives up gets an error of the closed union', async () => {
    const { source } = bed();
    await assert.rejects(source.token(AbortSignal.abort()), {
      code: 'PROVIDER_TIMEOUT',
      message: /Vault x: login/,
    });
  });
});

describe('the end of a session', () => {
  test('the token is given back once, and whoever still asks logs in anew', async () => {
    const { log, session, token, never } = bed();
    await session.retire(never);
    assert.deepEqual(log.revoked, []);
    await token();
    await session.retire(never);
    await session.retire(never);
    assert.deepEqual(log.revoked, ['t1']);
    assert.equal(await token(), 't2');
  });

  test('what has expired or is kept nowhere is not given back; a failure is nobody’s', async () => {
    const expired = bed();
    await expired.token();
    expired.clock.ms += 60_000;
    await expired.session.retire(expired.never);
    const batch = bed({ isBatch: true });
    await batch.token();
    await batch.session.retire(batch.never);
    assert.deepEqual([...expired.log.revoked, ...batch.log.revoked], []);
    const failing = bed();
    await failing.token();
    failing.log.fail = true;
    await failing.session.retire(failing.never);
    assert.deepEqual(failing.log.revoked, ['t1']);
  });
});

test('a token with a number of uses is replaced when they are used up', async () => {
  const { log, token } = bed({ uses: 3 });
  const tokens = [];
  for (let i = 0; i < 7; i++) tokens.push(await token());
  assert.deepEqual(tokens, ['t1', 't1', 't1', 't2', 't2', 't2', 't3']);
  assert.equal(log.logins, 3);
});
