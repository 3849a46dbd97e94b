/** UTF-8 over Go strings (one character a byte), with the rules of Go's unicode/utf8 for what is invalid. */

/** A decoded code point and how many bytes it took; an invalid byte is U+FFFD of size 1, the end is size 0. */
export interface Rune {
  readonly rune: number;
  readonly size: number;
}

export const RUNE_ERROR = 0xfffd;
export const MAX_RUNE = 0x10ffff;

const INVALID: Rune = { rune: RUNE_ERROR, size: 1 };
const END: Rune = { rune: RUNE_ERROR, size: 0 };
const ASCII: readonly Rune[] = Array.from({ length: 0x80 }, (_, rune) => ({ rune, size: 1 }));

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

/** The code point at byte `at` of `s`. Overlong forms, surrogates and what is above U+10FFFF are invalid. */
export function decodeRune(s: string, at: number): Rune {
  if (at >= s.length) return END;
  const first = s.charCodeAt(at);
  if (first < 0x80) return ASCII[first] ?? INVALID;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > s.length) return INVALID;
  let rune = first & (0x7f >> size);
  for (let i = 1; i < size; i++) {
    const byte = s.charCodeAt(at + i);
    if (!isContinuation(byte)) return INVALID;
    rune = (rune << 6) | (byte & 0x3f);
  }
  if (size === 3 && (rune < 0x800 || (rune >= 0xd800 && rune <= 0xdfff))) return INVALID;
  if (size === 4 && (rune < 0x10000 || rune > MAX_RUNE)) return INVALID;
  return { rune, size };
}

/** The last code point of the first `end` bytes of `s`. */
export function decodeLastRune(s: string, end: number = s.length): Rune {
  if (end <= 0) return END;
  for (let start = end - 1; start >= Math.max(0, end - 4); start--) {
    if (isContinuation(s.charCodeAt(start))) continue;
    const found = decodeRune(s, start);
    return start + found.size === end ? found : INVALID;
  }
  return INVALID;
}

/** The bytes of a code point; what is none (a surrogate, too large, negative) becomes U+FFFD. */
export function encodeRune(rune: number): string {
  if (rune < 0 || rune > MAX_RUNE || (rune >= 0xd800 && rune <= 0xdfff)) return '\xef\xbf\xbd';
  if (rune < 0x80) return String.fromCharCode(rune);
  const tail = (shift: number): number => 0x80 | ((rune >> shift) & 0x3f);
  if (rune < 0x800) return String.fromCharCode(0xc0 | (rune >> 6), tail(0));
  if (rune < 0x10000) return String.fromCharCode(0xe0 | (rune >> 12), tail(6), tail(0));
  return String.fromCharCode(0xf0 | (rune >> 18), tail(12), tail(6), tail(0));
}

/** All code points of `s`: Go's `[]rune(s)`. */
export function runes(s: string): number[] {
  const result: number[] = [];
  for (let at = 0; at < s.length; ) {
    const { rune, size } = decodeRune(s, at);
    result.push(rune);
    at += size;
  }
  return result;
}

/** Go's `string(codePoints)`. */
export const fromRunes = (codePoints: readonly number[]): string => codePoints.map(encodeRune).join('');

/** How many code points `s` has; each invalid byte counts as one. */
export function runeCount(s: string): number {
  let count = 0;
  for (let at = 0; at < s.length; count++) at += decodeRune(s, at).size;
  return count;
}

/** True if all of `s` is valid UTF-8. */
export function validUtf8(s: string): boolean {
  for (let at = 0; at < s.length; ) {
    const { rune, size } = decodeRune(s, at);
    if (rune === RUNE_ERROR && size === 1) return false;
    at += size;
  }
  return true;
}
