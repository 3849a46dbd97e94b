/** What we depend on: package.json, the lockfile, the licences that packages state, and who imports them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../setup/paths.mjs';
import { isAllowed } from './licences.ts';
import { INSTALL_SCRIPTS, LICENCES_BY_HAND, NOT_IMPORTED, REASONS } from './reasons.ts';

interface LockEntry {
  readonly version?: string;
  readonly license?: unknown;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A package of the lockfile. */
export interface Package {
  /** Its folder, such as `node_modules/a/node_modules/b`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** An SPDX expression; undefined if nobody says. */
  readonly licence: string | undefined;
  /** Only for work on the product, not in it. */
  readonly dev: boolean;
  /** Of a platform that is not this one, so that nothing more is known of it. */
  readonly absent: boolean;
  readonly hasInstallScript: boolean;
}

export interface Dependency extends Package {
  /** Folders at the top whose sources import it, tests apart. */
  readonly importedBy: readonly string[];
  /** Packages that come with it, itself not counted. */
  readonly transitive: number;
}

export interface Survey {
  /** In the order of package.json: those of the product, then the tools. */
  readonly direct: readonly Dependency[];
  readonly all: readonly Package[];
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** What a package itself says; the lockfile leaves it out for packages that it did not fetch. */
function licenceOf(path: string, { license }: LockEntry): string | undefined {
  const byHand = LICENCES_BY_HAND[nameOf(path)];
  if (byHand !== undefined) return byHand;
  if (typeof license === 'string') return license;
  const manifest = join(ROOT, path, 'package.json');
  if (!existsSync(manifest)) return undefined;
  const { license: own } = JSON.parse(readFileSync(manifest, 'utf8')) as { license?: unknown };
  return typeof own === 'string' ? own : undefined;
}

/** The folder where Node finds `name` from a package at `path`. */
function resolve(
  packages: Readonly<Record<string, LockEntry>>,
  path: string,
  name: string,
): string | undefined {
  for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf('node_modules/') - 1, 0))) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (candidate in packages) return candidate;
    if (at === '') return undefined;
  }
}

function closureOf(packages: Readonly<Record<string, LockEntry>>, root: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const queue = [root];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const { dependencies, optionalDependencies } = packages[path] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = resolve(packages, path, name);
      if (found !== undefined) queue.push(found);
    }
  }
  return seen;
}

/** Folders at the top by the package that a source in them imports; tests count for themselves, as `test`. */
function importers(): ReadonlyMap<string, ReadonlySet<string>> {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
    .split('\0')
    .filter((file) => /\.(ts|mjs)$/.test(file) && existsSync(join(ROOT, file)));
  const found = new Map<string, Set<string>>();
  for (const file of files) {
    const folder = file.endsWith('.test.ts') ? 'test' : (file.split('/')[0] ?? '');
    for (const [, specifier = ''] of read(file).matchAll(/(?:from|import) ?\(?'([^'.][^']*)'/g)) {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      found.set(name, (found.get(name) ?? new Set()).add(folder));
    }
  }
  return found;
}

export function survey(): Survey {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Readonly<Record<string, LockEntry>>;
  };
  const manifest = JSON.parse(read('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Readonly<Record<string, string>>
  >;
  const all = Object.entries(packages)
    .filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
    .map(
      ([path, entry]): Package => ({
        path,
        name: nameOf(path),
        version: entry.version ?? '',
        licence: licenceOf(path, entry),
        dev: entry.dev === true,
        absent: entry.optional === true && !existsSync(join(ROOT, path)),
        hasInstallScript: entry.hasInstallScript === true,
      }),
    );
  const imports = importers();
  const direct = (['dependencies', 'devDependencies'] as const).flatMap((section) =>
    Object.keys(manifest[section]).map((name): Dependency => {
      const path = `node_modules/${name}`;
      const known = all.find((one) => one.path === path);
      return {
        path,
        name,
        version: known?.version ?? manifest[section][name] ?? '',
        licence: known?.licence ?? licenceOf(path, {}),
        dev: section === 'devDependencies',
        absent: false,
        hasInstallScript: known?.hasInstallScript ?? false,
        importedBy: [...(imports.get(name) ?? [])].toSorted(),
        transitive: Math.max(closureOf(packages, path).size - 1, 0),
      };
    }),
  );
  return { direct, all };
}

/** What must not be so, a line each. */
export function faultsOf({ direct, all }: Survey): readonly string[] {
  const names = new Set(direct.map(({ name }) => name));
  return [
    ...direct.flatMap(({ name, importedBy, dev }) => [
      ...(REASONS[name] === undefined ? [`${name}: nobody says what it is for`] : []),
      ...(importedBy.length === 0 && NOT_IMPORTED[name] === undefined ? [`${name}: nothing imports it`] : []),
      ...(!dev &&
      importedBy.length > 0 &&
      importedBy.every((folder) => ['test', 'bench', 'tools'].includes(folder))
        ? [`${name}: only ${importedBy.join(' and ')} import it, so it is a devDependency`]
        : []),
    ]),
    ...Object.keys(REASONS)
      .filter((name) => !names.has(name))
      .map((name) => `${name}: has a reason but is no dependency`),
    ...all.flatMap(({ name, path, licence, hasInstallScript, absent }) => [
      ...(licence === undefined && !absent ? [`${path}: states no licence`] : []),
      ...(licence !== undefined && !isAllowed(licence) ? [`${path}: licence ${licence}`] : []),
      ...(hasInstallScript && INSTALL_SCRIPTS[name] === undefined ? [`${path}: has an install script`] : []),
    ]),
  ];
}
