/**
 * V8's code of the programs, made by the image's own Node in the image's own root: natively, or by qemu where that
 * is installed. V8 hashes strings with a known seed meanwhile, so that nearly all runs leave the same bytes.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { NODE_FLAGS } from '../../runtime/node-flags.ts';
import { ROOT } from '../setup/paths.mjs';
import type { Architecture } from './debian.ts';
import type { Entries, Entry } from './layer.ts';
import { writeEntries } from './unpack.ts';

/** As whom the image runs. V8's folder names the user: another one starts without the cache. */
export const IMAGE_USER = 65_532;

const WARM = 'warm.mjs';
const PROGRAMS = ['webhook.mjs', 'poller.mjs', 'esa.mjs'];
const NODE_CALLS_IT: Readonly<Record<Architecture, string>> = { amd64: 'x64', arm64: 'arm64' };
const QEMU_CALLS_IT: Readonly<Record<Architecture, string>> = { amd64: 'x86_64', arm64: 'aarch64' };

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** How programs below an unpacked root are started. */
export interface Runner {
  /** Of this machine's own architecture, not emulated. */
  readonly native: boolean;
  /** What to put before a program's path in the root. */
  enter(root: string): readonly string[];
}

/** Where the emulator is put into a root. */
const QEMU = 'qemu';

function canChangeRoot(): boolean {
  if (process.platform !== 'linux') return false;
  const [command, ...args] = changeRoot('/');
  return spawnSync(command, [...args, 'true']).status === 0;
}

/** Without root's rights in a user namespace, where the system allows that. */
const changeRoot = (root: string): readonly [string, ...string[]] =>
  process.getuid?.() === 0
    ? ['chroot', root]
    : ['unshare', '--user', '--map-root-user', `--root=${root}`, '--wd=/'];

/** Undefined where this machine cannot run programs of that architecture in a root of their own. */
export function runnerOf(architecture: Architecture): Runner | undefined {
  if (!canChangeRoot()) return undefined;
  if (process.arch === NODE_CALLS_IT[architecture]) return { native: true, enter: changeRoot };
  const name = `qemu-${QEMU_CALLS_IT[architecture]}-static`;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const qemu = folders.map((folder) => join(folder, name)).find(isExecutable);
  if (qemu === undefined) return undefined;
  const enter = (root: string): readonly string[] => {
    copyFileSync(qemu, join(root, QEMU));
    return [...changeRoot(root), `/${QEMU}`];
  };
  return { native: false, enter };
}

/** Of a run of a busy machine a function in thousands is compiled or not, now and then. */
const RUNS = 8;

/**
 * The entries of `app/cache` for the programs in `app`; none where this machine cannot run the architecture. It is made
 * until two runs have left the same bytes.
 * @param entries all of the image so far
 * @throws Error with the program's output if one does not load, or if no two runs agree
 */
export async function compileCache(
  architecture: Architecture,
  entries: Entries,
): Promise<ReadonlyMap<string, Entry>> {
  const runner = runnerOf(architecture);
  if (runner === undefined) return new Map();
  const seen = new Set<string>();
  for (let run = 0; run < RUNS; run += 1) {
    const cached = await warmed(runner, entries);
    const digest = digestOf(cached);
    if (seen.has(digest)) return cached;
    seen.add(digest);
  }
  throw new Error(`the code of the programs for ${architecture} differed in each of ${RUNS} runs`);
}

function digestOf(cached: ReadonlyMap<string, Entry>): string {
  const hash = createHash('sha256');
  for (const [path, entry] of cached)
    if ('content' in entry) hash.update(`${path} ${entry.content.length} `).update(entry.content);
  return hash.digest('hex');
}

async function warmed(runner: Runner, entries: Entries): Promise<ReadonlyMap<string, Entry>> {
  const cached = new Map<string, Entry>();
  const root = mkdtempSync(join(tmpdir(), 'image-'));
  try {
    writeEntries(root, entries);
    const cache = join(root, 'app/cache');
    mkdirSync(cache);
    copyFileSync(join(ROOT, 'tools/image/warm.mjs'), join(root, WARM));
    // V8 keeps the paths of modules with their code, so they have to be those of the image.
    const [command, ...args] = [
      ...runner.enter(root),
      '/nodejs/bin/node',
      ...NODE_FLAGS,
      '--hash-seed=1',
      `/${WARM}`,
      '/app/cache',
    ];
    const late = readdirSync(join(root, 'app')).filter((name) => name.endsWith('.mjs') && !isEntry(name));
    for (const files of [...PROGRAMS.map((name) => [name]), late.toSorted()]) {
      const paths = files.map((name) => `/app/${name}`);
      const env = { PATH: process.env['PATH'] };
      await promisify(execFile)(command, [...args, ...paths], { cwd: root, env });
    }
    for (const folder of readdirSync(cache).toSorted()) {
      const own = folder.replace(/-\d+$/, `-${IMAGE_USER}`);
      for (const name of readdirSync(join(cache, folder)).toSorted()) {
        const content = readFileSync(join(cache, folder, name));
        cached.set(`app/cache/${own}/${name}`, { type: 'file', content });
      }
    }
    return cached;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Programs and workers do something when they are loaded; chunks do not. */
const isEntry = (name: string): boolean =>
  PROGRAMS.includes(name) || name === 'start.mjs' || name.endsWith('-worker.mjs');
