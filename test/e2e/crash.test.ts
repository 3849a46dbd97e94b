/** Crash safety: operations while webhook, poller, API server and etcd are killed with -9, in a few short rounds. */
import { after, before, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import { CrashRun, seeded } from '../soak/crash.ts';

// Short, for every run of the tests; `make soak` has rounds of 300, with another seed each time.
const ROUNDS = 3;
const SEED = 20261122;
let bed: Bed;

before(async () => {
  bed = await startBed();
});
after(() => bed.stop());

test('what was acknowledged comes out right, nothing extra, nothing half', {
  timeout: 600_000,
}, async (t) => {
  const run = new CrashRun(bed, { operations: 100, random: seeded(SEED) });
  await run.prepare();
  for (let round = 1; round <= ROUNDS; round += 1) await run.round();
  await run.finish();
  t.diagnostic(JSON.stringify(run.counts));
});
