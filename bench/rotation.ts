/**
 * How long does a change at the provider take to reach the Secret, and how long does a new object wait for its
 * Secret just after the poller was restarted? With 573 objects that are read each 10 s, and with 10,000.
 * Baseline: External Secrets Operator 2.9 with its default flags, measured once on a machine of this kind (docs/performance.md).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type ControlPlane, startControlPlane } from '../test/harness/control-plane.ts';
import { eventually } from '../test/harness/eventually.ts';
import { type OpenBao, startOpenBao } from '../test/harness/openbao.ts';
import { startProduct } from '../test/harness/product.ts';
import { startBackend } from './backend.ts';
import {
  allReady,
  createAll,
  externalSecret,
  externalSecretsPath,
  inParallel,
  KEYS,
  makeNamespaces,
  makeRole,
  makeStore,
  must,
  secretsPath,
  type Wanted,
} from './fleet.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    /** `objects x properties @ interval in seconds`; several may be given. */
    load: { type: 'string', multiple: true, default: ['573x5@10', '10000x1@60'] },
    changes: { type: 'string', default: '40' },
  },
});
const CHANGES = Number(flags.changes);
/** Namespaces of a load that has more objects. */
const NAMESPACES = 573;
/** Seconds; eso-baseline.md d and e: median and longest of a rotation, and the Secret of a new object. */
const ESO = { p50: 25.9, longest: 56.2, afterRestart: 195 };

async function changeOf(cp: ControlPlane, bao: OpenBao, one: Wanted, round: number): Promise<number> {
  const value = `changed-${round}`;
  const path = `${secretsPath(one.namespace)}/${one.name}`;
  const expected = Buffer.from(value).toString('base64');
  const began = performance.now();
  await bao.write(one.key, Object.fromEntries(KEYS.map((key) => [key, value])));
  await eventually(
    async () => {
      const { body } = await cp.request<{ data?: Record<string, string> }>('GET', path);
      return body.data?.['k1'] === expected;
    },
    { timeout: 300_000, interval: 100, what: `the new value in ${path}` },
  );
  return (performance.now() - began) / 1000;
}

async function newObject(cp: ControlPlane, name: string): Promise<number> {
  const one = { namespace: 'default', name, key: 'bench/ns-0', interval: '1h' };
  const began = performance.now();
  await must(cp, 'POST', externalSecretsPath(one.namespace), externalSecret(one));
  await eventually(
    async () => (await cp.request('GET', `${secretsPath(one.namespace)}/${name}`)).status === 200,
    {
      timeout: 300_000,
      interval: 5,
      what: 'the Secret of a new object',
    },
  );
  return (performance.now() - began) / 1000;
}

async function scenario(load: string): Promise<void> {
  const [, objectCount, propertyCount, seconds] = /^(\d+)x(\d)@(\d+)$/.exec(load) ?? [];
  const count = Number(objectCount);
  const interval = Number(seconds);
  if (!(count > 0 && interval > 0)) throw new Error(`--load: "${load}" is not OBJECTSxPROPERTIES@SECONDS`);
  const bao = await startOpenBao();
  const backend = await startBackend(bao.address, 1);
  const cp = await startControlPlane({ fsync: true });
  // The poller alone makes the Secrets: 10,000 creates with the webhook would be another bench.
  const product = await startProduct(cp, { webhooks: 0, configurations: false, conversion: false });
  try {
    await makeRole(cp, bao);
    await makeStore(cp, backend.address);
    const namespaces = Array.from({ length: Math.min(count, NAMESPACES) }, (_, index) => `ns-${index}`);
    await makeNamespaces(cp, namespaces);
    for (const name of namespaces)
      await bao.write(`bench/${name}`, Object.fromEntries(KEYS.map((key) => [key, 'first'])));
    const objects = Array.from({ length: count }, (_, index) => {
      const namespace = namespaces[index % namespaces.length] ?? '';
      return {
        namespace,
        name: `app-${Math.floor(index / namespaces.length)}`,
        key: `bench/${namespace}`,
        interval: `${interval}s`,
        properties: KEYS.slice(0, Number(propertyCount)),
      };
    });
    const began = performance.now();
    await createAll(cp, objects);
    const createdMs = performance.now() - began;
    await allReady(product.poller, count, 600_000);
    const bench = `rotation, ${load}`;
    const line = (metric: string, value: number, baseline: number, n: number): void =>
      report({ bench, metric, value, unit: 's', baseline, n });
    line('all Ready after the first create', (performance.now() - began) / 1000, createdMs / 1000, count);
    await sleep(interval * 1000);

    const picked = Array.from({ length: CHANGES }, (_, index) => objects[(index * 13) % namespaces.length]);
    const times: number[] = [];
    await inParallel(
      picked.flatMap((one, index) => (one === undefined ? [] : [{ one, index }])),
      async ({ one, index }) => {
        // Spread over the interval, as changes come.
        await sleep((index / CHANGES) * interval * 1000);
        times.push(await changeOf(cp, bao, one, index));
      },
      CHANGES,
    );
    line('change at the provider to Secret, p50', quantile(times, 0.5), ESO.p50, CHANGES);
    line('change at the provider to Secret, p99', quantile(times, 0.99), ESO.longest, CHANGES);
    line('longest beyond the interval', Math.max(...times) - interval, ESO.longest - 10, CHANGES);

    await product.poller.stop();
    await product.poller.start();
    await sleep(5_000);
    line(
      'Secret of an object made 5 s after a restart',
      await newObject(cp, 'after-restart'),
      ESO.afterRestart,
      1,
    );
  } finally {
    await product.stop();
    await Promise.all([cp.stop(), backend.stop()]);
    await bao.stop();
  }
}

for (const load of flags.load) await scenario(load);
