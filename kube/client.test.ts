import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { EsaError } from '../api/errors.ts';
import { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import {
  createSecret,
  createToken,
  deleteSecret,
  getSecret,
  patchSecret,
  patchStatus,
  replaceSecret,
  reviewAccess,
} from './objects.ts';
import { failure, sendJson, startWireServer } from './testing/wire-server.ts';

const clientOf = (server: { url: string }, prefix = ''): KubeClient =>
  new KubeClient({ server: server.url + prefix, token: { value: 'token-0' } });

const kubeError = (expected: Partial<KubeError>) => (error: unknown) => {
  assert.ok(error instanceof KubeError, inspect(error));
  for (const [key, value] of Object.entries(expected)) {
    assert.deepEqual(error[key as keyof KubeError], value, inspect(error));
  }
  return true;
};

describe('requests', () => {
  test('method, path behind a prefix, query, headers and body reach the server; numbers keep their digits', async () => {
    await using server = await startWireServer((_request, response) => {
      response.end('{"big":12345678901234567890,"f":1.5}');
    });
    const kube = clientOf(server, '/k8s/clusters/c-1/');
    const answer = await kube.request<object>('PATCH', '/api/v1/x', {
      query: { fieldManager: 'a b', dryRun: undefined },
      body: { a: null },
      contentType: 'application/merge-patch+json',
    });
    assert.equal(JSON.stringify(answer), '{"big":12345678901234567890,"f":1.5}');
    const [got] = server.received;
    assert.equal(got?.method, 'PATCH');
    assert.equal(got?.path, '/k8s/clusters/c-1/api/v1/x');
    assert.equal(got?.query.toString(), 'fieldManager=a+b');
    assert.equal(got?.headers.authorization, 'Bearer token-0');
    assert.equal(got?.headers['content-type'], 'application/merge-patch+json');
    assert.equal(got?.body, '{"a":null}');
    await kube.close();
  });

  test('behind a fence reads go through, and writes while they may', async () => {
    await using server = await startWireServer((_request, response) => sendJson(response, 200, {}));
    const kube = clientOf(server);
    let may = true;
    const fenced = kube.fenced(() => may);
    await fenced.request('PATCH', '/api/v1/x', { body: {} });
    may = false;
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
      await assert.rejects(fenced.request(method, '/api/v1/x'), kubeError({ status: 0, reason: 'Fenced' }));
    await fenced.request('GET', '/api/v1/x');
    await kube.request('DELETE', '/api/v1/x');
    assert.deepEqual(
      server.received.map(({ method }) => method),
      ['PATCH', 'GET', 'DELETE'],
    );
    await kube.close();
  });

  test('a read is sent again once when its connection is lost, a write never', async () => {
    await using server = await startWireServer((_request, response) => {
      response.socket?.resetAndDestroy();
    });
    const kube = clientOf(server);
    await assert.rejects(kube.request('GET', '/api/v1/x'), kubeError({ status: 0 }));
    assert.equal(server.received.length, 2);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      server.received.length = 0;
      await assert.rejects(kube.request(method, '/api/v1/x', { body: {} }), kubeError({ status: 0 }));
      assert.equal(server.received.length, 1, method);
    }
    let calls = 0;
    server.handle((_request, response) => {
      if (calls++ === 0) response.socket?.resetAndDestroy();
      else sendJson(response, 200, { ok: true });
    });
    assert.deepEqual(await kube.request('GET', '/api/v1/x'), { ok: true });
    await kube.close();
  });

  test('silence ends at the deadline, before and within the body', async () => {
    await using server = await startWireServer(() => {});
    const kube = clientOf(server);
    await assert.rejects(
      kube.request('GET', '/api/v1/x', { timeoutMs: 50 }),
      kubeError({ status: 0, reason: 'Timeout' }),
    );
    assert.equal(server.received.length, 1, 'a deadline is no lost connection');
    server.handle((_request, response) => void response.write('{"a":'));
    await assert.rejects(
      kube.request('GET', '/api/v1/x', { timeoutMs: 50 }),
      kubeError({ status: 0, reason: 'Timeout' }),
    );
    await kube.close();
  });

  test("a caller's signal gives up; its EsaError comes through", async () => {
    await using server = await startWireServer(() => {});
    const kube = clientOf(server);
    await assert.rejects(
      kube.request('GET', '/api/v1/x', { signal: AbortSignal.timeout(1_000) }),
      kubeError({ status: 0, reason: 'Aborted' }),
    );
    const controller = new AbortController();
    const deadline = new EsaError('DEADLINE', 'the review is over');
    setTimeout(() => controller.abort(deadline), 1_000);
    await assert.rejects(
      kube.request('GET', '/api/v1/x', { signal: controller.signal }),
      (e) => e === deadline,
    );
    await assert.rejects(
      kube.call('c', { signal: controller.signal }, (o) => kube.core.readNamespace({ name: 'x' }, o)),
      (e) => e === deadline,
    );
    assert.equal(server.received.length, 2, 'an aborted signal sends nothing');
    await kube.close();
  });

  test('429 and 503 tell how long to wait', async () => {
    await using server = await startWireServer((_request, response) =>
      sendJson(response, 429, failure(429, 'TooManyRequests', 'slow down'), { 'retry-after': '2' }),
    );
    const kube = clientOf(server);
    await assert.rejects(kube.request('GET', '/api/v1/x'), kubeError({ status: 429, retryAfterMs: 2000 }));
    assert.equal(server.received.length, 1);
    server.handle((_request, response) => sendJson(response, 503, '', { 'retry-after': '1' }));
    await assert.rejects(kube.request('GET', '/api/v1/x'), kubeError({ status: 503, retryAfterMs: 1000 }));
    await kube.close();
  });

  test('an answer that is not JSON is no success', async () => {
    await using server = await startWireServer((_request, response) => void response.end('<html>'));
    const kube = clientOf(server);
    await assert.rejects(kube.request('GET', '/'), kubeError({ status: 0, reason: 'InvalidResponse' }));
    await kube.close();
  });

  test('nobody listens: the reason says so', async () => {
    const kube = new KubeClient({ server: 'http://127.0.0.1:9' });
    await assert.rejects(kube.request('GET', '/'), kubeError({ status: 0, reason: 'ECONNREFUSED' }));
    await kube.close();
    await assert.rejects(kube.request('GET', '/'), kubeError({ status: 0, reason: 'Aborted' }));
  });

  test('connections are bounded and shared by both ways of calling', async () => {
    const ports = new Set<number | undefined>();
    await using server = await startWireServer((_request, response) => {
      ports.add(response.socket?.remotePort);
      setTimeout(() => sendJson(response, 200, { metadata: { name: 'x' } }), 5);
    });
    const kube = new KubeClient({ server: server.url }, { connections: 4 });
    await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        i % 2 === 0
          ? kube.request('GET', '/api/v1/x')
          : kube.call('read', {}, (o) => kube.core.readNamespace({ name: 'x' }, o)),
      ),
    );
    assert.equal(ports.size, 4);
    await kube.close();
  });
});

