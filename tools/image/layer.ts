/** A layer of an image: a tar that depends on nothing but its entries and one time, and its gzip. */
import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { CACHE } from '../setup/paths.mjs';

/** What a path of the image holds. Everything belongs to root and may be read by all. */
export type Entry =
  | { readonly type: 'file'; readonly content: Buffer; readonly executable?: boolean }
  | { readonly type: 'symlink'; readonly target: string }
  | { readonly type: 'directory' };

/** By path, without a leading or trailing slash. Folders above an entry need not be named. */
export type Entries = ReadonlyMap<string, Entry>;

export interface Layer {
  /** What it holds, for people: the history of the image says it. */
  readonly title: string;
  readonly entries: Entries;
  /** `sha256:...` of the tar. */
  readonly diffId: string;
  /** The gzip of the tar, its digest and size in bytes: what a registry stores. */
  readonly blob: Blob;
}

export interface Blob {
  readonly mediaType: string;
  /** `sha256:...` */
  readonly digest: string;
  readonly content: Buffer;
}

export const sha256 = (content: Buffer | string): string => `sha256:${hash('sha256', content)}`;

export const blobOf = (mediaType: string, content: Buffer): Blob => ({
  mediaType,
  digest: sha256(content),
  content,
});

function withFolders(entries: Entries): Map<string, Entry> {
  const all = new Map<string, Entry>();
  for (const path of entries.keys()) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      all.set(parts.slice(0, depth).join('/'), { type: 'directory' });
    }
  }
  for (const [path, entry] of entries) all.set(path, entry);
  return all;
}

/** Sorted by path, so that the order in which entries were found does not show. @param epoch seconds: every mtime */
export async function createTar(entries: Entries, epoch: number): Promise<Buffer> {
  const archive = pack();
  const written = buffer(archive);
  const paths = [...withFolders(entries)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, entry] of paths) {
    const header = { name: path, uid: 0, gid: 0, mtime: new Date(epoch * 1000) };
    if (entry.type === 'file') {
      archive.entry({ ...header, mode: entry.executable ? 0o755 : 0o644 }, entry.content);
    } else if (entry.type === 'symlink') {
      archive.entry({ ...header, type: 'symlink', mode: 0o777, linkname: entry.target });
    } else {
      archive.entry({ ...header, name: `${path}/`, type: 'directory', mode: 0o755 });
    }
  }
  archive.finalize();
  return written;
}

/** Packing Node takes ten seconds; a tar that was packed before is not packed again. */
async function packed(tar: Buffer, diffId: string): Promise<Buffer> {
  const directory = join(CACHE, 'image', 'layers');
  const file = join(directory, `${diffId.replace('sha256:', '')}-zlib-${process.versions.zlib}.gz`);
  if (existsSync(file)) return readFile(file);
  const content = await promisify(gzip)(tar, { level: 9 });
  await mkdir(directory, { recursive: true });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, content);
  await rename(draft, file);
  return content;
}

/**
 * @param epoch seconds; undefined for a layer that changes rarely: with the same files it stays the same, so
 *   that who has one version of the image need not pull it again with the next
 */
export async function createLayer(title: string, entries: Entries, epoch?: number): Promise<Layer> {
  const tar = await createTar(entries, epoch ?? 0);
  const diffId = sha256(tar);
  const content = epoch === undefined ? await packed(tar, diffId) : await promisify(gzip)(tar, { level: 9 });
  return { title, entries, diffId, blob: blobOf('application/vnd.oci.image.layer.v1.tar+gzip', content) };
}
