/** moto and MiniStack, the stand-ins for AWS: Python packages, pinned, in one folder. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureCached } from './cached.mjs';
import { awsDirectory, ROOT } from './paths.mjs';
import { findPip, pipInstall } from './pip.mjs';
import { SetupError } from './progress.mjs';

export async function ensureAws() {
  await ensureCached(awsDirectory(), 'AWS emulators', async (directory) => {
    const python = await findPip('AWS emulators');
    const requirements = join(ROOT, 'test', 'aws', 'requirements.txt');
    await pipInstall(python, requirements, directory, {
      title: 'AWS emulators: fetching (45 MB)',
      options: ['--require-hashes'],
    });
    // Compiled parts fit one Python only, so the one that fetched them is the one that runs them.
    writeFileSync(join(directory, 'python'), python);
  });
  if (!existsSync(join(awsDirectory(), 'moto'))) {
    throw new SetupError(`AWS emulators: ${awsDirectory()} is not whole; remove it and try again.`);
  }
}