describe('what a failed call tells about a Secret', () => {
  const value = 'hunter2-Sentinel';
  const message = `Secret "db" is invalid: data[k]: Invalid value: "${value}"`;
  test('nothing, on any way of writing one', async () => {
    await using server = await startWireServer((_request, response) =>
      sendJson(response, 422, failure(422, 'Invalid', message)),
    );
    const kube = clientOf(server);
    const secret = { metadata: { namespace: 'shop', name: 'db', resourceVersion: '7' }, data: {} };
    const at = { namespace: 'shop', name: 'db', resourceVersion: '7', uid: 'u' };
    const options = { fieldManager: 'm' };
    const calls: Promise<unknown>[] = [
      createSecret(kube, secret, options),
      replaceSecret(kube, secret, options),
      patchSecret(kube, at, { data: {} }, options),
      deleteSecret(kube, at),
      kube.request('PUT', '/api/v1/namespaces/shop/secrets/db', { body: {} }),
      kube.request('POST', '/apis/x/y', { body: {}, sensitive: true }),
      kube.call('c', {}, (o) => kube.core.createNamespacedSecret({ namespace: 'shop', body: {} }, o)),
      kube.core.createNamespacedSecret({ namespace: 'shop', body: {} }),
    ];
    for (const result of await Promise.allSettled(calls)) {
      assert.equal(result.status, 'rejected');
      assert.ok(result.reason instanceof KubeError);
      assert.ok(!inspect(result.reason, { depth: 9 }).includes(value));
      assert.equal(result.reason.reason, 'Invalid');
    }
    await kube.close();
  });
});

