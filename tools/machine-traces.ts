/**
 * Finds what names the machine that a file was written on, or the host of a package registry: such a line
 * works for one person only. The names are put together here so that this file does not find itself.
 */

export interface MachineTrace {
  readonly line: number;
  readonly trace: string;
}

const REGISTRY_HOSTS = [
  ['registry', 'npmjs', 'org'],
  ['pypi', 'org'],
  ['files', 'pythonhosted', 'org'],
  ['proxy', 'golang', 'org'],
  ['sum', 'golang', 'org'],
  ['static', 'crates', 'io'],
  ['repo1', 'maven', 'org'],
  ['deb', 'debian', 'org'],
].map((parts) => parts.join('\\.'));

/** Folders under the root that belong to one person or one workplace. */
const PRIVATE_FOLDERS = ['work', 'root', String.raw`home/\w+`, String.raw`Users/\w+`];

// A path begins where no word, dot or slash stands before it; `/namespaces/work/` is none of these.
const TRACES = new RegExp(
  String.raw`\b(?:${REGISTRY_HOSTS.join('|')})\b|(?<![\w.\-/}])/(?:${PRIVATE_FOLDERS.join('|')})/[\w.-]+`,
  'g',
);

/** Lines count from 1. */
export function findMachineTraces(text: string): readonly MachineTrace[] {
  const found: MachineTrace[] = [];
  for (const match of text.matchAll(TRACES)) {
    found.push({ line: text.slice(0, match.index).split('\n').length, trace: match[0] });
  }
  return found;
}
