/**
 * The clock and the names of the machine, as a program sees them: two things that cannot be changed here for real. A
 * module that is loaded before the program (world-preload.ts) takes the place of the system's own.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Program } from './product.ts';
import { temporaryDirectory } from './run-directory.ts';

export interface WorldState {
  /** Added to the wall clock; the monotonic clock goes on as it did. */
  readonly clockMs?: number;
  /** What a name resolves to: an address, or the code of getaddrinfo's error. Other names are asked of the system. */
  readonly names?: Readonly<Record<string, string>>;
}

export interface World {
  /** For the programs that live in it. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on the world is so, for these programs and those that are started later. */
  set(state: WorldState, programs: readonly Program[]): void;
}

export function createWorld(initial: WorldState = {}): World {
  const file = join(temporaryDirectory('world'), 'world.json');
  const write = (state: WorldState): void => writeFileSync(file, JSON.stringify(state));
  write(initial);
  const preload = pathToFileURL(join(import.meta.dirname, 'world-preload.ts')).href;
  return {
    env: { NODE_OPTIONS: `--import=${preload}`, ESA_TEST_WORLD: file },
    set: (state, programs) => {
      write(state);
      for (const program of programs) program.process.signal('SIGUSR2');
    },
  };
}
