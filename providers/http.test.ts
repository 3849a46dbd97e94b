import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { inspect, promisify } from 'node:util';
import type { ProviderError } from './contract.ts';
import { closeOutbound, configureOutbound, httpRequest } from './http.ts';
import { selfSigned } from './testing/self-signed.ts';

const running: Server[] = [];

async function serve(listener: RequestListener, tls?: { key: string; cert: string }) {
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  running.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const scheme = tls === undefined ? 'http' : 'https';
  return { server, origin: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const get = (origin: string, path = '/', more: { signal?: AbortSignal; ca?: string } = {}) =>
  httpRequest(
    { origin, ca: more.ca },
    { method: 'GET', path, label: 'server x', headers: { 'x-token': 'SENTINEL' }, signal: more.signal },
  );

const fails = (code: string, message: RegExp) => (error: ProviderError) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.doesNotMatch(`${inspect(error, { depth: 9 })}${JSON.stringify(error)}`, /SENTINEL/);
  return true;
};

before(() => configureOutbound({ allowLoopback: true }));
afterEach(async () => {
  configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
  await closeOutbound();
  for (const server of running.splice(0)) server.close().closeAllConnections();
});
after(() => configureOutbound({ allowLoopback: false }));

describe('addresses', () => {
  test('loopback is refused unless allowed, by address and by name', async () => {
    const { origin } = await serve((_request, response) => response.end('ok'));
    configureOutbound({ allowLoopback: false });
    await assert.rejects(get(origin), fails('PROVIDER_INVALID_CONFIG', /127\.0\.0\.1 is a loopback address/));
    const named = origin.replace('127.0.0.1', 'localhost');
    await assert.rejects(get(named), fails('PROVIDER_INVALID_CONFIG', /localhost resolves to .*loopback/));
    configureOutbound({ allowLoopback: true });
    assert.equal((await get(origin)).body.toString(), 'ok');
    assert.equal((await get(named)).body.toString(), 'ok');
  });

  for (const host of [
    '169.254.169.254',
    '0xa9fea9fe',
    '[::ffff:169.254.169.254]',
    '[fd00:ec2::254]',
    '0.0.0.0',
  ]) {
    test(`${host} is refused without a packet`, async () => {
      const signal = AbortSignal.timeout(500);
      await assert.rejects(
        get(`http://${host}`, '/', { signal }),
        fails('PROVIDER_INVALID_CONFIG', /never contacted/),
      );
    });
  }

  test('the metadata service only where the program asks for itself, and then nothing else than that', async () => {
    configureOutbound({ connectTimeoutMs: 300 });
    const ask = (origin: string) =>
      httpRequest({ origin, ownAgent: 'metadata' }, { method: 'GET', path: '/', label: 'own' });
    // Nobody has a route to it, or nobody answers there: what matters is that it was not refused.
    await assert.rejects(ask('http://[fd20:ce::254]'), (error: ProviderError) =>
      ['PROVIDER_UNREACHABLE', 'PROVIDER_TIMEOUT'].includes(error.code),
    );
    await assert.rejects(ask('http://169.254.1.1'), fails('PROVIDER_INVALID_CONFIG', /link-local/));
    configureOutbound({ allowLoopback: false });
    await assert.rejects(ask('http://127.0.0.1'), fails('PROVIDER_INVALID_CONFIG', /loopback/));
  });
});

describe('answers', () => {
  test('a redirect is an answer and not followed', async () => {
    let asked = 0;
    const { origin } = await serve((_request, response) => {
      asked++;
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    const { status, headers } = await get(origin);
    assert.deepEqual([status, headers['location'], asked], [307, '/elsewhere', 1]);
  });

  test('200 requests at once use at most 32 connections, and close gives them back', async () => {
    const sockets = new Set<Socket>();
    const { server, origin } = await serve((_request, response) => setTimeout(() => response.end('ok'), 5));
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    await Promise.all(Array.from({ length: 200 }, () => get(origin)));
    assert.ok(sockets.size > 1 && sockets.size <= 32, `${sockets.size} connections`);
    await closeOutbound();
    for (let i = 0; i < 50 && sockets.size > 0; i++) await new Promise((done) => setTimeout(done, 10));
    assert.equal(sockets.size, 0);
  });

  test('a kept connection that the server closes just then costs nothing', async () => {
    let asked = 0;
    const { origin } = await serve((request, response) => {
      asked++;
      if (asked === 2) request.socket.destroy();
      else response.end('ok');
    });
    await get(origin);
    assert.equal((await get(origin)).body.toString(), 'ok');
    assert.equal(asked, 3);
  });
});

describe('failures', () => {
  test('nobody listens', async () => {
    const { server, origin } = await serve(() => undefined);
    server.close();
    await once(server, 'close');
    await assert.rejects(get(origin), fails('PROVIDER_UNREACHABLE', /^server x: connection refused/));
  });

  test('the name cannot be resolved', async () => {
    const signal = AbortSignal.timeout(8_000);
    await assert.rejects(
      get('http://no-such-host.invalid', '/', { signal }),
      fails('PROVIDER_UNREACHABLE', /name of the server cannot be resolved/),
    );
  });

  test('no answer within the limit', async () => {
    configureOutbound({ responseTimeoutMs: 300 });
    const { origin } = await serve(() => undefined);
    await assert.rejects(get(origin), fails('PROVIDER_TIMEOUT', /no answer within 300 ms/));
  });

  test('the body stops in the middle', async () => {
    configureOutbound({ responseTimeoutMs: 300 });
    const { origin } = await serve((_request, response) => void response.write('{"half":'));
    await assert.rejects(get(origin), fails('PROVIDER_TIMEOUT', /no answer within 300 ms/));
  });

  test('the deadline of the caller', async () => {
    const { origin } = await serve(() => undefined);
    const signal = AbortSignal.timeout(50);
    await assert.rejects(get(origin, '/', { signal }), fails('PROVIDER_TIMEOUT', /before the deadline/));
  });

  test('the caller gives up', async () => {
    const { origin } = await serve(() => undefined);
    const controller = new AbortController();
    const pending = get(origin, '/', { signal: controller.signal });
    controller.abort();
    await assert.rejects(pending, fails('PROVIDER_TIMEOUT', /cancelled/));
    await assert.rejects(
      get(origin, '/', { signal: controller.signal }),
      fails('PROVIDER_TIMEOUT', /cancelled/),
    );
  });

  test('an answer without end', async () => {
    const { origin } = await serve((_request, response) => {
      const block = Buffer.alloc(1 << 20);
      const pump = (): void => {
        while (response.write(block));
        response.once('drain', pump);
      };
      pump();
    });
    await assert.rejects(get(origin), fails('PROVIDER_INVALID_RESPONSE', /larger than 16 MiB/));
  });

  test('something that is not HTTP', async () => {
    const server = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await assert.rejects(get(origin), fails('PROVIDER_INVALID_RESPONSE', /does not answer as HTTP demands/));
    server.close();
  });

  test('a header that cannot be sent is not quoted', async () => {
    const { origin } = await serve((_request, response) => response.end());
    const request = {
      method: 'GET',
      path: '/',
      label: 'server x',
      headers: { 'x-token': 'SENTINEL\n' },
    } as const;
    await assert.rejects(httpRequest({ origin }, request), fails('PROVIDER_UNREACHABLE', /request failed/));
  });
});

describe('TLS', () => {
  const mine = selfSigned('127.0.0.1');

  test('an unknown CA is named, with what to do; the right one works', async () => {
    const { origin } = await serve((_request, response) => response.end('ok'), mine);
    await assert.rejects(get(origin), fails('PROVIDER_UNREACHABLE', /not trusted.*caBundle or caProvider/));
    assert.equal((await get(origin, '/', { ca: mine.cert })).body.toString(), 'ok');
    // Trust is part of what a connection is: the good one must not serve the untrusting target.
    await assert.rejects(get(origin), fails('PROVIDER_UNREACHABLE', /not trusted/));
  });

  test('CAs of NODE_EXTRA_CA_CERTS are trusted beside those of the system', async () => {
    const { origin } = await serve((_request, response) => response.end('ok'), mine);
    const directory = await mkdtemp(join(tmpdir(), 'extra-ca-'));
    try {
      const file = join(directory, 'ca.crt');
      await writeFile(file, mine.cert);
      const module = JSON.stringify(join(import.meta.dirname, 'http.ts'));
      const program = `const { configureOutbound, httpRequest } = await import(${module});
        configureOutbound({ allowLoopback: true });
        const target = { origin: '${origin}', ca: undefined };
        const { body } = await httpRequest(target, { method: 'GET', path: '/', label: 'x', headers: {} });
        process.stdout.write(body.toString());
        process.exit();`;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '--eval', program],
        { env: { ...process.env, NODE_EXTRA_CA_CERTS: file } },
      );
      assert.equal(stdout, 'ok');
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('a certificate for another name', async () => {
    const other = selfSigned('127.0.0.2');
    const { origin } = await serve((_request, response) => response.end('ok'), other);
    await assert.rejects(
      get(origin, '/', { ca: other.cert }),
      fails('PROVIDER_UNREACHABLE', /made out to other names/),
    );
  });

  test('https to a port that speaks http', async () => {
    const { origin } = await serve((_request, response) => response.end('ok'));
    await assert.rejects(get(origin.replace('http:', 'https:')), fails('PROVIDER_UNREACHABLE', /TLS: /));
  });

  test('HTTPS_PROXY is used, and NO_PROXY goes around it', async () => {
    const { origin } = await serve((_request, response) => response.end('ok'), mine);
    const asked: string[] = [];
    const proxy = createServer().on('connect', (request, client: Socket, head: Buffer) => {
      asked.push(request.url ?? '');
      const [host = '', port] = (request.url ?? '').split(':');
      const upstream = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.write(head);
        upstream.pipe(client).pipe(upstream);
      });
      for (const socket of [client, upstream]) socket.on('error', () => client.destroy());
    });
    running.push(proxy);
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    process.env['HTTPS_PROXY'] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    try {
      configureOutbound({});
      assert.equal((await get(origin, '/', { ca: mine.cert })).body.toString(), 'ok');
      assert.deepEqual(asked, [new URL(origin).host]);
      process.env['NO_PROXY'] = '127.0.0.1';
      configureOutbound({});
      assert.equal((await get(origin, '/', { ca: mine.cert })).body.toString(), 'ok');
      assert.equal(asked.length, 1);
    } finally {
      delete process.env['HTTPS_PROXY'];
      delete process.env['NO_PROXY'];
    }
  });
});
