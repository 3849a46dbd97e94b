/** helm against a cluster. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { helmDirectory, ROOT } from '../../tools/setup/paths.mjs';
import type { Cluster } from './cluster.ts';
import { type CommandResult, runCommand } from './command.ts';
import { temporaryDirectory } from './run-directory.ts';

/** The chart of this checkout. */
export const CHART = join(ROOT, 'deploy/chart');

const BINARY = join(helmDirectory(), 'helm', 'helm');
/** Milliseconds. */
const TIMEOUT = 240_000;

let home: string | undefined;

/**
 * Runs helm to its end.
 * @param cluster undefined for what needs none, such as `template`
 * @throws Error where set-up has not fetched it
 */
export function helm(
  args: readonly string[],
  { cluster, values }: { readonly cluster?: Pick<Cluster, 'kubeconfig'>; readonly values?: object } = {},
): Promise<CommandResult> {
  if (!existsSync(BINARY)) throw new Error('helm is not there; run `node tools/setup.mjs helm`');
  home ??= temporaryDirectory('helm');
  return runCommand(
    BINARY,
    [
      ...args,
      ...(cluster === undefined ? [] : ['--kubeconfig', cluster.kubeconfig]),
      // JSON is YAML.
      ...(values === undefined ? [] : ['--values', '-']),
    ],
    {
      env: { HOME: home },
      timeout: TIMEOUT,
      ...(values === undefined ? {} : { stdin: JSON.stringify(values) }),
    },
  );
}

/** Like helm(), but returns stdout. @throws Error with stderr unless the exit code is 0 */
export async function helmOutput(
  args: readonly string[],
  options?: Parameters<typeof helm>[1],
): Promise<string> {
  const { code, stdout, stderr } = await helm(args, options);
  if (code !== 0) throw new Error(`helm ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}
