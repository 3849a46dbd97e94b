/** Files, directories and standard input, as commands take them that look at many manifests. */
import { isUtf8 } from 'node:buffer';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Terminal, UsageError } from './terminal.ts';

export interface Input {
  /** As the user would write it; `<stdin>` for standard input. */
  readonly name: string;
  readonly text: string;
  /** Found in a directory, so that it may be anything. */
  readonly found: boolean;
}

export const PATHS_HELP = 'files, directories (all *.yaml, *.yml and *.json in them), - for standard input';

/** For commander: an option that names paths and may be given again. */
export const collectPath = (path: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  path,
];

const MANIFEST = /\.(?:ya?ml|json)$/i;
/** Dependencies and the state of tools: nobody's manifests. */
const isSkipped = (name: string): boolean => name.startsWith('.') || name === 'node_modules';

/**
 * Every file once, those of a directory in alphabetical order.
 * @throws UsageError naming the path that cannot be read
 */
export async function readInputs(paths: readonly string[], terminal: Terminal): Promise<readonly Input[]> {
  const inputs: Input[] = [];
  const seen = new Set<string>();
  const add = async (path: string, found: boolean): Promise<void> => {
    const key = path === '-' ? path : resolve(path);
    if (seen.has(key)) return;
    seen.add(key);
    const bytes = path === '-' ? await terminal.readInput() : await readFile(path);
    const name = path === '-' ? '<stdin>' : path;
    if (isUtf8(bytes)) inputs.push({ name, text: Buffer.from(bytes).toString(), found });
    else if (!found) throw new UsageError(`${name} is no text (UTF-8)`);
  };
  for (const path of paths) {
    try {
      if (path === '-' || !(await stat(path)).isDirectory()) await add(path, false);
      else for (const file of await filesIn(path)) await add(file, true);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'error';
      throw new UsageError(`cannot read ${path === '-' ? 'standard input' : path} (${why})`);
    }
  }
  return inputs;
}

async function filesIn(directory: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of (await readdir(directory, { withFileTypes: true })).toSorted(byName)) {
    if (isSkipped(entry.name)) continue;
    const path = join(directory, entry.name);
    // A link to a directory may lead back here; one to a file is a file.
    if (entry.isDirectory()) files.push(...(await filesIn(path)));
    else if (MANIFEST.test(entry.name) && (entry.isFile() || (await isLinkToFile(path)))) files.push(path);
  }
  return files;
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

const isLinkToFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
