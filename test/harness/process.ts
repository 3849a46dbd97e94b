/**
 * Child processes of tests, dev and demo: started with a clean environment, waited for until ready,
 * logged to a file, and never left behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { forgetChild, recordChild, removeRunDirectory, temporaryDirectory } from './run-directory.ts';

export interface ProcessSpec {
  /** For messages and folder names. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the few variables that every child gets. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Folder for the log; a new one by default. */
  readonly directory?: string;
  /** Asked every few milliseconds; anything but true means "not yet", a string or rejection says why. */
  readonly ready: () => Promise<boolean | string>;
  /** Milliseconds until readiness is given up; 30,000 by default. */
  readonly timeout?: number;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** Path of the file that holds stdout and stderr. */
  readonly log: string;
  /** Milliseconds from spawn to ready. */
  readonly readyMs: number;
  readonly exited: Promise<ProcessExit>;
  isRunning(): boolean;
  /** Resident memory, MiB. */
  rssMiB(): number;
  /** CPU time used so far, milliseconds. */
  cpuMs(): number;
  /** The last lines of the log. */
  logTail(lines?: number): string;
  /** Sends a signal and does not wait, but for SIGSTOP: when it returns, no thread of the process runs. */
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end, waits, and kills it after `graceMs` (10,000 by default). Idempotent. */
  stop(options?: { readonly signal?: NodeJS.Signals; readonly graceMs?: number }): Promise<ProcessExit>;
}

// A developer's own VAULT_ADDR, AWS_* or KUBECONFIG must never leak into a test, so children get an
// allow-listed environment.
const INHERITED = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_COMPILE_CACHE'];
/** Between two looks at whether it is ready: short while it should be, then sparing the processor. */
const POLL_MS = 40;
const SLOW_POLL_MS = 200;
const CLOCK_TICKS_PER_SECOND = 100;
/** Milliseconds, about. */
const STOP_TRIES = 2_000;

const running = new Map<ChildProcess, RunningProcess>();
const farewells: (() => Promise<void>)[] = [];
let guarded = false;

/** Adds work that a signal starts before the children are stopped, for what needs them. */
export function beforeStop(work: () => Promise<void>): void {
  farewells.push(work);
}

/** Does the work of beforeStop(), then stops every child that still runs, the youngest first. */
async function stopAll(): Promise<void> {
  for (const work of farewells) await work();
  for (const child of [...running.values()].toReversed()) await child.stop();
}

/** Registers once what must happen when this process ends, however it ends (but for SIGKILL). */
function guardExit(): void {
  if (guarded) return;
  guarded = true;
  process.once('exit', () => {
    for (const child of running.keys()) child.kill('SIGKILL');
    removeRunDirectory();
  });
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  for (const [signal, code] of Object.entries(signals)) {
    let again = false;
    process.on(signal, () => {
      // Whoever asks twice does not want to wait; `exit` kills what is left.
      if (again) process.exit(code);
      again = true;
      stopAll()
        .catch((error: unknown) => console.error(error))
        .finally(() => process.exit(code));
    });
  }
}

/** What every child gets of our own environment. */
export function inheritedEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function tailOf(log: string, lines: number): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

/** Linux only, like cpuTicks: the benches that ask for it run there. */
function residentKiB(pid: number): number {
  const match = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0);
}

function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

const isThreadStopped = (pid: number, thread: string): boolean => {
  const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
  return ['T', 't', 'Z'].includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3));
};

/** On a busy machine threads run on for a moment after SIGSTOP, and answer what should have met silence. */
function awaitStopped(pid: number): void {
  if (process.platform !== 'linux') return;
  for (let tries = 0; tries < STOP_TRIES; tries += 1) {
    try {
      if (readdirSync(`/proc/${pid}/task`).every((thread) => isThreadStopped(pid, thread))) return;
    } catch {
      // A thread has ended since it was listed.
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}

/**
 * Starts a program and returns when it is ready.
 * @throws Error with the end of its log if it ends or does not become ready in time
 */
export async function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  guardExit();
  const directory = spec.directory ?? temporaryDirectory(spec.name);
  const log = join(directory, `${spec.name}.log`);
  const began = performance.now();
  const output = openSync(log, 'a', 0o600);
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd ?? directory,
    env: { ...inheritedEnvironment(), HOME: directory, ...spec.env },
    stdio: ['ignore', output, output],
    // Its own group: Ctrl-C at a terminal then reaches only us, and we stop the children in order.
    detached: true,
  });
  closeSync(output);

  let ended: ProcessExit | undefined;
  let failure: string | undefined;
  const exited = new Promise<ProcessExit>((resolve) => {
    const end = (exit: ProcessExit): void => {
      ended = exit;
      running.delete(child);
      if (child.pid !== undefined) forgetChild(child.pid);
      resolve(exit);
    };
    child.once('error', (error) => {
      failure = error.message;
      end({ code: null, signal: null });
    });
    child.once('exit', (code, signal) => end({ code, signal }));
  });

  const pid = child.pid ?? 0;
  let readyMs = 0;
  const handle: RunningProcess = {
    name: spec.name,
    pid,
    log,
    get readyMs() {
      return readyMs;
    },
    exited,
    isRunning: () => ended === undefined,
    rssMiB: () => Math.round(residentKiB(pid) / 1024),
    cpuMs: () => (cpuTicks(pid) * 1000) / CLOCK_TICKS_PER_SECOND,
    logTail: (lines = 30) => tailOf(log, lines),
    signal: (signal) => {
      child.kill(signal);
      if (signal === 'SIGSTOP' && ended === undefined) awaitStopped(pid);
    },
    stop: async ({ signal = 'SIGTERM', graceMs = 10_000 } = {}) => {
      if (ended !== undefined) return ended;
      // A paused process would sit on the signal until it is resumed.
      child.kill('SIGCONT');
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
  };
  if (child.pid !== undefined) {
    running.set(child, handle);
    recordChild(child.pid);
  }

  const timeout = spec.timeout ?? 30_000;
  for (;;) {
    const answer = await spec
      .ready()
      .catch((error: unknown) => (error instanceof Error ? error.message : ''));
    if (answer === true) break;
    if (ended !== undefined) {
      const how = failure ?? `ended with ${ended.code ?? ended.signal} before it was ready`;
      throw new Error(`${spec.name}: ${how}\n${tailOf(log, 30)}`);
    }
    const waited = performance.now() - began;
    if (waited > timeout) {
      await handle.stop({ signal: 'SIGKILL' });
      throw new Error(`${spec.name}: not ready after ${timeout} ms (${answer || 'no'})\n${tailOf(log, 30)}`);
    }
    await sleep(waited < 5000 ? POLL_MS : SLOW_POLL_MS);
  }
  readyMs = Math.round(performance.now() - began);
  return handle;
}
