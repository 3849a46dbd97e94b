/**
 * `make test`: the checks, the unit tests beside the code, then the end-to-end tests on a real control
 * plane. The last line is `N passed, N failed`, with `, N skipped` if any; a failed check counts as a failed
 * test.
 *
 *   node tools/test.ts                 everything
 *   node tools/test.ts unit            one stage by name: check, unit, e2e
 *   node tools/test.ts test/e2e/x.test.ts ...   these files only
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { bundle } from './bundle.ts';
import { runChecks } from './check.ts';
import { ROOT } from './setup/paths.mjs';
import { TestReport } from './test-report.ts';

/**
 * Files at a time. An end-to-end file has its own control plane, about 1 GiB, and waits for some of its time; so one more
 * than there are processors.
 */
const CORES = availableParallelism();
const AT_ONCE = { unit: CORES, e2e: Math.min(CORES + 1, 8) };
/** Those that take longest, the longest first: none of them may begin last. */
const LONGEST = [
  'crash',
  'upgrade',
  'migrating',
  'doctor',
  'chart-install',
  'faults-cluster',
  'front-door-own-cluster',
  'poller-scale',
  'shards',
  'certs',
  'stress',
].map((name) => `test/e2e/${name}.test.ts`);
/** Milliseconds after which a file that hangs is ended and counts as failed. */
const FILE_TIMEOUT = { unit: 120_000, e2e: 1_500_000 };

type Stage = 'check' | 'unit' | 'e2e';
const STAGES: readonly Stage[] = ['check', 'unit', 'e2e'];

// Half of what a process of ours needs to start is compiling; the tests start some hundreds of them.
process.env['NODE_COMPILE_CACHE'] ??= join(ROOT, '.cache/node');

const isEndToEnd = (file: string): boolean => file.startsWith('test/e2e/');

const rank = (file: string): number => (LONGEST.indexOf(file) + LONGEST.length + 1) % (LONGEST.length + 1);

function testFiles(stage: 'unit' | 'e2e'): string[] {
  const files = globSync('**/*.test.ts', {
    cwd: ROOT,
    exclude: (name) => ['node_modules', '.git', '.dev', '.cache'].includes(name),
  });
  return files
    .filter((file) => isEndToEnd(file) === (stage === 'e2e'))
    .toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The end-to-end tests run the programs as they are shipped, which also start in half the time. */
async function bundlePrograms(): Promise<void> {
  const directory = join(ROOT, '.cache/programs');
  await bundle(directory);
  process.env['ESA_PROGRAMS'] = directory;
}

async function runFile(report: TestReport, file: string, timeout: number): Promise<void> {
  const began = performance.now();
  // One run a file, because only a run can be aborted: a test that hangs ends with its whole process.
  for await (const event of run({ files: [file], cwd: ROOT, signal: AbortSignal.timeout(timeout) })) {
    report.handle(event, file);
  }
  report.finishFile(file, performance.now() - began);
}

async function runFiles(report: TestReport, stage: 'unit' | 'e2e', files: readonly string[]): Promise<void> {
  if (stage === 'e2e' && files.length > 0) await bundlePrograms();
  const queue = [...files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      await runFile(report, file, FILE_TIMEOUT[stage]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE[stage] }, worker));
}

async function runStage(report: TestReport, stage: Stage): Promise<void> {
  const began = performance.now();
  console.log(`\n== ${stage}`);
  if (stage === 'check') {
    for (const { name, passed } of await runChecks()) report.count(name, passed);
  } else {
    await runFiles(report, stage, testFiles(stage));
  }
  console.log(`   ${stage} took ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

const args = process.argv.slice(2);
const report = new TestReport((text) => process.stdout.write(text));
if (args.every((arg): arg is Stage => (STAGES as readonly string[]).includes(arg))) {
  const wanted = args.length === 0 ? STAGES : STAGES.filter((stage) => args.includes(stage));
  for (const stage of wanted) await runStage(report, stage);
} else {
  for (const stage of ['unit', 'e2e'] as const) {
    await runFiles(
      report,
      stage,
      args.filter((file) => isEndToEnd(file) === (stage === 'e2e')),
    );
  }
}
// A run that tested nothing has proved nothing.
if (report.passed + report.failed === 0) report.count('no test ran', false);
report.finish();
process.exitCode = report.failed === 0 ? 0 : 1;
