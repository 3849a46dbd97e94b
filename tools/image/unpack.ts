/** Writes entries of an image into a folder. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Entries } from './layer.ts';

/** Adds to what is there; the folder is a new one of the caller's. */
export function writeEntries(root: string, entries: Entries): void {
  for (const [path, entry] of entries) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    if (entry.type === 'file') writeFileSync(file, entry.content, { mode: entry.executable ? 0o755 : 0o644 });
    else if (entry.type === 'symlink') symlinkSync(entry.target, file);
    else mkdirSync(file, { recursive: true });
  }
}
