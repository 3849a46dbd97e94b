/**
 * Replicas that share the objects, of which one is killed again and again and started anew. How long is an object not
 * refreshed (against its interval and the lease, the bound), is a change at the provider written more than once (by
 * the API server's audit log), is one lost?
 *
 * One JSON line a figure: bench, metric, value, unit, baseline, ratio, n. Reads are counted by a proxy before OpenBao.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseGoDuration } from '../api/duration.ts';
import type { SecretObject } from '../kube/objects.ts';
import { requestsOf } from '../test/e2e/support/audit.ts';
import { Cluster } from '../test/e2e/support/cluster.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  tokenSecret,
  vaultProvider,
} from '../test/e2e/support/vault.ts';
import { startBed } from '../test/harness/bed.ts';
import { eventually } from '../test/harness/eventually.ts';
import { startFaultProxy } from '../test/harness/fault-proxy.ts';
import type { Program } from '../test/harness/product.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    objects: { type: 'string', default: '2000' },
    replicas: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '300' },
    'kill-every': { type: 'string', default: '20' },
    interval: { type: 'string', default: '10s' },
    lease: { type: 'string', default: '15s' },
  },
});
const OBJECTS = Number(flags.objects);
const REPLICAS = Number(flags.replicas);
const BOUND_MS = (parseGoDuration(flags.interval) ?? 0) + (parseGoDuration(flags.lease) ?? 0);
/** Each object is changed once at most, so that every write can be told whose it is. */
const CHANGES_A_SECOND = Math.min(20, Math.floor(OBJECTS / (Number(flags.seconds) + 1)));
const NAMESPACES = 50;
const LANES = 16;

const names = Array.from({ length: OBJECTS }, (_, index) => ({
  where: `bench-${index % NAMESPACES}`,
  name: `app-${index}`,
}));
type Name = (typeof names)[number];

async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

await using bed = await startBed({
  controlPlane: { audit: true },
  product: { webhooks: 0, configurations: false, conversion: false, poller: false },
});
const cluster = new Cluster(bed.cp);
const proxy = await startFaultProxy(bed.openBao.address);

/** When each object was read at the provider, milliseconds. */
const reads = new Map<string, number[]>();
proxy.fault = ({ url }) => {
  const [, key] = /\/secret\/data\/(app-\d+)/.exec(url) ?? [];
  if (key !== undefined) reads.get(key)?.push(performance.now());
  return undefined;
};

const values = new Map<string, string>();
async function write({ name }: Name, password: string): Promise<void> {
  values.set(name, password);
  await bed.openBao.write(name, { password });
}

const auth = { tokenSecretRef: { name: 'vault-token', namespace: 'bench-0', key: 'token' } };
for (let index = 0; index < NAMESPACES; index += 1) await cluster.create(namespace(`bench-${index}`));
await cluster.create(tokenSecret('bench-0', bed.openBao.token));
await cluster.create(clusterSecretStore('vault', { provider: vaultProvider(proxy.address, { auth }) }));
await each(names, async (one) => {
  reads.set(one.name, []);
  await write(one, 'first');
  const spec = {
    refreshInterval: flags.interval,
    secretStoreRef: { kind: 'ClusterSecretStore', name: 'vault' },
    data: [{ secretKey: 'password', remoteRef: { key: one.name, property: 'password' } }],
  };
  await cluster.create(externalSecret(one.where, one.name, spec));
});

/** Objects whose Secret does not hold what stands at the provider. */
async function stale(): Promise<number> {
  const { body } = await bed.cp.request<{ items: readonly SecretObject[] }>('GET', '/api/v1/secrets');
  const held = new Map(body.items.map(({ metadata, data }) => [metadata.name, data?.['password'] ?? '']));
  return names.filter(
    ({ name }) => Buffer.from(held.get(name) ?? '', 'base64').toString() !== values.get(name),
  ).length;
}

const args = ['--shards', 'true', '--lease-duration', flags.lease];
const replicas: Program[] = [];
for (let index = 0; index < REPLICAS; index += 1) replicas.push(await bed.product.addPoller(args));
const patient = { timeout: 300_000, interval: 1_000 };
await eventually(async () => (await stale()) === 0, { ...patient, what: 'all Secrets' });
await eventually(
  async () => {
    const counts = await Promise.all(replicas.map((one) => one.metric('esa_shard_objects')));
    return counts.every((count) => count > 0) && counts.reduce((sum, count) => sum + count, 0) === OBJECTS;
  },
  { ...patient, what: 'every object has its replica' },
);
// From now on each object is refreshed in its turn.
await sleep(BOUND_MS);

const began = performance.now();
for (const times of reads.values()) times.splice(0, times.length, times.at(-1) ?? began);
const since = new Date();
const until = performance.now() + Number(flags.seconds) * 1000;
const unchanged = [...names];
let kills = 0;
const changes = (async (): Promise<void> => {
  while (performance.now() < until) {
    await Promise.all(unchanged.splice(0, CHANGES_A_SECOND).map((one) => write(one, 'second')));
    await sleep(1_000);
  }
})();
while (performance.now() + Number(flags['kill-every']) * 1000 <= until) {
  const victim = replicas[kills % REPLICAS];
  await victim?.kill();
  kills += 1;
  const next = sleep(Number(flags['kill-every']) * 1000);
  // As its Deployment would.
  await victim?.start();
  await next;
}
await changes;
const ended = performance.now();
const lost = await eventually(async () => ((await stale()) === 0 ? { count: 0 } : undefined), {
  timeout: BOUND_MS * 2,
  interval: 1_000,
}).catch(async () => ({ count: await stale() }));

const gaps = [...reads.values()].flatMap((times) => {
  const all = [...times, ended];
  return all.slice(1).map((time, index) => time - (all[index] ?? 0));
});
const written = new Map<string, number>();
for (const { verb, objectRef, responseStatus } of requestsOf(bed, 'poller', since)) {
  const refused = (responseStatus?.code ?? 0) >= 300;
  if (objectRef?.resource !== 'secrets' || refused || ['get', 'list', 'watch'].includes(verb)) continue;
  const object = `${objectRef.namespace}/${objectRef.name}`;
  written.set(object, (written.get(object) ?? 0) + 1);
}
const changed = OBJECTS - unchanged.length;
const writes = [...written.values()].reduce((sum, count) => sum + count, 0);
const line = (metric: string, value: number, unit: string, baseline: number, n: number): void =>
  report({ bench: 'shards', metric: `${metric}, ${kills} kills`, value, unit, baseline, n });
line('refresh gap p50', quantile(gaps, 0.5), 'ms', BOUND_MS, gaps.length);
line('refresh gap p99', quantile(gaps, 0.99), 'ms', BOUND_MS, gaps.length);
line('refresh gap max', Math.max(...gaps), 'ms', BOUND_MS, gaps.length);
line('refresh gaps beyond the bound', gaps.filter((gap) => gap > BOUND_MS).length, '', 0, gaps.length);
line('writes of Secrets (baseline: changes)', writes, '', changed, OBJECTS);
line('Secrets written twice', [...written.values()].filter((count) => count > 1).length, '', 0, OBJECTS);
line('changes lost', lost.count, '', 0, changed);
const givenUp = replicas.flatMap(
  ({ log }) => readFileSync(log, 'utf8').match(/own Lease was not renewed in time/g) ?? [],
).length;
line('replicas that gave up everything since they could not renew', givenUp, '', 0, REPLICAS);
await proxy.stop();
