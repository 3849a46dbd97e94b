/**
 * Every way in which the cluster can fail under a poller that works: watches that break, an API server that is slow,
 * throttles, stands still or comes back with other revisions, etcd that dies, is full or was restored, a log that
 * cannot be written, many objects that go at once, and the poller killed before each of its writes. Secrets stay
 * as they were, nothing is lost, and it goes on by itself.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FINALIZER_ESO, LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { type FaultProxy, type ProxiedCall, startFaultProxy } from '../harness/fault-proxy.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { httpRequest } from '../harness/http.ts';
import { scrape } from '../harness/metrics.ts';
import { freePort } from '../harness/ports.ts';
import { startProcess } from '../harness/process.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { Cluster, valuesOf } from './support/cluster.ts';
import {
  administer,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

/** Objects that are deleted at once; 10000 in the environment for a long look. */
const MASS = Number(process.env['MASS'] ?? 500);
/** Small, so that it can be filled; all those objects, and what is left of them when they are gone, have to fit. */
const QUOTA_BYTES = 48 * 1024 * 1024 + Math.max(0, MASS - 500) * 16 * 1024;
const WHERE = 'cluster';
const OBJECTS = 6;
/** An interval of a second, and what a busy machine takes beside. */
const SOON_MS = 40_000;
/** A lease that an outage does not cost, however long a busy machine takes for it, and one that it does. */
const LONG_LEASE = '10m';
const SHORT_LEASE = '3s';
const LEASE = 'external-secrets-admission-poller';
const EXTERNAL_SECRETS = '/apis/external-secrets.io/v1';

let bed: Bed;
let cluster: Cluster;
let kubeProxy: FaultProxy;
let baoProxy: FaultProxy;
let kubeconfig: string;
let turn = 0;

before(async () => {
  bed = await startBed({
    controlPlane: { etcdArgs: [`--quota-backend-bytes=${QUOTA_BYTES}`] },
    product: { poller: false },
  });
  const { cp, openBao, product } = bed;
  cluster = new Cluster(cp);
  kubeProxy = await startFaultProxy(cp.server, cp.ca);
  baoProxy = await startFaultProxy(openBao.address);
  kubeconfig = join(temporaryDirectory('faults'), 'kubeconfig');
  const direct = readFileSync(product.installation.kubeconfigs.poller, 'utf8');
  writeFileSync(kubeconfig, direct.replace(cp.server, kubeProxy.address));
  await startPoller(LONG_LEASE);
  await openBao.write('app', { password: 'first' });
  await cluster.create(namespace(WHERE));
  await cluster.create(tokenSecret(WHERE, openBao.token));
  await cluster.create(secretStore(WHERE, 'vault', { provider: vaultProvider(baoProxy.address) }));
  for (let index = 0; index < OBJECTS; index += 1)
    await cluster.create(externalSecret(WHERE, `app-${index}`));
  // The Secrets are there at once; that the poller has seen everything is told by a change.
  await works();
});
after(async () => {
  await bed.stop();
  await Promise.all([kubeProxy.stop(), baoProxy.stop()]);
});

const startPoller = (lease: string) =>
  bed.product.startPoller(['--kubeconfig', kubeconfig, '--lease-duration', lease]);

const secretsIn = async (where: string): Promise<readonly SecretObject[]> => {
  const { status, body } = await bed.cp.request<{ items: SecretObject[] }>(
    'GET',
    `/api/v1/namespaces/${where}/secrets?labelSelector=${LABEL_MANAGED}%3Dtrue`,
  );
  assert.equal(status, 200);
  return body.items;
};

/** Every Secret as it is: uid, version and values. */
const snapshot = async (): Promise<readonly unknown[]> =>
  (await secretsIn(WHERE)).map(({ metadata, data }) => [
    metadata.name,
    metadata.uid,
    metadata.resourceVersion,
    data,
  ]);

