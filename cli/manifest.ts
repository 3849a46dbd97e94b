/** Kubernetes objects from the text of a file, read as Kubernetes reads YAML, and where in it their fields stand. */
import { isMap, isNode, isPair, LineCounter, type Node, parseAllDocuments } from 'yaml';
import type { FieldPath } from '../api/problem.ts';
import { GoError } from '../template/function.ts';
import { readYaml, YamlMap, type YamlValue } from '../template/go-yaml.ts';
import { toUtf8 } from '../template/value.ts';

/** A line of a file, 1-based. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface ManifestObject {
  readonly object: Readonly<Record<string, unknown>>;
  /** Where the field stands; of a field that does not stand there, where the nearest one above it does. */
  place(path: FieldPath): Place;
}

/** What is wrong with the text itself. */
export interface ManifestFault {
  readonly place: Place;
  readonly message: string;
}

export interface Manifest {
  readonly objects: readonly ManifestObject[];
  readonly faults: readonly ManifestFault[];
}

/**
 * Every object of a file: documents of YAML or JSON, the items of a List each by itself, empty documents left out.
 * @param file name, for places
 */
export function readManifest(file: string, text: string): Manifest {
  const lines = new LineCounter();
  const objects: ManifestObject[] = [];
  const faults: ManifestFault[] = [];
  // The library says where things stand; what they mean is YAML 1.1 as Go reads it.
  const documents = parseAllDocuments(text, {
    version: '1.1',
    schema: 'failsafe',
    uniqueKeys: false,
    resolveKnownTags: false,
    logLevel: 'silent',
    lineCounter: lines,
  });
  for (const { contents, errors, range } of Array.isArray(documents) ? documents : []) {
    const at = (offset: number): Place => ({ file, line: lines.linePos(offset).line });
    const [start, , end] = range;
    const place = (path: FieldPath): Place => at(offsetOf(contents, path) ?? contents?.range?.[0] ?? start);
    const [error] = errors;
    if (error !== undefined) {
      faults.push({ place: at(error.pos[0]), message: `no YAML: ${error.message.split('\n')[0]}` });
      continue;
    }
    let object: unknown;
    try {
      object = plain(readYaml(Buffer.from(text.slice(start, end)).toString('latin1')));
    } catch (thrown) {
      if (!(thrown instanceof GoError)) throw thrown;
      faults.push({ place: place([]), message: thrown.message });
      continue;
    }
    if (object === null) continue;
    if (!isRecord(object)) {
      faults.push({ place: place([]), message: 'no Kubernetes object: it has to be a mapping of fields' });
    } else if (object['kind'] === 'List' && Array.isArray(object['items'])) {
      for (const [index, item] of object['items'].entries()) {
        const inItem = (path: FieldPath): Place => place(['items', index, ...path]);
        if (isRecord(item)) objects.push({ object: item, place: inItem });
        else
          faults.push({
            place: inItem([]),
            message: 'no Kubernetes object: it has to be a mapping of fields',
          });
      }
    } else {
      objects.push({ object, place });
    }
  }
  return { objects, faults };
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As JSON.parse would give it. */
function plain(value: YamlValue): unknown {
  if (typeof value === 'string') return toUtf8(value);
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof YamlMap)) return value;
  return Object.fromEntries([...value.entries].map(([key, member]) => [toUtf8(key), plain(member)]));
}

/** Where the deepest part of the path that is there stands: a field where its name is. */
function offsetOf(root: Node | null, path: FieldPath): number | undefined {
  let node: unknown = root;
  let offset = root?.range?.[0];
  for (const part of path) {
    if (!isNode(node) || !('items' in node)) break;
    const items: readonly unknown[] = node.items;
    const item = isMap(node)
      ? items.find((pair) => isPair(pair) && keyOf(pair.key) === part)
      : items[Number(part)];
    if (item === undefined) break;
    const named: unknown = isPair(item) ? item.key : item;
    offset = (isNode(named) ? named.range?.[0] : undefined) ?? offset;
    node = isPair(item) ? item.value : item;
  }
  return offset;
}

const keyOf = (key: unknown): unknown => (isNode(key) && 'value' in key ? key.value : key);
