/**
 * What does an outage of the backend cost, and how soon is it over? Many ExternalSecrets, each with a remote object of its
 * own, refreshed each ten seconds by the poller; the backend refuses connections for a minute, comes back with
 * other values, and does the same once more answering 503. The baselines are what a client would do that tries each
 * object once an interval whatever happens, and the steady state before. (ESO 2.9, default flags, 30 s of refused connections,
 * 20 objects: 6 of them tried at all, all fresh 1.9-3.8 s after; larger or longer was not measured.)
 *
 * One JSON line a figure: bench, metric, value, unit, baseline, ratio, n.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { SecretObject } from '../kube/objects.ts';
import { Cluster, valuesOf } from '../test/e2e/support/cluster.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  passwordOf,
  tokenSecret,
  vaultProvider,
} from '../test/e2e/support/vault.ts';
import { startBed } from '../test/harness/bed.ts';
import { eventually } from '../test/harness/eventually.ts';
import { startFaultProxy } from '../test/harness/fault-proxy.ts';
import { report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    count: { type: 'string', default: '573' },
    interval: { type: 'string', default: '10' },
    down: { type: 'string', default: '60' },
  },
});
const COUNT = Number(flags.count);
const INTERVAL_S = Number(flags.interval);
const DOWN_S = Number(flags.down);
const WHERE = 'bench';
const LANES = 16;

await using bed = await startBed({ product: { webhooks: 0, configurations: false, conversion: false } });
const cluster = new Cluster(bed.cp);
const proxy = await startFaultProxy(bed.openBao.address);
const names = Array.from({ length: COUNT }, (_, index) => `app-${index}`);

async function eachOf(work: (name: string) => Promise<unknown>): Promise<void> {
  const left = [...names];
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) await work(name);
    }),
  );
}

/** When the last Secret had this value, by performance.now(). */
async function fresh(password: string): Promise<number> {
  const path = `/api/v1/namespaces/${WHERE}/secrets`;
  await eventually(
    async () => {
      const { body } = await bed.cp.request<{ items: SecretObject[] }>('GET', path);
      return body.items.filter((secret) => valuesOf(secret)['password'] === password).length === COUNT;
    },
    { timeout: 300_000, interval: 200, what: `all Secrets with ${password}` },
  );
  return performance.now();
}

/** When the last object was read since, by performance.now(). */
async function readAnew(since: number): Promise<number> {
  return eventually(
    () => {
      const firsts = new Map<string, number>();
      for (const { url, at } of proxy.calls)
        if (at >= since && url.startsWith('/v1/secret/data/') && !firsts.has(url)) firsts.set(url, at);
      return firsts.size === COUNT && Math.max(...firsts.values());
    },
    { timeout: 300_000, interval: 500, what: 'every object read' },
  );
}

/** Most reads in any second of this time. */
function peakRate(from: number, to: number): number {
  const times = proxy.calls.filter(({ at }) => at >= from && at <= to).map(({ at }) => at);
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last += 1) {
    while ((times[last] ?? 0) - (times[first] ?? 0) > 1_000) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

const failedCalls = (): Promise<number> =>
  bed.product.poller.metric('externalsecret_provider_api_calls_count', { status: 'error' });

await cluster.create(namespace(WHERE));
await cluster.create(tokenSecret('default', bed.openBao.token));
const auth = { tokenSecretRef: { name: 'vault-token', namespace: 'default', key: 'token' } };
await cluster.create(clusterSecretStore('vault', { provider: vaultProvider(proxy.address, { auth }) }));
await eachOf((name) => bed.openBao.write(name, { password: 'first' }));
const secretStoreRef = { kind: 'ClusterSecretStore', name: 'vault' };
await eachOf((name) =>
  cluster.create(
    externalSecret(WHERE, name, {
      refreshInterval: `${INTERVAL_S}s`,
      secretStoreRef,
      ...passwordOf(name),
    }),
  ),
);
await fresh('first');
await sleep(INTERVAL_S * 1_000);
const steadySince = performance.now();
await sleep(2 * INTERVAL_S * 1_000);
const steadyPeak = peakRate(steadySince, performance.now());

for (const how of ['connections refused', 'status 503'] as const) {
  const failedBefore = await failedCalls();
  if (how === 'status 503') {
    const body = JSON.stringify({ errors: ['Vault is sealed'] });
    proxy.fault = () => ({ kind: 'answer', status: 503, body });
  } else await proxy.refuse();
  const cpuBefore = bed.product.poller.process.cpuMs();
  await eachOf((name) => bed.openBao.write(name, { password: how }));
  await sleep(DOWN_S * 1_000);
  const cpu = bed.product.poller.process.cpuMs() - cpuBefore;
  const attempts = (await failedCalls()) - failedBefore;
  proxy.mostInFlight = 0;
  const back = performance.now();
  proxy.fault = undefined;
  await proxy.listen();
  const [end, read] = await Promise.all([fresh(how), readAnew(back)]);
  const bench = 'outage';
  const turns = DOWN_S / INTERVAL_S;
  const line = { bench, n: COUNT };
  report({
    ...line,
    metric: `requests in ${DOWN_S} s of outage, ${how}`,
    value: attempts,
    unit: '',
    baseline: COUNT * turns,
  });
  report({
    ...line,
    metric: `all read anew after, ${how}`,
    value: (read - back) / 1_000,
    unit: 's',
    baseline: INTERVAL_S,
  });
  // Each object has a new value, so this is also how fast the API server takes a Secret, a status and an event of each.
  report({
    ...line,
    metric: `all fresh after, ${how}`,
    value: (end - back) / 1_000,
    unit: 's',
    baseline: INTERVAL_S,
  });
  report({
    ...line,
    metric: `most requests in a second after, ${how}`,
    value: peakRate(back, end),
    unit: '1/s',
    baseline: steadyPeak,
  });
  report({
    ...line,
    metric: `most requests at a time after, ${how}`,
    value: proxy.mostInFlight,
    unit: '',
    baseline: 32,
  });
  report({ ...line, metric: `CPU while down, ${how}`, value: cpu / DOWN_S, unit: 'ms/s', baseline: 0 });
  await sleep(2 * INTERVAL_S * 1_000);
}
await proxy.stop();