describe('calls of the engine on the wire', () => {
  test('conditional writes carry their conditions', async () => {
    await using server = await startWireServer((_request, response) => sendJson(response, 200, {}));
    const kube = clientOf(server);
    const secret = { metadata: { namespace: 'shop', name: 'db', resourceVersion: '7' }, data: { a: 'YQ==' } };
    const at = { namespace: 'shop', name: 'db', resourceVersion: '7', uid: 'u-1' };
    const options = { fieldManager: 'externalsecrets.external-secrets.io/db' };
    await createSecret(kube, secret, options);
    await replaceSecret(kube, secret, options);
    await patchSecret(kube, at, { metadata: { labels: { a: 'b' } }, data: { b: null } }, options);
    await deleteSecret(kube, at);
    await patchStatus(
      kube,
      {
        group: 'external-secrets.io',
        version: 'v1',
        resource: 'externalsecrets',
        namespace: 'shop',
        name: 'db',
        resourceVersion: '9',
      },
      { conditions: [] },
      options,
    );
    assert.deepEqual(
      server.received.map((r) => [r.method, r.path, r.query.get('fieldManager'), r.headers['content-type']]),
      [
        ['POST', '/api/v1/namespaces/shop/secrets', options.fieldManager, 'application/json'],
        ['PUT', '/api/v1/namespaces/shop/secrets/db', options.fieldManager, 'application/json'],
        ['PATCH', '/api/v1/namespaces/shop/secrets/db', options.fieldManager, 'application/merge-patch+json'],
        ['DELETE', '/api/v1/namespaces/shop/secrets/db', null, 'application/json'],
        [
          'PATCH',
          '/apis/external-secrets.io/v1/namespaces/shop/externalsecrets/db/status',
          options.fieldManager,
          'application/merge-patch+json',
        ],
      ],
    );
    const bodies = server.received.map((r) => JSON.parse(r.body));
    assert.deepEqual(bodies[2], {
      metadata: { labels: { a: 'b' }, resourceVersion: '7' },
      data: { b: null },
    });
    assert.deepEqual(bodies[3], { preconditions: { uid: 'u-1', resourceVersion: '7' } });
    assert.deepEqual(bodies[4], { status: { conditions: [] }, metadata: { resourceVersion: '9' } });
    await kube.close();
  });

  test('an unconditional replace or delete is not possible', async () => {
    const kube = new KubeClient({ server: 'http://127.0.0.1:9' });
    const options = { fieldManager: 'm' };
    assert.throws(
      () => replaceSecret(kube, { metadata: { namespace: 'a', name: 'b', resourceVersion: '' } }, options),
      TypeError,
    );
    assert.throws(
      () => patchSecret(kube, { namespace: 'a', name: 'b', resourceVersion: '' }, {}, options),
      TypeError,
    );
    await assert.rejects(
      deleteSecret(kube, { namespace: 'a', name: 'b', uid: 'u', resourceVersion: '' }),
      TypeError,
    );
    assert.throws(() => getSecret(kube, 'a', '..'), { code: 'INVALID_OBJECT' });
    await kube.close();
  });

  test('reviews and tokens', async () => {
    await using server = await startWireServer((request, response) => {
      if (request.path.endsWith('/token')) {
        sendJson(response, 201, { status: { token: 'jwt', expirationTimestamp: '2026-11-22T00:10:00Z' } });
      } else sendJson(response, 201, { spec: {}, status: { allowed: request.body.includes('alice') } });
    });
    const kube = clientOf(server);
    const question = { verb: 'create', group: 'external-secrets.io', resource: 'externalsecrets' };
    const alice = { username: 'alice', uid: 'u', groups: ['g'], extra: { 'a/b': ['c'] } };
    assert.equal(await reviewAccess(kube, alice, { ...question, namespace: 'shop' }), true);
    assert.equal(await reviewAccess(kube, { username: 'bob' }, question), false);
    assert.deepEqual(JSON.parse(server.received[0]?.body ?? '').spec, {
      extra: { 'a/b': ['c'] },
      groups: ['g'],
      resourceAttributes: { ...question, namespace: 'shop' },
      uid: 'u',
      user: 'alice',
    });
    const order = { namespace: 'shop', name: 'app', audiences: ['vault'], expirationSeconds: 600 };
    const { token, expiresAt } = await createToken(kube, order);
    assert.equal(token.revealText(), 'jwt');
    assert.equal(expiresAt, Date.parse('2026-11-22T00:10:00Z'));
    assert.deepEqual(JSON.parse(server.received[2]?.body ?? '').spec, {
      audiences: ['vault'],
      expirationSeconds: 600,
    });
    await kube.close();
  });
});
