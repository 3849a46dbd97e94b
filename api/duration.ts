/**
 * Durations as Go writes and reads them (package time, ParseDuration and Duration.String): the form of
 * refreshInterval and its like. Milliseconds are used everywhere else, so they are the unit here.
 */

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n, // U+00B5, micro sign
  μs: 1_000n, // U+03BC, Greek letter mu
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const MAX_INT64 = 2n ** 63n - 1n;
const NS_PER_MS = 1_000_000n;

// Escaped: one character beyond Latin-1 makes V8 keep a bundle's whole text at two bytes a character.
const TERM = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;
/** Digits of the largest 64-bit integer; more of them cannot fit, whatever the unit. */
const MAX_DIGITS = 19;

/**
 * Reads a Go duration: a sign, then one or more decimal numbers with a unit ("1h30m", "-1.5s"), or "0".
 * @returns milliseconds, with a fraction for less than one; undefined for anything Go refuses, which
 *   includes what does not fit into 64 bits of nanoseconds (about 292 years)
 */
export function parseGoDuration(text: string): number | undefined {
  const negative = text.startsWith('-');
  const body = negative || text.startsWith('+') ? text.slice(1) : text;
  if (body === '0') return 0;
  let total = 0n;
  let position = 0;
  while (position < body.length || position === 0) {
    TERM.lastIndex = position;
    const match = TERM.exec(body);
    if (match === null) return undefined;
    const [term, whole = '', fraction = '', unitName = ''] = match;
    if (whole === '' && fraction === '') return undefined;
    const digits = whole.replace(/^0+/, '');
    if (digits.length > MAX_DIGITS) return undefined;
    const unit = NANOSECONDS[unitName] ?? 0n;
    total += BigInt(digits) * unit + fractionOf(fraction, unit);
    position += term.length;
  }
  // The most negative value has no positive twin.
  if (total > (negative ? MAX_INT64 + 1n : MAX_INT64)) return undefined;
  const ms = Number(total / NS_PER_MS) + Number(total % NS_PER_MS) / 1e6;
  return negative && ms !== 0 ? -ms : ms;
}

/** Go computes the fraction in floating point, from as many digits as 63 bits hold; so does this. */
function fractionOf(digits: string, unit: bigint): bigint {
  let value = 0n;
  let scale = 1;
  for (const digit of digits) {
    const next = value * 10n + BigInt(digit);
    if (value > MAX_INT64 / 10n || next > MAX_INT64 + 1n) break;
    value = next;
    scale *= 10;
  }
  return BigInt(Math.trunc(Number(value) * (Number(unit) / scale)));
}

/** Writes milliseconds (finite) as Go does: "1h0m0s", "10s", "1.5s", "250ms", "0s". Precise to a nanosecond. */
export function formatGoDuration(ms: number): string {
  const whole = Math.trunc(ms);
  const ns = BigInt(whole) * NS_PER_MS + BigInt(Math.round((ms - whole) * 1e6));
  if (ns === 0n) return '0s';
  const sign = ns < 0n ? '-' : '';
  const size = ns < 0n ? -ns : ns;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < NS_PER_MS) return `${sign}${decimal(size, 1_000n)}µs`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, NS_PER_MS)}ms`;
  const minutes = size / 60_000_000_000n;
  const seconds = `${decimal(size % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return sign + seconds;
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`;
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** `size / unit` in decimals without trailing zeros; `unit` is a power of ten. */
function decimal(size: bigint, unit: bigint): string {
  const fraction = (size % unit)
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '');
  return fraction === '' ? `${size / unit}` : `${size / unit}.${fraction}`;
}
