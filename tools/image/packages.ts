/** Which npm packages are in the bundles: what esbuild read, and what the lockfile and the packages say of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { ROOT } from '../setup/paths.mjs';

export interface BundledPackage {
  /** In the checkout, e.g. `node_modules/zod`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, as the package says. */
  readonly licence: string;
  /** `sha512-...`, base64, of the lockfile. */
  readonly integrity: string;
}

/** The package's folder that a module of the bundle is in; undefined for our own sources. */
export const packagePathOf = (module: string): string | undefined =>
  /^((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(module)?.[1];

interface Manifest {
  readonly name: string;
  readonly version: string;
  /** A list in packages of old; any one of them may be chosen. */
  readonly license?: string | readonly { readonly type: string }[];
}

function licenceOf({ license }: Manifest): string | undefined {
  if (license === undefined || typeof license === 'string') return license;
  // "Public Domain" is no licence that SPDX knows.
  const known = license.map(({ type }) => type).filter((type) => !type.includes(' '));
  return known.length > 0 ? known.join(' OR ') : undefined;
}

/** Sorted by path. @throws Error for a package without a licence or not in the lockfile */
export function bundledPackages({ inputs }: Metafile): readonly BundledPackage[] {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity?: string }>>;
  };
  const paths = new Set(
    Object.keys(inputs)
      .map(packagePathOf)
      .filter((path) => path !== undefined),
  );
  return [...paths].toSorted().map((path) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8')) as Manifest;
    const { name, version } = manifest;
    const licence = licenceOf(manifest);
    const integrity = lock.packages[path]?.integrity;
    if (licence === undefined) throw new Error(`${path}/package.json names no licence`);
    if (integrity === undefined || lock.packages[path]?.version !== version) {
      throw new Error(`${path} is not what package-lock.json says; run npm ci`);
    }
    return { path, name, version, licence, integrity };
  });
}

/** The texts of their licences, one after the other, as they ask for. */
export function licenceTexts(packages: readonly BundledPackage[]): string {
  return packages
    .map(({ path, name, version, licence }) => {
      const files = readdirSync(join(ROOT, path)).filter((file) =>
        /^(licen[cs]e|notice|copying)/i.test(file),
      );
      const texts = files.toSorted().map((file) => readFileSync(join(ROOT, path, file), 'utf8').trim());
      return [`${name} ${version} (${licence})`, ...texts].join('\n\n');
    })
    .join(`\n\n${'-'.repeat(80)}\n\n`)
    .concat('\n');
}
