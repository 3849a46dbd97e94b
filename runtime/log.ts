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

/** Writes synchronously to stdout, so that no line is lost when the process is killed. */
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
    pino.destination({ dest: 1, sync: true }),
  );
}