/** Until all Secrets of the namespace hold this and there are `count` of them. */
async function fresh(password: string, count = OBJECTS, timeout = SOON_MS): Promise<void> {
  await eventually(
    async () => {
      const secrets = await secretsIn(WHERE);
      assert.deepEqual(
        secrets.map((secret) => valuesOf(secret)['password']),
        Array.from({ length: count }, () => password),
      );
      return true;
    },
    { timeout, interval: 200, what: `${count} Secrets with ${password}` },
  );
}

/** The provider has another value: it comes through, so all of it works. */
async function works(count = OBJECTS, timeout = SOON_MS): Promise<void> {
  turn += 1;
  const password = `turn ${turn}`;
  await bed.openBao.write('app', { password });
  await fresh(password, count, timeout);
}

/** Removes an ExternalSecret and waits until its Secret has gone with it. */
async function removed(name: string): Promise<void> {
  await cluster.remove('ExternalSecret', WHERE, name);
  await eventually(async () => (await cluster.find('Secret', WHERE, name)) === undefined, {
    timeout: 60_000,
    what: `the collection of ${name}`,
  });
}

const readsSince = (since: number): number =>
  baoProxy.calls.filter(({ at, url }) => at >= since && url.startsWith('/v1/secret/data/')).length;

/** What the poller asked of the API server, but for its lease and its watches. */
const callsSince = (since: number): readonly ProxiedCall[] =>
  kubeProxy.calls.filter(({ at, url }) => at >= since && !/\/leases|[?&]watch=/.test(url));

const pollerLog = (): string => readFileSync(bed.product.poller.log, 'utf8');

/** It is still the same process, and has not complained of itself. */
function assertAlive(pid: number): void {
  assert.ok(bed.product.poller.isRunning());
  assert.equal(bed.product.poller.pid, pid);
  assert.doesNotMatch(pollerLog(), /unhandled rejection|the work of the leader failed/);
}

