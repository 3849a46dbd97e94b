import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readRunningPid, writeIdentity } from '../../test/harness/process-identity.ts';

const OWNER = 'owner.json';
/** What a session puts beside its owner's record; numbered folders belong to other sessions. */
const CONTENT = ['env', 'examples'];

const clear = (directory: string): void => {
  for (const name of [...CONTENT, OWNER]) rmSync(join(directory, name), { recursive: true, force: true });
};

/**
 * Takes a folder for this process: `.dev` of the checkout, or `.dev/2`, `.dev/3`, ... while others that run
 * from the same checkout hold the ones before. What crashed owners left is removed first.
 * @param base absolute path of `.dev`
 */
export function claimDevDirectory(base: string): string {
  mkdirSync(base, { recursive: true });
  const numbered = readdirSync(base).filter((name) => /^\d+$/.test(name));
  for (const directory of [base, ...numbered.map((name) => join(base, name))]) {
    if (readRunningPid(join(directory, OWNER)) === 'ended') clear(directory);
  }
  for (let number = 1; ; number++) {
    const directory = number === 1 ? base : join(base, String(number));
    mkdirSync(directory, { recursive: true });
    try {
      writeIdentity(join(directory, OWNER), process.pid, { exclusive: true });
    } catch {
      continue;
    }
    process.once('exit', () => clear(directory));
    return directory;
  }
}
