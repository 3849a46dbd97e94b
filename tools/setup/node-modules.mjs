/** The packages of package-lock.json, Node 24 among them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { run } from './progress.mjs';

const packagesOf = (file) => JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;

/**
 * Compares the lockfile with the copy of it that npm leaves in node_modules as its last act; so an
 * interrupted install counts as none, and one that the user made by hand counts.
 */
function isInstalled() {
  if (!existsSync(join(ROOT, 'node_modules/.package-lock.json'))) return false;
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf('node_modules/.package-lock.json');
  for (const [path, { version, integrity, optional, link }] of Object.entries(wanted)) {
    if (!path.startsWith('node_modules/') || link) continue;
    const found = present[path];
    if (found === undefined ? !optional : found.version !== version || found.integrity !== integrity)
      return false;
  }
  return Object.keys(present).every((path) => path in wanted);
}

export async function ensureNodeModules() {
  if (isInstalled()) return;
  // No script of a package is run: nothing here needs one, and Node 24 itself comes as a plain package.
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    title: 'npm packages (about 15 s)',
    cwd: ROOT,
  });
}
