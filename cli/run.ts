/** The commands of `esa` by name. */
import { Command, CommanderError } from 'commander';
import { EsaError } from '../api/errors.ts';
import packageJson from '../package.json' with { type: 'json' };
import { describeFailure } from './cluster/failure.ts';
import { NotThere } from './cluster/named.ts';
import { completeCommand, completionCommand } from './completion.ts';
import { convertCommand } from './convert.ts';
import { crdsCommand } from './crds.ts';
import { doctorCommand } from './doctor.ts';
import { explainCommand } from './explain.ts';
import { lintCommand } from './lint.ts';
import { policyCommand } from './policy-test.ts';
import { refreshCommand } from './refresh.ts';
import { renderCommand } from './render.ts';
import { EXIT, type ExitCode, type Terminal, UsageError } from './terminal.ts';
import { versionCommand } from './version.ts';
import { whoUsesCommand } from './who-uses.ts';

/**
 * Runs one command.
 * @param args without the names of the interpreter and of the program
 * @returns the exit code; everything else is written to the terminal
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = new Command('esa')
    .description('External secrets for Kubernetes, on the command line.')
    .version(packageJson.version)
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.error });
  const done = (result: ExitCode): void => {
    code = result;
  };
  for (const make of [
    completionCommand,
    convertCommand,
    crdsCommand,
    doctorCommand,
    explainCommand,
    lintCommand,
    policyCommand,
    refreshCommand,
    renderCommand,
    versionCommand,
    whoUsesCommand,
  ]) {
    const command = make(terminal, done).copyInheritedSettings(program);
    for (const part of command.commands) part.copyInheritedSettings(program);
    program.addCommand(command);
  }
  program.addCommand(completeCommand(program, terminal), { hidden: true });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // commander has written what is wrong, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof NotThere) {
      terminal.error(`error: ${error.message}\n`);
      return EXIT.wrong;
    }
    if (error instanceof EsaError) {
      const { message, remedy } = describeFailure(error);
      terminal.error(`error: ${message}\n  ${remedy}\n`);
      return EXIT.cluster;
    }
    if (!(error instanceof UsageError)) throw error;
    terminal.error(`error: ${error.message}\n`);
    return EXIT.usage;
  }
}
