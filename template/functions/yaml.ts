/** ESO's `toYaml` and `fromYaml`: sigs.k8s.io/yaml, which goes by way of JSON in both directions. */

import { formatFloat } from '../float.ts';
import { type Call, type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { checkJsonable, jsonText, mismatch, readYaml, YamlMap, type YamlValue } from '../go-yaml.ts';
import { resolvePlain } from '../go-yaml-resolve.ts';
import {
  dict,
  float64,
  fromUtf8,
  GoInt,
  GoMap,
  GoSlice,
  type GoValue,
  list,
  sliceOf,
  T,
  toUtf8,
} from '../value.ts';
import { stringAt } from './arguments.ts';
import { anyAt, DICT, descend, fixed } from './declare.ts';
import { decodeJson } from './json-decode.ts';
import { encodeJson, quoteJson } from './json-encode.ts';
import { type Writable, writeYaml } from './yaml-write.ts';

const JSON_FORMAT = { escapeHtml: true, pretty: false, pointer: false };
const BYTES = sliceOf(T.uint8);

/** What YAML's reader refuses even between the quotes of JSON. */
const UNREADABLE = /[\x7f\x80-\x84\x86-\x9f\ufffe\uffff]/;

/** The text as it comes out of JSON that is read as YAML: a next-line character is a line break there, and folded. */
function textOf(text: string): string {
  const read = toUtf8(jsonText(text));
  if (UNREADABLE.test(read)) throw new GoError('yaml: control characters are not allowed');
  return read.includes('\x85') ? foldBreaks(read) : read;
}

/** One next-line character is a blank, more of them one line break fewer; blanks around them vanish. */
function foldBreaks(text: string): string {
  const parts = text.split(/(\x85+)/);
  return parts
    .map((part, index) => {
      if (index % 2 === 1) return '\n'.repeat(part.length - 1) || ' ';
      let [start, end] = [0, part.length];
      while (index > 0 && start < end && part[start] === ' ') start++;
      while (index < parts.length - 1 && end > start && part[end - 1] === ' ') end--;
      return part.slice(start, end);
    })
    .join('');
}

/** The longest key, in bytes of JSON, behind which YAML's reader still looks for a colon. */
const MAX_KEY = 1024;

/** A key as it comes out of JSON that is read as YAML: it must stand on one line, and not be too long. */
function keyOf(key: string): string {
  const text = textOf(key);
  if (key.includes('\xc2\x85') || quoteJson(key, true).length > MAX_KEY) {
    throw new GoError("yaml: could not find expected ':'");
  }
  return text;
}

/** A value as YAML reads its JSON. @throws GoError what has no JSON */
function writable(value: GoValue, call: Call, depth: number): Writable {
  descend(depth, call);
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') {
    call.spend(value.length);
    call.allocate(2 * value.length);
    return textOf(value);
  }
  if (value instanceof GoInt) return { number: String(value.value) };
  if ((value instanceof GoSlice || value instanceof GoMap) && value.isNil) return null;
  if (value instanceof GoSlice && value.type !== BYTES) {
    return value.items.map((item) => writable(item, call, depth + 1));
  }
  if (value instanceof GoMap) {
    return new Map(
      [...value.entries].map(([key, one]) => [keyOf(key), writable(one, call, depth + 1)] as const),
    );
  }
  const json = encodeJson(value, JSON_FORMAT, call);
  if (!/^-?\d/.test(json)) return writable(decodeJson(json, call).value, call, depth + 1);
  const number = resolvePlain(json).value;
  return { number: typeof number === 'number' ? formatFloat(number, 'g', -1, 64) : String(number) };
}

const toYaml: GoFunction = fixed([T.any], T.string, (args, call) => {
  try {
    const text = writeYaml(writable(anyAt(args, 0), call, 0));
    call.allocate(text.length);
    return fromUtf8(text.replace(/\n$/, ''));
  } catch (error) {
    // What cannot be written is nothing.
    if (error instanceof GoError) return '';
    throw error;
  }
});

/** A decoded document as encoding/json decodes it: every number is a float64. */
function fromYamlValue(value: YamlValue): GoValue {
  if (typeof value === 'bigint' || typeof value === 'number') return float64(Number(value));
  if (typeof value === 'string') return jsonText(value);
  if (Array.isArray(value)) return list(value.map(fromYamlValue));
  return value instanceof YamlMap ? entriesOf(value) : value;
}

const entriesOf = (map: YamlMap): GoMap =>
  dict([...map.entries].map(([key, one]) => [jsonText(key), fromYamlValue(one)] as const));

const fromYaml: GoFunction = fixed([T.string], DICT, (args, call) => {
  const text = stringAt(args, 0);
  call.allocate(8 * text.length);
  try {
    const root = readYaml(text, (steps) => call.spend(steps));
    if (root === null) return dict();
    checkJsonable(root);
    if (!(root instanceof YamlMap)) throw mismatch(root, 'map[string]interface {}');
    return entriesOf(root);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return dict([['Error', error.goText]]);
  }
});

export const YAML: FunctionMap = new Map([
  ['toYaml', toYaml],
  ['fromYaml', fromYaml],
]);
