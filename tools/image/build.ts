/** Builds the image: what goes into which layer, and how it is started. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import type { Metafile } from 'esbuild';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../../runtime/node-flags.ts';
import { bundle } from '../bundle.ts';
import { ROOT } from '../setup/paths.mjs';
import { compileCache, IMAGE_USER } from './compile-cache.ts';
import { ARCHITECTURES, type Architecture, debianEntries, debianRelease } from './debian.ts';
import { readElf } from './elf.ts';
import { createLayer, type Entries, type Entry } from './layer.ts';
import { nodeEntries, nodePackage } from './node-binary.ts';
import { type ContainerConfig, createPlatformImage, type PlatformImage, writeImage } from './oci.ts';
import { bundledPackages, licenceTexts } from './packages.ts';
import { createBom } from './sbom.ts';

export const REPOSITORY = 'ghcr.io/external-secrets-admission/external-secrets-admission';
export const ENTRYPOINT: readonly string[] = ['/nodejs/bin/node', ...NODE_FLAGS, '/app/start.mjs'];
const SOURCE = 'https://github.com/external-secrets-admission/external-secrets-admission';

export interface BuildOptions {
  /** The folder to write to; what an earlier build left there is replaced. */
  readonly directory: string;
  /** Both by default. */
  readonly architectures?: readonly Architecture[];
  /** Every time in the image, seconds since 1970. */
  readonly epoch: number;
  /** The commit, for a label; none outside of git. */
  readonly revision?: string | undefined;
}

export interface BuiltImage {
  /** Of the index over all architectures. */
  readonly digest: string;
  readonly tag: string;
  readonly metafile: Metafile;
  readonly platforms: readonly (PlatformImage & {
    /** True if V8's code is in it. */
    readonly compileCache: boolean;
    /** All layers together. */
    readonly entries: Entries;
    /** Bytes that are pulled. */
    readonly compressedSize: number;
  })[];
}

const text = (content: string): Entry => ({ type: 'file', content: Buffer.from(content) });

/** What a program finds of a system around it: names for the user, how names are resolved, which system it is. */
function systemEntries(): Map<string, Entry> {
  const user = `nonroot:x:${IMAGE_USER}:${IMAGE_USER}:nonroot:/:/nonexistent\n`;
  return new Map<string, Entry>([
    ['etc/passwd', text(`root:x:0:0:root:/:/nonexistent\n${user}`)],
    ['etc/group', text(`root:x:0:\nnonroot:x:${IMAGE_USER}:\n`)],
    ['etc/nsswitch.conf', text('passwd: files\ngroup: files\nhosts: files dns\n')],
    [
      'etc/os-release',
      text(
        `PRETTY_NAME="Libraries of Debian GNU/Linux ${debianRelease()}"\nNAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="${debianRelease()}"\n`,
      ),
    ],
    ['lib', { type: 'symlink', target: 'usr/lib' }],
    ['lib64', { type: 'symlink', target: 'usr/lib64' }],
    // Where an engine mounts.
    ...['dev', 'proc', 'run', 'sys'].map((path): [string, Entry] => [path, { type: 'directory' }]),
    ['var/run', { type: 'symlink', target: '../run' }],
  ]);
}

/** The path that a path of the image leads to. */
function resolveLinks(entries: Entries, path: string): string {
  const parts = path.split('/');
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const head = parts.slice(0, depth).join('/');
    const entry = entries.get(head);
    if (entry?.type === 'symlink') {
      const target = posix.join(posix.dirname(head), entry.target);
      return resolveLinks(entries, posix.join(target, ...parts.slice(depth)));
    }
  }
  return path;
}

/** @throws Error if a program or a library asks for a library that is not there */
function checkLibraries(entries: Entries): void {
  const names = new Set([...entries.keys()].map((path) => posix.basename(path)));
  for (const [path, entry] of entries) {
    const needs = entry.type === 'file' ? readElf(entry.content) : undefined;
    if (needs === undefined) continue;
    const missing = needs.libraries.filter((name) => !names.has(name));
    const { interpreter } = needs;
    if (
      interpreter !== undefined &&
      entries.get(resolveLinks(entries, interpreter.slice(1)))?.type !== 'file'
    )
      missing.push(interpreter);
    if (missing.length > 0) throw new Error(`image: ${path} needs ${missing.join(', ')}, which is not there`);
  }
}

