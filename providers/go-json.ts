/**
 * JSON as Go's encoding/json writes it. Whole secrets and nested objects land in Secrets as text, and ESO
 * is written in Go: only the same bytes let a cluster move either way without rewriting a Secret.
 */
import { isRawNumber } from '../api/json.ts';

/** Order of the UTF-8 bytes, which is the order of code points; JavaScript compares UTF-16 units. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    // Surrogates stand for code points above all other units, though their own numbers are lower than some.
    const leftHigh = left >= 0xd800 && left <= 0xdfff;
    const rightHigh = right >= 0xd800 && right <= 0xdfff;
    if (leftHigh !== rightHigh) return leftHigh ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};
/** All but what is written as it is: no control characters, none of `"&<>\\`, not U+2028 and U+2029. */
const ESCAPED = /[^ !#-%'-;=?-[\]-\u2027\u202a-\uffff]/g;

const escapeOne = (char: string): string =>
  SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;

const HTML = /[<>&]/;

export interface MarshalOptions {
  /** False: `<`, `>` and `&` stand as they are (Encoder.SetEscapeHTML). */
  readonly escapeHtml?: boolean;
}

/**
 * Go's json.Marshal of a value that `parseKeepingNumbers` read: keys in the order of their UTF-8 bytes,
 * `<`, `>`, `&`, U+2028 and U+2029 escaped, numbers with the digits they came with, no white space. A finite
 * JavaScript number is written as a float64.
 */
export function marshalGo(value: unknown, { escapeHtml = true }: MarshalOptions = {}): string {
  const escapeChar = (char: string): string => (escapeHtml || !HTML.test(char) ? escapeOne(char) : char);
  // A lone surrogate becomes U+FFFD, as when Go reads it.
  const quote = (text: string): string => `"${text.toWellFormed().replace(ESCAPED, escapeChar)}"`;
  const marshal = (one: unknown): string => {
    if (one === null || one === undefined) return 'null';
    if (typeof one === 'string') return quote(one);
    if (typeof one === 'boolean') return one ? 'true' : 'false';
    // Both switch to exponents below 1e-6 and from 1e21 on, and write the shortest digits.
    if (typeof one === 'number' && Number.isFinite(one)) return Object.is(one, -0) ? '-0' : String(one);
    if (isRawNumber(one)) return one.rawJSON;
    if (Array.isArray(one)) return `[${one.map(marshal).join(',')}]`;
    if (typeof one === 'object') {
      const members = Object.entries(one).sort(([a], [b]) => compareUtf8(a, b));
      return `{${members.map(([key, member]) => `${quote(key)}:${marshal(member)}`).join(',')}}`;
    }
    throw new TypeError(`no JSON value: ${typeof one}`);
  };
  return marshal(value);
}