describe('with a lease that outlasts it', () => {
  test(
    'all watches are cut, again and again: nothing is listed anew, nothing is missed',
    needsGarbageCollection(),
    async () => {
      const since = performance.now();
      for (let round = 0; round < 4; round += 1) {
        kubeProxy.cut();
        await sleep(400);
      }
      await cluster.create(externalSecret(WHERE, 'during'));
      await cluster.synced(WHERE, 'during', SOON_MS);
      await cluster.remove('Secret', WHERE, 'during');
      await eventually(() => cluster.find('Secret', WHERE, 'during'), { timeout: SOON_MS });
      const lists = callsSince(since).filter(({ url }) => /[?&]limit=/.test(url));
      assert.deepEqual(lists, []);
      await removed('during');
      await works();
    },
  );

  test('the API server is slow: the provider is read as before, what has changed is written later', async () => {
    kubeProxy.fault = () => ({ kind: 'delay', ms: 700 });
    try {
      const since = performance.now();
      await works();
      await sleep(2_000);
      const seconds = (performance.now() - since) / 1000;
      // All read one object, in the same tick.
      assert.ok(readsSince(since) >= seconds - 2, `${readsSince(since)} reads in ${seconds} s`);
    } finally {
      kubeProxy.fault = undefined;
    }
  });

  test('the API server throttles us: we ask no more than before, and go on when it serves again', async () => {
    const { pid } = bed.product.poller;
    const body = JSON.stringify({ kind: 'Status', status: 'Failure', reason: 'TooManyRequests', code: 429 });
    const headers = { 'retry-after': '1' };
    kubeProxy.fault = ({ url }) =>
      url.includes('/leases') ? undefined : { kind: 'answer', status: 429, headers, body };
    try {
      kubeProxy.cut();
      const before = await snapshot();
      turn += 1;
      await bed.openBao.write('app', { password: `turn ${turn}` });
      await eventually(() => / 429/.test(pollerLog()), { timeout: SOON_MS });
      const since = performance.now();
      await sleep(4_000);
      const calls = callsSince(since);
      const turns = (performance.now() - since) / 1000 + 1;
      // A turn of an object: the Secret, its status, an event and what is sent of that again.
      assert.ok(calls.length <= turns * OBJECTS * 4, `${calls.length} calls in ${turns} turns`);
      assert.deepEqual(await snapshot(), before);
    } finally {
      kubeProxy.fault = undefined;
    }
    await fresh(`turn ${turn}`, OBJECTS, 2 * SOON_MS);
    assertAlive(pid);
  });

  test(
    '410: cut off while the API server restarts and forgets what was, it lists anew and takes in all changes',
    needsGarbageCollection(),
    async (t) => {
      const { pid } = bed.product.poller;
      const other = 'value of other';
      await bed.openBao.write('other', { password: other });
      for (const name of ['goes', 'changes']) {
        await cluster.create(externalSecret(WHERE, name));
        await cluster.synced(WHERE, name, SOON_MS);
      }
      // Nobody would collect its Secret if that were made once more.
      const orphan = { target: { creationPolicy: 'Orphan' } };
      await cluster.create(externalSecret(WHERE, 'orphan-goes', orphan));
      await cluster.synced(WHERE, 'orphan-goes', SOON_MS);
      await kubeProxy.refuse();
      t.after(async () => {
        await kubeProxy.listen();
        for (const name of ['changes', 'comes'])
          await cluster.remove('ExternalSecret', WHERE, name).catch(() => undefined);
      });
      await removed('goes');
      await cluster.remove('ExternalSecret', WHERE, 'orphan-goes');
      await cluster.remove('Secret', WHERE, 'orphan-goes');
      await cluster.patch('ExternalSecret', WHERE, 'changes', { spec: passwordOf('other') });
      const spec = { ...passwordOf('other'), target: { immutable: true } };
      await cluster.create(externalSecret(WHERE, 'comes', spec));
      await bed.cp.compactEtcd();
      await bed.cp.stopApiServer();
      await bed.cp.startApiServer();
      const log = pollerLog().length;
      await kubeProxy.listen();
      await cluster.holds(WHERE, 'changes', { password: other }, 90_000);
      await cluster.holds(WHERE, 'comes', { password: other }, 90_000);
      assert.match(pollerLog().slice(log), /resource version is too old, listing again/);
      for (const name of ['goes', 'orphan-goes'])
        assert.equal(await cluster.find('Secret', WHERE, name), undefined);
      assertAlive(pid);
      for (const name of ['changes', 'comes']) await removed(name);
      await works();
    },
  );

  test('etcd dies and comes back: the same process goes on', async () => {
    const { pid } = bed.product.poller;
    const before = await snapshot();
    await bed.cp.kill('etcd');
    await sleep(2_000);
    await bed.cp.startEtcd();
    await eventually(async () => assert.deepEqual(await snapshot(), before) === undefined, {
      timeout: 30_000,
    });
    await works(OBJECTS, 90_000);
    assertAlive(pid);
  });

  test('a quota is used up: the condition says so, and the Secret comes when there is room', async () => {
    await prepare(cluster, bed.openBao, 'quota');
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q', namespace: 'quota' } };
    await cluster.create({ ...quota, spec: { hard: { secrets: '1' } } });
    await eventually(
      async () => (await cluster.get('ResourceQuota', 'quota', 'q')).status?.used?.['secrets'] === '1',
      { timeout: 40_000, what: 'the quota counts' },
    );
    const { status, warnings } = await cluster.attempt(externalSecret('quota', 'app'));
    assert.deepEqual([status, warnings.length], [201, 1]);
    await cluster.failing('quota', 'app', /exceeded quota|quota/, SOON_MS);
    await cluster.patch('ResourceQuota', 'quota', 'q', { spec: { hard: { secrets: '9' } } });
    await cluster.synced('quota', 'app', 2 * SOON_MS);
    await cluster.remove('ExternalSecret', 'quota', 'app');
  });

  test('many objects go at once, with their namespace and by themselves: we ask nothing because of it', {
    ...needsGarbageCollection(),
    timeout: 1_200_000,
  }, async () => {
    const COUNT = MASS / 2;
    const places = ['mass-namespace', 'mass-collection'];
    const labels = { 'external-secrets-admission.io/suspend': '' };
    for (const where of places) {
      await cluster.create(namespace(where, labels));
      await cluster.create(tokenSecret(where, bed.openBao.token));
      await cluster.create(secretStore(where, 'vault', { provider: vaultProvider(baoProxy.address) }));
    }
    const names = places.flatMap((where) =>
      Array.from({ length: COUNT }, (_, index) => [where, `app-${index}`] as const),
    );
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let next = names.pop(); next !== undefined; next = names.pop())
          await cluster.create(externalSecret(...next, { refreshInterval: '1h' }));
      }),
    );
    const { poller } = bed.product;
    const ready = { condition: 'Ready', status: 'True' };
    for (const where of places) {
      await eventually(
        async () =>
          (await poller.metric('externalsecret_status_condition', { ...ready, namespace: where })) === COUNT,
        { timeout: 120_000, interval: 500, what: `${where} in sync` },
      );
    }
    // Their events are told, too.
    await eventually(async () => callsSince(performance.now() - 1_000).length === 0, { timeout: 180_000 });
    const since = performance.now();
    await cluster.remove('Namespace', undefined, 'mass-namespace');
    const collection = `${EXTERNAL_SECRETS}/namespaces/mass-collection/externalsecrets`;
    assert.equal((await bed.cp.request('DELETE', collection)).status, 200);
    await eventually(async () => (await secretsIn('mass-collection')).length === 0, {
      timeout: 120_000,
      interval: 500,
      what: 'garbage collection',
    });
    await eventually(
      async () => (await cluster.find('Namespace', undefined, 'mass-namespace')) === undefined,
      { timeout: 60_000, interval: 500, what: 'the end of the namespace' },
    );
    const asked = callsSince(since);
    assert.ok(asked.length <= 20, `${asked.length} requests: ${JSON.stringify(asked.slice(0, 5))}`);
    // Beside the objects that are there as before.
    const seconds = (performance.now() - since) / 1000;
    assert.ok(readsSince(since) <= seconds + 10, `${readsSince(since)} reads in ${seconds} s`);
    const series = await scrape(poller.metricsUrl);
    for (const where of places) assert.ok(!series.includes(`namespace="${where}",name="app-`), where);
    await works();
  });
});

