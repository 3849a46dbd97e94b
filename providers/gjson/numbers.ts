/** Numbers as Go reads and prints them: strconv.ParseFloat, FormatFloat(f, 'f', -1, 64) and ParseBool. */

const DECIMAL = /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i;
const HEXADECIMAL = /^([-+]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?p([-+]?\d+)$/i;
const WORDS = /^([-+]?)(inf|infinity|nan)$/i;

/**
 * An underscore stands between two digits, or behind the x of a hexadecimal number. Without that prefix the letters of
 * hexadecimal digits are no digits, so there is none beside an exponent's e.
 */
const hasGoodUnderscores = (text: string): boolean =>
  /^[-+]?0x/i.test(text) ? !/(^|[^0-9a-fx])_|_([^0-9a-f]|$)/i.test(text) : !/(^|\D)_|_(\D|$)/.test(text);

/** The number that the text stands for, beyond the range of a double ±Infinity; 0 if it is none. */
export function parseFloat64(text: string): number {
  if (text.includes('_')) return hasGoodUnderscores(text) ? parseFloat64(text.replaceAll('_', '')) : 0;
  if (DECIMAL.test(text)) return Number(text);
  const word = WORDS.exec(text);
  if (word === null) return parseHexadecimal(text);
  const [, sign, name = ''] = word;
  if (name.toLowerCase() === 'nan') return sign === '' ? Number.NaN : 0;
  return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function parseHexadecimal(text: string): number {
  const [, sign, whole = '', fraction = '', exponent = '0'] = HEXADECIMAL.exec(text) ?? [];
  const digits = whole + fraction;
  if (digits === '') return 0;
  const value = scale(BigInt(`0x${digits}`), Number(exponent) - 4 * fraction.length);
  return sign === '-' ? -value : value;
}

/** mantissa · 2^exponent, rounded half to even once. */
function scale(mantissa: bigint, exponent: number): number {
  if (mantissa === 0n) return 0;
  const bits = mantissa.toString(2).length;
  const top = exponent + bits - 1;
  if (top > 1023) return Number.POSITIVE_INFINITY;
  // What a double keeps: 53 bits, fewer below its smallest normal number.
  const keep = Math.min(53, top + 1075);
  if (keep < 0) return 0;
  const drop = bits - keep;
  if (drop <= 0) return Number(mantissa) * 2 ** exponent;
  const shift = BigInt(drop);
  const half = 1n << (shift - 1n);
  const rest = mantissa & ((1n << shift) - 1n);
  let kept = mantissa >> shift;
  if (rest > half || (rest === half && (kept & 1n) === 1n)) kept += 1n;
  // In two steps, for 2^(exponent + drop) alone can be below what a double holds.
  const power = exponent + drop;
  return power < -1022 ? Number(kept) * 2 ** -1022 * 2 ** (power + 1022) : Number(kept) * 2 ** power;
}

/** Shortest decimal digits that give the same double, never with an exponent. */
export function formatFloat64(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([-+]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign = '', first = '', rest = '', exponent = '0'] = match;
  const power = Number(exponent);
  const digits = first + rest;
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`;
  return sign + digits.padEnd(power + 1, '0');
}

const TRUE = new Set(['1', 't', 'true']);
const FALSE = new Set(['0', 'f', 'false']);

/** The boolean a text stands for, whatever its case; undefined if none. */
export function parseBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  if (TRUE.has(lower)) return true;
  return FALSE.has(lower) ? false : undefined;
}
