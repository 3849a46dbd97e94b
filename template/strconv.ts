/** Go's strconv: text to numbers and back, with its errors. */
import { GoError } from './function.ts';
import { quote } from './quote.ts';

type Reason = 'invalid syntax' | 'value out of range';

/** The error of a conversion: Go quotes its input, which may be a secret, so the message leaves it out. */
function conversionError(name: string, text: string, reason: Reason): GoError {
  return new GoError(
    `strconv.${name}: parsing [redacted]: ${reason}`,
    `strconv.${name}: parsing ${quote(text)}: ${reason}`,
  );
}

/** Underscores stand between digits, or between a base prefix and a digit. */
function underscoresAreWell(text: string): boolean {
  const unsigned = text.replace(/^[+-]/, '');
  const hex = /^0[xX]/.test(unsigned);
  const digit = hex ? '[0-9a-fA-F]' : '[0-9]';
  const body = unsigned.replace(/^0[bBoOxX]/, '0');
  return !new RegExp(`_(?!${digit})|(?<!${digit})_`).test(body);
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a ? lower - 0x61 + 10 : 99;
}

/** The magnitude, or why there is none. Go stops at the first digit that is too much, before it sees the rest. */
function magnitude(text: string, base: number, bits: number): bigint | Reason {
  if (text === '') return 'invalid syntax';
  let radix = base;
  let start = 0;
  if (base === 0) {
    radix = 10;
    if (text[0] === '0') {
      const letter = text.length >= 3 ? text[1]?.toLowerCase() : undefined;
      radix = letter === 'b' ? 2 : letter === 'x' ? 16 : 8;
      start = letter === 'b' || letter === 'x' || letter === 'o' ? 2 : 1;
    }
  }
  const limit = (1n << BigInt(bits)) - 1n;
  let value = 0n;
  let underscores = false;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5f && base === 0) {
      underscores = true;
      continue;
    }
    const digit = digitOf(code);
    if (digit >= radix) return 'invalid syntax';
    value = value * BigInt(radix) + BigInt(digit);
    if (value > limit) return 'value out of range';
  }
  return underscores && !underscoresAreWell(text) ? 'invalid syntax' : value;
}

/**
 * strconv.ParseInt.
 * @param base 2 to 36; 0: by the prefix (`0x`, `0o`, `0`, `0b`), underscores allowed
 * @throws GoError invalid syntax, value out of range
 */
export function parseGoInt(text: string, base: number, bits: number): bigint {
  const negative = text[0] === '-';
  const value = magnitude(negative || text[0] === '+' ? text.slice(1) : text, base, bits);
  if (typeof value === 'string') throw conversionError('ParseInt', text, value);
  const limit = 1n << BigInt(bits - 1);
  if (negative ? value > limit : value >= limit)
    throw conversionError('ParseInt', text, 'value out of range');
  return negative ? -value : value;
}

/** strconv.ParseUint. @throws GoError */
export function parseUint(text: string, base: number, bits: number): bigint {
  const value = magnitude(text, base, bits);
  if (typeof value === 'string') throw conversionError('ParseUint', text, value);
  return value;
}

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['+infinity', Number.POSITIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
]);

const DECIMAL = /^[+-]?(?:[0-9_]*\.?[0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([0-9a-fA-F_]*)\.?([0-9a-fA-F_]*)[pP]([+-]?[0-9][0-9_]*)$/;

/** mantissa x 2^exponent, rounded half to even. */
function scaled(mantissa: bigint, exponent: number): number {
  if (mantissa === 0n) return 0;
  const top = mantissa.toString(2).length + exponent;
  if (top > 1024) return Number.POSITIVE_INFINITY;
  if (top < -1080) return 0;
  // Bits below the last one of the result are dropped here, with the rounding that BigInt to Number would do.
  const lowest = Math.max(top - 53, -1074);
  const drop = lowest - exponent;
  if (drop <= 0) return Number(mantissa << BigInt(-drop)) * 2 ** lowest;
  const unit = 1n << BigInt(drop);
  let quotient = mantissa / unit;
  const twice = (mantissa % unit) * 2n;
  if (twice > unit || (twice === unit && (quotient & 1n) === 1n)) quotient += 1n;
  return Number(quotient) * 2 ** lowest;
}

function hexadecimal(text: string): number | undefined {
  const found = HEXADECIMAL.exec(text);
  if (found === null) return undefined;
  const [, sign = '', whole = '', fraction = '', power = '0'] = found;
  const fractionDigits = fraction.replaceAll('_', '');
  const digits = whole.replaceAll('_', '') + fractionDigits;
  if (digits === '') return undefined;
  const exponent = Math.min(Math.max(Number(power.replaceAll('_', '')), -1e5), 1e5);
  const value = scaled(BigInt(`0x${digits}`), exponent - 4 * fractionDigits.length);
  return sign === '-' ? -value : value;
}

/**
 * strconv.ParseFloat: decimal and hexadecimal, `inf`, `infinity` and `nan` in any case.
 * @throws GoError invalid syntax, value out of range
 */
export function parseGoFloat(text: string, bits: 32 | 64): number {
  const special = SPECIAL.get(text.toLowerCase());
  if (special !== undefined) return special;
  let value = hexadecimal(text);
  if (value === undefined) {
    if (!DECIMAL.test(text) || !/^[+-]?[_.]*[0-9]/.test(text)) {
      throw conversionError('ParseFloat', text, 'invalid syntax');
    }
    value = Number(text.replaceAll('_', ''));
  }
  if (text.includes('_') && !underscoresAreWell(text))
    throw conversionError('ParseFloat', text, 'invalid syntax');
  if (bits === 32) value = Math.fround(value);
  if (!Number.isFinite(value)) throw conversionError('ParseFloat', text, 'value out of range');
  return value;
}
