/** Kubernetes objects from the text of a file, read as Kubernetes reads YAML, and where in it their fields stand. */
import { type Document, isMap, isNode, isPair, LineCounter, type Node, parseAllDocuments } from 'yaml';
import { isJsonObject } from '../api/json.ts';
import type { FieldPath } from '../api/problem.ts';
import { GoError } from '../template/function.ts';
import { checkCharacters, decodeYaml, YAML_SYNTAX, YamlMap, type YamlValue } from '../template/go-yaml.ts';
import { toUtf8 } from '../template/value.ts';

/** A character of a file, 1-based. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ManifestObject {
  readonly object: Readonly<Record<string, unknown>>;
  /** Where the field stands; of a field that does not stand there, where the nearest one above it does. */
  place(path: FieldPath): Place;
  /** Fields that stand there once more, each where it does so; the last of them counts. */
  repeated(): readonly { readonly path: FieldPath; readonly place: Place }[];
}

/** An object with what who changes its text needs: the document that it stands in, and where in it. */
export interface WrittenObject extends ManifestObject {
  readonly document: Document;
  readonly within: FieldPath;
}

/** What is wrong with the text itself. */
export interface ManifestFault {
  readonly place: Place;
  readonly message: string;
  /** The document that it is about. */
  readonly text: string;
}

export interface Manifest {
  readonly objects: readonly WrittenObject[];
  readonly faults: readonly ManifestFault[];
  /** Of the whole file, in order. */
  readonly documents: readonly Document[];
}

const NO_OBJECT = 'no Kubernetes object: it has to be a mapping of fields';
const TOO_DEEP = 'no YAML: it nests too deeply';
const HELM =
  'this is a template of a Helm chart, which is no YAML before it is rendered; use what `helm template` prints';
const UNQUOTED = 'a value that begins with "{{" has to be put in quotes';

/**
 * Every object of a file: documents of YAML or JSON, the items of a List each by itself, empty documents left out.
 * @param file name, for places
 */
export function readManifest(file: string, text: string): Manifest {
  const lines = new LineCounter();
  const objects: WrittenObject[] = [];
  const faults: ManifestFault[] = [];
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  let documents: ReturnType<typeof parse>;
  try {
    documents = parse(text, lines);
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    return { objects, faults: [{ place: at(0), message: TOO_DEEP, text }], documents: [] };
  }
  for (const document of Array.isArray(documents) ? documents : []) {
    const { contents, errors, range } = document;
    const [start, , end] = range;
    const source = text.slice(start, end);
    const fault = (place: Place, message: string): void => {
      faults.push({ place, message, text: source });
    };
    const place = (path: FieldPath): Place => at(offsetOf(contents, path) ?? contents?.range?.[0] ?? start);
    const [error] = errors;
    if (error !== undefined) {
      fault(at(error.pos[0]), HELM_WORDS.test(source) ? HELM : `no YAML: ${error.message.split('\n')[0]}`);
      continue;
    }
    let object: unknown;
    try {
      checkCharacters(source);
      object = plain(decodeYaml(document, text));
    } catch (thrown) {
      if (thrown instanceof RangeError) {
        fault(place([]), TOO_DEEP);
        continue;
      }
      if (!(thrown instanceof GoError)) throw thrown;
      const braces = UNQUOTED_BRACES.exec(source);
      if (braces === null) fault(place([]), thrown.message);
      else fault(at(start + braces.index + braces[0].length - 2), HELM_WORDS.test(source) ? HELM : UNQUOTED);
      continue;
    }
    if (object === null) continue;
    const add = (one: unknown, within: FieldPath): void => {
      if (!isJsonObject(one)) {
        fault(place(within), NO_OBJECT);
        return;
      }
      objects.push({
        object: one,
        place: (path) => place([...within, ...path]),
        repeated: () =>
          repeatedFields(nodeAt(contents, within)).map(({ path, offset }) => ({ path, place: at(offset) })),
        document,
        within,
      });
    };
    if (isJsonObject(object) && object['kind'] === 'List' && Array.isArray(object['items'])) {
      for (const [index, item] of object['items'].entries()) add(item, ['items', index]);
    } else {
      add(object, []);
    }
  }
  return { objects, faults, documents: Array.isArray(documents) ? documents : [] };
}

/** The library says where things stand; what they mean is YAML 1.1 as Go reads it. */
const parse = (text: string, lineCounter: LineCounter) =>
  parseAllDocuments(text, { ...YAML_SYNTAX, lineCounter });

/** What only templates of charts say; templates of Secrets have braces, too. */
const HELM_WORDS =
  /\{\{[^\n}]*(?:\.(?:Values|Release|Chart|Capabilities|Files)\b|\b(?:include|define|tpl)\s+")/;
/** Braces where a value begins: a flow mapping, with a mapping as its key. */
const UNQUOTED_BRACES = /(?:^|[:-][ \t])[ \t]*\{\{/m;

/** As JSON.parse would give it. */
function plain(value: YamlValue): unknown {
  if (typeof value === 'string') return toUtf8(value);
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof YamlMap)) return value;
  return Object.fromEntries([...value.entries].map(([key, member]) => [toUtf8(key), plain(member)]));
}

/** A part of a path where it stands: its name, or the item of a list; undefined if it does not. */
function step(
  node: unknown,
  part: string | number,
): { readonly named: unknown; readonly value: unknown } | undefined {
  if (!isNode(node) || !('items' in node)) return undefined;
  const items: readonly unknown[] = node.items;
  if (!isMap(node)) {
    const item = items[Number(part)];
    return item === undefined ? undefined : { named: item, value: item };
  }
  // The last one counts.
  const pair = items.findLast((one) => isPair(one) && keyOf(one.key) === part);
  return isPair(pair) ? { named: pair.key, value: pair.value } : undefined;
}

/** Where the deepest part of the path that is there stands: a field where its name is. */
function offsetOf(root: Node | null, path: FieldPath): number | undefined {
  let node: unknown = root;
  let offset = root?.range?.[0];
  for (const part of path) {
    const found = step(node, part);
    if (found === undefined) break;
    offset = (isNode(found.named) ? found.named.range?.[0] : undefined) ?? offset;
    node = found.value;
  }
  return offset;
}

function nodeAt(root: Node | null, path: FieldPath): unknown {
  let node: unknown = root;
  for (const part of path) node = step(node, part)?.value;
  return node;
}

/** Only what is written out: what an alias stands for is looked at where its anchor is. */
function repeatedFields(
  node: unknown,
  path: FieldPath = [],
): readonly { readonly path: FieldPath; readonly offset: number }[] {
  if (!isNode(node) || !('items' in node)) return [];
  const items: readonly unknown[] = node.items;
  if (!isMap(node)) return items.flatMap((item, index) => repeatedFields(item, [...path, index]));
  const seen = new Set<string>();
  return items.flatMap((pair) => {
    const name = isPair(pair) ? keyOf(pair.key) : undefined;
    if (!isPair(pair) || typeof name !== 'string') return [];
    const member = [...path, name];
    const again = seen.has(name) && name !== '<<' && isNode(pair.key);
    seen.add(name);
    const offset = isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
    return [...(again ? [{ path: member, offset }] : []), ...repeatedFields(pair.value, member)];
  });
}

const keyOf = (key: unknown): unknown => (isNode(key) && 'value' in key ? key.value : key);
