import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KubeClient } from './client.ts';
import { EventRecorder } from './events.ts';
import type { KubeObject } from './objects.ts';
import { failure, sendJson, startWireServer, type WireServer } from './testing/wire-server.ts';

const object = (name: string, namespace?: string): KubeObject => ({
  apiVersion: 'external-secrets.io/v1',
  kind: namespace === undefined ? 'ClusterSecretStore' : 'ExternalSecret',
  metadata: { name, uid: `uid-${name}`, ...(namespace === undefined ? {} : { namespace }) },
});

const heldClock = () => {
  let at = Date.parse('2026-11-22T01:02:03.456Z');
  return {
    now: () => at,
    monotonic: () => at,
    advance: (ms: number) => {
      at += ms;
    },
  };
};

function record(server: WireServer, more: Partial<ConstructorParameters<typeof EventRecorder>[0]> = {}) {
  const clock = heldClock();
  const problems: string[] = [];
  const note = (_fields: object, message: string): void => void problems.push(message);
  const kube = new KubeClient({ server: server.url });
  const recorder = new EventRecorder({
    kube,
    clock,
    log: { info: note, warn: note, error: note },
    ...more,
  });
  return {
    clock,
    recorder,
    problems,
    [Symbol.asyncDispose]: async () => {
      await recorder.stop(0);
      await kube.close();
    },
  };
}

const accept = () =>
  startWireServer((request, response) =>
    sendJson(response, request.method === 'POST' ? 201 : 200, JSON.parse(request.body)),
  );

test('an event names its object, its source and its times', async () => {
  await using server = await accept();
  await using run = record(server);
  run.recorder.record(object('db', 'shop'), 'Warning', 'UpdateFailed', 'no such key');
  run.recorder.record(object('vault'), 'Normal', 'Valid', 'store validated');
  await run.recorder.flush();
  const [first, second] = server.received;
  assert.equal(first?.path, '/api/v1/namespaces/shop/events');
  const { metadata, ...rest } = JSON.parse(first?.body ?? '');
  assert.match(metadata.name, /^db\.[0-9a-f]{16}$/);
  assert.deepEqual(rest, {
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      name: 'db',
      namespace: 'shop',
      uid: 'uid-db',
    },
    type: 'Warning',
    reason: 'UpdateFailed',
    message: 'no such key',
    source: { component: 'external-secrets' },
    reportingComponent: 'external-secrets',
    firstTimestamp: '2026-11-22T01:02:03Z',
    lastTimestamp: '2026-11-22T01:02:03Z',
    count: 1,
  });
  assert.equal(second?.path, '/api/v1/namespaces/default/events');
  assert.equal(JSON.parse(second?.body ?? '').involvedObject.namespace, undefined);
});

test('repetitions are counted: before it is sent, after, and anew after ten minutes', async () => {
  await using server = await accept();
  await using run = record(server);
  const again = (message = 'm') => run.recorder.record(object('db', 'shop'), 'Warning', 'R', message);
  again();
  again();
  await run.recorder.flush();
  run.clock.advance(60_000);
  again();
  await run.recorder.flush();
  again('another');
  await run.recorder.flush();
  run.clock.advance(600_000);
  again();
  await run.recorder.flush();
  assert.deepEqual(
    server.received.map(({ method, body }) => [method, JSON.parse(body).count, JSON.parse(body).message]),
    [
      ['POST', 2, 'm'],
      ['PATCH', 3, undefined],
      ['POST', 1, 'another'],
      ['POST', 1, 'm'],
    ],
  );
  assert.match(server.received[1]?.path ?? '', /^\/api\/v1\/namespaces\/shop\/events\/db\./);
});

test('an event that is gone is written anew', async () => {
  await using server = await startWireServer((request, response) =>
    request.method === 'PATCH'
      ? sendJson(response, 404, failure(404, 'NotFound', 'gone'))
      : sendJson(response, 201, {}),
  );
  await using run = record(server);
  for (let i = 0; i < 2; i++) {
    run.recorder.record(object('db', 'shop'), 'Normal', 'R', 'm');
    await run.recorder.flush();
  }
  assert.deepEqual(
    server.received.map((r) => r.method),
    ['POST', 'PATCH', 'POST'],
  );
});

test('one object cannot flood, and what was held back is told later', async () => {
  await using server = await accept();
  await using run = record(server, { perObject: { burst: 3, refillMs: 1000 } });
  for (let i = 0; i < 5; i++) {
    run.recorder.record(object('db', 'shop'), 'Normal', 'R', 'm');
    run.recorder.record(object('other', 'shop'), 'Normal', 'R', `m${i}`);
    await run.recorder.flush();
  }
  assert.equal(server.received.length, 6);
  assert.equal(run.recorder.dropped, 2, 'the different ones of the other object');
  run.clock.advance(1000);
  run.recorder.record(object('db', 'shop'), 'Normal', 'R', 'm');
  await run.recorder.flush();
  assert.equal(JSON.parse(server.received.at(-1)?.body ?? '').count, 6);
});

test('the queue is bounded, and nothing is thrown into the caller', async () => {
  await using server = await startWireServer(() => {});
  await using run = record(server, { queueLimit: 2 });
  for (let i = 0; i < 5; i++) run.recorder.record(object(`o${i}`, 'shop'), 'Normal', 'R', 'm');
  assert.equal(run.recorder.dropped, 3);
  const before = performance.now();
  await run.recorder.stop(50);
  assert.ok(performance.now() - before < 1000, 'stop does not wait for a server that is silent');
  run.recorder.record(object('late', 'shop'), 'Normal', 'R', 'm');
  await run.recorder.flush();
  assert.equal(run.recorder.dropped, 5);
});

test('a refused event is dropped and reported; a busy server is asked again', async () => {
  let busy = 1;
  await using server = await startWireServer((request, response) => {
    if (request.path.includes('/refused/')) sendJson(response, 403, failure(403, 'Forbidden', 'no'));
    else if (busy-- > 0) sendJson(response, 503, failure(503, 'ServiceUnavailable', 'busy'));
    else sendJson(response, 201, {});
  });
  await using run = record(server);
  run.recorder.record(object('a', 'refused'), 'Normal', 'R', 'm');
  run.recorder.record(object('b', 'shop'), 'Normal', 'R', 'm');
  await run.recorder.flush();
  assert.equal(server.received.length, 3);
  assert.equal(run.recorder.dropped, 1);
  assert.deepEqual(run.problems, ['an event was not delivered']);
});

test('a long message is cut to what the API server takes', async () => {
  await using server = await accept();
  await using run = record(server);
  run.recorder.record(object('n'.repeat(253), 'shop'), 'Normal', 'R', 'x'.repeat(2000));
  await run.recorder.flush();
  const { message, metadata } = JSON.parse(server.received[0]?.body ?? '');
  assert.equal(message.length, 1024);
  assert.ok(metadata.name.length <= 253);
});
