import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** What tells a process from any other that ever had its pid: when it started, and since which boot. */
interface ProcessIdentity {
  readonly pid: number;
  readonly started: string;
}

let bootId: string | undefined;

/** Start time of a live process, comparable on one machine only; undefined if there is no such process. */
function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      return (
        execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
      );
    }
    bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may hold blanks; start time is field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `${bootId} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** Records a live process in a file; nothing if it is gone. `exclusive` fails if the file exists. */
export function writeIdentity(file: string, pid: number, { exclusive = false } = {}): void {
  const started = startTimeOf(pid);
  if (started === undefined) return;
  writeFileSync(file, JSON.stringify({ pid, started } satisfies ProcessIdentity), {
    flag: exclusive ? 'wx' : 'w',
  });
}

/**
 * The pid that a file records if exactly that process still runs, 'ended' if it does not, undefined if the
 * file is absent or not written to its end.
 */
export function readRunningPid(file: string): number | 'ended' | undefined {
  let identity: ProcessIdentity;
  try {
    identity = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
  return startTimeOf(identity.pid) === identity.started ? identity.pid : 'ended';
}
