/** Go's strconv: quoting and unquoting of Go strings and runes. */
import { isPrint } from './unicode.ts';
import { decodeRune, encodeRune, MAX_RUNE, RUNE_ERROR, validUtf8 } from './utf8.ts';

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, '\\a'],
  [0x08, '\\b'],
  [0x0c, '\\f'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
  [0x0b, '\\v'],
  [0x5c, '\\\\'],
]);

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

function escapeRune(rune: number, quoteMark: string, ascii: boolean): string {
  if (rune === quoteMark.charCodeAt(0)) return `\\${quoteMark}`;
  if (rune !== 0x5c && (rune < 0x80 || !ascii) && isPrint(rune)) return encodeRune(rune);
  const known = ESCAPES.get(rune);
  if (known !== undefined) return known;
  if (rune < 0x20 || rune === 0x7f) return `\\x${hex(rune, 2)}`;
  return rune < 0x10000 ? `\\u${hex(rune, 4)}` : `\\U${hex(rune, 8)}`;
}

function quoteWith(s: string, ascii: boolean): string {
  const parts = ['"'];
  for (let at = 0; at < s.length; ) {
    const { rune, size } = decodeRune(s, at);
    parts.push(
      rune === RUNE_ERROR && size === 1 ? `\\x${hex(s.charCodeAt(at), 2)}` : escapeRune(rune, '"', ascii),
    );
    at += size;
  }
  parts.push('"');
  return parts.join('');
}

const PLAIN = /^[ !#-[\]-~]*$/;

/** strconv.Quote: a Go string literal; bytes that are no UTF-8 become `\x..`. */
export const quote = (s: string): string => (PLAIN.test(s) ? `"${s}"` : quoteWith(s, false));

/** strconv.QuoteToASCII: everything outside of ASCII escaped. */
export const quoteToAscii = (s: string): string => quoteWith(s, true);

const isCodePoint = (rune: number): boolean =>
  rune >= 0 && rune <= MAX_RUNE && (rune < 0xd800 || rune > 0xdfff);

/** strconv.QuoteRune: a Go character literal; what is no code point is shown as U+FFFD. */
export const quoteRune = (rune: number): string =>
  `'${escapeRune(isCodePoint(rune) ? rune : RUNE_ERROR, "'", false)}'`;

/** strconv.QuoteRuneToASCII. */
export const quoteRuneToAscii = (rune: number): string =>
  `'${escapeRune(isCodePoint(rune) ? rune : RUNE_ERROR, "'", true)}'`;

/** strconv.CanBackquote: fits between backquotes on one line, without control characters other than tab. */
export function canBackquote(s: string): boolean {
  for (let at = 0; at < s.length; ) {
    const { rune, size } = decodeRune(s, at);
    at += size;
    if (size > 1) {
      if (rune === 0xfeff) return false;
      continue;
    }
    if (rune === RUNE_ERROR || (rune < 0x20 && rune !== 0x09) || rune === 0x60 || rune === 0x7f) return false;
  }
  return true;
}

/** One character of a literal; `isByte` if it was written as one (`\x41`, `\101`) and so is no code point. */
export interface UnquotedChar {
  readonly value: number;
  readonly isByte: boolean;
  /** Bytes of the literal that it took. */
  readonly size: number;
}

const SIMPLE_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
  ['\\', 0x5c],
]);

const HEX_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

/**
 * strconv.UnquoteChar at byte `at` of `s`, within a literal whose quotation mark is `quoteMark`.
 * @returns undefined where Go returns ErrSyntax
 */
export function unquoteChar(s: string, at: number, quoteMark: string): UnquotedChar | undefined {
  const first = s[at];
  if (first === undefined || (first === quoteMark && (quoteMark === '"' || quoteMark === "'")))
    return undefined;
  if (first !== '\\') {
    const { rune, size } = decodeRune(s, at);
    return { value: rune, isByte: rune < 0x80, size };
  }
  const letter = s[at + 1];
  if (letter === undefined) return undefined;
  const simple = SIMPLE_ESCAPES.get(letter);
  if (simple !== undefined) return { value: simple, isByte: true, size: 2 };
  const digits = HEX_ESCAPES.get(letter);
  if (digits !== undefined) {
    const text = s.slice(at + 2, at + 2 + digits);
    if (text.length < digits || !/^[0-9a-fA-F]+$/.test(text)) return undefined;
    const value = Number.parseInt(text, 16);
    if (letter === 'x') return { value, isByte: true, size: 4 };
    if (value > MAX_RUNE || (value >= 0xd800 && value <= 0xdfff)) return undefined;
    return { value, isByte: false, size: 2 + digits };
  }
  if (letter >= '0' && letter <= '7') {
    const text = s.slice(at + 1, at + 4);
    if (!/^[0-7]{3}$/.test(text)) return undefined;
    const value = Number.parseInt(text, 8);
    return value > 255 ? undefined : { value, isByte: true, size: 4 };
  }
  if (letter === quoteMark && (letter === '"' || letter === "'")) {
    return { value: letter.charCodeAt(0), isByte: true, size: 2 };
  }
  return undefined;
}

/**
 * strconv.Unquote of a literal in double or back quotation marks, marks included.
 * @returns undefined where Go returns ErrSyntax ("invalid syntax")
 */
export function unquote(s: string): string | undefined {
  const mark = s[0];
  if (s.length < 2 || s.at(-1) !== mark) return undefined;
  const inner = s.slice(1, -1);
  if (mark === '`') return inner.includes('`') ? undefined : inner.replaceAll('\r', '');
  if (mark !== '"' || inner.includes('\n')) return undefined;
  if (!inner.includes('\\') && validUtf8(inner)) return inner.includes('"') ? undefined : inner;
  const parts: string[] = [];
  for (let at = 0; at < inner.length; ) {
    const char = unquoteChar(inner, at, mark);
    if (char === undefined) return undefined;
    parts.push(char.isByte ? String.fromCharCode(char.value) : encodeRune(char.value));
    at += char.size;
  }
  return parts.join('');
}