describe('with a lease that it costs', () => {
  before(async () => {
    await bed.product.poller.stop();
    await startPoller(SHORT_LEASE);
    await works();
  });

  const terms = (): number => pollerLog().split('became the leader').length - 1;

  test('the API server stands still, with all connections open: the same process leads again', async () => {
    const { pid } = bed.product.poller;
    const before = await snapshot();
    const termsBefore = terms();
    const server = bed.cp.processes['kube-apiserver'];
    server?.signal('SIGSTOP');
    await sleep(5_000);
    server?.signal('SIGCONT');
    await eventually(async () => assert.deepEqual(await snapshot(), before) === undefined, {
      timeout: 30_000,
    });
    await works(OBJECTS, 90_000);
    assert.ok(terms() > termsBefore, 'the lease was lost');
    assertAlive(pid);
    const labels = { condition: 'Ready', status: 'True', namespace: WHERE };
    await eventually(
      async () => (await bed.product.poller.metric('externalsecret_status_condition', labels)) === OBJECTS,
      { timeout: SOON_MS },
    );
  });

  test(
    'etcd is restored from a backup: what was deleted since is back and kept, what came since is forgotten',
    needsGarbageCollection(),
    async () => {
      const { cp } = bed;
      const { pid } = bed.product.poller;
      await bed.openBao.write('later', { password: 'value of later' });
      const [data, backup] = [join(cp.directory, 'etcd'), join(cp.directory, 'etcd-backup')];
      const stopped = async (work: () => void): Promise<void> => {
        await cp.stopApiServer();
        await cp.kill('etcd');
        work();
        await cp.startEtcd();
        await cp.startApiServer();
      };
      await stopped(() => cpSync(data, backup, { recursive: true }));
      await works(OBJECTS, 90_000);
      await cluster.remove('ExternalSecret', WHERE, 'app-0');
      await eventually(async () => (await secretsIn(WHERE)).length === OBJECTS - 1, { timeout: 60_000 });
      await cluster.create(externalSecret(WHERE, 'later', passwordOf('later')));
      await cluster.synced(WHERE, 'later', SOON_MS);
      await stopped(() => {
        rmSync(data, { recursive: true });
        cpSync(backup, data, { recursive: true });
      });
      await works(OBJECTS, 120_000);
      const since = performance.now();
      await sleep(2_500);
      const reads = baoProxy.calls.filter(({ at, url }) => at >= since && url.endsWith('/later'));
      assert.deepEqual(reads, []);
      assertAlive(pid);
    },
  );

  test('etcd is full: nothing is lost, and all goes on when it has room again', {
    timeout: 300_000,
  }, async () => {
    const { cp } = bed;
    const { pid } = bed.product.poller;
    await cluster.create(namespace('filler'));
    const path = '/api/v1/namespaces/filler/configmaps';
    const fill = (index: number) =>
      cp.request<{ message?: string }>('POST', path, {
        metadata: { name: `filler-${index}` },
        data: { filler: randomBytes(700_000).toString('base64') },
      });
    let refused = '';
    for (let index = 0; index < 80 && refused === ''; index += 1) {
      const { status, body } = await fill(index);
      if (status !== 201) refused = body.message ?? String(status);
    }
    assert.match(refused, /database space exceeded/);
    const before = await snapshot();
    turn += 1;
    await bed.openBao.write('app', { password: `turn ${turn}` });
    await sleep(4_000);
    assert.deepEqual(await snapshot(), before);
    assert.match(pollerLog(), /database space exceeded|could not be renewed/);
    // What an administrator does.
    assert.equal((await cp.request('DELETE', path)).status, 200);
    await cp.compactEtcd();
    await cp.etcd('maintenance/defragment', {});
    type Alarms = { alarms?: { memberID: string; alarm: string }[] };
    const { alarms = [] } = await cp.etcd<Alarms>('maintenance/alarm', { action: 'GET' });
    for (const alarm of alarms) await cp.etcd('maintenance/alarm', { action: 'DEACTIVATE', ...alarm });
    await fresh(`turn ${turn}`, OBJECTS, 120_000);
    assertAlive(pid);
  });

  for (const [what, redirect] of [
    ['its device is full', '> /dev/full'],
    ['nobody reads it any more', '> >(exec true)'],
  ] as const) {
    test(`the log cannot be written (${what}): the work goes on`, async () => {
      await bed.product.poller.stop();
      const metricsPort = await freePort();
      const flags = [
        ['--kubeconfig', bed.product.installation.kubeconfigs.poller],
        ['--namespace', bed.product.namespace],
        ['--metrics-port', String(metricsPort)],
        ['--bind-address', '127.0.0.1'],
        ['--allow-loopback'],
      ].flat();
      const process_ = await startProcess({
        name: 'poller-without-log',
        command: 'bash',
        args: [
          '-c',
          `exec "$@" ${redirect}`,
          'bash',
          process.execPath,
          join(ROOT, 'poller/main.mjs'),
          ...flags,
        ],
        cwd: ROOT,
        timeout: 60_000,
        ready: async () =>
          (await httpRequest('GET', `http://127.0.0.1:${metricsPort}/readyz`)).status === 200,
      });
      try {
        await works();
        assert.ok(process_.isRunning());
      } finally {
        assert.deepEqual(await process_.stop(), { code: 0, signal: null });
      }
    });
  }
});

