import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeClient } from './client.ts';
import { LeaderElector, type LeaseOptions } from './lease.ts';
import { failure, sendJson, startWireServer, type WireServer } from './testing/wire-server.ts';

const PATH = '/apis/coordination.k8s.io/v1/namespaces/system/leases';

interface Lease {
  metadata: { name?: string; resourceVersion?: string; annotations?: Record<string, string> };
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    renewTime?: string;
    acquireTime?: string;
    leaseTransitions?: number;
  };
}

/** One Lease with the optimistic concurrency of the API server, and a switch to fall silent. */
class LeaseApi {
  lease: Lease | undefined;
  silent = false;
  #version = 1;

  serve(): Promise<WireServer> {
    return startWireServer((request, response) => {
      if (this.silent) return;
      if (request.method === 'GET') {
        if (this.lease) sendJson(response, 200, this.lease);
        else sendJson(response, 404, failure(404, 'NotFound', 'leases "l" not found'));
        return;
      }
      const body = JSON.parse(request.body) as Lease;
      const exists = this.lease !== undefined;
      if (request.method === 'POST' && exists) {
        return sendJson(response, 409, failure(409, 'AlreadyExists', 'exists'));
      }
      if (
        request.method === 'PUT' &&
        body.metadata.resourceVersion !== this.lease?.metadata.resourceVersion
      ) {
        return sendJson(response, 409, failure(409, 'Conflict', 'modified'));
      }
      this.put(body);
      sendJson(response, exists ? 200 : 201, this.lease);
    });
  }

