/**
 * What does a store that hangs cost the others? Creates for a healthy store, one at a time, alone and while creates for
 * another store, whose server takes connections and answers nothing, come in all the time. Both in the same run,
 * in turns, so that a noisy machine is noisy for both.
 *
 * One JSON line a figure: bench, metric, value, unit, baseline, ratio, n.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cluster } from '../test/e2e/support/cluster.ts';
import { externalSecret, prepare, secretStore, vaultProvider } from '../test/e2e/support/vault.ts';
import { startBed } from '../test/harness/bed.ts';
import { startFaultProxy } from '../test/harness/fault-proxy.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    count: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '4' },
    lanes: { type: 'string', default: '64' },
  },
});
const COUNT = Number(flags.count);
const ROUNDS = Number(flags.rounds);
const LANES = Number(flags.lanes);
const WHERE = 'bench';

await using bed = await startBed();
const cluster = new Cluster(bed.cp);
const proxy = await startFaultProxy(bed.openBao.address);
proxy.fault = () => ({ kind: 'hang' });
await prepare(cluster, bed.openBao, WHERE);
await cluster.create(secretStore(WHERE, 'hanging', { provider: vaultProvider(proxy.address) }));
await bed.openBao.write('app', { password: 'x' });

let made = 0;
let deferred = 0;
async function healthy(): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < COUNT; index += 1) {
    made += 1;
    const began = performance.now();
    const { warnings } = await cluster.attempt(
      externalSecret(WHERE, `app-${made}`, { refreshInterval: '1h' }),
    );
    times.push(performance.now() - began);
    deferred += warnings.length;
  }
  return times;
}

/** Keeps as many creates for the hanging store on their way as there are lanes, until the end. */
async function besideHanging(work: () => Promise<number[]>): Promise<number[]> {
  let over = false;
  const spec = { refreshInterval: '1h', secretStoreRef: { name: 'hanging' } };
  const lanes = Array.from({ length: LANES }, async () => {
    while (!over) {
      made += 1;
      await cluster.attempt(externalSecret(WHERE, `hanging-${made}`, spec));
      // Half a second between two tries of one client, or it would be the load itself that is measured.
      await sleep(500);
    }
  });
  await sleep(1_000);
  const times = await work();
  over = true;
  await Promise.all(lanes);
  return times;
}

await healthy();
deferred = 0;
const alone: number[] = [];
const beside: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  alone.push(...(await healthy()));
  beside.push(...(await besideHanging(healthy)));
}
for (const q of [0.5, 0.99]) {
  report({
    bench: 'hanging',
    metric: `create p${q * 100}, healthy store, ${LANES} clients at one that hangs`,
    value: quantile(beside, q),
    unit: 'ms',
    baseline: quantile(alone, q),
    n: beside.length,
  });
}
report({
  bench: 'hanging',
  metric: 'healthy creates without their Secret',
  value: deferred,
  unit: '',
  baseline: 0,
  n: made,
});
await proxy.stop();
