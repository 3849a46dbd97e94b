import { writeSync } from 'node:fs';
import pino from 'pino';
import { EsaError } from '../api/errors.ts';

/** The structured logger of all programs: one JSON line an action, never a value of a secret. */
export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: Record<string, unknown>): Log;
};

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * What of an error may be logged. Errors of libraries carry requests, headers and bodies with them, so only
 * ours, whose messages are made for reading, are printed with their message; of others the class, the
 * system code, and of a defect the stack frames (file and line, no message).
 */
export function describeError(thrown: unknown): Record<string, unknown> {
  if (thrown instanceof EsaError) {
    return {
      code: thrown.code,
      message: thrown.message,
      ...(thrown.code === 'INTERNAL' && thrown.cause !== undefined
        ? { cause: describeError(thrown.cause) }
        : {}),
    };
  }
  if (!(thrown instanceof Error)) return { type: typeof thrown };
  const code = (thrown as { code?: unknown }).code;
  const frames = thrown.stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 6)
    .map((line) => line.trim());
  return { type: thrown.name, ...(typeof code === 'string' ? { code } : {}), ...(frames ? { frames } : {}) };
}

/** How often a write to a pipe that is full is tried again, and the pause between two tries. */
const FULL_PIPE_TRIES = 50;
const FULL_PIPE_PAUSE_MS = 10;

/**
 * Writes lines to a file descriptor at once, so that none is lost when the process is killed. A line that cannot be
 * written (no space left on the device, nobody reads the pipe any more) is given up: a program does not end, and
 * stops nothing, because its log cannot be kept. The number of lost lines is told by the next one that gets through.
 */
export function lineWriter(
  fd: number,
  write: (fd: number, bytes: Uint8Array) => number = writeSync,
): { write(line: string): void } {
  let lost = 0;
  const writeAll = (line: string): void => {
    let rest: Uint8Array = Buffer.from(line);
    let tries = 0;
    while (rest.byteLength > 0) {
      try {
        rest = rest.subarray(write(fd, rest));
      } catch (error) {
        tries += 1;
        // Whoever did not read it the last time is not waited for again.
        const patience = lost > 0 ? 0 : FULL_PIPE_TRIES;
        if ((error as { code?: unknown }).code !== 'EAGAIN' || tries > patience) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS);
      }
    }
  };
  return {
    write: (line) => {
      try {
        if (lost > 0) {
          const told = {
            level: 'warn',
            time: new Date().toISOString(),
            lost,
            message: 'lines of the log were lost',
          };
          // The line before may have been cut off in its middle.
          writeAll(`\n${JSON.stringify(told)}\n`);
          lost = 0;
        }
        writeAll(line);
      } catch {
        lost += 1;
      }
    },
  };
}

/** Lines go to stdout. */
export function createLog(program: string, level: LogLevel): Log {
  return pino(
    {
      level,
      base: { program },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    lineWriter(1),
  );
}
