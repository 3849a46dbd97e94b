/**
 * V8's code of the programs, made by the image's own Node: natively, or by qemu where that is installed. Two
 * runs make the same bytes because V8 hashes strings with a known seed meanwhile.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../setup/paths.mjs';
import type { Architecture } from './debian.ts';
import type { Entries, Entry } from './layer.ts';
import { writeEntries } from './unpack.ts';

/** As whom the image runs. V8's folder names the user: another one starts without the cache. */
export const IMAGE_USER = 65_532;

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

/** What to put before a program of that architecture and its arguments; undefined where it cannot be run. */
export function runnerOf(architecture: Architecture): ((root: string) => readonly string[]) | undefined {
  if (process.platform !== 'linux') return undefined;
  if (process.arch === NODE_CALLS_IT[architecture]) return () => [];
  const names = ['-static', ''].map((suffix) => `qemu-${QEMU_CALLS_IT[architecture]}${suffix}`);
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const qemu = folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable);
  return qemu === undefined ? undefined : (root) => [qemu, '-L', root];
}

/**
 * The entries of `app/cache` for the programs in `app`; none where this machine cannot run the architecture.
 * @param entries all of the image so far
 * @throws Error with the program's output if one does not load
 */
export async function compileCache(
  architecture: Architecture,
  entries: Entries,
): Promise<ReadonlyMap<string, Entry>> {
  const cached = new Map<string, Entry>();
  const runner = runnerOf(architecture);
  if (runner === undefined) return cached;
  const root = mkdtempSync(join(tmpdir(), 'image-'));
  try {
    writeEntries(root, entries);
    const app = join(root, 'app');
    const cache = join(app, 'cache');
    mkdirSync(cache);
    const late = readdirSync(app).filter((name) => name.endsWith('.mjs') && !isEntry(name));
    const [command = '', ...args] = [
      ...runner(root),
      join(root, 'nodejs/bin/node'),
      '--hash-seed=1',
      join(ROOT, 'tools/image/warm.mjs'),
      cache,
    ];
    for (const files of [...PROGRAMS.map((name) => [name]), late.toSorted()]) {
      await promisify(execFile)(command, [...args, ...files.map((name) => join(app, name))], {
        cwd: root,
        env: {},
      });
    }
    for (const folder of readdirSync(cache)) {
      const own = folder.replace(/-\d+$/, `-${IMAGE_USER}`);
      for (const name of readdirSync(join(cache, folder))) {
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