function folderEntries(directory: string, under: string): [string, Entry][] {
  return readdirSync(directory).map((name) => [
    `${under}/${name}`,
    { type: 'file', content: readFileSync(join(directory, name)) },
  ]);
}

interface Product {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly licence: string;
}

function readProduct(): Product {
  const { name, version, description, license } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  ) as Omit<Product, 'licence'> & { readonly license: string };
  return { name, version, description, licence: license };
}

async function buildPlatform(
  architecture: Architecture,
  programs: { readonly directory: string; readonly metafile: Metafile },
  product: Product,
  { epoch, revision }: BuildOptions,
): Promise<BuiltImage['platforms'][number]> {
  const debian = new Map([...systemEntries(), ...(await debianEntries(architecture))]);
  const node = await nodeEntries(architecture);
  const { metafile } = programs;
  const bom = createBom({ ...product, architecture, metafile, epoch });
  const app = new Map<string, Entry>([
    ...folderEntries(programs.directory, 'app'),
    ['app/start.mjs', { type: 'file', content: readFileSync(join(ROOT, 'deploy/image/start.mjs')) }],
    ['licenses/npm.txt', text(licenceTexts(bundledPackages(metafile)))],
    ['sbom.json', text(`${JSON.stringify(bom, null, 2)}\n`)],
  ]);
  const cache = await compileCache(architecture, new Map([...debian, ...node, ...app]));
  for (const [path, entry] of cache) app.set(path, entry);
  const entries = new Map([...debian, ...node, ...app]);
  checkLibraries(entries);
  const layers = [
    await createLayer(`Debian ${debianRelease()}: C and C++ libraries, roots of trust`, debian),
    await createLayer(`Node ${nodePackage(architecture).version}`, node),
    await createLayer(`${product.name} ${product.version}`, app, epoch),
  ];
  const annotations = {
    'org.opencontainers.image.title': product.name,
    'org.opencontainers.image.description': product.description,
    'org.opencontainers.image.version': product.version,
    'org.opencontainers.image.created': new Date(epoch * 1000).toISOString(),
    ...(revision === undefined ? {} : { 'org.opencontainers.image.revision': revision }),
    'org.opencontainers.image.source': SOURCE,
    'org.opencontainers.image.licenses': product.licence,
  };
  const config: ContainerConfig = {
    User: `${IMAGE_USER}:${IMAGE_USER}`,
    WorkingDir: '/',
    Env: Object.entries(NODE_ENVIRONMENT).map(([name, value]) => `${name}=${value}`),
    Entrypoint: ENTRYPOINT,
    ExposedPorts: { '8080/tcp': {}, '9443/tcp': {} },
    StopSignal: 'SIGTERM',
    Labels: { ...annotations, 'external-secrets-admission.io/compile-cache': String(cache.size > 0) },
  };
  const image = createPlatformImage({ architecture, layers, config, annotations, epoch });
  const compressedSize = layers.reduce((sum, { blob }) => sum + blob.content.length, 0);
  return { ...image, compileCache: cache.size > 0, entries, compressedSize };
}

/**
 * Writes into the folder `layout/` (an OCI image layout), `image.tar` (the same as an archive, for skopeo, docker
 * and podman) and `sbom-ARCHITECTURE.json`.
 * @throws UnavailableError where the parts cannot be fetched; SetupError if they are not those of the locks
 */
export async function buildImage(options: BuildOptions): Promise<BuiltImage> {
  const product = readProduct();
  const programs = mkdtempSync(join(tmpdir(), 'programs-'));
  try {
    const metafile = await bundle(programs);
    const platforms: BuiltImage['platforms'][number][] = [];
    for (const architecture of options.architectures ?? ARCHITECTURES) {
      platforms.push(await buildPlatform(architecture, { directory: programs, metafile }, product, options));
    }
    mkdirSync(options.directory, { recursive: true });
    for (const { architecture, entries } of platforms) {
      const bom = entries.get('sbom.json');
      if (bom?.type === 'file')
        writeFileSync(join(options.directory, `sbom-${architecture}.json`), bom.content);
    }
    const names = { repository: REPOSITORY, tag: product.version };
    const annotations = { 'org.opencontainers.image.source': SOURCE };
    const digest = await writeImage(options.directory, platforms, names, annotations, options.epoch);
    return { digest, tag: product.version, metafile, platforms };
  } finally {
    rmSync(programs, { recursive: true, force: true });
  }
}
