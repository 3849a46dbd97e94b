import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { Connection, ProviderError, ServerGuard, StoreContext } from '../contract.ts';
import { closeOutbound, configureOutbound } from '../http.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { selfSigned } from '../testing/self-signed.ts';
import { scrubVaultEnvironment } from './client.ts';
import { vaultConfigSchema } from './config.ts';
import { forgetVaultSessions, vaultProvider } from './provider.ts';

// What a real server cannot be made to answer; everything else is tested on a real one, end to end.

const store: StoreContext = {
  kind: 'SecretStore',
  name: 's',
  namespace: 'a',
  uid: 'u',
  generation: 1,
  callerNamespace: 'a',
};
const cluster = new MemoryCluster();
const { signal } = new AbortController();
const SECRET = { data: { data: { k: 'v' }, metadata: { version: 1 } } };

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;
const running: Server[] = [];

async function serve(answer: Answer, tls?: Parameters<typeof createTlsServer>[0]): Promise<string> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => answer(request, response, body));
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  running.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

const block = (server: string): object => ({
  server,
  path: 'secret',
  auth: { tokenSecretRef: { name: 'vault-token', key: 'token' } },
});

const connect = (server: string, more: object = {}): Promise<Connection> => {
  const config = vaultConfigSchema.parse({ ...block(server), ...more });
  return vaultProvider.connect(config, store, cluster.ports, signal);
};
const kubernetes = { kubernetes: { role: 'r', serviceAccountRef: { name: 'sa', audiences: ['vault'] } } };

before(() => configureOutbound({ allowLoopback: true }));
after(() => configureOutbound({ allowLoopback: false }));
afterEach(async () => {
  cluster.objects.clear();
  cluster.asked.length = 0;
  forgetVaultSessions();
  await closeOutbound();
  for (const server of running.splice(0)) server.close().closeAllConnections();
});
const withToken = (): MemoryCluster => cluster.set('Secret', 'a/vault-token', { token: 'SENTINEL-token\n' });

const fails = (code: string, message: RegExp) => (error: ProviderError) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.doesNotMatch(
    `${inspect(error, { depth: 12, showHidden: true })}${JSON.stringify(error)}`,
    /SENTINEL/,
  );
  return true;
};

