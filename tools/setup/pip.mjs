/** Python packages for the test bed, installed into a folder of the cache. */
import { run, UnavailableError } from './progress.mjs';

/**
 * A Python with pip; a version manager's shim may be first in PATH and know no Python at all.
 * @param {string} what for whom, as messages begin
 * @param {string} otherwise what to do without one, after "install pip (Debian: python3-pip)"
 * @throws {UnavailableError} where there is none
 */
export async function findPip(what, otherwise = '') {
  for (const python of ['python3', '/usr/bin/python3', 'python']) {
    const found = await run(python, ['-m', 'pip', '--version'], { title: 'looking for pip' }).then(
      () => true,
      () => false,
    );
    if (found) return python;
  }
  throw new UnavailableError(
    `${what}: no python3 with pip in PATH; install pip (Debian: python3-pip)${otherwise}.`,
  );
}

/**
 * @param {string} python as findPip found it
 * @param {string} requirements path of a requirements file that pins everything
 * @param {string} directory where the packages go
 * @param {{title: string, options?: string[]}} more
 * @throws {UnavailableError} with the end of pip's output
 */
export function pipInstall(python, requirements, directory, { title, options = [] }) {
  const fixed = [
    '--quiet',
    '--no-deps',
    '--no-compile',
    '--only-binary',
    ':all:',
    '--retries',
    '2',
    ...options,
  ];
  return run(
    python,
    ['-m', 'pip', 'install', ...fixed, '--target', directory, '--requirement', requirements],
    { title },
  ).catch((error) => {
    throw new UnavailableError(error.message);
  });
}
