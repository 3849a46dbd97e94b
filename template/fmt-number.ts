/** Go's fmt for numbers: integers in every base and floats, with sign, precision and the `#` form. */
import { type FloatFormat, formatFloat } from './float.ts';
import { isPrint } from './unicode.ts';
import { encodeRune, MAX_RUNE } from './utf8.ts';

/** The flags, width and precision of one directive such as `%+08.3f`; undefined: not given. */
export interface Flags {
  sharp: boolean;
  zero: boolean;
  plus: boolean;
  minus: boolean;
  space: boolean;
  /** `%+v` and `%#v`: there `plus` and `sharp` mean field names and Go syntax instead. */
  plusV: boolean;
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

/** A number as text and whether zeros may be put between its sign and its digits to reach the width. */
export interface NumberText {
  readonly text: string;
  readonly zeroPad: boolean;
}

const signOf = (negative: boolean, flags: Flags): string =>
  negative ? '-' : flags.plus ? '+' : flags.space ? ' ' : '';

/** An integer with the letter of its verb. Zero padding is a matter of digits here, so none is left to the caller. */
export function integerText(value: bigint, verb: string, flags: Flags): string {
  const base = verb === 'b' ? 2 : verb === 'o' || verb === 'O' ? 8 : verb === 'x' || verb === 'X' ? 16 : 10;
  const negative = value < 0n;
  let minimum = 0;
  if (flags.precision !== undefined) {
    minimum = flags.precision;
    // Nothing at all, not even the sign: only the padding is left.
    if (minimum === 0 && value === 0n) return '';
  } else if (flags.zero && !flags.minus && flags.width !== undefined) {
    minimum = flags.width - (negative || flags.plus || flags.space ? 1 : 0);
  }
  let digits = (negative ? -value : value).toString(base);
  if (verb === 'X') digits = digits.toUpperCase();
  digits = digits.padStart(minimum, '0');
  if (flags.sharp) {
    if (base === 2) digits = `0b${digits}`;
    else if (base === 16) digits = (verb === 'X' ? '0X' : '0x') + digits;
    else if (base === 8 && digits[0] !== '0') digits = `0${digits}`;
  }
  if (verb === 'O') digits = `0o${digits}`;
  return signOf(negative, flags) + digits;
}

/** `%U`, with `#` the character too. `value` is taken as an unsigned 64-bit number. */
export function unicodeText(value: bigint, flags: Flags): string {
  const code = BigInt.asUintN(64, value);
  const digits = code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(4, flags.precision ?? 0), '0');
  const shown = flags.sharp && code <= BigInt(MAX_RUNE) && isPrint(Number(code));
  return `U+${digits}${shown ? ` '${encodeRune(Number(code))}'` : ''}`;
}

/** The `#` form of a float keeps the decimal point and the zeros that %g would cut off. */
function withPoint(text: string, verb: string, precision: number): string {
  const keepsZeros = verb === 'g' || verb === 'G' || verb === 'x';
  const hex = verb === 'x' || verb === 'X';
  const at = text.search(hex ? /[pP]/ : /[eEpP]/);
  const number = at < 0 ? text : text.slice(0, at);
  const tail = at < 0 ? '' : text.slice(at);
  let missing = keepsZeros ? (precision === -1 ? 6 : precision) : 0;
  // Go counts every character from the first that is not a zero, the x of 0x among them, but not the point.
  missing -= number.replace('.', '').replace(/^0+/, '').length;
  if (number.includes('.')) return number + '0'.repeat(Math.max(0, missing)) + tail;
  if (number === '0') missing--;
  return `${number}.${'0'.repeat(Math.max(0, missing))}${tail}`;
}

/** A float with the letter of its verb, `v` as `g`. */
export function floatText(value: number, bits: 32 | 64, verb: string, flags: Flags): NumberText {
  const format = (verb === 'v' ? 'g' : verb === 'F' ? 'f' : verb) as FloatFormat;
  const precision = flags.precision ?? (format === 'f' || format === 'e' || format === 'E' ? 6 : -1);
  let text = formatFloat(value, format, precision, bits);
  const negative = text[0] === '-';
  if (negative || text[0] === '+') text = text.slice(1);
  if (!Number.isFinite(value)) {
    // The infinite one carries its sign in any case.
    const sign = signOf(negative, flags);
    return { text: (sign === '' && text === 'Inf' ? '+' : sign) + text, zeroPad: false };
  }
  if (flags.sharp && format !== 'b') text = withPoint(text, format, precision);
  return { text: signOf(negative, flags) + text, zeroPad: true };
}
