/** `WATCH=1 make dev`: programs follow their sources. */
import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { DevProgram } from './programs.ts';

/** Editors and git write several files, and some a file in several steps. */
const QUIET_MS = 150;

/**
 * Restarts each program when a file that it is made of changed; prints a line for each restart. Ends with
 * the process.
 */
export function followSources(programs: readonly DevProgram[], print: (line: string) => void): void {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let busy = false;
  let again = false;

  const look = async (): Promise<void> => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    do {
      again = false;
      const told = await Promise.all(programs.map((program) => program.followSources()));
      for (const line of told) if (line !== undefined) print(line);
      watchFolders();
    } while (again);
    busy = false;
  };
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void look(), QUIET_MS);
  };
  /** Folders, not files: an editor that replaces a file would take the watch with it. */
  const watchFolders = (): void => {
    const folders = new Set(
      programs.flatMap(({ sources }) => [...sources.keys()].map((file) => dirname(file))),
    );
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, soon);
        // A folder that goes away takes its watch along; the files above it name it again.
        watcher.once('error', () => watchers.delete(folder));
        watchers.set(folder, watcher);
      } catch {
        // Not there (yet); it is looked for again at the next change.
      }
    }
  };
  watchFolders();
}
