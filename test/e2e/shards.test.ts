/**
 * Replicas that share the objects (`--shards`): each object is with one of them, whoever comes, leaves, dies, sleeps or
 * is cut off, and a change at the provider is one write of its Secret. The Lease is short.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import { kubeconfigText } from '../harness/cluster.ts';
import { eventually } from '../harness/eventually.ts';
import { scrape } from '../harness/metrics.ts';
import type { Program } from '../harness/product.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { type ApiProxy, startApiProxy } from './support/api-proxy.ts';
import { requestsOf } from './support/audit.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

const WHERE = ['shard-a', 'shard-b', 'shard-c'];
const COUNT = 60;
const NAMES = Array.from({ length: COUNT }, (_, index) => ({
  where: WHERE[index % WHERE.length] ?? '',
  name: `app-${index}`,
}));
const SHARDS = ['--shards', 'true', '--lease-duration', '5s', '--sweep-after', '40s'];
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/external-secrets-system/leases';
/** The machine may be busy with other tests. */
const PATIENCE = { timeout: 60_000, interval: 200 };

let bed: Bed;
let cluster: Cluster;
let proxy: ApiProxy;
let replicas: Program[] = [];
/** The one behind the proxy. */
let cutOff: Program;
let generation = 0;

before(async () => {
  bed = await startBed({
    controlPlane: { audit: true },
    product: { webhooks: 0, configurations: false, conversion: false, poller: false },
  });
  cluster = new Cluster(bed.cp);
  proxy = await startApiProxy({ server: bed.cp.server, ca: bed.cp.ca });
  for (const { name } of NAMES) await bed.openBao.write(name, { password: 'g0' });
  for (const where of WHERE) await prepare(cluster, bed.openBao, where);
  for (const { where, name } of NAMES) {
    const data = [{ secretKey: 'password', remoteRef: { key: name, property: 'password' } }];
    await cluster.create(externalSecret(where, name, { refreshInterval: '2s', data }));
  }
});
after(async () => {
  await bed.stop();
  await proxy.stop();
});

/** Objects that this replica has synced and still has. */
async function objectsOf({ metricsUrl }: Program): Promise<readonly string[]> {
  const text = await scrape(metricsUrl);
  return [...text.matchAll(/^externalsecret_sync_calls_total\{(.*?)\}/gm)].map(([, labels = '']) => {
    const [, name] = /name="([^"]*)"/.exec(labels) ?? [];
    const [, namespace] = /namespace="([^"]*)"/.exec(labels) ?? [];
    return `${namespace}/${name}`;
  });
}

/** Waits until these replicas, and no others, share all objects and each object is with one of them. */
async function shared(among: readonly Program[]): Promise<void> {
  await eventually(
    async () => {
      const all: string[] = [];
      for (const replica of among) {
        assert.equal(await replica.metric('esa_shard_members'), among.length);
        assert.equal(await replica.metric('esa_shard_view_settled'), 1);
        const objects = await objectsOf(replica);
        assert.equal(await replica.metric('esa_shard_objects'), objects.length);
        assert.ok(objects.length > COUNT / among.length / 3, `one has ${objects.length}`);
        all.push(...objects);
      }
      assert.deepEqual(all.sort(), NAMES.map(({ where, name }) => `${where}/${name}`).sort());
      return true;
    },
    { ...PATIENCE, what: `${among.length} replicas share ${COUNT} objects` },
  );
}

/** Changes every value at the provider. */
async function change(): Promise<void> {
  generation += 1;
  await Promise.all(NAMES.map(({ name }) => bed.openBao.write(name, { password: `g${generation}` })));
}

async function arrived(): Promise<void> {
  await eventually(
    async () => {
      for (const { where, name } of NAMES)
        assert.equal((await cluster.values(where, name))?.['password'], `g${generation}`, `${where}/${name}`);
      return true;
    },
    { ...PATIENCE, what: `generation ${generation} in all Secrets` },
  );
}

/** Each Secret was written exactly so often since then; what the API server refused was no write. */
function assertWrites(since: Date, times: number): void {
  const answers = new Map<string, number[]>();
  for (const { verb, objectRef, responseStatus } of requestsOf(bed, 'poller', since)) {
    if (objectRef?.resource !== 'secrets' || ['get', 'list', 'watch'].includes(verb)) continue;
    const key = `${objectRef.namespace}/${objectRef.name}`;
    answers.set(key, [...(answers.get(key) ?? []), responseStatus?.code ?? 0]);
  }
  const wrong = NAMES.map(({ where, name }) => `${where}/${name}`).filter(
    (key) => answers.get(key)?.filter((code) => code < 300).length !== times,
  );
  assert.deepEqual(
    wrong.map((key) => `${key}: ${answers.get(key)?.join() ?? 'never'}`),
    [],
  );
}

const memberLeases = async (): Promise<readonly string[]> => {
  const { body } = await bed.cp.request<{ items: { metadata: { name: string } }[] }>(
    'GET',
    `${LEASES}?labelSelector=external-secrets-admission.io/shard-member`,
  );
  return body.items.map(({ metadata }) => metadata.name);
};

/** A kubeconfig of the poller that leads through the proxy. */
async function throughProxy(): Promise<string> {
  const { namespace } = bed.product;
  const token = await bed.cp.serviceAccountToken(namespace, 'external-secrets-admission-poller');
  const path = join(temporaryDirectory('proxied'), 'kubeconfig');
  writeFileSync(path, kubeconfigText('proxied', { server: proxy.url }, token), { mode: 0o600 });
  return path;
}

