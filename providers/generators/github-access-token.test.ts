import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { githubAccessTokenSpec } from '../../api/generators/v1alpha1/github-access-token.ts';
import { formatProblem } from '../../api/problem.ts';
import { readBody, startListening } from '../../test/harness/fake-server.ts';
import type { ServerGuard, StoreContext } from '../contract.ts';
import { closeOutbound, configureOutbound } from '../http.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { githubAccessTokenGenerator } from './github-access-token.ts';

const keys = (type: 'pkcs1' | 'pkcs8') =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type, format: 'pem' },
  });
// GitHub gives out the older of the two.
const { publicKey, privateKey } = keys('pkcs1');
const auth = { privateKey: { secretRef: { name: 'app', key: 'pem' } } };
const store: StoreContext = {
  kind: 'SecretStore',
  name: 'GithubAccessToken team/ci',
  namespace: 'team',
  uid: '',
  generation: 1,
  callerNamespace: 'team',
};

interface Call {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('a token of an installation', () => {
  const calls: Call[] = [];
  let answer: { status: number; body: string; headers?: Record<string, string> };
  let close: () => Promise<void>;
  let url: string;
  let cluster: MemoryCluster;

  before(async () => {
    configureOutbound({ allowLoopback: true });
    const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { method, url: path, headers } = request;
      calls.push({ method, path, headers, body: await readBody(request) });
      response
        .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
        .end(answer.body);
    };
    const server = createServer((request, response) => void serve(request, response));
    const listening = await startListening(server);
    close = listening.close;
    url = `http://127.0.0.1:${listening.port}`;
  });
  beforeEach(() => {
    calls.length = 0;
    answer = {
      status: 201,
      body: JSON.stringify({ token: 'ghs_SENTINEL', expires_at: '2026-11-22T11:00:00Z' }),
    };
    cluster = new MemoryCluster().set('Secret', 'team/app', { pem: privateKey });
  });
  after(async () => {
    await closeOutbound();
    await close();
  });

  const generate = async (more: object = {}, guard?: ServerGuard): Promise<Record<string, string>> => {
    const spec = githubAccessTokenSpec.parse({ url, appID: '12', installID: '345', auth, ...more });
    const use = { store: { ...store, guard }, ports: cluster.ports };
    const values = await githubAccessTokenGenerator.generate(spec, use, AbortSignal.timeout(5_000));
    return Object.fromEntries([...values].map(([key, value]) => [key, value.revealText()]));
  };

  test('is asked for by a JWT that the App has signed', async () => {
    assert.deepEqual(await generate(), { token: 'ghs_SENTINEL' });
    const [call] = calls;
    assert.deepEqual(
      [call?.method, call?.path, call?.body],
      ['POST', '/app/installations/345/access_tokens', ''],
    );
    const [head = '', claims = '', signature = ''] = (call?.headers.authorization ?? '')
      .replace('Bearer ', '')
      .split('.');
    assert.ok(
      verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, 'base64url')),
    );
    const { iss, iat, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<
      string,
      number
    >;
    assert.equal(iss, '12');
    assert.ok(iat !== undefined && exp !== undefined && exp - iat < 600 && iat <= Date.now() / 1_000);
  });

  test('for repositories and permissions; an enterprise has its API below a path', async () => {
    await generate({ url: `${url}/api/v3/`, repositories: ['web'], permissions: { contents: 'read' } });
    assert.equal(calls[0]?.path, '/api/v3/app/installations/345/access_tokens');
    assert.deepEqual(JSON.parse(calls[0]?.body ?? ''), {
      repositories: ['web'],
      permissions: { contents: 'read' },
    });
    assert.equal(calls[0]?.headers['content-type'], 'application/json');
    await generate({ permissions: {} });
    assert.deepEqual(JSON.parse(calls[1]?.body ?? ''), { permissions: {} });
  });

