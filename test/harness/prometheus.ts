/** A real Prometheus that scrapes what a test runs, and promtool. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { PROMETHEUS_PROGRAMS, prometheusProgram } from '../../tools/setup/paths.mjs';
import { type CommandResult, runCommand } from './command.ts';
import { httpRequest } from './http.ts';
import { freePort } from './ports.ts';
import { startProcess } from './process.ts';
import { temporaryDirectory } from './run-directory.ts';

/** Options of a test that needs Prometheus or promtool; where there is none it is skipped, and counted so. */
export const needsPrometheus = (): { readonly skip: false | string } => {
  const missing = PROMETHEUS_PROGRAMS.filter((name) => prometheusProgram(name) === undefined);
  return {
    skip:
      missing.length === 0
        ? false
        : `no ${missing.join(' and ')} here; set PROMETHEUS_BIN to a folder that has them`,
  };
};

/** Runs promtool to its end. @throws Error where there is none */
export function promtool(
  args: readonly string[],
  options?: Parameters<typeof runCommand>[2],
): Promise<CommandResult> {
  const binary = prometheusProgram('promtool');
  if (binary === undefined) throw new Error('ask needsPrometheus() before promtool');
  return runCommand(binary, args, options);
}

/** One job of Prometheus' configuration, as `scrape_configs` wants it. */
export type ScrapeJob = Readonly<Record<string, unknown>> & { readonly job_name: string };

/** A series of an answer: its labels, and its value as Prometheus prints it. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

export interface Prometheus {
  readonly address: string;
  /** What an expression is now. @throws Error with Prometheus' words if it cannot be evaluated */
  query(expression: string): Promise<readonly Series[]>;
  /** An answer of its API. @throws Error unless it succeeded */
  get<T>(path: string): Promise<T>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Answer<T> {
  readonly status: string;
  readonly error?: string;
  readonly data: T;
}

/**
 * Starts one on a free port of 127.0.0.1 that looks once a second.
 * @param ruleFile absolute path of alert rules
 */
export async function startPrometheus(jobs: readonly ScrapeJob[], ruleFile: string): Promise<Prometheus> {
  const directory = temporaryDirectory('prometheus');
  const file = join(directory, 'prometheus.yaml');
  const everySecond = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
  writeFileSync(
    file,
    stringify({ global: everySecond, rule_files: [ruleFile], scrape_configs: jobs }),
    // Tokens may stand in it.
    { mode: 0o600 },
  );
  const address = `http://127.0.0.1:${await freePort()}`;
  const running = await startProcess({
    name: 'prometheus',
    command: prometheusProgram('prometheus') ?? 'prometheus',
    directory,
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${address.replace('http://', '')}`,
    ],
    ready: async () => (await httpRequest('GET', `${address}/-/ready`)).status === 200,
  });
  const get = async <T>(path: string): Promise<T> => {
    const { status, body } = await httpRequest<Answer<T>>('GET', `${address}/api/v1/${path}`);
    if (status !== 200 || body.status !== 'success')
      throw new Error(`Prometheus refused ${decodeURIComponent(path)}: ${body.error ?? status}`);
    return body.data;
  };
  return {
    address,
    get,
    query: async (expression) =>
      (await get<{ result: Series[] }>(`query?query=${encodeURIComponent(expression)}`)).result,
    [Symbol.asyncDispose]: async () => {
      await running.stop({ graceMs: 3000 });
    },
  };
}