test('while a poller works that does not share, one that would share has nothing', {
  timeout: 180_000,
}, async () => {
  const alone = await bed.product.startPoller([]);
  await arrived();
  const first = await bed.product.addPoller(SHARDS);
  replicas = [first];
  await eventually(async () => (await first.metric('esa_shard_members')) === 1, PATIENCE);
  assert.equal(await first.metric('esa_shard_view_settled'), 0);
  assert.equal(await first.metric('esa_shard_objects'), 0);
  await alone.stop();
  await shared(replicas);
});

test('who joins takes its share, and a change at the provider is written once', {
  timeout: 180_000,
}, async () => {
  cutOff = await bed.product.addPoller(SHARDS, await throughProxy());
  replicas.push(await bed.product.addPoller(SHARDS), cutOff);
  await shared(replicas);
  const since = new Date();
  await change();
  await arrived();
  assertWrites(since, 1);
});

test('SIGTERM: its Lease is gone when it has ended, and the others have everything', {
  timeout: 180_000,
}, async () => {
  const [, leaving] = replicas;
  assert.ok(leaving);
  const since = new Date();
  await leaving.stop();
  assert.equal((await memberLeases()).length, 2);
  await change();
  replicas = replicas.filter((one) => one !== leaving);
  await shared(replicas);
  await arrived();
  assertWrites(since, 1);
  replicas.push(await bed.product.addPoller(SHARDS));
  await shared(replicas);
});

test('SIGKILL: the others have everything within the lease, and its Lease is removed later', {
  timeout: 180_000,
}, async () => {
  // The leader: somebody else has to sweep and to tidy up, too.
  const killed = replicas[0];
  assert.ok(killed);
  const since = new Date();
  await killed.kill();
  await change();
  replicas = replicas.filter((one) => one !== killed);
  await shared(replicas);
  await arrived();
  assertWrites(since, 1);
  await eventually(async () => (await memberLeases()).length === 2, PATIENCE);
  replicas.push(await bed.product.addPoller(SHARDS));
  await shared(replicas);
});

test('paused for longer than the lease: it goes on with nothing, and comes back', {
  timeout: 180_000,
}, async () => {
  const paused = replicas.at(-1);
  assert.ok(paused);
  const others = replicas.filter((one) => one !== paused);
  const since = new Date();
  // In the midst of it: some of the values are on their way through the one that stops.
  await change();
  paused.process.signal('SIGSTOP');
  await shared(others);
  await arrived();
  await change();
  await arrived();
  paused.process.signal('SIGCONT');
  await shared(replicas);
  await arrived();
  assertWrites(since, 2);
});

test('cut off from the API server: it stops before the others begin, and what was on its way does no harm', {
  timeout: 180_000,
}, async () => {
  const others = replicas.filter((one) => one !== cutOff);
  const since = new Date();
  await change();
  proxy.hold();
  await eventually(async () => (await cutOff.metric('esa_shard_objects')) === 0, PATIENCE);
  await shared(others);
  await arrived();
  await change();
  await arrived();
  proxy.release();
  await shared(replicas);
  await arrived();
  assertWrites(since, 2);
});

test('somebody deletes the Leases of all: each joins anew, and nothing is written twice', {
  timeout: 180_000,
}, async () => {
  const before = await memberLeases();
  const since = new Date();
  for (const name of before) await bed.cp.request('DELETE', `${LEASES}/${name}`);
  await eventually(async () => (await memberLeases()).length === replicas.length, PATIENCE);
  await change();
  await shared(replicas);
  await arrived();
  assertWrites(since, 1);
});

test('what one replica does for all is done: stores have their status, a ClusterExternalSecret its objects', {
  timeout: 180_000,
}, async () => {
  for (const where of WHERE) {
    const store = await cluster.get('SecretStore', where, 'vault');
    assert.equal(store.status?.conditions?.[0]?.reason, 'Valid', where);
  }
  await bed.openBao.write('fleet', { password: 'of all' });
  const data = [{ secretKey: 'password', remoteRef: { key: 'fleet', property: 'password' } }];
  await cluster.create({
    apiVersion: 'external-secrets.io/v1',
    kind: 'ClusterExternalSecret',
    metadata: { name: 'fleet' },
    spec: {
      namespaces: WHERE,
      externalSecretSpec: { refreshInterval: '2s', secretStoreRef: { name: 'vault' }, data },
    },
  });
  await eventually(async () => {
    for (const where of WHERE)
      assert.equal((await cluster.values(where, 'fleet'))?.['password'], 'of all', where);
    const ces = await cluster.get('ClusterExternalSecret', undefined, 'fleet');
    return ces.status?.provisionedNamespaces?.length === WHERE.length;
  }, PATIENCE);
  // An object that another replica has is put right, too.
  for (const where of WHERE)
    await cluster.patch('ExternalSecret', where, 'fleet', { spec: { refreshInterval: '1h' } });
  await eventually(async () => {
    for (const where of WHERE) {
      const es = await cluster.get('ExternalSecret', where, 'fleet');
      assert.equal(es.spec.refreshInterval, '2s', where);
    }
    return true;
  }, PATIENCE);
});
