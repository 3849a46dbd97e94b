/** Crash safety: operations while webhook, poller, API server and etcd are killed with -9, ten rounds of 300; `make soak` goes on. */
import { after, before, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { CrashRun, seeded } from '../soak/crash.ts';

const ROUNDS = 10;
const SEED = 20261122;
/** Most of the time goes into programs that start: with half as many kills as in the soak the rounds take half as long. */
const PACE = 2;
let bed: Bed;

before(async () => {
  // A poller that was killed leaves a lease behind that another has to wait for.
  bed = await startBed({ product: { pollerArgs: ['--lease-duration', '3s'] } });
});
after(() => bed.stop());

test('what was acknowledged comes out right, nothing extra, nothing half', {
  ...needsGarbageCollection(),
  timeout: 1_400_000,
}, async (t) => {
  const run = new CrashRun(bed, { operations: 300, random: seeded(SEED), pace: PACE });
  await run.prepare();
  for (let round = 1; round <= ROUNDS; round += 1) await run.round();
  await run.finish();
  t.diagnostic(JSON.stringify(run.counts));
});
