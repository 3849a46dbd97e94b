/**
 * Bundles the programs, one file each and what they share in chunks: they start in half the time and hold less
 * memory than from some thousand modules. Everything lies flat in one folder, so that a worker is found beside
 * whatever chunk starts it.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { ROOT } from './setup/paths.mjs';

const PROGRAMS = { webhook: 'webhook/main.ts', poller: 'poller/main.ts', esa: 'cli/main.ts' } as const;
const WORKERS = {
  'render-worker': 'sync/render-worker.ts',
  'build-worker': 'certs/build-worker.ts',
} as const;

/** `new URL('./x-worker.ts', import.meta.url)` is nothing that a bundler follows. */
const workersBeside: Plugin = {
  name: 'workers-beside',
  setup(bundler) {
    bundler.onLoad({ filter: /(render-threads|certs\/build)\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      return { loader: 'ts', contents: text.replaceAll(/(new URL\('\.\/[a-z]+-worker)\.ts'/g, "$1.mjs'") };
    });
  },
};

/** Packages that are CommonJS ask for `require`. */
const BANNER = `import { createRequire as _createRequire } from 'node:module';
const require = _createRequire(import.meta.url);`;

/** Chunks of earlier builds; a program that was started from one may load it for a while. */
const KEEP_MS = 60 * 60_000;

async function removeOld(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const file = join(directory, name);
    if (Date.now() - (await stat(file)).mtimeMs > KEEP_MS) await rm(file);
  }
}

/** Writes `webhook.mjs`, `poller.mjs`, `esa.mjs` and what they need into the folder, and says what they are made of. @throws Error if it cannot be built */
export async function bundle(directory: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { ...PROGRAMS, ...WORKERS },
    outdir: directory,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    outExtension: { '.js': '.mjs' },
    // Names stay, for stack traces that say something.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'linked',
    banner: { js: BANNER },
    plugins: [workersBeside],
    logLevel: 'error',
    metafile: true,
  });
  await removeOld(directory);
  return metafile;
}

if (import.meta.main) await bundle(resolve(ROOT, process.argv[2] ?? 'dist'));
