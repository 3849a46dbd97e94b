import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { SecretValue } from '../api/secret-value.ts';
import { startListening } from '../test/harness/fake-server.ts';
import { closeOutbound, configureOutbound } from './http.ts';
import { bearerRequest, jsonObjectOf, textsOf } from './rest.ts';
import { TokenSession } from './token-session.ts';

describe('a request with the token of a session', () => {
  const asked: (string | undefined)[] = [];
  const good = new Set<string>();
  let origin: string;
  let close: () => Promise<void>;

  before(async () => {
    configureOutbound({ allowLoopback: true });
    const server = createServer(({ headers: { authorization } }, response) => {
      asked.push(authorization);
      response.writeHead(good.has(authorization ?? '') ? 200 : 401).end('{}');
    });
    const listening = await startListening(server);
    origin = `http://127.0.0.1:${listening.port}`;
    close = listening.close;
  });
  after(async () => {
    await closeOutbound();
    await close();
    configureOutbound({ allowLoopback: false });
  });

  function bed() {
    asked.length = 0;
    good.clear();
    const clock = { ms: 1_000, now: () => clock.ms, monotonic: () => clock.ms };
    let logins = 0;
    const login = {
      label: 'Cloud: get a token',
      async token() {
        logins += 1;
        return { value: SecretValue.fromText(`t${logins}`), expiresAt: clock.now() + 3_600_000 };
      },
    };
    let paced = 0;
    const pace = (): undefined => {
      paced += 1;
    };
    const api = { target: { origin }, session: new TokenSession(clock), login, pace };
    const ask = async (): Promise<number> =>
      (await bearerRequest(api, { method: 'GET', path: '/', label: 'x' }, AbortSignal.timeout(5_000))).status;
    return { clock, ask, paced: () => paced };
  }

  test('a token that was revoked in its life is replaced, once, and each request is paced', async () => {
    const { clock, ask, paced } = bed();
    good.add('Bearer t1');
    assert.equal(await ask(), 200);
    good.delete('Bearer t1');
    good.add('Bearer t2');
    clock.ms += 120_000;
    assert.equal(await ask(), 200);
    assert.deepEqual(asked, ['Bearer t1', 'Bearer t1', 'Bearer t2']);
    assert.equal(paced(), 3);
  });

  test('a new one that is refused is the answer: there is no better one', async () => {
    const { ask } = bed();
    assert.equal(await ask(), 401);
    assert.deepEqual(asked, ['Bearer t1']);
  });
});

test('what is read from JSON is an object, or nothing', () => {
  assert.deepEqual(jsonObjectOf('{"a":1}'), { a: 1 });
  for (const text of ['', '[]', 'null', '"x"', '{']) assert.equal(jsonObjectOf(text), undefined);
  assert.deepEqual(textsOf({ a: 'b', c: 1, d: null }), { a: 'b' });
  assert.deepEqual(textsOf(['x']), {});
});
