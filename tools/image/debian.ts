/**
 * The few files of Debian that Node needs, and the roots of trust. The lock file says which versions and which
 * bytes. apt fetches them with folders and sources of its own: the machine's configuration is only asked for
 * its mirror. What a signature proved when the lock was written, its digests prove ever after.
 */
import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureCached } from '../setup/cached.mjs';
import { CACHE, ROOT } from '../setup/paths.mjs';
import { run, SetupError, UnavailableError } from '../setup/progress.mjs';
import type { Entry } from './layer.ts';
import { readTar } from './tar.ts';

/** As Debian and OCI call them. */
export type Architecture = 'amd64' | 'arm64';
export const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64'];

export interface DebianPackage {
  readonly name: string;
  readonly architecture: Architecture | 'all';
  readonly version: string;
  /** Of the .deb, hexadecimal. */
  readonly sha256: string;
}

interface Lock {
  /** Debian's number, e.g. `13`. */
  readonly release: string;
  readonly suite: string;
  readonly packages: readonly DebianPackage[];
}

/** What is taken of each package; all else (documentation, tools, locales) stays out. */
const TAKEN: Readonly<Record<string, { readonly licence: string; readonly files: RegExp }>> = {
  libc6: {
    licence: 'LGPL-2.1-or-later',
    files: /\/(ld-linux-[\w-]+\.so\.\d|lib(c|m|dl|pthread)\.so\.\d)$/,
  },
  'libstdc++6': {
    licence: 'GPL-3.0-or-later WITH GCC-exception-3.1',
    files: /^usr\/lib\/[^/]+\/libstdc\+\+\.so\.[\d.]+$/,
  },
  'libgcc-s1': { licence: 'GPL-3.0-or-later WITH GCC-exception-3.1', files: /\/libgcc_s\.so\.1$/ },
  // Only its copyright, which the two above refer to.
  'gcc-14-base': { licence: 'GPL-3.0-or-later WITH GCC-exception-3.1', files: /^$/ },
  'ca-certificates': { licence: 'MPL-2.0', files: /^usr\/share\/ca-certificates\/mozilla\/.*\.crt$/ },
};

const LOCK_FILE = 'deploy/image/debian.lock.json';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

const readLock = (): Lock => JSON.parse(readFileSync(join(ROOT, LOCK_FILE), 'utf8')) as Lock;

/** `Debian GNU/Linux`'s number that the libraries are from, e.g. `13`. */
export const debianRelease = (): string => readLock().release;

export const debianPackages = (architecture: Architecture): readonly DebianPackage[] =>
  readLock().packages.filter((one) => [architecture, 'all'].includes(one.architecture));

export const licenceOf = ({ name }: DebianPackage): string => TAKEN[name]?.licence ?? 'NOASSERTION';

const fileOf = ({ name, architecture, sha256 }: DebianPackage): string =>
  `${name}-${architecture}-${sha256.slice(0, 16)}.deb`;

/** Debian's main and security mirrors: of DEBIAN_MIRROR, else of this machine's own sources. */
async function mirrors(): Promise<readonly [main: string, security: string]> {
  const named = process.env['DEBIAN_MIRROR']?.replace(/\/$/, '');
  if (named !== undefined && named !== '') return [named, `${named}-security`];
  const targets = await run(
    'apt-get',
    ['indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Created-By: Packages'],
    { title: 'image: the mirrors of apt' },
  ).catch((error: unknown) => {
    throw new UnavailableError(
      `image: Debian's packages cannot be had here (${error instanceof Error ? error.message : 'no apt'}). Build on Debian, or on Ubuntu with DEBIAN_MIRROR=URL of a mirror of Debian.`,
    );
  });
  const found = (label: string): string | undefined =>
    new RegExp(`^${label} (\\S+?)/?$`, 'm').exec(targets)?.[1];
  const main = found('Debian');
  if (main === undefined) {
    throw new UnavailableError(
      'image: apt knows no mirror of Debian here; name one, as DEBIAN_MIRROR=http://HOST/debian.',
    );
  }
  return [main, found('Debian-Security') ?? `${main}-security`];
}

