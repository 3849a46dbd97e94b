/** Runs the commands of set-up: quiet when they are quick, telling what goes on when they are not. */
import { spawn } from 'node:child_process';

const QUIET_MS = 2000;
/** Without a terminal each report is a line of a log, so they come rarely. */
const REPORT_MS = process.stderr.isTTY ? 1000 : 30_000;
const OUTPUT_KEPT = 16_384;

export class SetupError extends Error {}

/** Something cannot be fetched here; dev and demo do without it where they can. */
export class UnavailableError extends SetupError {}

const seconds = (ms) => `${Math.round(ms / 1000)} s`;

/**
 * Shows `title` and the time once two seconds are over, until the returned function is called.
 * @param {string} title what is being done and how long it may take
 * @param {() => string} [detail] asked at each report, e.g. how far it is
 * @returns {() => void}
 */
export function showProgress(title, detail = () => '') {
  const began = Date.now();
  const tty = process.stderr.isTTY;
  const report = () => {
    const line = `  ${[title, detail(), seconds(Date.now() - began)].filter(Boolean).join(', ')}`;
    process.stderr.write(tty ? `\r\x1b[K${line.slice(0, (process.stderr.columns || 80) - 1)}` : `${line}\n`);
  };
  let repeat;
  const first = setTimeout(() => {
    report();
    repeat = setInterval(report, REPORT_MS);
  }, QUIET_MS);
  return () => {
    clearTimeout(first);
    if (repeat === undefined) return;
    clearInterval(repeat);
    if (tty) process.stderr.write('\r\x1b[K');
    process.stderr.write(`  ${title}: done in ${seconds(Date.now() - began)}\n`);
  };
}

/**
 * Runs a command to its end and returns what it wrote to stdout. Its output is shown only if it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {{title: string, cwd?: string, env?: Record<string, string>, onLine?: (line: string) => void,
 *   detail?: () => string, timeout?: number}} options `onLine` sees each line of stderr; `timeout` is in
 *   milliseconds, none by default
 * @throws {SetupError} with the end of the output
 */
export function run(command, args, { title, cwd, env, onLine, detail, timeout }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
    });
    const done = showProgress(title, detail);
    let out = '';
    let tail = '';
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
      tail = (tail + text).slice(-OUTPUT_KEPT);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      tail = (tail + text).slice(-OUTPUT_KEPT);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine?.(line);
    });
    const stopChild = () => child.kill('SIGTERM');
    process.once('exit', stopChild);
    child.once('error', (error) => {
      done();
      process.removeListener('exit', stopChild);
      reject(new SetupError(`${title}: cannot start ${command} (${error.code ?? error.message})`));
    });
    child.once('close', (code, signal) => {
      done();
      process.removeListener('exit', stopChild);
      if (code === 0) resolve(out);
      else {
        const late = child.killed ? `no answer within ${timeout / 1000} s` : tail.trimEnd();
        reject(new SetupError(`${title}: ${command} ended with ${code ?? signal}\n${late}`));
      }
    });
  });
}
