/**
 * YAML as go-yaml v2 and sigs.k8s.io/yaml read it, which is how Kubernetes does: YAML 1.1, the first document only,
 * later duplicates win, merge keys, everything by way of JSON. Syntax is the business of the library `yaml`; the
 * texts of its errors are not go-yaml's.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  Scalar,
  visit,
  type YAMLMap,
} from 'yaml';
import { formatFloat } from './float.ts';
import { GoError } from './function.ts';
import { decodeBase64 } from './functions/base64.ts';
import { resolvePlain, type ScalarValue } from './go-yaml-resolve.ts';
import { quote } from './quote.ts';
import { fromRunes, runes, validUtf8 } from './utf8.ts';
import { fromUtf8, toUtf8 } from './value.ts';

/** A decoded document. Strings are Go strings; the keys of a map are those of its JSON. */
export type YamlValue = ScalarValue | YamlValue[] | YamlMap;
export class YamlMap {
  readonly entries = new Map<string, YamlValue>();
}

/** Called with a number of elementary steps before they are taken; throws when there have been too many. */
export type Spend = (steps: number) => void;

const free: Spend = () => undefined;

const CONVERTING = 'error converting YAML to JSON: ';
const UNMARSHALING = 'error unmarshaling JSON: while decoding JSON: json: ';

const yamlError = (message: string, goText: string = message): GoError =>
  new GoError(`${CONVERTING}yaml: ${message}`, `${CONVERTING}yaml: ${goText}`);

/** The library takes one to two microseconds a character. */
const STEPS_A_BYTE = 20;
const STEPS_A_NODE = 5;

/**
 * The first document, converted as for JSON; nothing at all is null.
 * @param text a Go string
 * @throws GoError, its text beginning with "error converting YAML to JSON: "
 */
export function readYaml(text: string, spend: Spend = free): YamlValue {
  spend(STEPS_A_BYTE * text.length);
  if (!validUtf8(text)) throw yamlError('invalid leading UTF-8 octet');
  const source = toUtf8(text).replace(/^\ufeff/, '');
  checkCharacters(source);
  const lines = new LineCounter();
  try {
    const documents = parseAllDocuments(source, { ...YAML_SYNTAX, lineCounter: lines });
    if (!Array.isArray(documents) || documents[0] === undefined) return null;
    const [document] = documents;
    const [fault] = document.errors;
    if (fault !== undefined) {
      throw yamlError(
        `line ${lines.linePos(fault.pos[0]).line}: ${fault.code.toLowerCase().replaceAll('_', ' ')}`,
      );
    }
    return decodeYaml(document, source, spend);
  } catch (error) {
    if (error instanceof RangeError) throw yamlError('exceeded max depth of 10000');
    throw error;
  }
}