/** An apt with folders of its own below `directory`. @returns the options that each call of apt needs */
async function ownApt(directory: string, suite: string, signed: boolean): Promise<readonly string[]> {
  const [main, security] = await mirrors();
  for (const folder of ['lists/partial', 'cache/archives/partial', 'state']) {
    mkdirSync(join(directory, folder), { recursive: true });
  }
  const trust = signed ? `signed-by=${KEYRING}` : 'trusted=yes';
  writeFileSync(
    join(directory, 'sources.list'),
    `deb [${trust}] ${main} ${suite} main\ndeb [${trust}] ${security} ${suite}-security main\n`,
  );
  writeFileSync(join(directory, 'state/status'), '');
  const settings = {
    'Dir::Etc::sourcelist': join(directory, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::State': join(directory, 'state'),
    'Dir::State::lists': join(directory, 'lists'),
    'Dir::State::status': join(directory, 'state/status'),
    'Dir::Cache': join(directory, 'cache'),
    'APT::Architecture': 'amd64',
    'APT::Architectures::': 'arm64',
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    // Icons and the like, which other packages ask apt to fetch.
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  await run('apt-get', [...options, 'update'], { title: "image: Debian's index (20 MB)" });
  return options;
}

/** Folder of the .deb files of the lock, both architectures; fetched once. @throws UnavailableError without apt or mirror */
async function fetchPackages(): Promise<string> {
  const lock = readLock();
  const target = join(CACHE, 'image', `debian-${hash('sha256', JSON.stringify(lock)).slice(0, 16)}`);
  await ensureCached(target, "image: Debian's packages", async (directory) => {
    const apt = join(directory, 'apt');
    const options = await ownApt(apt, lock.suite, existsSync(KEYRING));
    const debs = join(directory, 'debs');
    mkdirSync(debs);
    const wanted = lock.packages.map(
      ({ name, architecture, version }) =>
        `${name}${architecture === 'all' ? '' : `:${architecture}`}=${version}`,
    );
    await run('apt-get', [...options, 'download', ...wanted], {
      title: "image: Debian's packages (7 MB)",
      cwd: debs,
    }).catch((error: unknown) => {
      throw new UnavailableError(
        `${error instanceof Error ? error.message : ''}\nThe mirror may have newer versions only: \`node tools/image.ts --lock\` writes ${LOCK_FILE} anew; see what changes, and commit it.`,
      );
    });
    const fetched = new Map<string, Buffer>();
    for (const file of await readdir(debs)) {
      const content = await readFile(join(debs, file));
      fetched.set(hash('sha256', content), content);
    }
    for (const one of lock.packages) {
      const content = fetched.get(one.sha256);
      if (content === undefined) {
        throw new SetupError(
          `image: ${one.name} ${one.version} (${one.architecture}) came with another sha256 than ${LOCK_FILE} says; nothing was taken.`,
        );
      }
      writeFileSync(join(directory, fileOf(one)), content);
    }
    rmSync(debs, { recursive: true });
    rmSync(apt, { recursive: true });
  });
  return target;
}

async function dpkgDeb(...args: string[]): Promise<Buffer> {
  const options = { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 } as const;
  return (await promisify(execFile)('dpkg-deb', args, options)).stdout;
}

/** One file of all roots, in the order of their names, as update-ca-certificates makes it. */
function caBundle(entries: ReadonlyMap<string, Entry>): Buffer {
  const certificates: Buffer[] = [];
  for (const [, entry] of [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (entry.type === 'file') certificates.push(entry.content);
  }
  return Buffer.concat(certificates);
}

/**
 * What the image has of Debian: libraries, roots of trust, copyrights, and for scanners each package's entry.
 * @throws UnavailableError if the packages cannot be had on this machine
 */
export async function debianEntries(architecture: Architecture): Promise<Map<string, Entry>> {
  const directory = await fetchPackages();
  const entries = new Map<string, Entry>();
  for (const one of debianPackages(architecture)) {
    const deb = join(directory, fileOf(one));
    const copyright = new RegExp(`^usr/share/doc/${one.name.replaceAll('+', String.raw`\+`)}(/copyright)?$`);
    const files = TAKEN[one.name]?.files ?? /^$/;
    const taken = await readTar(await dpkgDeb('--fsys-tarfile', deb), (path) =>
      [copyright, files].some((pattern) => pattern.test(path)),
    );
    if (one.name === 'ca-certificates') {
      const roots = new Map([...taken].filter(([path]) => path.endsWith('.crt')));
      for (const path of roots.keys()) entries.delete(path);
      entries.set('etc/ssl/certs/ca-certificates.crt', { type: 'file', content: caBundle(roots) });
    }
    for (const [path, entry] of taken) if (!path.endsWith('.crt')) entries.set(path, entry);
    // Where scanners look when there is no dpkg.
    entries.set(`var/lib/dpkg/status.d/${one.name}`, {
      type: 'file',
      content: await dpkgDeb('--field', deb),
    });
  }
  return entries;
}

/** Asks the mirror for today's versions, proved by Debian's signatures, and writes the lock file. */
export async function writeLock(): Promise<void> {
  if (!existsSync(KEYRING)) {
    throw new UnavailableError(`image: ${KEYRING} is needed to trust new versions (debian-archive-keyring).`);
  }
  const { release, suite } = readLock();
  const directory = join(CACHE, 'image', `lock-${process.pid}`);
  try {
    const options = await ownApt(directory, suite, true);
    const names = Object.keys(TAKEN).flatMap((name) => ARCHITECTURES.map((one) => `${name}:${one}`));
    // A package for all architectures is known by its bare name only.
    const shown = await run(
      'apt-cache',
      [...options, '--no-all-versions', 'show', ...names, 'ca-certificates'],
      { title: "image: today's versions" },
    );
    const found = new Map<string, DebianPackage>();
    for (const paragraph of shown.trim().split('\n\n')) {
      const field = (name: string): string => new RegExp(`^${name}: (.+)$`, 'm').exec(paragraph)?.[1] ?? '';
      const architecture = ['all', ...ARCHITECTURES].find((one) => one === field('Architecture'));
      const [name, version, sha256] = [field('Package'), field('Version'), field('SHA256')];
      found.set(`${name}:${architecture}`, {
        name,
        architecture: architecture as DebianPackage['architecture'],
        version,
        sha256,
      });
    }
    const packages = [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
    const lock: Lock = { release, suite, packages };
    writeFileSync(join(ROOT, LOCK_FILE), `${JSON.stringify(lock, null, 2)}\n`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
