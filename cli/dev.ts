/** `esa dev`: the product from a checkout, which is what it takes: sources, a control plane, stand-ins for providers. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { EXIT, type ExitCode, UsageError } from './terminal.ts';

const HELP = `
The arguments are those of make dev: --watch, or --context NAME for a cluster of your own (docs/operating.md).
It runs from a checkout of the sources only.
`;

export function devCommand(_terminal: unknown, done: (code: ExitCode) => void): Command {
  return new Command('dev')
    .description('Run webhook and poller from this checkout, with all that they need, until Ctrl-C.')
    .argument('[args...]', 'as of make dev')
    .allowUnknownOption()
    .addHelpText('after', HELP)
    .action(async (args: readonly string[]) => done(await dev(args)));
}

async function dev(args: readonly string[]): Promise<ExitCode> {
  const program = join(import.meta.dirname, '..', 'tools', 'dev.ts');
  if (!existsSync(program))
    throw new UsageError(
      'this esa is not part of a checkout, and has no control plane and no programs to run; clone the sources and say: make dev',
    );
  const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both; the child ends in good order, and this one with it.
  process.on('SIGINT', () => {});
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return code === 0 ? EXIT.ok : EXIT.wrong;
}
