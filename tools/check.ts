/** `make check`: everything that can be said about the sources without running them. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { findMachineTraces } from './machine-traces.ts';
import { ROOT } from './setup/paths.mjs';

interface Check {
  readonly name: string;
  /** What to do when it fails. */
  readonly remedy: string;
  /** Returns what is wrong, empty if nothing is. */
  run(): Promise<string>;
}

export interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
}

const AT_ONCE = 2;

interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly output: string;
}

function runTool(command: string, args: readonly string[]): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, output }));
  });
}

const tool = (name: string, remedy: string, command: string, ...args: string[]): Check => ({
  name,
  remedy,
  run: async () => {
    const { code, output } = await runTool(command, args);
    return code === 0 ? '' : output || `${command} ended with ${code}`;
  },
});

/** Every file that git knows or would add; what is ignored is nobody's source. */
function sourceFiles(): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return listed.split('\0').filter((file) => file !== '');
}

interface CruiseResult {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
  };
}

/** With a parser that does not fit, the tool cruises nothing and is content; so every source is asked for. */
async function checkImports(): Promise<string> {
  const { stdout, output } = await runTool('depcruise', [
    '.',
    '--config',
    '.dependency-cruiser.mjs',
    '--output-type',
    'json',
  ]);
  if (!stdout.startsWith('{')) return output;
  const { modules, summary } = JSON.parse(stdout) as CruiseResult;
  const seen = new Set(modules.map(({ source }) => source));
  const unseen = sourceFiles().filter(
    (file) => /\.(ts|mjs)$/.test(file) && !file.endsWith('.d.mts') && !seen.has(file),
  );
  return [
    ...summary.violations.map(({ from, to, rule }) => `${from} -> ${to}: ${rule.name}`),
    ...unseen.map((file) => `${file}: not looked at`),
  ].join('\n');
}

function checkMachineTraces(): string {
  const found: string[] = [];
  for (const file of sourceFiles()) {
    let text: string;
    try {
      text = readFileSync(`${ROOT}/${file}`, 'utf8');
    } catch {
      // Deleted in the work tree and not yet in git.
      continue;
    }
    for (const { line, trace } of findMachineTraces(text)) found.push(`${file}:${line}: ${trace}`);
  }
  return found.join('\n');
}

const CHECKS: readonly Check[] = [
  tool(
    'format and lint',
    'biome check --write mends most of it',
    'biome',
    'check',
    '--error-on-warnings',
    '.',
  ),
  tool('type-aware lint', 'see the message of each', 'oxlint'),
  tool('types', 'see the message of each', 'tsc', '-p', '.'),
  tool('dead code', 'remove it, or use it', 'knip', '--no-config-hints', '--no-progress'),
  {
    name: 'import directions',
    remedy: 'see .dependency-cruiser.mjs: imports point downwards',
    run: checkImports,
  },
  tool('generated CRDs', 'make generate', process.execPath, 'deploy/generate.ts', '--check'),
  tool('generated docs', 'make generate', process.execPath, 'tools/generate-docs.ts', '--check'),
  tool('complete lockfile', 'node tools/lockfile.mjs', process.execPath, 'tools/lockfile.mjs', '--check'),
  {
    name: 'no trace of a machine',
    remedy: 'paths and hosts of one machine or registry do not belong in the sources',
    run: () => Promise.resolve(checkMachineTraces()),
  },
];

/** Runs all checks and prints a line for each, the complaints in full. */
export async function runChecks(): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  const queue = [...CHECKS];
  const worker = async (): Promise<void> => {
    for (let check = queue.shift(); check !== undefined; check = queue.shift()) {
      const began = performance.now();
      const complaint = (await check.run()).trimEnd();
      const time = `(${((performance.now() - began) / 1000).toFixed(1)} s)`;
      const passed = complaint === '';
      console.log(
        passed
          ? `ok   check: ${check.name} ${time}`
          : `FAIL check: ${check.name} ${time}\n${complaint}\n  -> ${check.remedy}`,
      );
      results.push({ name: `check: ${check.name}`, passed });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

if (import.meta.main) {
  const results = await runChecks();
  process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
}
