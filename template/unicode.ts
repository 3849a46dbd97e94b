/**
 * Go's package unicode for single code points. Go 1.26 has Unicode 15.0, the JavaScript engine a later one; the
 * two were compared over all code points, and what differs is corrected here.
 */

/**
 * What was assigned after Unicode 15.0: in Go these are no letters, not printable and have no case. Each word is
 * the distance from the end of the range before to the first code point, and how many more follow (base 36).
 */
const LATER_WORDS =
  '1ov 8 qt 3k 2r7-e 3-b 2r-1 1c 7e-1 tz o6-2 1gt va-3 dh-1 a na4-4 3 2 6-2 l gk2-f ce-1 1j-6 1ki-1f ' +
  'nh-p rr-11 4-s 9-1 8j-5 9-8 y-2 w4-9 2 3 2-11 2-9 2 3 2-3 2-9 2-1 9-1 ku-j vx-7 2h-x f-9 c7-17 5-9 ' +
  'a9 45i-32y 5qe-1l 2dj-1l 87-o 3-o 7z-4 4qq-7 zk a-l 2q-36 c9a-70 4-c3 7-m g-g 4io-16 5 5d-u 2-l 9-1 ' +
  '34p 4f-3 8o-9 5-1 f-8 ak-3 1e-1 4-1 1b 8 2 5 f 3 a-1 5 64-10 b 10zk-5 4mb-b 5s3-h9 aj7-3bd';

const LATER: readonly (readonly [first: number, last: number])[] = (() => {
  let end = 0;
  return LATER_WORDS.split(' ').map((word) => {
    const [distance = '0', more = '0'] = word.split('-');
    const first = end + Number.parseInt(distance, 36);
    end = first + Number.parseInt(more, 36);
    return [first, end] as const;
  });
})();

function later(rune: number): boolean {
  let low = 0;
  let high = LATER.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const range = LATER[middle];
    if (range === undefined || range[1] >= rune) high = middle;
    else low = middle + 1;
  }
  const range = LATER[low];
  return range !== undefined && range[0] <= rune;
}

const isScalar = (rune: number): boolean => rune >= 0 && rune <= 0x10ffff && (rune < 0xd800 || rune > 0xdfff);

/** A test of a general category; ASCII is looked up in a table. */
function category(pattern: RegExp): (rune: number) => boolean {
  const ascii = Array.from({ length: 0x80 }, (_, rune) => pattern.test(String.fromCharCode(rune)));
  return (rune) =>
    rune >= 0 && rune < 0x80
      ? ascii[rune] === true
      : isScalar(rune) && pattern.test(String.fromCodePoint(rune)) && !later(rune);
}

const LATIN_PHARYNGEAL_FRICATIVE = 0x295;
const isLowerNow = category(/\p{Ll}/u);

/** Letters, marks, numbers, punctuation, symbols and the ASCII space. */
export const isPrint = category(/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u);
export const isLetter = category(/\p{L}/u);
/** Decimal digits. */
export const isDigit = category(/\p{Nd}/u);
export const isNumber = category(/\p{N}/u);
export const isUpper = category(/\p{Lu}/u);
/** Title-case letters: the digraphs and the Greek letters with iota. */
export const isTitle = category(/\p{Lt}/u);
export const isPunct = category(/\p{P}/u);

/** Unicode moved U+0295 out of the lower-case letters after 15.0. */
export const isLower = (rune: number): boolean => rune === LATIN_PHARYNGEAL_FRICATIVE || isLowerNow(rune);

/** White space as Unicode has it, U+0085 and U+00A0 included. */
export function isSpace(rune: number): boolean {
  if (rune < 0x100) return rune === 0x20 || (rune >= 9 && rune <= 13) || rune === 0x85 || rune === 0xa0;
  return (
    rune === 0x1680 ||
    (rune >= 0x2000 && rune <= 0x200a) ||
    rune === 0x2028 ||
    rune === 0x2029 ||
    rune === 0x202f ||
    rune === 0x205f ||
    rune === 0x3000
  );
}

/** One code point for one: what becomes several in a full mapping, or a code point unknown to Go, stays. */
function simple(rune: number, map: (text: string) => string): number {
  if (!isScalar(rune)) return rune;
  const mapped = map(String.fromCodePoint(rune));
  const result = mapped.codePointAt(0) ?? rune;
  if (mapped.length !== String.fromCodePoint(result).length || later(result) || later(rune)) return rune;
  return result;
}

/** How far the title-case form is from the lower-case one, for Greek letters with iota subscript. */
function iotaSubscript(rune: number): number {
  if (rune >= 0x1f80 && rune <= 0x1faf) return (rune & 8) === 0 ? 8 : 0;
  return rune === 0x1fb3 || rune === 0x1fc3 || rune === 0x1ff3 ? 9 : 0;
}

export function toUpper(rune: number): number {
  if (rune < 0x80) return rune >= 0x61 && rune <= 0x7a ? rune - 32 : rune;
  return rune + iotaSubscript(rune) === rune
    ? simple(rune, (text) => text.toUpperCase())
    : rune + iotaSubscript(rune);
}

export function toLower(rune: number): number {
  if (rune < 0x80) return rune >= 0x41 && rune <= 0x5a ? rune + 32 : rune;
  if (rune === 0x130) return 0x69;
  return simple(rune, (text) => text.toLowerCase());
}

/** As upper case, but for the digraphs (U+01C4 to U+01CC, U+01F1 to U+01F3) and Georgian. */
export function toTitle(rune: number): number {
  if (rune >= 0x1c4 && rune <= 0x1cc) return rune - ((rune - 0x1c4) % 3) + 1;
  if (rune >= 0x1f1 && rune <= 0x1f3) return 0x1f2;
  if (rune >= 0x10d0 && rune <= 0x10ff) return rune;
  return toUpper(rune);
}
