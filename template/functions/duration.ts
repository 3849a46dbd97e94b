/** Go's time.Duration, exact to the nanosecond, with the errors of its parser. */
import { GoError } from '../function.ts';
import { MAX_DURATION } from './time.ts';

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['\xc2\xb5s', 1_000n], // micro sign, in UTF-8
  ['\xce\xbcs', 1_000n], // Greek letter mu
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

/** The package's own quoting: printable ASCII as it is, other bytes in hexadecimal. */
export const quoteTimeText = (text: string): string =>
  `"${text.replace(/["\\]|[^ -\x7f]/g, (byte) =>
    byte === '"' || byte === '\\' ? `\\${byte}` : `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )}"`;

/** Digits of the largest 64-bit integer. */
const MAX_DIGITS = 19;

/** The most that the unsigned 64-bit sums of Go's parser may reach. */
const LIMIT = MAX_DURATION + 1n;

/**
 * Go's time.ParseDuration.
 * @returns nanoseconds
 * @throws GoError with Go's text
 */
export function parseDuration(text: string): bigint {
  const sign = /^[-+]?/.exec(text)?.[0] ?? '';
  let rest = text.slice(sign.length);
  if (rest === '0') return 0n;
  const invalid = (): GoError =>
    new GoError('time: invalid duration [redacted]', `time: invalid duration ${quoteTimeText(text)}`);
  if (rest === '') throw invalid();
  let total = 0n;
  while (rest !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest);
    const [matched = '', whole = '', fraction = ''] = number ?? [];
    const size = whole.replace(/^0+/, '');
    if (!/\d/.test(matched) || size.length > MAX_DIGITS || BigInt(size) > LIMIT) throw invalid();
    const value = BigInt(size);
    rest = rest.slice(matched.length);
    const unitName = /^[^.\d]*/.exec(rest)?.[0] ?? '';
    if (unitName === '') {
      throw new GoError(
        'time: missing unit in duration [redacted]',
        `time: missing unit in duration ${quoteTimeText(text)}`,
      );
    }
    const unit = UNITS.get(unitName);
    if (unit === undefined) {
      throw new GoError(
        'time: unknown unit in duration [redacted]',
        `time: unknown unit ${quoteTimeText(unitName)} in duration ${quoteTimeText(text)}`,
      );
    }
    rest = rest.slice(unitName.length);
    total += value * unit + fractionOf(fraction, unit);
    if (total > LIMIT) throw invalid();
  }
  if (sign === '-') return -total;
  if (total > MAX_DURATION) throw invalid();
  return total;
}

/** Go computes the fraction in floating point, from as many digits as 63 bits hold. */
function fractionOf(digits: string, unit: bigint): bigint {
  let value = 0n;
  let scale = 1;
  for (const digit of digits) {
    const next = value * 10n + BigInt(digit);
    if (value > MAX_DURATION / 10n || next > LIMIT) break;
    value = next;
    scale *= 10;
  }
  return BigInt(Math.trunc(Number(value) * (Number(unit) / scale)));
}

/** Go's Duration.String: `1h0m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return '0s';
  const sign = ns < 0n ? '-' : '';
  const size = ns < 0n ? -ns : ns;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 3)}\xc2\xb5s`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 6)}ms`;
  const seconds = `${decimal(size % 60_000_000_000n, 9)}s`;
  const minutes = size / 60_000_000_000n;
  if (minutes === 0n) return sign + seconds;
  return minutes < 60n
    ? `${sign}${minutes}m${seconds}`
    : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** `size` with its last `places` digits behind a point, without zeros at the end. */
function decimal(size: bigint, places: number): string {
  const digits = size.toString().padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return digits.slice(0, -places) + (fraction === '' ? '' : `.${fraction}`);
}
