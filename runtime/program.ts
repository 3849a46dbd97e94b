/**
 * What every program does the same way: read its flags, scrub its environment, stop on signals, and turn an
 * error at start into one line and an exit code.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { formatGoDuration, parseGoDuration } from '../api/duration.ts';
import { EsaError, toEsaError } from '../api/errors.ts';
import { describeError, LOG_LEVELS, type Log, type LogLevel } from './log.ts';

const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** One flag: its help text and default; flags without a default are optional. */
export interface Flag {
  readonly help: string;
  readonly default?: string;
  /** A switch takes no value. */
  readonly switch?: true;
}

export type FlagValues<F extends Record<string, Flag>> = {
  readonly [K in keyof F]: F[K] extends { switch: true }
    ? boolean
    : F[K] extends { default: string }
      ? string
      : string | undefined;
};

/**
 * Reads `--name value` flags. `--help` prints all of them and ends the process.
 * @throws EsaError CONFIGURATION for an unknown flag or a missing value
 */
export function readFlags<const F extends Record<string, Flag>>(
  program: string,
  flags: F,
  args: readonly string[],
): FlagValues<F> {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      { type: flag.switch ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { ...options, help: { type: 'boolean' } },
      strict: true,
    }));
  } catch (error) {
    throw new EsaError(
      'CONFIGURATION',
      `${error instanceof Error ? error.message : 'bad flags'} (see ${program} --help)`,
    );
  }
  if (values['help'] === true) {
    const lines = Object.entries(flags).map(
      ([name, flag]) =>
        `  --${name}${flag.switch ? '' : ' VALUE'}\n        ${flag.help}${flag.default === undefined ? '' : ` (default ${flag.default})`}`,
    );
    process.stdout.write(`Usage: ${program} [flags]\n\n${lines.join('\n')}\n`);
    process.exit(0);
  }
  return Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [name, values[name] ?? (flag.switch ? false : flag.default)]),
  ) as FlagValues<F>;
}

/** @throws EsaError CONFIGURATION unless `text` is an integer within the bounds */
export function integerFlag(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new EsaError('CONFIGURATION', `--${name}: "${text}" is not an integer from ${min} to ${max}`);
  return value;
}

/** @returns milliseconds @throws EsaError CONFIGURATION unless `text` is a duration within the bounds (milliseconds) */
export function durationFlag(name: string, text: string, min: number, max: number): number {
  const ms = parseGoDuration(text);
  if (ms === undefined || ms < min || ms > max) {
    throw new EsaError(
      'CONFIGURATION',
      `--${name}: "${text}" is not a duration from ${formatGoDuration(min)} to ${formatGoDuration(max)}`,
    );
  }
  return ms;
}

/** @throws EsaError CONFIGURATION unless `text` is one of the levels */
export function logLevelFlag(text: string): LogLevel {
  const level = LOG_LEVELS.find((candidate) => candidate === text);
  if (level === undefined)
    throw new EsaError('CONFIGURATION', `--log-level: "${text}" is not one of ${LOG_LEVELS.join(', ')}`);
  return level;
}

/** @throws EsaError CONFIGURATION unless `text` is one of the words */
export function wordFlag<const W extends string>(name: string, text: string, words: readonly W[]): W {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined)
    throw new EsaError('CONFIGURATION', `--${name}: "${text}" is not one of ${words.join(', ')}`);
  return word;
}

/** The namespace the program runs in: the flag, else the one of its Pod. @throws EsaError CONFIGURATION */
export function ownNamespace(flag: string | undefined): string {
  if (flag !== undefined && flag !== '') return flag;
  if (existsSync(NAMESPACE_FILE)) return readFileSync(NAMESPACE_FILE, 'utf8').trim();
  throw new EsaError('CONFIGURATION', '--namespace is needed outside of a cluster');
}

/**
 * Loading a program leaves some 15 MiB of garbage in pages that V8 keeps until a full collection, which a program that
 * has little to do may never see. Here, before anybody waits, it costs some tens of milliseconds.
 */
function dropLoadingGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect === 'function') collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/**
 * Runs a program until it ends by itself or a signal arrives. `main` gets a signal that aborts on SIGTERM
 * and SIGINT and resolves when everything is closed; a second signal ends the process at once.
 */
export async function runProgram(
  log: () => Log | undefined,
  main: (stop: AbortSignal) => Promise<void>,
): Promise<void> {
  // Where objects begin, V8 would go on doubling its young generation to 128 MB for what is garbage a moment later, and
  // promote what lives a little longer. The size that Node was started with (node-flags.ts) is enough.
  setFlagsFromString('--semi-space-growth-factor=1');
  dropLoadingGarbage();
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(1);
      log()?.info({ signal: name }, 'stopping');
      controller.abort();
    });
  }
  // A rejection nobody waited for is a defect; the process goes on, since what it serves is independent of it.
  process.on('unhandledRejection', (reason) =>
    log()?.error({ err: describeError(reason) }, 'unhandled rejection'),
  );
  try {
    await main(controller.signal);
    process.exitCode = 0;
  } catch (thrown) {
    const error = toEsaError(thrown);
    const logger = log();
    if (logger) logger.error({ err: error }, 'cannot run');
    else process.stderr.write(`${error.code}: ${error.message}\n`);
    process.exitCode = 1;
  }
  // Whatever library still holds a socket or a timer must not keep a stopped program alive.
  setTimeout(() => process.exit(), 250).unref();
}
