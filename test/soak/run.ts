/**
 * `make soak`. SOAK=admission: steady load with restarts, rotations and a provider that hangs, and one report at the
 * end. SOAK=crash: crash rounds, one JSON line a round; a failure ends it with the seed. SOAK=steady: nothing happens,
 * for an hour.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../../tools/setup/paths.mjs';
import { startBed } from '../harness/bed.ts';
import { runCommand } from '../harness/command.ts';
import { AdmissionSoak } from './admission.ts';
import { CrashRun, seeded } from './crash.ts';
import { steadySoak } from './steady.ts';

const { values } = parseArgs({
  options: {
    soak: { type: 'string', default: 'admission' },
    /** 10 of admission, 20 of crash and 60 of steady by default. */
    minutes: { type: 'string' },
    /** Operations a second, of admission. */
    rate: { type: 'string', default: '20' },
    rounds: { type: 'string' },
    /** Of steady. */
    objects: { type: 'string', default: '573' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const seed = Number(values.seed);

const print = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

async function admission(minutes: number): Promise<boolean> {
  const help = await runCommand(process.execPath, [join(ROOT, 'webhook/main.mjs'), '--help']);
  // A CA each 30 s takes a shorter overlap than the usual one, if that can be chosen.
  const overlap = help.stdout.includes('--ca-overlap') ? ['--ca-overlap', '5s'] : [];
  await using bed = await startBed({
    product: { webhooks: 2, webhookArgs: ['--lame-duck', '5s', ...overlap] },
  });
  const soak = new AdmissionSoak(bed, { minutes, perSecond: Number(values.rate), random: seeded(seed) });
  await soak.prepare();
  const { passed, report } = await soak.run((line) => process.stderr.write(`${line}\n`));
  print(report);
  return passed;
}

async function crash(minutes: number): Promise<boolean> {
  const rounds = values.rounds === undefined ? Number.POSITIVE_INFINITY : Number(values.rounds);
  const end = performance.now() + minutes * 60_000;
  await using bed = await startBed({ product: { pollerArgs: ['--lease-duration', '3s'] } });
  const run = new CrashRun(bed, { operations: 300, random: seeded(seed) });
  await run.prepare();
  try {
    for (let round = 1; round <= rounds && performance.now() < end; round += 1) {
      const began = performance.now();
      await run.round();
      const seconds = Math.round((performance.now() - began) / 100) / 10;
      print({ soak: 'crash', round, seconds, ...run.counts });
    }
    await run.finish();
    print({ soak: 'crash', seed, left: 0, ...run.counts });
    return true;
  } catch (error) {
    print({ soak: 'crash', seed, ...run.counts });
    throw error;
  }
}

async function steady(minutes: number): Promise<boolean> {
  await using bed = await startBed({ controlPlane: { audit: true } });
  const options = { minutes, objects: Number(values.objects) };
  const { passed, report } = await steadySoak(bed, options, (line) => process.stderr.write(`${line}\n`));
  print(report);
  return passed;
}

const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
const SOAKS: Readonly<Record<string, () => Promise<boolean>>> = {
  admission: () => admission(minutes ?? 10),
  crash: () => crash(minutes ?? 20),
  steady: () => steady(minutes ?? 60),
};
const soak = SOAKS[values.soak];
if (soak === undefined)
  throw new Error(`--soak: "${values.soak}" is none of ${Object.keys(SOAKS).join(', ')}`);
process.exitCode = (await soak()) ? 0 : 1;
