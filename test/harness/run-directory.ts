/**
 * The folder of one process that uses the harness: logs, keys and data of its children, and a record of
 * each child. It goes when the process ends. If the process is killed, the next one that starts ends the
 * recorded children and removes the folder; only a process that is provably the recorded one is touched.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { readRunningPid, writeIdentity } from './process-identity.ts';

const BASE = join(tmpdir(), `external-secrets-admission-${userInfo().username}`);
const OWNER = 'owner.json';
const CHILDREN = 'children';

/** Ends what a dead run left behind and removes its folder. */
function clearStaleRun(directory: string): void {
  for (const name of readdirSync(join(directory, CHILDREN))) {
    const pid = readRunningPid(join(directory, CHILDREN, name));
    if (typeof pid === 'number') process.kill(pid, 'SIGKILL');
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function clearStaleRuns(): void {
  for (const name of readdirSync(BASE)) {
    const directory = join(BASE, name);
    // Without an owner's record it is a folder that another process is making right now.
    if (readRunningPid(join(directory, OWNER)) !== 'ended') continue;
    try {
      clearStaleRun(directory);
    } catch {
      // Two starts at once clear the same folder; whoever comes second finds parts of it gone.
    }
  }
}

let current: string | undefined;

/** The folder of this process, made (and what crashes left cleaned up) at the first call. */
export function runDirectory(): string {
  if (current !== undefined) return current;
  mkdirSync(BASE, { recursive: true, mode: 0o700 });
  clearStaleRuns();
  current = mkdtempSync(join(BASE, 'run-'));
  mkdirSync(join(current, CHILDREN));
  writeIdentity(join(current, OWNER), process.pid);
  return current;
}

/** A new empty folder inside the run directory. */
export function temporaryDirectory(name: string): string {
  return mkdtempSync(join(runDirectory(), `${name}-`));
}

export function recordChild(pid: number): void {
  writeIdentity(join(runDirectory(), CHILDREN, String(pid)), pid);
}

export function forgetChild(pid: number): void {
  if (current !== undefined) rmSync(join(current, CHILDREN, String(pid)), { force: true });
}

/** Removes the folder; with KEEP_RUN=1 in the environment it stays for a look at the logs. */
export function removeRunDirectory(): void {
  if (current === undefined) return;
  if (process.env['KEEP_RUN'] === '1') {
    rmSync(join(current, OWNER), { force: true });
    process.stderr.write(`kept: ${current}\n`);
  } else {
    rmSync(current, { recursive: true, force: true, maxRetries: 5 });
  }
  current = undefined;
}
