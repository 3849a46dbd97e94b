/** Reads a tar: that of a Debian package, and that of an npm package. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import type { Entry } from './layer.ts';

/** The files and links of a tar whose path, without a leading `./`, is wanted; folders are left out. */
export async function readTar(
  tar: Buffer,
  wanted: (path: string) => boolean,
): Promise<ReadonlyMap<string, Entry>> {
  const found = new Map<string, Entry>();
  for await (const entry of Readable.from([tar]).pipe(extract())) {
    const path = entry.header.name.replace(/^\.\//, '');
    const { type } = entry.header;
    if (wanted(path) && type === 'file') {
      const executable = ((entry.header.mode ?? 0) & 0o111) !== 0;
      found.set(path, { type, content: await buffer(entry), executable });
    } else {
      if (wanted(path) && type === 'symlink') found.set(path, { type, target: entry.header.linkname ?? '' });
      entry.resume();
    }
  }
  return found;
}
