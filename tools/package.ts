/**
 * Makes the package that `npx` runs: `esa` as one file without dependencies, and the two names under which kubectl finds
 * it. Node.js strips no types inside of node_modules, so the sources themselves cannot be a package.
 *
 *   node tools/package.ts [DIRECTORY]     prints the path of the tarball; DIRECTORY is dist/npm
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import packageJson from '../package.json' with { type: 'json' };
import { ROOT } from './setup/paths.mjs';

const WORKER = 'sync/render-worker.ts';

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'esm',
  platform: 'node',
  // What is asked for is Node.js 24; an older one should at least be able to read the line that says so.
  target: 'node20',
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'error',
} as const;

/** A thread whose program stands in the text of the one that starts it: it has nothing but what Node.js brings. */
const workersInside: Plugin = {
  name: 'workers-inside',
  setup(bundler) {
    bundler.onLoad({ filter: /render-threads\.ts$/ }, async ({ path }) => {
      const { outputFiles } = await build({
        ...COMMON,
        entryPoints: [WORKER],
        write: false,
        banner: { js: 'const require = process.getBuiltinModule;' },
      });
      const code = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
      const text = await readFile(path, 'utf8');
      const contents = text.replace(
        /new URL\('\.\/render-worker\.ts', import\.meta\.url\)/,
        `new URL('data:text/javascript;base64,${code}')`,
      );
      return { loader: 'ts', contents };
    });
  },
};

const BANNER = `#!/usr/bin/env node
import { createRequire as _createRequire } from 'node:module';
if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error('esa needs Node.js 24 or newer; this is ' + process.version);
  process.exit(2);
}
const require = _createRequire(import.meta.url);`;

const COMPLETE = `#!/usr/bin/env node
process.argv.splice(2, 0, '__complete', '--');
await import('./esa.mjs');
`;

const README = `# esa

The command line of external-secrets-admission: external secrets for Kubernetes, compatible with External Secrets Operator.

    npx external-secrets-admission lint deploy/
    npm install --global external-secrets-admission    # esa, and kubectl esa

It is one file without dependencies for Node.js 24. \`esa --help\` lists the commands.
`;

const manifest = {
  name: packageJson.name,
  version: packageJson.version,
  description: 'esa, the command line of external-secrets-admission: external secrets for Kubernetes.',
  license: packageJson.license,
  type: 'module',
  // npx takes the program that is called like the package.
  bin: {
    [packageJson.name]: 'esa.mjs',
    esa: 'esa.mjs',
    'kubectl-esa': 'esa.mjs',
    'kubectl_complete-esa': 'kubectl_complete-esa.mjs',
  },
  engines: packageJson.engines,
};

/** @returns the path of the tarball @throws Error if it cannot be built */
export async function packageEsa(directory: string): Promise<string> {
  const folder = join(directory, 'package');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await build({
    ...COMMON,
    entryPoints: ['cli/main.ts'],
    outfile: join(folder, 'esa.mjs'),
    legalComments: 'linked',
    banner: { js: BANNER },
    plugins: [workersInside],
  });
  await writeFile(join(folder, 'kubectl_complete-esa.mjs'), COMPLETE);
  for (const name of ['esa.mjs', 'kubectl_complete-esa.mjs']) await chmod(join(folder, name), 0o755);
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(join(folder, 'README.md'), README);
  if (existsSync(join(ROOT, 'LICENSE'))) await copyFile(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', directory], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [{ filename = '' } = {}] = JSON.parse(packed) as { filename?: string }[];
  return join(directory, filename);
}

if (import.meta.main) console.log(await packageEsa(resolve(ROOT, process.argv[2] ?? 'dist/npm')));
