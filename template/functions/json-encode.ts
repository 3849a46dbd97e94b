/** Go values to JSON as Go's encoding/json encodes them. */

import { formatFloat } from '../float.ts';
import { type Call, GoError } from '../function.ts';
import { decodeRune, RUNE_ERROR } from '../utf8.ts';
import { GoFloat, GoInt, GoMap, GoObject, GoSlice, type GoValue, typeOf } from '../value.ts';
import { descend, spendBytes, spendRunes } from './declare.ts';

export interface JsonFormat {
  /** `<`, `>` and `&` as \u003c, \u003e and \u0026. */
  readonly escapeHtml: boolean;
  /** Two spaces a level, an element a line. */
  readonly pretty: boolean;
  /** Go is given a pointer to the value, which counts as a level; it shows in one error only. */
  readonly pointer: boolean;
}

/**
 * Keys in the order of their bytes, invalid UTF-8 as \ufffd, a nil slice or map null, `[]byte` in base64; an object
 * as its type says, else its exported fields.
 * @throws GoError NaN, infinities, complex numbers, a map that contains itself
 */
export function encodeJson(value: GoValue, format: JsonFormat, call: Call): string {
  return new Encoder(format, call).encode(value, 0, []);
}

/** Maps and slices within each other that Go takes for granted. */
const CYCLE_DEPTH = 1000;

const HTML: ReadonlySet<number> = new Set([0x3c, 0x3e, 0x26]);
const SHORT: ReadonlyMap<number, string> = new Map([
  [8, '\\b'],
  [9, '\\t'],
  [10, '\\n'],
  [12, '\\f'],
  [13, '\\r'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]);
const PLAIN = /^[ !#-[\]-\x7f]*$/;
const PLAIN_HTML = /^[ !#-%'-;=?-[\]-\x7f]*$/;

const NON_ASCII = /[\x80-\xff]/;

const escaped = (code: number): string => SHORT.get(code) ?? `\\u${code.toString(16).padStart(4, '0')}`;

/** A Go string as a JSON string. */
export function quoteJson(text: string, escapeHtml: boolean): string {
  if ((escapeHtml ? PLAIN_HTML : PLAIN).test(text)) return `"${text}"`;
  let quoted = '"';
  let start = 0;
  for (let at = 0; at < text.length; ) {
    const { rune, size } = decodeRune(text, at);
    const isInvalid = rune === RUNE_ERROR && size === 1;
    const isSeparator = rune === 0x2028 || rune === 0x2029;
    if (isInvalid || isSeparator || rune < 0x20 || SHORT.has(rune) || (escapeHtml && HTML.has(rune))) {
      quoted += text.slice(start, at) + escaped(rune);
      start = at + size;
    }
    at += size;
  }
  return `${quoted}${text.slice(start)}"`;
}

/** A float as JavaScript writes numbers, from which Go took its rule; but Go keeps the sign of 0. */
function number(value: number, bits: 32 | 64): string {
  if (!Number.isFinite(value)) {
    throw new GoError(`json: unsupported value: ${formatFloat(value, 'g', -1, bits)}`);
  }
  if (Object.is(value, -0)) return '-0';
  if (bits === 64) return String(value);
  const size = Math.abs(value);
  const isWide = size !== 0 && (size < Math.fround(1e-6) || size >= Math.fround(1e21));
  return formatFloat(value, isWide ? 'e' : 'f', -1, 32).replace(/e-0/, 'e-');
}

class Encoder {
  readonly #format: JsonFormat;
  readonly #call: Call;

  constructor(format: JsonFormat, call: Call) {
    this.#format = format;
    this.#call = call;
  }

  /** @param path the maps and slices that the value stands in */
  encode(value: GoValue, depth: number, path: readonly GoValue[]): string {
    if (value === null) return 'null';
    if (typeof value === 'string') return this.#string(value);
    if (typeof value === 'boolean') return String(value);
    if (value instanceof GoInt) return String(value.value);
    if (value instanceof GoFloat) return number(value.value, value.type.kind === 'float32' ? 32 : 64);
    if (value instanceof GoObject) return this.#object(value, depth, path);
    if (!(value instanceof GoMap || value instanceof GoSlice)) {
      throw new GoError(`json: unsupported type: ${value.type.name}`);
    }
    if (value.isNil) return 'null';
    if (path.includes(value)) throw this.#cycle(path, path.indexOf(value));
    descend(depth, this.#call);
    const inside = [...path, value];
    if (value instanceof GoMap)
      return this.#entries(value.entries, [...value.entries.keys()].sort(), depth, inside);
    if (value.type.elem?.kind === 'uint8') return this.#bytes(value);
    const items = value.items.map((item) => this.encode(item, depth + 1, inside));
    return this.#enclose('[', items, ']', depth);
  }

  /** Go looks for cycles from a certain depth on, so it names whatever of the cycle stands there. */
  #cycle(path: readonly GoValue[], start: number): GoError {
    const watched = this.#format.pointer ? CYCLE_DEPTH - 1 : CYCLE_DEPTH;
    const found = path[start + ((watched - start) % (path.length - start))] ?? null;
    return new GoError(`json: unsupported value: encountered a cycle via ${typeOf(found)?.name}`);
  }

  #string(text: string): string {
    if (NON_ASCII.test(text)) spendRunes(this.#call, text.length);
    else spendBytes(this.#call, text.length);
    const quoted = quoteJson(text, this.#format.escapeHtml);
    this.#call.allocate(quoted.length);
    return quoted;
  }

  #bytes({ items }: GoSlice): string {
    const numbers = items.map((item) => (item instanceof GoInt ? Number(item.value) : 0));
    this.#call.allocate(numbers.length);
    return `"${Buffer.from(numbers).toString('base64')}"`;
  }

  #object(value: GoObject, depth: number, path: readonly GoValue[]): string {
    if (value.json !== undefined) return value.json();
    descend(depth, this.#call);
    return this.#entries(value.fields, [...value.fields.keys()], depth, path);
  }

  #entries(
    entries: ReadonlyMap<string, GoValue>,
    keys: readonly string[],
    depth: number,
    path: readonly GoValue[],
  ): string {
    const colon = this.#format.pretty ? ': ' : ':';
    const pairs = keys.map(
      (key) => this.#string(key) + colon + this.encode(entries.get(key) ?? null, depth + 1, path),
    );
    return this.#enclose('{', pairs, '}', depth);
  }

  #enclose(open: string, elements: readonly string[], close: string, depth: number): string {
    this.#call.spend(1 + 4 * elements.length);
    if (elements.length === 0) return open + close;
    if (!this.#format.pretty) {
      this.#call.allocate(elements.length + 2);
      return `${open}${elements.join(',')}${close}`;
    }
    const margin = `\n${'  '.repeat(depth + 1)}`;
    this.#call.allocate(elements.length * (margin.length + 1));
    return `${open}${margin}${elements.join(`,${margin}`)}\n${'  '.repeat(depth)}${close}`;
  }
}
