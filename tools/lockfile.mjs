/**
 * Completes package-lock.json. npm leaves out of it the optional packages of other platforms that the
 * registry at hand does not offer, and then `npm ci` refuses the file on every machine. A platform package
 * says in its name which platform it is for; with an entry that tells npm so, npm skips it elsewhere.
 *
 *   node tools/lockfile.mjs            adds what is missing
 *   node tools/lockfile.mjs --check    fails if something is
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup/paths.mjs';

const FILE = join(ROOT, 'package-lock.json');
const OPERATING_SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const PROCESSORS = ['arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

/** Where Node would look for `name` from the package at `path`, innermost first. */
function* places(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf('node_modules/') - 1, 0))) {
    yield at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (at === '') return;
  }
}

function platformEntry(name, version, dev) {
  const words = name.replace(/^@[^/]*\//, '').split('-');
  const os = OPERATING_SYSTEMS.find((candidate) => words.includes(candidate));
  const cpu = PROCESSORS.find((candidate) => words.includes(candidate));
  if (os === undefined || cpu === undefined) throw new Error(`${name} names no platform that is known here`);
  const libc = os !== 'linux' ? [] : words.some((word) => word.startsWith('musl')) ? ['musl'] : ['glibc'];
  return {
    version,
    cpu: [cpu],
    ...(dev ? { dev } : {}),
    ...(libc.length > 0 ? { libc } : {}),
    optional: true,
    os: [os],
  };
}

const lock = JSON.parse(readFileSync(FILE, 'utf8'));
const missing = {};
for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if ([...places(path, name)].some((place) => place in lock.packages)) continue;
    missing[`node_modules/${name}`] = platformEntry(name, version, dev);
  }
}
const names = Object.keys(missing);
if (process.argv.includes('--check')) {
  for (const name of names) process.stderr.write(`package-lock.json has no entry for ${name}\n`);
  process.exitCode = names.length === 0 ? 0 : 1;
} else {
  const packages = Object.entries({ ...lock.packages, ...missing }).toSorted(([a], [b]) =>
    a.localeCompare(b, 'en'),
  );
  writeFileSync(FILE, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`);
  process.stdout.write(`${names.length} entries added\n`);
}
