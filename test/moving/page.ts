/** The commands of docs/migrating.md, run as they stand there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { helmDirectory, ROOT } from '../../tools/setup/paths.mjs';
import { runCommand } from '../harness/command.ts';
import type { ControlPlane } from '../harness/control-plane.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';

const PAGE = join(ROOT, 'docs/migrating.md');

/** The `sh` blocks below this heading, up to the next one. @throws Error if there are none */
function commandsOf(heading: string): string {
  const lines = readFileSync(PAGE, 'utf8').split('\n');
  const begin = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  const length = lines.slice(begin + 1).findIndex((line) => /^#{2,} /.test(line));
  const section = lines.slice(begin + 1, length < 0 ? undefined : begin + 1 + length).join('\n');
  const blocks = [...section.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].map(([, block = '']) => block);
  if (begin < 0 || blocks.length === 0) throw new Error(`${PAGE} has no commands below "${heading}"`);
  return blocks.join('\n');
}

/** One shell for one reader: the same folder and the same names in all sections. */
export class Reader {
  readonly #cp: ControlPlane;
  readonly #names: Readonly<Record<string, string>>;
  readonly #directory = temporaryDirectory('reader');

  /**
   * @param names what the reader puts for the names of the page's first block
   * @param files the reader's own, by their name
   */
  constructor(
    cp: ControlPlane,
    names: Readonly<Record<string, string>>,
    files: Readonly<Record<string, object>>,
  ) {
    this.#cp = cp;
    this.#names = names;
    // JSON is YAML.
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(this.#directory, name), JSON.stringify(content));
  }

  /** Runs the commands below this heading. @returns what they print @throws Error where one fails */
  async follow(heading: string): Promise<string> {
    const path = [dirname(this.#cp.kubectlBinary), join(helmDirectory(), 'helm'), process.env['PATH'] ?? ''];
    const esa = `esa() { "${process.execPath}" "${join(ROOT, 'cli/main.mjs')}" "$@"; }`;
    const script = `set -euo pipefail\n${esa}\n${commandsOf(heading)}`;
    const { code, stdout, stderr } = await runCommand('bash', ['-c', script], {
      cwd: this.#directory,
      env: {
        ...this.#names,
        PATH: path.join(':'),
        KUBECONFIG: this.#cp.kubeconfig,
        HOME: this.#cp.directory,
      },
      timeout: 300_000,
    });
    if (code !== 0) throw new Error(`"${heading}" ended with ${code}:\n${stdout}${stderr}`);
    return stdout + stderr;
  }
}