describe('on the wire', () => {
  test('paths are encoded segment by segment; headers are the own ones and those of the block', async () => {
    withToken();
    const seen: IncomingMessage[] = [];
    const server = await serve((request, response) => {
      seen.push(request);
      json(response, 200, SECRET);
    });
    const connection = await connect(`${server}/prefix/`, {
      namespace: 'team/a',
      headers: { 'X-Mine': 'yes' },
    });
    await connection.read({ key: 'a b/ü?x=1#f/%2e%2e/&#x2F;', version: '3' }, signal);
    const [request] = seen;
    assert.equal(
      request?.url,
      '/prefix/v1/secret/data/a%20b/%C3%BC%3Fx%3D1%23f/%252e%252e/%26%23x2F%3B?version=3',
    );
    assert.equal(request?.method, 'GET');
    const { headers } = request ?? {};
    assert.equal(headers?.['x-vault-token'], 'SENTINEL-token');
    assert.equal(headers?.['x-vault-namespace'], 'team/a');
    assert.equal(headers?.['x-vault-request'], 'true');
    assert.equal(headers?.['x-mine'], 'yes');
  });

  test('a header that is named as a member of every object is a header like any other', async () => {
    withToken();
    const seen: IncomingMessage[] = [];
    const server = await serve((request, response) => {
      seen.push(request);
      json(response, 200, SECRET);
    });
    const headers = { constructor: 'a', toString: 'b', hasOwnProperty: 'c' };
    assert.deepEqual(
      vaultProvider.validateConfig(vaultConfigSchema.parse({ ...block(server), headers }), store),
      [],
    );
    const connection = await connect(server, { headers });
    await connection.read({ key: 'a' }, signal);
    assert.equal(seen[0]?.headers['constructor'], 'a');
    assert.equal(seen[0]?.headers['tostring'], 'b');
    assert.equal(seen[0]?.headers['hasownproperty'], 'c');
  });

  test('numbers keep their digits, in a secret of either version, beside and below a member `data`', async () => {
    withToken();
    const text =
      '{"data":{"data":{"n":1.50,"deep":{"m":12345678901234567890}},"metadata":{"v":2.0},"x":3.10}}';
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    });
    const v2 = await (await connect(server)).read({ key: 'a' }, signal);
    assert.equal(v2.get(undefined).revealText(), '{"deep":{"m":12345678901234567890},"n":1.50}');
    const v1 = await (await connect(server, { version: 'v1' })).read({ key: 'a' }, signal);
    assert.equal(v1.get('x').revealText(), '3.10');
    assert.equal(v1.get('metadata').revealText(), '{"v":2.0}');
  });

  test('S65 503 and 429 say for how long to stay away, other failures do not', async () => {
    withToken();
    for (const [status, code, retryAfterMs] of [
      [503, 'PROVIDER_UNREACHABLE', 7_000],
      [429, 'PROVIDER_THROTTLED', 7_000],
      [500, 'PROVIDER_UNREACHABLE', undefined],
    ] as const) {
      const server = await serve((_request, response) =>
        json(response, status, { errors: ['no'] }, { 'retry-after': '7' }),
      );
      await assert.rejects((await connect(server)).read({ key: 'a' }, signal), { code, retryAfterMs });
    }
  });

  test('each request waits for its turn, logins and look-ups included', async () => {
    withToken();
    cluster.objects.set('ServiceAccount a/sa', { token: 'jwt' });
    const seen: string[] = [];
    const server = await serve(({ url = '' }, response) => {
      seen.push(url);
      json(
        response,
        200,
        url.endsWith('login') ? { auth: { client_token: 't', lease_duration: 60 } } : SECRET,
      );
    });
    let turns = 0;
    const pace = async (): Promise<void> => {
      assert.equal(seen.length, turns);
      turns += 1;
    };
    for (const auth of [undefined, kubernetes]) {
      const config = vaultConfigSchema.parse({ ...block(server), ...(auth === undefined ? {} : { auth }) });
      const connection = await vaultProvider.connect(config, store, { ...cluster.ports, pace }, signal);
      await connection.validate(signal);
      await connection.read({ key: 'a' }, signal);
    }
    assert.deepEqual([turns, seen.length], [4, 4]);
  });

  test('a key with line ends gives a message of one line', async () => {
    withToken();
    const server = await serve((_request, response) => json(response, 403, { errors: ['a\nb\u2028c'] }));
    const connection = await connect(server);
    await assert.rejects(connection.read({ key: 'a\nb\u2028c' }, signal), (error: ProviderError) => {
      assert.match(error.message, /^Vault .*: read secret\/data\/a b c: denied \(403\): a b c$/);
      return true;
    });
  });

  test('keys that leave the mount never get there', async () => {
    withToken();
    let asked = 0;
    const server = await serve((_request, response) => {
      asked++;
      json(response, 200, SECRET);
    });
    const connection = await connect(server);
    for (const key of ['../sys/mounts', 'a/../../sys', './x', 'a//b']) {
      await assert.rejects(connection.read({ key }, signal), fails('PROVIDER_INVALID_CONFIG', /segments/));
    }
    assert.equal(asked, 0);
  });

  test('variables of the environment change nothing', async () => {
    const environment = {
      VAULT_ADDR: 'http://x',
      VAULT_TOKEN: 't',
      vault_skip_verify: '1',
      BAO_TOKEN: 'b',
      PATH: '/bin',
      VAULTED: '1',
    };
    scrubVaultEnvironment(environment);
    assert.deepEqual(environment, { PATH: '/bin', VAULTED: '1' });
    const tokens: unknown[] = [];
    const server = await serve((request, response) => {
      tokens.push([request.url, request.headers['x-vault-token'], request.headers['x-vault-namespace']]);
      json(response, 200, { auth: { client_token: 'SENTINEL-login', lease_duration: 60, renewable: false } });
    });
    Object.assign(process.env, {
      VAULT_TOKEN: 'ambient',
      VAULT_NAMESPACE: 'ambient',
      VAULT_PREFIX: '/ambient',
    });
    try {
      cluster.objects.set('ServiceAccount a/sa', { token: 'jwt' });
      await connect(server, { auth: kubernetes });
      assert.deepEqual(tokens, [['/v1/auth/kubernetes/login', undefined, undefined]]);
    } finally {
      scrubVaultEnvironment();
    }
  });

  test('a redirect is named and not followed', async () => {
    withToken();
    let followed = 0;
    const other = await serve((_request, response) => {
      followed++;
      json(response, 200, SECRET);
    });
    const server = await serve(
      (_request, response) => void response.writeHead(307, { location: `${other}/v1/x` }).end(),
    );
    const target = new RegExp(`redirected to ${new URL(other).host} `);
    await assert.rejects(
      (await connect(server)).read({ key: 'app' }, signal),
      fails('PROVIDER_INVALID_RESPONSE', target),
    );
    assert.equal(followed, 0);
  });

  test('what is no answer of Vault is said to be none', async () => {
    withToken();
    for (const [status, body, message] of [
      [200, '<html>SENTINEL</html>', /not JSON \(status 200\)/],
      [404, '<html>SENTINEL</html>', /not JSON \(status 404\)/],
      [200, '{"data":{"SENTINEL":"x"}}', /no secret of a KV v2 engine/],
      [200, '[]', /no secret of a KV v2 engine/],
      [200, '', /no secret of a KV v2 engine/],
    ] as const) {
      const server = await serve((request, response) => {
        // The mount is looked up too where that can explain the answer.
        if (request.url?.includes('/sys/internal/') === true)
          json(response, 403, { errors: ['permission denied'] });
        else response.writeHead(status).end(body);
      });
      await assert.rejects(
        (await connect(server)).read({ key: 'app' }, signal),
        fails('PROVIDER_INVALID_RESPONSE', message),
      );
    }
    // Something before Vault refuses: that is a refusal.
    const server = await serve((_request, response) => response.writeHead(403).end('SENTINEL'));
    await assert.rejects(
      (await connect(server)).read({ key: 'app' }, signal),
      fails('PROVIDER_DENIED', /not JSON \(status 403\)/),
    );
  });

  test('a list is asked for with the verb GET, and holds names of one segment', async () => {
    withToken();
    const urls: string[] = [];
    for (const [keys, message] of [
      [['a', 'b/'], undefined],
      [['a/b'], /no list of names/],
      [['..'], /no list of names/],
      [['../'], /no list of names/],
      [[''], /no list of names/],
      [['/'], /no list of names/],
      [[1], /no list of names/],
      [undefined, /no list of names/],
      ['SENTINEL', /no list of names/],
    ] as const) {
      const server = await serve(({ method, url = '' }, response) => {
        urls.push(`${method} ${url}`);
        if (url.includes('list=true'))
          json(response, 200, { data: { keys: url.includes('/b?') ? ['c'] : keys } });
        else json(response, 200, SECRET);
      });
      const found = (await connect(server)).find({ path: 'x y', nameRegexp: '' }, signal);
      if (message !== undefined) await assert.rejects(found, fails('PROVIDER_INVALID_RESPONSE', message));
      else {
        assert.deepEqual(
          (await found).map(({ key }) => key),
          ['x y/a', 'x y/b/c'],
        );
      }
    }
    assert.deepEqual(urls.slice(0, 4).sort(), [
      'GET /v1/secret/data/x%20y/a',
      'GET /v1/secret/data/x%20y/b/c',
      'GET /v1/secret/metadata/x%20y/b?list=true',
      'GET /v1/secret/metadata/x%20y?list=true',
    ]);
  });

  test('an answer nested without end is refused, not a crash', async () => {
    withToken();
    let depth = 0;
    const server = await serve((_request, response) => {
      const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
      response.end(`{"data":{"data":{"k":${deep}},"metadata":{}}}`);
    });
    const connection = await connect(server);
    for (depth of [1_000, 2_000, 4_000, 8_000, 16_000, 200_000]) {
      const outcome = await connection.read({ key: 'app' }, signal).then(
        (secret) => secret.get(undefined).byteLength > depth,
        (error: unknown) => (error as ProviderError).code,
      );
      assert.ok(
        outcome === true || (depth > 1_000 && outcome === 'PROVIDER_INVALID_RESPONSE'),
        `${depth}: ${outcome}`,
      );
    }
  });

  test('Retry-After reaches the engine', async () => {
    withToken();
    const server = await serve((_request, response) =>
      json(response, 429, { errors: ['slow down'] }, { 'retry-after': '7' }),
    );
    await assert.rejects((await connect(server)).read({ key: 'app' }, signal), (error: ProviderError) => {
      assert.deepEqual([error.code, error.retryAfterMs], ['PROVIDER_THROTTLED', 7_000]);
      return true;
    });
  });
});

