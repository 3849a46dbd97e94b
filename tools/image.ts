/**
 * `make image`: the container image for all architectures, without a container engine.
 *
 *   node tools/image.ts [FOLDER]          .cache/image by default
 *   node tools/image.ts --lock            takes today's versions of Debian's packages into the lock file
 */
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { buildImage, REPOSITORY } from './image/build.ts';
import { writeLock } from './image/debian.ts';
import { ROOT } from './setup/paths.mjs';
import { SetupError } from './setup/progress.mjs';

function git(...args: string[]): string | undefined {
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

/** Which commit is built, and its time: seconds since 1970, of SOURCE_DATE_EPOCH if that is set. */
export function buildIdentity(): { readonly epoch: number; readonly revision: string | undefined } {
  const changed = git('status', '--porcelain', '--untracked-files=no') ?? '';
  const commit = git('rev-parse', 'HEAD');
  const epoch = Number(process.env['SOURCE_DATE_EPOCH'] ?? git('log', '-1', '--format=%ct') ?? 0);
  if (!Number.isSafeInteger(epoch) || epoch < 0) {
    throw new SetupError('image: SOURCE_DATE_EPOCH is not a number of seconds since 1970');
  }
  return {
    epoch,
    revision: commit === undefined ? undefined : `${commit}${changed === '' ? '' : '-changed'}`,
  };
}

async function build(directory: string): Promise<void> {
  const image = await buildImage({ directory, ...buildIdentity() });
  console.log(`${REPOSITORY}:${image.tag}@${image.digest}`);
  for (const { architecture, manifest, compressedSize, entries, compileCache } of image.platforms) {
    let unpacked = 0;
    for (const entry of entries.values()) if (entry.type === 'file') unpacked += entry.content.length;
    const without = compileCache ? '' : ', without a code cache: this machine cannot run it';
    console.log(
      `  linux/${architecture} ${manifest.digest} ${mebibytes(compressedSize)} to pull, ${mebibytes(unpacked)} unpacked${without}`,
    );
  }
  console.log(`  ${join(directory, 'layout')}, ${join(directory, 'image.tar')}`);
}

if (import.meta.main) {
  try {
    const [first] = process.argv.slice(2);
    if (first === '--lock') await writeLock();
    else await build(resolve(ROOT, first ?? '.cache/image'));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