  for (const [status, headers, code, message] of [
    [401, {}, 'PROVIDER_UNAUTHENTICATED', /the App was refused \(401\): no way; check appID/],
    [403, {}, 'PROVIDER_DENIED', /denied \(403\): no way/],
    [403, { 'retry-after': '3' }, 'PROVIDER_THROTTLED', /too many requests: no way/],
    [403, { 'x-ratelimit-remaining': '0' }, 'PROVIDER_THROTTLED', /too many requests: no way/],
    [404, {}, 'PROVIDER_INVALID_CONFIG', /no such installation \(404\): no way; check installID and url/],
    [422, {}, 'PROVIDER_INVALID_CONFIG', /refused \(422\): no way; the installation lacks/],
    [302, { location: 'http://127.0.0.1:9/' }, 'PROVIDER_INVALID_RESPONSE', /redirected/],
    [503, {}, 'PROVIDER_UNREACHABLE', /cannot serve now \(503\): no way/],
  ] as const) {
    test(`${status} ${JSON.stringify(headers)} becomes ${code}`, async () => {
      answer = { status, body: '{"message":"no way"}', headers };
      await assert.rejects(generate(), (error: Error & { code?: string; retryAfterMs?: number }) => {
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.match(error.message, /^GitHub 127\.0\.0\.1:\d+: get a token of installation 345: /);
        assert.equal(error.retryAfterMs, 'retry-after' in headers ? 3_000 : undefined);
        return true;
      });
      assert.equal(calls.length, 1);
    });
  }

  test('an answer without a token, and keys that cannot sign, which no error shows', async () => {
    answer = { status: 201, body: '{}' };
    await assert.rejects(generate(), { code: 'PROVIDER_INVALID_RESPONSE', message: /holds no token/ });
    const ec = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    for (const pem of ['SENTINEL', privateKey.replace(/\n.{20}/, '\nSENTINEL'), ec.privateKey]) {
      cluster.set('Secret', 'team/app', { pem });
      await assert.rejects(generate(), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'PROVIDER_INVALID_CONFIG');
        assert.match(error.message, /key pem of Secret team\/app is no private RSA key as PEM/);
        assert.doesNotMatch(inspect(error, { depth: 12, showHidden: true }), /SENTINEL/);
        return true;
      });
    }
  });

  test('policies are asked, and addresses that are never contacted are not', async () => {
    const guard: ServerGuard = {
      id: 'g',
      needsAddress: false,
      refusesServer: () => 'is not allowed here',
      refusesAddress: () => undefined,
    };
    await assert.rejects(generate({}, guard), { code: 'POLICY_DENIED' });
    await assert.rejects(generate({ url: 'https://169.254.169.254' }), { code: 'PROVIDER_INVALID_CONFIG' });
    assert.equal(calls.length, 0);
  });
});

test('what GitHub would never take is refused with its field', () => {
  const problemsOf = (more: object): string[] =>
    githubAccessTokenGenerator
      .validateSpec(githubAccessTokenSpec.parse({ appID: '12', installID: '345', auth, ...more }))
      .map(formatProblem);
  for (const [more, words] of [
    [{ url: 'http://github.example.com' }, /^url: must be a URL with https/],
    [{ url: 'https://me:x@github.example.com' }, /^url: must be a URL with https/],
    [{ url: 'https://169.254.169.254' }, /^url: 169\.254\.169\.254 is a cloud metadata address/],
    [{ appID: 'the app' }, /^appID: must be an id/],
    [{ installID: '../1' }, /^installID: must be an id/],
    [{ repositories: ['me/web'] }, /^repositories\[0\]: must be a name without its owner/],
    [
      { auth: { privateKey: { secretRef: { name: 'x' } } } },
      /^auth\.privateKey\.secretRef\.key: name the key/,
    ],
    [
      { auth: { privateKey: { secretRef: { key: 'x' } } } },
      /^auth\.privateKey\.secretRef\.name: name the Secret/,
    ],
  ] as const) {
    const problems = problemsOf(more);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', words);
  }
  for (const more of [
    {},
    { url: '' },
    { url: 'https://github.example.com/api/v3' },
    { appID: 'Iv1.8a61f9b3a7aba766' },
  ])
    assert.deepEqual(problemsOf(more), []);
  assert.equal(githubAccessTokenGenerator.lifeMs(), 3_600_000);
});