describe('a mount that may not be looked at', () => {
  test('a 404 means absent only after a good answer of that mount', async () => {
    withToken();
    const paths: string[] = [];
    const server = await serve(({ url = '' }, response) => {
      paths.push(url);
      if (url.includes('/sys/internal/'))
        json(response, 403, { errors: ['preflight capability check returned 403'] });
      else if (url === '/v1/secret/data/app') json(response, 200, SECRET);
      else json(response, 404, { errors: [] });
    });
    const connection = await connect(server);
    const untold = fails(
      'PROVIDER_INVALID_RESPONSE',
      /cannot be told: reading sys\/internal\/ui\/mounts\/secret is denied/,
    );
    await assert.rejects(connection.read({ key: 'none' }, signal), untold);
    await assert.rejects(connection.read({ key: 'none' }, signal), untold);
    await connection.read({ key: 'app' }, signal);
    await assert.rejects(
      connection.read({ key: 'none' }, signal),
      fails('PROVIDER_NOT_FOUND', /no such secret/),
    );
    // That the mount cannot be looked at is asked once; another mount is another matter.
    assert.equal(paths.filter((path) => path.includes('/sys/internal/')).length, 1);
    await assert.rejects((await connect(server, { path: 'other' })).read({ key: 'x' }, signal), {
      code: 'PROVIDER_INVALID_RESPONSE',
    });
  });
});