describe('killed', () => {
  const PASSWORD = 'value';
  const isWrite = (where: string, { method, url }: ProxiedCall): boolean =>
    method !== 'GET' && url.includes(`/namespaces/${where}/`) && !url.includes('/events');

  async function startAnew(): Promise<void> {
    // Who was killed gives no lease back; it is not the wait for that which is tried here.
    const path = `/apis/coordination.k8s.io/v1/namespaces/${bed.product.namespace}/leases/${LEASE}`;
    await bed.cp.request('DELETE', path);
    await bed.product.poller.start();
  }

  /**
   * Objects that make the poller do each kind of write, in a namespace of their own, with the poller killed instead of its nth
   * write there. @returns false if there were fewer
   */
  async function scenario(n: number): Promise<boolean> {
    const where = `kill-${n}`;
    const { openBao, product } = bed;
    const keys = ['adopted', 'made', 'merged', 'doomed', 'finalized'];
    await prepare(cluster, openBao, where);
    for (const key of keys) await openBao.write(`${where}/${key}`, { password: PASSWORD });
    const metadata = { name: 'merged', namespace: where };
    await cluster.create({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { other: 'x' } });
    let writes = 0;
    let killed: Promise<void> | undefined;
    kubeProxy.fault = (call) => {
      if (!isWrite(where, call)) return undefined;
      writes += 1;
      if (writes !== n) return undefined;
      killed = product.poller.kill().then(startAnew);
      return { kind: 'reset' };
    };
    const targets: Readonly<Record<string, object>> = {
      made: { immutable: true },
      merged: { creationPolicy: 'Merge' },
      doomed: { deletionPolicy: 'Delete' },
    };
    for (const key of keys) {
      const spec = { ...passwordOf(`${where}/${key}`), target: targets[key] ?? {} };
      const finalizers = key === 'finalized' ? { finalizers: [FINALIZER_ESO] } : {};
      await cluster.create(externalSecret(where, key, spec, finalizers));
    }
    for (const key of keys) await cluster.synced(where, key, 60_000);
    assert.deepEqual(await cluster.values(where, 'merged'), { other: 'x', password: PASSWORD });
    for (const key of ['adopted', 'made', 'merged'])
      await openBao.write(`${where}/${key}`, { password: 'other' });
    await administer(openBao, 'DELETE', `secret/metadata/${where}/doomed`);
    await cluster.remove('ExternalSecret', where, 'finalized');

    const expected: Readonly<Record<string, object>> = {
      adopted: { password: 'other' },
      made: { password: PASSWORD },
      merged: { other: 'x', password: 'other' },
      'vault-token': { token: openBao.token },
    };
    await eventually(
      async () => {
        const { body } = await bed.cp.request<{ items: SecretObject[] }>(
          'GET',
          `/api/v1/namespaces/${where}/secrets`,
        );
        const found = body.items.map((secret) => [secret.metadata.name ?? '', valuesOf(secret)] as const);
        assert.deepEqual(Object.fromEntries(found.filter(([name]) => name !== 'finalized')), expected);
        assert.equal(await cluster.find('ExternalSecret', where, 'finalized'), undefined);
        for (const name of ['adopted', 'made']) {
          const { metadata: owned } = await cluster.get('Secret', where, name);
          const owner = await cluster.get('ExternalSecret', where, name);
          assert.deepEqual(
            owned.ownerReferences?.map(({ uid }) => uid),
            [owner.metadata.uid],
          );
        }
        assert.equal((await cluster.ready('ExternalSecret', where, 'doomed'))?.reason, 'SecretDeleted');
        return true;
      },
      { timeout: 90_000, interval: 200, what: `the end of ${where}` },
    );
    for (const key of ['adopted', 'made', 'merged', 'doomed']) await cluster.synced(where, key);
    kubeProxy.fault = undefined;
    await killed;
    await bed.cp.request('DELETE', `${EXTERNAL_SECRETS}/namespaces/${where}/externalsecrets`);
    return killed !== undefined;
  }

  test('before each of its writes, in turn: the next one brings it all to the same end', {
    timeout: 400_000,
  }, async (t) => {
    await startPoller(LONG_LEASE);
    let n = 1;
    while (await scenario(n)) n += 1;
    t.diagnostic(`${n - 1} writes`);
    assert.ok(n > 8, `only ${n - 1} writes`);
  });
});
