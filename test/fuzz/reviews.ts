/**
 * Random and mutated AdmissionReviews and ConversionReviews to a real webhook process, over the wire:
 *
 *   node test/fuzz/reviews.ts --minutes 5 --seed 1 [--dry-run]
 *
 * Every answer has to be a well-formed review or a plain refusal, and the process has to stay whole; see
 * reviews/check.ts. What fails is made small and stored in test/fuzz/cases/reviews, which the end-to-end tests send
 * again; --dry-run only prints it. Exit code 1 if there was one.
 */
import { parseArgs } from 'node:util';
import { startBed } from '../harness/bed.ts';
import { Random } from './random.ts';
import type { WireCase } from './reviews/case.ts';
import { storeCase } from './reviews/cases.ts';
import { ReviewGenerator } from './reviews/generator.ts';
import { type Json, smaller } from './reviews/mutations.ts';
import { Target } from './reviews/target.ts';

/** At a time; the server reads 16 bodies at once. */
const PARALLEL = 24;
const MAX_FAULTS = 25;
const MAX_ATTEMPTS = 400;
/** Sixteen bodies of 7 MiB, their trees, and the garbage of it. */
const MAX_RSS_MIB = 900;

/** Faults that begin alike are one. */
const likeness = (fault: string): string => fault.replaceAll(/"[^"]*"|\d+/g, '0').slice(0, 80);

/** The case and what the process suffered by it. */
async function faultOf(one: WireCase, target: Target): Promise<string | undefined> {
  return (await target.faultOf(one)) ?? target.damage();
}

/** Takes parts away as long as the same is wrong with what is left. */
async function shrink(one: WireCase, fault: string, target: Target): Promise<WireCase> {
  let smallest = one;
  let attempts = 0;
  const attempt = async (candidate: WireCase): Promise<boolean> => {
    attempts += 1;
    const found = await faultOf(candidate, target);
    if (found === undefined || likeness(found).slice(0, 20) !== likeness(fault).slice(0, 20)) return false;
    smallest = candidate;
    return true;
  };
  // What a schema requires would be taken away from an object that is promised to come back.
  if (fault.startsWith('round trip')) return one;
  await attempt({ ...smallest, framing: 'length', query: '' });
  for (let again = true; again && 'text' in smallest.body; ) {
    again = false;
    let review: Json;
    try {
      review = JSON.parse(smallest.body.text) as Json;
    } catch {
      break;
    }
    for (const candidate of smaller(review)) {
      if (attempts > MAX_ATTEMPTS) return smallest;
      again = await attempt({ ...smallest, body: { text: JSON.stringify(candidate) } });
      if (again) break;
    }
  }
  return smallest;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const generator = new ReviewGenerator(new Random(seed));
  await using bed = await startBed({ product: { poller: false } });
  const target = await Target.prepare(bed);
  const end = performance.now() + Number(values.minutes) * 60_000;
  const seen = new Set<string>();
  let reviews = 0;
  let maxRssMiB = 0;
  const report = async (one: WireCase, fault: string): Promise<void> => {
    if (seen.has(likeness(fault)) || seen.size >= MAX_FAULTS) return;
    seen.add(likeness(fault));
    const small = await shrink(one, fault, target);
    const said = (await faultOf(small, target)) ?? fault;
    console.log(JSON.stringify({ fault: said, case: small }).slice(0, 6000));
    if (!values['dry-run']) storeCase(`seed-${seed}-${reviews}`, said, small);
  };
  while (performance.now() < end && seen.size < MAX_FAULTS && bed.product.webhook.isRunning()) {
    const batch = Array.from({ length: 8 * PARALLEL }, () => generator.next());
    const queue = [...batch];
    const faults: [WireCase, string][] = [];
    const worker = async (): Promise<void> => {
      for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
        const fault = await target.faultOf(one);
        if (fault !== undefined) faults.push([one, fault]);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    reviews += batch.length;
    maxRssMiB = Math.max(maxRssMiB, target.rssMiB);
    const damage = target.damage();
    for (const [one, fault] of faults) await report(one, fault);
    // Whose fault it was is found by asking one at a time.
    if (damage !== undefined && !seen.has(likeness(damage))) {
      seen.add(likeness(damage));
      console.log(damage);
      for (const one of batch) {
        const fault = await faultOf(one, target);
        if (fault !== undefined) {
          await report(one, fault);
          break;
        }
      }
    }
  }
  const crashed = !bed.product.webhook.isRunning();
  target.close();
  console.log(
    JSON.stringify({ seed, reviews, faults: seen.size, crashed, slowestMs: target.slowestMs, maxRssMiB }),
  );
  process.exitCode = crashed || seen.size > 0 || maxRssMiB > MAX_RSS_MIB ? 1 : 0;
}

await main();
