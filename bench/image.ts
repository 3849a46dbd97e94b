/**
 * The image of this machine's architecture: from the start of a program in its unpacked root until it is ready, its
 * memory after a minute of nothing to do, and what is pulled. The baseline is the same program of the bundle without
 * the image (the system's libraries, no code cache); that of the size is what is unpacked.
 *
 * `--idle SECONDS` (60); `--starts N` (5); `--node-flags '--a --b'` puts flags of Node's before the entry point.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type BedOptions, startBed } from '../test/harness/bed.ts';
import { ImageRoot } from '../test/harness/image-root.ts';
import type { Product } from '../test/harness/product.ts';
import { temporaryDirectory } from '../test/harness/run-directory.ts';
import { bundle } from '../tools/bundle.ts';
import { buildImage, ENTRYPOINT } from '../tools/image/build.ts';
import { runnerOf } from '../tools/image/compile-cache.ts';
import { ARCHITECTURES } from '../tools/image/debian.ts';
import { quantile, report } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    idle: { type: 'string', default: '60' },
    starts: { type: 'string', default: '5' },
    'node-flags': { type: 'string', default: '' },
  },
});
const STARTS = Number(flags.starts);
const IDLE_SECONDS = Number(flags.idle);
const PROGRAMS = ['webhook', 'poller'] as const;

interface Figures {
  /** Milliseconds, one a start. */
  readonly ready: number[];
  /** MiB. */
  rss: number;
}

async function measure(product: Product): Promise<Record<(typeof PROGRAMS)[number], Figures>> {
  const figures = { webhook: { ready: [], rss: 0 }, poller: { ready: [], rss: 0 } } satisfies Record<
    string,
    Figures
  >;
  for (const name of PROGRAMS) {
    const ready: number[] = figures[name].ready;
    for (let start = 0; start < STARTS; start += 1) {
      await product[name].stop();
      await product[name].start();
      ready.push(product[name].process.readyMs);
    }
  }
  await sleep(IDLE_SECONDS * 1000);
  for (const name of PROGRAMS) figures[name].rss = product[name].process.rssMiB();
  return figures;
}

async function inBed(options: BedOptions['product']): Promise<ReturnType<typeof measure>> {
  await using bed = await startBed(options === undefined ? {} : { product: options });
  return await measure(bed.product);
}

const native = ARCHITECTURES.find((one) => runnerOf(one)?.native);
if (native === undefined) throw new Error('programs of the image cannot be started on this machine');
const image = await buildImage({
  directory: temporaryDirectory('image'),
  epoch: Number(execFileSync('git', ['log', '-1', '--format=%ct'], { encoding: 'utf8' })),
  architectures: [native],
});
const [platform] = image.platforms;
if (platform === undefined) throw new Error('no image was built');
const [node = '', ...rest] = ENTRYPOINT;
const more = flags['node-flags'].split(' ').filter((flag) => flag !== '');
const root = new ImageRoot(platform.entries, [node, ...more, ...rest]);

const bundles = temporaryDirectory('bundles');
await bundle(bundles);
process.env['ESA_PROGRAMS'] = bundles;
delete process.env['NODE_COMPILE_CACHE'];

const inImage = await inBed({ launch: root.launch });
const without = await inBed(undefined);
for (const name of PROGRAMS) {
  const line = { bench: 'image', n: STARTS };
  const median = ({ ready }: Figures): number => quantile(ready, 0.5);
  report({
    ...line,
    metric: `${name}: start to ready, median`,
    value: median(inImage[name]),
    unit: 'ms',
    baseline: median(without[name]),
  });
  report({
    ...line,
    metric: `${name}: resident after ${IDLE_SECONDS} s idle`,
    value: inImage[name].rss,
    unit: 'MiB',
    baseline: without[name].rss,
    n: 1,
  });
}
let unpacked = 0;
for (const entry of platform.entries.values()) if (entry.type === 'file') unpacked += entry.content.length;
report({
  bench: 'image',
  metric: `${native}: to pull`,
  value: platform.compressedSize / 2 ** 20,
  unit: 'MiB',
  baseline: unpacked / 2 ** 20,
  n: 1,
});
