/** `make soak`: crash rounds for a given time. Prints one JSON line a round; a failure ends it with the seed. */
import { parseArgs } from 'node:util';
import { startBed } from '../harness/bed.ts';
import { CrashRun, seeded } from './crash.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    rounds: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const seed = Number(values.seed);
const rounds = values.rounds === undefined ? Number.POSITIVE_INFINITY : Number(values.rounds);
const end = performance.now() + Number(values.minutes) * 60_000;

await using bed = await startBed({ product: { pollerArgs: ['--lease-duration', '3s'] } });
const run = new CrashRun(bed, { operations: 300, random: seeded(seed) });
await run.prepare();
try {
  for (let round = 1; round <= rounds && performance.now() < end; round += 1) {
    const began = performance.now();
    await run.round();
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    process.stdout.write(`${JSON.stringify({ soak: 'crash', round, seconds, ...run.counts })}\n`);
  }
  await run.finish();
  process.stdout.write(`${JSON.stringify({ soak: 'crash', seed, left: 0, ...run.counts })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ soak: 'crash', seed, ...run.counts })}\n`);
  throw error;
}