  put(lease: Lease): void {
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(this.#version++) } };
  }
}

const silentLog = { info: () => {}, warn: () => {}, error: () => {} };

function elect(server: WireServer, identity: string, more: Partial<LeaseOptions> = {}) {
  const kube = new KubeClient({ server: server.url });
  const calls: string[] = [];
  const elector = new LeaderElector({
    kube,
    namespace: 'system',
    name: 'l',
    identity,
    log: silentLog,
    leaseDurationMs: 1000,
    renewDeadlineMs: 500,
    retryMs: 50,
    onStarted: () => void calls.push('started'),
    onLost: () => void calls.push('lost'),
    ...more,
  });
  return {
    elector,
    calls,
    [Symbol.asyncDispose]: async () => {
      await elector.stop();
      await kube.close();
    },
  };
}

async function until(what: () => boolean, why: string, ms = 4000): Promise<void> {
  const end = performance.now() + ms;
  while (!what()) {
    if (performance.now() > end) assert.fail(`never: ${why}`);
    await sleep(5);
  }
}

test('the first one gets the lease, and gives it back at the end', async () => {
  const api = new LeaseApi();
  await using server = await api.serve();
  // However late a busy machine renews it, it is not lost.
  await using one = elect(server, 'one', { leaseDurationMs: 60_000, renewDeadlineMs: 30_000 });
  assert.equal(one.elector.isLeader(), false);
  one.elector.start();
  await until(() => one.elector.isLeader(), 'a leader');
  assert.equal(api.lease?.spec.holderIdentity, 'one');
  assert.equal(api.lease?.spec.leaseDurationSeconds, 60);
  assert.match(api.lease?.spec.renewTime ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  const acquired = api.lease?.spec.acquireTime;
  await until(() => server.received.filter((r) => r.method === 'PUT').length >= 3, 'renewals');
  assert.equal(server.received.filter((r) => r.method === 'GET').length, 1, 'a leader does not read');
  assert.equal(api.lease?.spec.acquireTime, acquired);
  await one.elector.stop();
  assert.equal(api.lease?.spec.holderIdentity, '');
  assert.deepEqual(one.calls, ['started', 'lost']);
  assert.equal(server.received[0]?.path, `${PATH}/l`);
});

test('a released lease is taken at once, a held one only when it has run out', async () => {
  const api = new LeaseApi();
  // Its times are another machine's, far in the past; what counts is that it was not seen to change.
  api.put({
    metadata: { name: 'l' },
    spec: { holderIdentity: 'dead', leaseDurationSeconds: 1, renewTime: '2001-01-01T00:00:00.000000Z' },
  });
  await using server = await api.serve();
  await using one = elect(server, 'one');
  const startedAt = performance.now();
  one.elector.start();
  await until(() => one.elector.isLeader(), 'a leader');
  assert.ok(performance.now() - startedAt >= 990, 'it waited for the whole duration');
  assert.equal(api.lease?.spec.leaseTransitions, 1);
  await one.elector.stop();
  await using two = elect(server, 'two');
  const secondAt = performance.now();
  two.elector.start();
  await until(() => two.elector.isLeader(), 'the next leader');
  assert.ok(performance.now() - secondAt < 500);
});

test('a change of metadata does not prolong a dead lease, a renewal does', async () => {
  const api = new LeaseApi();
  const spec = { holderIdentity: 'other', leaseDurationSeconds: 1, renewTime: 'a' };
  api.put({ metadata: { name: 'l' }, spec });
  await using server = await api.serve();
  await using one = elect(server, 'one');
  one.elector.start();
  for (let i = 0; i < 6; i++) {
    await sleep(300);
    if (i < 3) api.put({ metadata: { name: 'l' }, spec: { ...spec, renewTime: `renewed ${i}` } });
    else if (api.lease?.spec.holderIdentity === 'other') {
      api.put({ metadata: { name: 'l', annotations: { i: String(i) } }, spec: api.lease.spec });
    }
    if (i === 3) assert.equal(one.elector.isLeader(), false);
  }
  await until(() => one.elector.isLeader(), 'a leader');
});

test('a leader that cannot renew is none after its deadline, and comes back', async () => {
  const api = new LeaseApi();
  await using server = await api.serve();
  await using one = elect(server, 'one');
  one.elector.start();
  await until(() => one.elector.isLeader(), 'a leader');
  api.silent = true;
  const silentAt = performance.now();
  await until(() => !one.elector.isLeader(), 'the deadline');
  const took = performance.now() - silentAt;
  assert.ok(took > 300 && took < 900, `after ${Math.round(took)} ms`);
  await until(() => one.calls.includes('lost'), 'onLost');
  api.silent = false;
  await until(() => one.elector.isLeader(), 'the lease again');
  assert.deepEqual(one.calls, ['started', 'lost', 'started']);
});

test('isLeader goes by the monotonic clock, even before a renewal could fail', async () => {
  const api = new LeaseApi();
  await using server = await api.serve();
  let offset = 0;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() + offset };
  await using one = elect(server, 'one', { clock, retryMs: 400 });
  one.elector.start();
  await until(() => one.elector.isLeader(), 'a leader');
  offset = 600;
  assert.equal(one.elector.isLeader(), false, 'as after a process that was stopped');
});

test('whoever loses to another says so at once', async () => {
  const api = new LeaseApi();
  await using server = await api.serve();
  await using one = elect(server, 'one');
  one.elector.start();
  await until(() => one.elector.isLeader(), 'a leader');
  api.put({
    metadata: { name: 'l' },
    spec: { holderIdentity: 'thief', leaseDurationSeconds: 10, renewTime: 'x' },
  });
  await until(() => !one.elector.isLeader(), 'the loss', 400);
});

test('stop waits for the work of the leader before the lease is given back', async () => {
  const api = new LeaseApi();
  await using server = await api.serve();
  const order: string[] = [];
  await using one = elect(server, 'one', {
    onStarted: async (leading) => {
      await new Promise((resolve) => leading.addEventListener('abort', resolve));
      await sleep(100);
      order.push(`done while held by ${api.lease?.spec.holderIdentity}`);
    },
  });
  one.elector.start();
  await until(() => one.elector.isLeader(), 'a leader');
  await one.elector.stop();
  assert.deepEqual(order, ['done while held by one']);
  assert.equal(api.lease?.spec.holderIdentity, '');
});

test('durations that cannot work are refused', () => {
  const kube = new KubeClient({ server: 'http://127.0.0.1:9' });
  const base = { kube, namespace: 'n', name: 'l', identity: 'i', log: silentLog };
  for (const bad of [
    { leaseDurationMs: 1500, renewDeadlineMs: 500, retryMs: 50 },
    { leaseDurationMs: 1000, renewDeadlineMs: 1000, retryMs: 50 },
    { leaseDurationMs: 1000, renewDeadlineMs: 500, retryMs: 500 },
  ]) {
    assert.throws(() => new LeaderElector({ ...base, ...bad }), RangeError);
  }
});
