import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readRunningPid, writeIdentity } from '../../test/harness/process-identity.ts';

const OWNER = 'owner.json';

/**
 * Takes a folder for this process: `.dev` of the checkout, or `.dev/2`, `.dev/3`, ... while others that run
 * from the same checkout hold the ones before. What a crashed owner left in it is removed.
 * @param base absolute path of `.dev`
 */
export function claimDevDirectory(base: string): string {
  for (let number = 1; ; number++) {
    const directory = number === 1 ? base : join(base, String(number));
    mkdirSync(directory, { recursive: true });
    const owner = join(directory, OWNER);
    if (typeof readRunningPid(owner) === 'number') continue;
    for (const name of [OWNER, 'env']) rmSync(join(directory, name), { force: true });
    try {
      writeIdentity(owner, process.pid, { exclusive: true });
    } catch {
      // Another start took it in this very moment.
      continue;
    }
    process.once('exit', () => {
      for (const name of ['env', OWNER]) rmSync(join(directory, name), { force: true });
    });
    return directory;
  }
}
