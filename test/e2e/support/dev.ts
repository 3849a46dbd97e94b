/** `make dev` and `make demo` as a user starts them. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '../../harness/eventually.ts';

interface DevOptions {
  readonly args?: readonly string[];
  /** The checkout. */
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Dev {
  readonly child: ChildProcess;
  /** Path of its file of exports. */
  readonly envFile: string;
  /** All that it printed so far. */
  output(): string;
  /** Runs a script in a shell that has sourced that file. */
  shell(script: string): Promise<{ code: number; stdout: string; stderr: string }>;
}

/** `make dev` with these flags, up and ready. */
export async function startDev({ args = [], cwd = '.', env = process.env }: DevOptions = {}): Promise<Dev> {
  const child = spawn(process.execPath, ['tools/dev.ts', ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const envFile = await eventually(() => /^ {2}\. (\S+env)/m.exec(output)?.[1], {
    timeout: 120_000,
    what: '`make dev`',
  });
  const shell: Dev['shell'] = (script) =>
    new Promise((resolve) => {
      execFile('bash', ['-c', `. ${envFile}\n${script}`], { cwd }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout: stdout.trim(), stderr }),
      );
    });
  return { child, envFile, output: () => output, shell };
}

/** Runs a script of tools/ to its end. */
export async function runScript(
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

/** `make demo ONCE=1` with more flags. */
export const runDemo = (
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<{ code: number; output: string }> => runScript(['tools/demo.ts', '--once', ...args], env);