/** How the library has to read a text, so that what it says can be decoded as go-yaml does. */
export const YAML_SYNTAX = {
  version: '1.1',
  schema: 'failsafe',
  resolveKnownTags: false,
  uniqueKeys: false,
  merge: false,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

/**
 * As `readYaml`, of a document that the library has read without an error.
 * @param text all that was read, in UTF-16
 */
export function decodeYaml(document: Document.Parsed, text: string, spend: Spend = free): YamlValue {
  if (!text.endsWith('\n')) trimLastBlock(document, text.length);
  return document.contents === null ? null : new Decoder(document.contents, spend).decode(document.contents);
}

/** @throws GoError for characters that go-yaml does not read at all */
export function checkCharacters(text: string): void {
  if (/[^\t\n\r -~\x85\xa0-\ufffd]/.test(text)) throw yamlError('control characters are not allowed');
}

/** A block scalar that ends with the text and not with a line break has none, which the library adds. */
function trimLastBlock(document: Document.Parsed, end: number): void {
  visit(document, {
    Scalar: (_, node) => {
      const isBlock = node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED;
      if (!isBlock || typeof node.value !== 'string' || (node.range?.[1] ?? 0) < end) return;
      node.value = node.value.replace(/\n$/, '');
    },
  });
}

/** How deep a document may nest before the walk would overflow the stack. */
const MAX_DEPTH = 500;

/** The node of a key, value or item; what is missing is null. */
const nodeOf = (item: unknown): Node | null => (isNode(item) ? item : null);

/** Turns nodes into values, and counts how much of that is owed to aliases. */
class Decoder {
  readonly #spend: Spend;
  readonly #targets: ReadonlyMap<Node, Node>;
  readonly #open = new Set<Node>();
  #decoded = 0;
  #decodedInAliases = 0;
  #aliasDepth = 0;

  constructor(root: Node, spend: Spend) {
    this.#spend = spend;
    this.#targets = aliasTargets(root);
  }

  decode(node: Node | null, depth = 0): YamlValue {
    this.#count(depth);
    if (node === null) return null;
    if (isAlias(node)) return this.#throughAlias(node, (target) => this.decode(target, depth + 1));
    if (isScalar(node)) return scalarValue(node);
    if (isSeq(node)) return node.items.map((item) => this.decode(nodeOf(item), depth + 1));
    const map = new YamlMap();
    if (isMap(node)) this.#fill(map, node, depth);
    return map;
  }

  #throughAlias<R>(alias: Node, use: (target: Node) => R): R {
    const target = this.#targets.get(alias);
    if (target === undefined || this.#open.has(alias)) {
      const name = isAlias(alias) ? fromUtf8(alias.source) : '';
      throw yamlError('anchor value contains itself', `anchor '${name}' value contains itself`);
    }
    this.#open.add(alias);
    this.#aliasDepth++;
    const result = use(target);
    this.#aliasDepth--;
    this.#open.delete(alias);
    return result;
  }

  #fill(map: YamlMap, node: YAMLMap, depth: number): void {
    for (const { key, value } of node.items) {
      const keyNode = nodeOf(key);
      if (isScalar(keyNode) && isMergeKey(keyNode)) {
        this.#merge(map, nodeOf(value), depth + 1);
        continue;
      }
      const decodedKey = this.decode(keyNode, depth + 1);
      const decoded = this.decode(nodeOf(value), depth + 1);
      map.entries.set(keyText(decodedKey, decoded), decoded);
    }
  }

  /** Sets the entries of the merged maps at once, so that they replace what stands before them. */
  #merge(into: YamlMap, node: Node | null, depth: number): void {
    this.#count(depth);
    if (isMap(node)) this.#fill(into, node, depth);
    else if (isAlias(node)) {
      this.#throughAlias(node, (target) => {
        if (!isMap(target)) throw wantsMap();
        this.#merge(into, target, depth + 1);
      });
    } else if (isSeq(node)) {
      // The first of several has precedence.
      for (const item of [...node.items].reverse()) {
        const one = nodeOf(item);
        if (!isMap(one) && !isAlias(one)) throw wantsMap();
        this.#merge(into, one, depth + 1);
      }
    } else throw wantsMap();
  }

  /** go-yaml's measure against documents that grow by aliases of aliases. */
  #count(depth: number): void {
    this.#spend(STEPS_A_NODE);
    if (depth > MAX_DEPTH) throw yamlError('exceeded max depth of 10000');
    this.#decoded++;
    if (this.#aliasDepth > 0) this.#decodedInAliases++;
    if (this.#decodedInAliases <= 100 || this.#decoded <= 1000) return;
    const share = Math.min(Math.max((this.#decoded - 400_000) / 3_600_000, 0), 1);
    if (this.#decodedInAliases / this.#decoded > 0.99 - 0.89 * share) {
      throw yamlError('document contains excessive aliasing');
    }
  }
}

const wantsMap = (): GoError => yamlError('map merge requires map or sequence of maps as the value');

/** Every alias with the node that its anchor named when the alias was read. */
function aliasTargets(root: Node): Map<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(root, {
    Alias: (_, alias) => {
      const target = anchors.get(alias.source);
      if (target === undefined) {
        throw yamlError(
          'unknown anchor [redacted] referenced',
          `unknown anchor '${fromUtf8(alias.source)}' referenced`,
        );
      }
      targets.set(alias, target);
    },
    Value: (_, node) => {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

const isPlain = (node: Scalar): boolean =>
  node.type === Scalar.PLAIN || node.type === undefined || node.type === null;

const isMergeKey = (node: Scalar): boolean =>
  node.value === '<<' && ((isPlain(node) && node.tag === undefined) || node.tag === `${STANDARD_TAGS}merge`);

const STANDARD_TAGS = 'tag:yaml.org,2002:';
const RESOLVABLE = new Set(['str', 'bool', 'int', 'float', 'null', 'timestamp']);

function scalarValue(node: Scalar): ScalarValue {
  const text = fromUtf8(typeof node.value === 'string' ? node.value : '');
  const tag = node.tag?.startsWith(STANDARD_TAGS) ? node.tag.slice(STANDARD_TAGS.length) : node.tag;
  if (tag === undefined) return isPlain(node) ? resolvePlain(text).value : text;
  if (tag === 'binary') {
    const decoded = decodeBase64(text);
    if ('error' in decoded) throw yamlError('!!binary value contains invalid base64 data');
    return decoded.bytes;
  }
  if (tag === 'str' || !RESOLVABLE.has(tag)) return text;
  const { tag: actual, value } = resolvePlain(text);
  if (actual === tag) return value;
  if (tag === 'float' && typeof value === 'bigint' && value < 2n ** 63n) return Number(value);
  throw yamlError(
    `cannot decode !!${actual} [redacted] as a !!${tag}`,
    `cannot decode !!${actual} \`${text}\` as a !!${tag}`,
  );
}

/** The key of the JSON object: a string, number or bool; a float with the precision of 32 bits. */
function keyText(key: YamlValue, value: YamlValue): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'boolean') return String(key);
  if (typeof key === 'bigint' && key < 2n ** 63n) return String(key);
  if (typeof key === 'number') {
    const single = Math.fround(key);
    if (Number.isNaN(single)) return '.nan';
    return Number.isFinite(single) ? formatFloat(single, 'g', -1, 32) : single > 0 ? '.inf' : '-.inf';
  }
  if (key instanceof YamlMap || Array.isArray(key)) {
    throw yamlError('invalid map key: [redacted]', `invalid map key: ${goSyntax(key)}`);
  }
  const what = key === null ? '%!s(<nil>), key: <nil>' : `uint64, key: 0x${key.toString(16)}`;
  const message = `${CONVERTING}unsupported map key of type: ${key === null ? what : 'uint64, key: [redacted]'}`;
  throw new GoError(
    `${message}, value: [redacted]`,
    `${CONVERTING}unsupported map key of type: ${what}, value: ${value === null ? '<nil>' : goSyntax(value)}`,
  );
}

/** A value as `%#v` prints what go-yaml made of it. */
function goSyntax(value: YamlValue): string {
  if (value === null) return 'interface {}(nil)';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number') return formatFloat(value, 'g', -1, 64);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (!(value instanceof YamlMap)) return String(value);
  const entries = [...value.entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[interface {}]interface {}{${entries.map(([key, one]) => `${quote(key)}:${goSyntax(one)}`).join(', ')}}`;
}

/** @throws GoError if something in the value cannot be said in JSON: NaN and the infinities */
export function checkJsonable(value: YamlValue): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new GoError(`${CONVERTING}json: unsupported value: ${formatFloat(value, 'g', -1, 64)}`);
  }
  if (Array.isArray(value)) value.forEach(checkJsonable);
  else if (value instanceof YamlMap) for (const one of value.entries.values()) checkJsonable(one);
}

/** encoding/json's name of what a value is in JSON. */
function jsonKind(value: YamlValue): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'array';
  return value instanceof YamlMap ? 'object' : 'number';
}

/** The error of encoding/json for a value that does not fit. */
export const mismatch = (value: YamlValue, goType: string): GoError =>
  new GoError(`${UNMARSHALING}cannot unmarshal ${jsonKind(value)} into Go value of type ${goType}`);

/** What a JSON string keeps of a Go string: every byte that is no UTF-8 becomes U+FFFD. */
export const jsonText = (text: string): string => (validUtf8(text) ? text : fromRunes(runes(text)));

/**
 * Kubernetes' yaml.Unmarshal into a map[string]string, which is how ESO reads templates of scope KeysAndValues:
 * numbers and bools become text (floats in the shortest form of 32 bits, yes/no/on/off true and false), null the
 * empty string; a list or map as value is an error.
 * @param text a Go string (one character a byte), as a template renders it
 * @returns Go strings by Go string, in the order of the document; empty for an empty document
 * @throws GoError with Go's text where it does not come of YAML's syntax
 */
export function unmarshalStringMap(text: string, spend: Spend = free): Map<string, string> {
  const root = readYaml(text, spend);
  const strings = new Map<string, string>();
  if (root === null) return strings;
  if (!(root instanceof YamlMap)) {
    checkJsonable(root);
    throw mismatch(root, 'map[string]string');
  }
  for (const value of root.entries.values()) if (typeof value === 'object') checkJsonable(value);
  // encoding/json meets the keys in order, and its first complaint is the one that is told.
  const wrong = [...root.entries]
    .filter(([, value]) => typeof value === 'object' && value !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))[0];
  if (wrong !== undefined) throw mismatch(wrong[1], 'string');
  for (const [key, value] of root.entries) strings.set(jsonText(key), scalarText(value));
  return strings;
}

function scalarText(value: YamlValue): string {
  if (value === null) return '';
  if (typeof value === 'number') return formatFloat(Math.fround(value), 'g', -1, 32);
  if (typeof value === 'string') return jsonText(value);
  return typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : '';
}
