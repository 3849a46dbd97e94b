/**
 * The oldest release of this repository that has a chart, with its programs bundled by its own tools. Tags say which one
 * it is, or test/upgrade/releases.json where a clone has none; either way its commit has to be in the clone.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, ROOT } from '../../tools/setup/paths.mjs';
import { runCommand } from './command.ts';
import { temporaryDirectory } from './run-directory.ts';

export interface Release {
  /** Without the `v` of its tag. */
  readonly version: string;
  readonly commit: string;
}

export interface BuiltRelease extends Release {
  /** Folder of its chart. */
  readonly chart: string;
  /** Folder of its bundled programs. */
  readonly programs: string;
}

const CHART = 'deploy/chart';
const LOCK = 'package-lock.json';
const INSTALL_TIMEOUT_MS = 300_000;

/** @throws Error with what it wrote unless it ends well */
async function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly timeout?: number },
): Promise<string> {
  const { code, stdout, stderr } = await runCommand(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim() || `exit code ${code}`}`);
  return stdout.trim();
}

const git = (...args: string[]): Promise<string> => run('git', args, { cwd: ROOT });
/** What git says, or '' where it says no. */
const ask = (...args: string[]): Promise<string> => git(...args).catch(() => '');

const byVersion = (a: Release, b: Release): number =>
  a.version.localeCompare(b.version, 'en', { numeric: true });

async function listed(): Promise<readonly Release[]> {
  const releases: Release[] = [];
  for (const tag of (await ask('tag', '--list', 'v[0-9]*')).split('\n').filter((line) => line !== '')) {
    const commit = await ask('rev-parse', '--verify', '--quiet', `${tag}^{commit}`);
    if (commit !== '') releases.push({ version: tag.slice(1), commit });
  }
  const file = readFileSync(join(ROOT, 'test/upgrade/releases.json'), 'utf8');
  for (const [version, commit] of Object.entries(JSON.parse(file) as Record<string, string>))
    releases.push({ version, commit });
  return releases.toSorted(byVersion);
}

/** undefined: a copy without git, or a clone without the history. */
export async function oldestRelease(): Promise<Release | undefined> {
  for (const release of await listed()) {
    if ((await ask('ls-tree', '--name-only', release.commit, `${CHART}/Chart.yaml`)) !== '') return release;
  }
  return undefined;
}

/** Options of a test that needs it: skipped where it is not in the clone, and counted so. */
export const needsOldRelease = (release: Release | undefined): { readonly skip: false | string } => ({
  skip:
    release === undefined
      ? 'no release with a chart is in the history of this clone; fetch all of it'
      : false,
});

/** Its files, with node_modules, in a folder. */
async function checkOut({ commit }: Release, directory: string): Promise<void> {
  const archive = join(directory, 'release.tar');
  await git('archive', '--output', archive, commit);
  await run('tar', ['-xf', archive, '-C', directory], { cwd: directory });
  rmSync(archive);
  const read = (root: string): string => readFileSync(join(root, LOCK), 'utf8');
  if (read(directory) === read(ROOT))
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  else
    await run('npm', ['ci', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: directory,
      timeout: INSTALL_TIMEOUT_MS,
    });
}

/** Builds it, once a machine. @throws Error with the words of what failed */
export async function buildRelease(release: Release): Promise<BuiltRelease> {
  const made = join(CACHE, 'releases', release.commit);
  if (!existsSync(made)) {
    const checkout = temporaryDirectory('release');
    await checkOut(release, checkout);
    // Beside where it ends up, so that it can be moved there in one step.
    const draft = `${made}.${process.pid}`;
    mkdirSync(draft, { recursive: true });
    await run(process.execPath, ['tools/bundle.ts', join(draft, 'programs')], {
      cwd: checkout,
      timeout: INSTALL_TIMEOUT_MS,
    });
    await run('cp', ['-R', join(checkout, CHART), join(draft, 'chart')], { cwd: checkout });
    rmSync(checkout, { recursive: true });
    try {
      renameSync(draft, made);
    } catch (error) {
      // Another run has made it meanwhile.
      rmSync(draft, { recursive: true });
      if (!existsSync(made)) throw error;
    }
  }
  return { ...release, chart: join(made, 'chart'), programs: join(made, 'programs') };
}
