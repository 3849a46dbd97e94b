/** What a lookup finds, and walking the values of a text. All texts are Go strings, one character a byte. */
import { formatFloat64, parseBoolean, parseFloat64 } from './numbers.ts';
import {
  COLON,
  COMMA,
  closingQuote,
  isBlank,
  numberEnd,
  QUOTE,
  startsNumber,
  unescapeJson,
  valueEnd,
  wordEnd,
} from './text.ts';

export type ResultType = 'null' | 'false' | 'number' | 'string' | 'true' | 'json';

/** A value in a JSON text. A `null` without `raw` stands for "nothing found". */
export interface Result {
  readonly type: ResultType;
  /** As it is written in the text, white space inside it included. */
  readonly raw: string;
  /** The content of a string, escapes resolved. */
  readonly str: string;
  readonly num: number;
}

export const NOTHING: Result = { type: 'null', raw: '', str: '', num: 0 };
export const TRUE: Result = { ...NOTHING, type: 'true' };
export const FALSE: Result = { ...NOTHING, type: 'false' };

export const exists = ({ type, raw }: Result): boolean => type !== 'null' || raw !== '';
export const isObject = ({ type, raw }: Result): boolean => type === 'json' && raw.startsWith('{');
export const isArray = ({ type, raw }: Result): boolean => type === 'json' && raw.startsWith('[');

/** An object or array, as written. */
export const jsonResult = (raw: string): Result => ({ ...NOTHING, type: 'json', raw });

export const numberResult = (raw: string): Result => ({
  ...NOTHING,
  type: 'number',
  raw,
  num: parseFloat64(raw),
});

/** true, false or null, told by the first letter alone. */
function wordResult(raw: string): Result {
  const type = raw.startsWith('t') ? 'true' : raw.startsWith('f') ? 'false' : 'null';
  return { ...NOTHING, type, raw };
}

/** A complete string, quotes included in `raw`. */
function stringResult(raw: string): Result {
  const content = raw.slice(1, -1);
  return { ...NOTHING, type: 'string', raw, str: content.includes('\\') ? unescapeJson(content) : content };
}

/**
 * The bytes a result stands for: strings bare, objects and arrays as they are written, integers with all their
 * digits, other numbers as the shortest decimal of the same double (`1.50` is `1.5`, `1e3` is `1000`), null empty.
 */
export function textOf({ type, raw, str, num }: Result): string {
  switch (type) {
    case 'null':
      return '';
    case 'string':
      return str;
    case 'json':
      return raw;
    case 'number':
      return /^-?\d*$/.test(raw) && raw !== '' ? raw : formatFloat64(num);
    default:
      return type;
  }
}

/** True, a number other than 0, or a text such as "true". */
export function booleanOf({ type, str, num }: Result): boolean {
  if (type === 'string') return parseBoolean(str) ?? false;
  return type === 'true' || (type === 'number' && num !== 0);
}

/** The whole number of a result, 0 if it has none. */
export function integerOf({ type, str, num }: Result): number {
  if (type === 'string') return /^-?\d+$/.test(str) ? Number(str) : 0;
  if (type === 'number') return Number.isFinite(num) ? Math.trunc(num) : 0;
  return type === 'true' ? 1 : 0;
}

/** The string at the start of the text, complete or not. */
function leadingString(text: string): Result {
  const { at, escaped } = closingQuote(text, 1);
  const content = text.slice(1, at);
  return {
    ...NOTHING,
    type: 'string',
    raw: text.slice(0, at + 1),
    str: escaped ? unescapeJson(content) : content,
  };
}

/** The text as one value; an object or array reaches to the end of the text, whatever stands behind it. */
export function parse(text: string): Result {
  let start = 0;
  while (start < text.length && isBlank(text.charCodeAt(start))) start++;
  const rest = text.slice(start);
  const first = rest[0] ?? '';
  if (first === '{' || first === '[') return jsonResult(rest);
  if (first === '"') return leadingString(rest);
  if (startsNumber(rest, 0)) return numberResult(rest.slice(0, numberEnd(rest, 0)));
  return first === 't' || first === 'f' || first === 'n'
    ? wordResult(rest.slice(0, wordEnd(rest, 0)))
    : NOTHING;
}

/** The value whose first character is at `at`, where `valueEnd` says that it ends. */
export function valueAt(text: string, at: number, end: number): Result {
  const raw = text.slice(at, end);
  const char = text[at];
  if (char === '{' || char === '[') return jsonResult(raw);
  if (char === '"') return stringResult(raw);
  return startsNumber(text, at) ? numberResult(raw) : wordResult(raw);
}

/** Where a value starts; `n` may be null or nan. */
const VALUE_START = /["{[ntf+\-0-9iIN]/g;

/** Position of the first character at or after `from` with which a value may start; else the length of the text. */
export function nextStart(text: string, from: number): number {
  VALUE_START.lastIndex = from;
  return VALUE_START.exec(text)?.index ?? text.length;
}

/** The next value at or after `from`, and where it ends; undefined if none starts there or a string never ends. */
export function nextValue(
  text: string,
  from: number,
): { readonly value: Result; readonly end: number } | undefined {
  const start = nextStart(text, from);
  const end = valueEnd(text, start);
  return end === undefined ? undefined : { value: valueAt(text, start, end), end };
}

/** A member of an object, an element of an array (its key is nothing), or a scalar as its own only child. */
export type Child = readonly [key: Result, value: Result];

/** The children in the order of the text. Reads on behind the closing bracket, as a result of `parse` may. */
export function* children(parent: Result): Generator<Child> {
  if (!exists(parent)) return;
  if (parent.type !== 'json') {
    yield [NOTHING, parent];
    return;
  }
  const text = parent.raw;
  const hasKeys = text.startsWith('{');
  for (let i = 1; i < text.length; i++) {
    let key = NOTHING;
    if (hasKeys) {
      if (text.charCodeAt(i) !== QUOTE) continue;
      const end = valueEnd(text, i);
      if (end === undefined) return;
      key = stringResult(text.slice(i, end));
      i = end;
    }
    while (i < text.length) {
      const code = text.charCodeAt(i);
      if (!isBlank(code) && code !== COMMA && code !== COLON) break;
      i++;
    }
    const next = nextValue(text, i);
    if (next === undefined) return;
    yield [key, next.value];
    i = next.end;
  }
}
