/** `make report`: dead code, dependencies, licences, and what each package weighs in the bundled programs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../bundle.ts';
import { ROOT } from '../setup/paths.mjs';
import { licenceCounts } from './page.ts';
import { REASONS } from './reasons.ts';
import { faultsOf, survey } from './survey.ts';

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;

/** Bytes of each package in the bundled programs, by its name; what is ours is `.`. */
async function bundleWeights(): Promise<ReadonlyMap<string, number>> {
  const directory = mkdtempSync(join(tmpdir(), 'report-'));
  const { outputs } = await bundle(directory);
  rmSync(directory, { recursive: true });
  const weights = new Map<string, number>();
  for (const { inputs } of Object.values(outputs))
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? '.';
      weights.set(name, (weights.get(name) ?? 0) + bytesInOutput);
    }
  return weights;
}

const found = survey();
console.log('== dead code (knip)');
const { status, stdout } = spawnSync('knip', ['--no-config-hints', '--no-progress'], {
  cwd: ROOT,
  encoding: 'utf8',
});
console.log(status === 0 ? 'none' : stdout);

console.log('\n== direct dependencies');
const weights = await bundleWeights();
for (const { name, version, licence = '', dev, transitive, importedBy } of found.direct)
  console.log(
    [
      `${name} ${version}`.padEnd(46),
      licence.padEnd(24),
      dev ? 'tool'.padStart(10) : kib(weights.get(name) ?? 0).padStart(10),
      `+${transitive}`.padStart(5),
      ` ${importedBy.join(',')}\n    ${REASONS[name] ?? ''}`,
    ].join(' '),
  );

console.log('\n== in the bundled programs, by package (direct or not)');
for (const [name, bytes] of [...weights].toSorted(([, a], [, b]) => b - a))
  console.log(`${kib(bytes).padStart(10)}  ${name}`);

for (const [title, packages] of [
  ['of the product', found.all.filter(({ dev }) => !dev)],
  ['of the tools', found.all.filter(({ dev }) => dev)],
] as const) {
  console.log(`\n== licences ${title}: ${packages.length} packages`);
  for (const [licence, count] of licenceCounts(packages))
    console.log(`${String(count).padStart(6)}  ${licence || '(of another platform, not here)'}`);
}

const faults = faultsOf(found);
console.log(`\n${faults.length} faults`);
for (const fault of faults) console.log(`  ${fault}`);
process.exitCode = faults.length === 0 && status === 0 ? 0 : 1;
