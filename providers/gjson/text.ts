/**
 * Finding the ends of JSON values in text that may not be JSON: gjson never validates, so what it does on a
 * broken document is a matter of how it scans. All texts here are Go strings, one character a byte.
 */
import { decodeRune, encodeRune, RUNE_ERROR } from '../../template/utf8.ts';

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

export const isBlank = (code: number): boolean => code <= SPACE;

/** Without the characters up to U+0020 at both ends. */
export function trimBlank(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/**
 * Position of the quote that ends a string whose content starts at `from`; the length of the text if it has none.
 * `escaped` tells whether a backslash is in it.
 */
export function closingQuote(text: string, from: number): { readonly at: number; readonly escaped: boolean } {
  let escaped = false;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return { at: i, escaped };
    if (code === BACKSLASH) {
      escaped = true;
      i++;
    }
  }
  return { at: text.length, escaped };
}

/** End of the string that starts with the quote at `at`, the closing quote included. */
const stringEnd = (text: string, at: number): number =>
  Math.min(closingQuote(text, at + 1).at + 1, text.length);

/**
 * End of the object, array or parenthesis that starts at `at`: brackets of all kinds are counted alike, strings
 * are skipped. Whatever stands at `at` counts as the opening one. The length of the text if it never closes, and one
 * more if a string in it never ends: then not even the end of the text closes what is around it.
 */
export function bracketEnd(text: string, at: number): number {
  let depth = 1;
  let i = at + 1;
  for (; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = closingQuote(text, i + 1).at;
        break;
      case 0x7b: // {
      case 0x5b: // [
      case 0x28: // (
        depth++;
        break;
      case 0x7d: // }
      case 0x5d: // ]
      case 0x29: // )
        if (--depth === 0) return i + 1;
    }
  }
  return i;
}

/** End of the string or bracket that starts at `at`. */
export const nestedEnd = (text: string, at: number): number =>
  text.charCodeAt(at) === QUOTE ? stringEnd(text, at) : bracketEnd(text, at);

/** End of the number that starts at `at`: anything up to white space, a comma or a closing bracket. */
export function numberEnd(text: string, at: number): number {
  let i = at + 1;
  for (; i < text.length; i++) {
    const char = text[i];
    if (isBlank(text.charCodeAt(i)) || char === ',' || char === ']' || char === '}') break;
  }
  return i;
}

/** End of the word (true, false, null) that starts at `at`. */
export function wordEnd(text: string, at: number): number {
  let i = at + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x61 || code > 0x7a) break;
  }
  return i;
}

/**
 * End of the value whose first character is at `at`; undefined for a string without an end, and where no value
 * starts.
 */
export function valueEnd(text: string, at: number): number | undefined {
  const char = text[at];
  if (char === '{' || char === '[') return bracketEnd(text, at);
  if (char === '"') {
    const closing = closingQuote(text, at + 1).at;
    return closing >= text.length ? undefined : closing + 1;
  }
  if (startsNumber(text, at)) return numberEnd(text, at);
  return char === 't' || char === 'f' || char === 'n' ? wordEnd(text, at) : undefined;
}

/** Characters that a number may start with; `i`, `I` and `N` for what other languages write for infinity and NaN. */
const NUMBER_START = /^[-+0-9iIN]$/;

/** True if a number starts at `at`: also `nan`, which only its second letter tells from `null`. */
export function startsNumber(text: string, at: number): boolean {
  const char = text[at] ?? '';
  return char === 'n' ? at + 1 < text.length && text[at + 1] !== 'u' : NUMBER_START.test(char);
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** The code unit of four hexadecimal digits; 0 if they are something else. */
function codeUnit(text: string, at: number): number {
  const digits = text.slice(at, at + 4);
  return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : 0;
}

/** Where an escape or a character that no JSON string has may stand. */
const SPECIAL = /[^ -[\]-\xff]/g;

/** The content of a JSON string with its escapes resolved; it ends where an escape or a character is malformed. */
export function unescapeJson(text: string): string {
  let out = '';
  for (let i = 0; ; ) {
    SPECIAL.lastIndex = i;
    const at = SPECIAL.exec(text)?.index ?? text.length;
    out += text.slice(i, at);
    if (text[at] !== '\\') return out;
    const letter = text[at + 1] ?? '';
    if (letter === 'u') {
      const unit = unicodeEscape(text, at + 2);
      if (unit === undefined) return out;
      out += encodeRune(unit.rune);
      i = unit.end;
    } else {
      const meaning = SIMPLE_ESCAPES[letter];
      if (meaning === undefined) return out;
      out += meaning;
      i = at + 2;
    }
  }
}

/** The code point of the four digits at `at`, or of these and those of a second escape behind them. */
function unicodeEscape(
  text: string,
  at: number,
): { readonly rune: number; readonly end: number } | undefined {
  const end = at + 4;
  if (end > text.length) return undefined;
  const rune = codeUnit(text, at);
  const isSurrogate = rune >= 0xd800 && rune <= 0xdfff;
  if (!isSurrogate || !text.startsWith('\\u', end) || text.length - end < 6) return { rune, end };
  const low = codeUnit(text, end + 2);
  const isPair = rune < 0xdc00 && low >= 0xdc00 && low <= 0xdfff;
  return { rune: isPair ? 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00) : RUNE_ERROR, end: end + 6 };
}

const SHORT_ESCAPES = new Map([
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['"', '\\"'],
  ['\\', '\\\\'],
]);

const hexEscape = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`;

/** Code points beyond ASCII: as they are but for U+2028, U+2029 and bytes that are no UTF-8. */
function quoteBeyondAscii(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; ) {
    const { rune, size } = decodeRune(text, i);
    const isInvalid = rune === RUNE_ERROR && size === 1;
    out += isInvalid || rune === 0x2028 || rune === 0x2029 ? hexEscape(rune) : text.slice(i, i + size);
    i += size;
  }
  return out;
}

/** A Go string as a JSON string: `<`, `>`, `&`, U+2028 and U+2029 escaped, invalid UTF-8 as U+FFFD. */
export function quoteJson(text: string): string {
  const content = text.replace(/[\x80-\xff]+|[^ !#-%'-;=?-[\]-\x7f]/g, (special) =>
    special >= '\x80'
      ? quoteBeyondAscii(special)
      : (SHORT_ESCAPES.get(special) ?? hexEscape(special.charCodeAt(0))),
  );
  return `"${content}"`;
}

/** True for one JSON value with nothing but white space around it. */
export function isValidJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
