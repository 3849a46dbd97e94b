/**
 * Bundles the programs, one file each and what they share in chunks: they start in half the time and hold less
 * memory than from some thousand modules. Everything lies flat in one folder, so that a worker is found beside
 * whatever chunk starts it.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
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

/**
 * node-vault loads axios for a transport that ours replaces (providers/vault/client.ts). To look at what axios could
 * use makes Node load its own fetch: 15 MiB and 30 ms of every start.
 */
const withoutAxios: Plugin = {
  name: 'without-axios',
  setup(bundler) {
    bundler.onResolve({ filter: /^axios$/ }, ({ importer }) =>
      /node-vault/.test(importer) ? { path: 'axios', namespace: 'unused' } : undefined,
    );
    bundler.onLoad({ filter: /./, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/**
 * For an `import` of a module of its own, Node reads each of its exports, and those of `node:http` include what makes
 * it load its own fetch, those of `node:crypto` all of WebCrypto; `require` gives the module as it is.
 */
const builtinsRequired: Plugin = {
  name: 'builtins-required',
  setup(bundler) {
    bundler.onResolve({ filter: /./ }, ({ path, kind }) =>
      kind === 'import-statement' && isBuiltin(path) ? { path, namespace: 'builtin' } : undefined,
    );
    bundler.onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
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

/**
 * Writes `webhook.mjs`, `poller.mjs`, `esa.mjs` and what they need into the folder.
 * @returns what went into them @throws Error if it cannot be built
 */
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
    plugins: [workersBeside, withoutAxios, builtinsRequired],
    logLevel: 'error',
    metafile: true,
  });
  await removeOld(directory);
  return metafile;
}

if (import.meta.main) await bundle(resolve(ROOT, process.argv[2] ?? 'dist'));
