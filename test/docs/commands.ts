/** Runs the commands of a page, in a folder where the checkout and the files of the page are found. */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type CommandResult, runCommand } from '../harness/command.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import type { Page } from './blocks.ts';

const HIDDEN = new Set(['.git', '.cache', '.dev', '.npmrc']);

/** A folder with the files of the page and links to the rest of the checkout. */
export function pageDirectory(page: Page): string {
  const directory = temporaryDirectory('page');
  for (const name of readdirSync(ROOT))
    if (!HIDDEN.has(name) && !page.files.has(name)) symlinkSync(join(ROOT, name), join(directory, name));
  for (const [name, text] of page.files) writeFileSync(join(directory, name), text);
  return directory;
}

/** A folder of programs by the names that users know; each is a line of shell that ends in the program's path. */
export function programDirectory(programs: Readonly<Record<string, string>>): string {
  const directory = join(temporaryDirectory('programs'), 'bin');
  mkdirSync(directory);
  const all = { esa: `${process.execPath} ${join(ROOT, 'cli/main.mjs')}`, ...programs };
  for (const [name, command] of Object.entries(all))
    writeFileSync(join(directory, name), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  return directory;
}

export interface Place {
  readonly directory: string;
  /** Of programDirectory(). */
  readonly programs: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** One script, as a shell of the user would run it; what it prints comes in one piece, as on a terminal. */
export async function runScript(script: string, place: Place): Promise<CommandResult> {
  const path = [place.programs, join(ROOT, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter);
  return runCommand('bash', ['--norc', '-euo', 'pipefail', '-c', `exec 2>&1\n${script}`], {
    cwd: place.directory,
    env: { HOME: place.directory, ...place.env, PATH: path },
    timeout: 120_000,
  });
}