describe('readYourWrites', () => {
  const answers = async () => {
    const seen: unknown[] = [];
    let index = 0;
    const server = await serve((request, response) => {
      seen.push([request.headers['x-vault-index'], request.headers['x-vault-inconsistent']]);
      json(response, 200, SECRET, { 'x-vault-index': `i${++index}` });
    });
    return { server, seen };
  };

  test('sends the newest state back, also from the next connection', async () => {
    withToken();
    const { server, seen } = await answers();
    const more = { readYourWrites: true, forwardInconsistent: true };
    await (await connect(server, more)).read({ key: 'app' }, signal);
    await (await connect(server, more)).read({ key: 'app' }, signal);
    assert.deepEqual(seen, [
      [undefined, undefined],
      ['i1', 'forward-active-node'],
    ]);
  });

  test('is off by default', async () => {
    withToken();
    const { server, seen } = await answers();
    const connection = await connect(server);
    for (let i = 0; i < 2; i++) await connection.read({ key: 'app' }, signal);
    assert.deepEqual(seen, [
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });
});

describe('TLS', () => {
  const mine = selfSigned('127.0.0.1');
  const stranger = selfSigned('127.0.0.1');
  const tls = { certSecretRef: { name: 'client' }, keySecretRef: { name: 'client' } };

  test('9.2 testInvalidMtlsStore: a client certificate where the server demands one', async () => {
    withToken();
    const demands = { ...mine, ca: mine.cert, requestCert: true, rejectUnauthorized: true };
    const server = await serve((_request, response) => json(response, 200, SECRET), demands);
    const read = async (): Promise<string> =>
      (await (await connect(server, { caBundle: mine.cert, tls })).read({ key: 'app' }, signal))
        .get('k')
        .revealText();
    cluster.set('Secret', 'a/client', { 'tls.crt': mine.cert, 'tls.key': mine.key });
    assert.equal(await read(), 'v');
    cluster.set('Secret', 'a/client', { 'tls.crt': stranger.cert, 'tls.key': stranger.key });
    await assert.rejects(read(), fails('PROVIDER_UNREACHABLE', /Vault https/));
    cluster.set('Secret', 'a/client', { 'tls.crt': mine.cert, 'tls.key': 'SENTINEL' });
    await assert.rejects(
      read(),
      fails('PROVIDER_INVALID_CONFIG', /key tls\.key of Secret a\/client holds no usable PEM/),
    );
  });

  test('the CA from a ConfigMap or a Secret, read again each time', async () => {
    withToken();
    const server = await serve((_request, response) => json(response, 200, SECRET), mine);
    for (const type of ['ConfigMap', 'Secret'] as const) {
      const caProvider = { type, name: 'ca', key: 'ca.crt' };
      const read = async () => (await connect(server, { caProvider })).read({ key: 'app' }, signal);
      cluster.set(type, 'a/ca', { 'ca.crt': stranger.cert });
      await assert.rejects(read(), fails('PROVIDER_UNREACHABLE', /not trusted.*caBundle or caProvider/));
      cluster.set(type, 'a/ca', { 'ca.crt': mine.cert });
      assert.equal((await read()).get('k').revealText(), 'v');
      cluster.set(type, 'a/ca', { 'ca.crt': 'SENTINEL' });
      await assert.rejects(
        read(),
        fails('PROVIDER_INVALID_CONFIG', /caProvider: key ca\.crt of .* holds no valid certificate/),
      );
    }
  });
});

describe('credentials', () => {
  test('a token that cannot be one is refused before it is sent', async () => {
    for (const [token, message] of [
      [' \n', /key token of Secret a\/vault-token is empty/],
      ['SENTINEL x', /holds characters that no token has/],
      ['SENTINEL\r\nx: y', /holds characters that no token has/],
    ] as const) {
      cluster.set('Secret', 'a/vault-token', { token });
      await assert.rejects(connect('http://127.0.0.1:1'), fails('PROVIDER_INVALID_CONFIG', message));
    }
  });

  test('what is missing in the cluster is said in its own words', async () => {
    await assert.rejects(connect('http://127.0.0.1:1'), { code: 'REFERENCE_NOT_FOUND' });
  });

  test('9.4 caProvider and selectors: no reference of a namespaced store leads into another namespace', async () => {
    const foreign = { name: 'x', key: 'k', namespace: 'b' };
    for (const more of [
      { auth: { tokenSecretRef: foreign } },
      { auth: { kubernetes: { role: 'r', secretRef: foreign } } },
      { auth: { kubernetes: { role: 'r', serviceAccountRef: { name: 'x', namespace: 'b' } } } },
      { caProvider: { type: 'ConfigMap', ...foreign } },
      { caProvider: { type: 'Secret', ...foreign } },
      { tls: { certSecretRef: foreign, keySecretRef: foreign } },
    ]) {
      withToken();
      await assert.rejects(connect('https://127.0.0.1:1', more), { code: 'REFERENCE_FORBIDDEN' });
      assert.deepEqual(
        cluster.asked.filter((asked) => / b\//.test(asked)),
        [],
      );
    }
  });

  test('the login carries role and token, and the answer has to hold one', async () => {
    cluster.objects.set('ServiceAccount a/sa', { token: 'SENTINEL-jwt' });
    const bodies: string[] = [];
    const server = await serve((request, response, body) => {
      bodies.push([request.method, request.url, request.headers['x-vault-namespace'], body].join(' '));
      json(response, 200, { auth: { client_token: '' } });
    });
    const auth = {
      namespace: 'ops',
      kubernetes: { ...kubernetes.kubernetes, mountPath: '/team/k8s cluster/' },
    };
    await assert.rejects(
      connect(server, { auth, namespace: 'team' }),
      fails('PROVIDER_INVALID_RESPONSE', /holds no token/),
    );
    assert.deepEqual(bodies, [
      'POST /v1/auth/team/k8s%20cluster/login ops {"role":"r","jwt":"SENTINEL-jwt"}',
    ]);
    assert.deepEqual(cluster.asked, ['token a/sa vault 600']);
  });
});

test('what policies say about servers holds for every request', async () => {
  const server = vaultConfigSchema.parse({ server: 'https://vault.test:8200/base', path: 'secret' });
  assert.deepEqual(vaultProvider.servers(server).map(String), ['https://vault.test:8200/base']);
  assert.deepEqual(vaultProvider.servers(vaultConfigSchema.parse({ server: 'no url' })), []);
  withToken();
  const guard: ServerGuard = {
    id: 'g',
    needsAddress: false,
    refusesServer: ({ origin }) => (origin === 'https://vault.test:8200' ? 'is not allowed here' : undefined),
    refusesAddress: () => undefined,
  };
  const auth = { tokenSecretRef: { name: 'vault-token', key: 'token' } };
  const config = vaultConfigSchema.parse({ server: 'https://vault.test:8200', path: 'secret', auth });
  const connection = await vaultProvider.connect(config, { ...store, guard }, cluster.ports, signal);
  await assert.rejects(
    connection.read({ key: 'k' }, signal),
    fails('POLICY_DENIED', /the server is not allowed here/),
  );
  // A login is a request like any other.
  cluster.objects.set('ServiceAccount a/sa', { token: 'jwt' });
  const login = vaultConfigSchema.parse({
    server: 'https://vault.test:8200',
    path: 'secret',
    auth: kubernetes,
  });
  await assert.rejects(
    vaultProvider.connect(login, { ...store, guard }, cluster.ports, signal),
    fails('POLICY_DENIED', /the server is not allowed here/),
  );
});
