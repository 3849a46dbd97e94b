/** Which files of the checkout a program is made of, and whether they changed. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Absolute path of each file -> hash of its content; an empty hash for one that is not there. */
export type SourceGraph = ReadonlyMap<string, string>;

/** Types are gone at run time, so `import type` loads nothing. */
const LOADS = [
  /^\s*(?:import|export)\s(?!type\b)[^;'"]*?from\s*['"](\.[^'"]+)['"]/gm,
  /^\s*import\s*['"](\.[^'"]+)['"]/gm,
  /\bimport\(\s*['"](\.[^'"]+)['"]/g,
  /\bnew URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url/g,
];

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** The file itself and all that it loads from the checkout, directly or not; packages are not followed. */
export function readSourceGraph(entry: string): SourceGraph {
  const graph = new Map<string, string>();
  const queue = [resolve(entry)];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (graph.has(file)) continue;
    const text = readOrNothing(file);
    graph.set(file, text === undefined ? '' : createHash('sha256').update(text).digest('hex'));
    for (const pattern of LOADS) {
      for (const [, specifier = ''] of (text ?? '').matchAll(pattern)) {
        queue.push(resolve(dirname(file), specifier));
      }
    }
  }
  return graph;
}

/** Files that are new, gone, or different, sorted. */
export function changedFiles(before: SourceGraph, after: SourceGraph): readonly string[] {
  const all = new Set([...before.keys(), ...after.keys()]);
  return [...all].filter((file) => before.get(file) !== after.get(file)).toSorted();
}
