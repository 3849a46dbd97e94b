/** kubectl as users run it, and what it prints. */
import type { CommandResult } from '../../harness/command.ts';
import { runCommand } from '../../harness/command.ts';
import type { ControlPlane } from '../../harness/control-plane.ts';

/** Runs kubectl as the admin in a folder, so that file names in its messages are as short as users see them. */
export const kubectlIn = (
  cp: ControlPlane,
  directory: string,
  args: readonly string[],
): Promise<CommandResult> =>
  runCommand(cp.kubectlBinary, [`--kubeconfig=${cp.kubeconfig}`, ...args], {
    cwd: directory,
    env: { HOME: cp.directory },
  });

/** The warnings of the API server in what kubectl wrote to stderr. */
export const warningsIn = (stderr: string): string[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('Warning: '))
    .map((line) => line.slice('Warning: '.length));
