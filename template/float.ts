/** Go's strconv.FormatFloat: every format, exact for every double. */

export type FloatFormat = 'b' | 'e' | 'E' | 'f' | 'g' | 'G' | 'x' | 'X';

/** A decimal 0.DIGITS x 10^point without trailing zeros; zero is no digits. */
interface Decimal {
  readonly digits: string;
  readonly point: number;
}

/** A finite, non-negative double as mantissa x 2^exponent; the mantissa has its hidden bit. */
interface Binary {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const view = new DataView(new ArrayBuffer(8));

function binary(value: number, bits: 32 | 64): Binary {
  if (bits === 32) {
    view.setFloat32(0, value);
    const raw = view.getUint32(0) & 0x7fffffff;
    const exponent = raw >>> 23;
    const fraction = raw & 0x7fffff;
    return exponent === 0
      ? { mantissa: BigInt(fraction), exponent: -149 }
      : { mantissa: BigInt(fraction | 0x800000), exponent: exponent - 150 };
  }
  view.setFloat64(0, value);
  const raw = view.getBigUint64(0) & 0x7fffffffffffffffn;
  const exponent = Number(raw >> 52n);
  const fraction = raw & 0xfffffffffffffn;
  return exponent === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | 0x10000000000000n, exponent: exponent - 1075 };
}

function trimZeros(digits: string, point: number): Decimal {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--;
  return end === 0 ? { digits: '', point: 0 } : { digits: digits.slice(0, end), point };
}

/** The fewest digits that only this number has. JavaScript's own conversion gives them, for doubles. */
function shortest(value: number, bits: 32 | 64): Decimal {
  if (value === 0) return { digits: '', point: 0 };
  let text = value.toExponential();
  if (bits === 32) {
    for (let digits = 0; digits < 9; digits++) {
      text = value.toExponential(digits);
      if (Math.fround(Number(text)) === value) break;
    }
  }
  const [mantissa = '', exponent = '0'] = text.split('e');
  return trimZeros(mantissa.replace('.', ''), Number(exponent) + 1);
}

/** No double has more digits after the point. */
const MAX_DECIMALS = 1080;

/** The number rounded half to even to `decimals` digits after the point (before it, if negative). */
function rounded({ mantissa, exponent }: Binary, decimals: number): Decimal {
  let numerator = mantissa;
  let denominator = 1n;
  if (decimals >= 0) numerator *= 10n ** BigInt(decimals);
  else denominator *= 10n ** BigInt(-decimals);
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  let quotient = numerator / denominator;
  const twice = (numerator - quotient * denominator) * 2n;
  if (twice > denominator || (twice === denominator && (quotient & 1n) === 1n)) quotient += 1n;
  if (quotient === 0n) return { digits: '', point: 0 };
  const digits = quotient.toString();
  return trimZeros(digits, digits.length - decimals);
}

/** The number rounded to `count` significant digits. */
function significant(value: number, bits: 32 | 64, count: number): Decimal {
  if (value === 0) return { digits: '', point: 0 };
  const parts = binary(value, bits);
  const wanted = Math.min(count, MAX_DECIMALS);
  // The shortest form may have been rounded up to the next power of ten: then one digit is missing.
  const { point } = shortest(value, 64);
  const tooHigh = value < Number(`1e${point - 1}`) || exactlyBelow(parts, point - 1);
  return rounded(parts, wanted - (tooHigh ? point - 1 : point));
}

/** True if the number is less than 10^power. */
function exactlyBelow({ mantissa, exponent }: Binary, power: number): boolean {
  let left = mantissa;
  let right = 1n;
  if (exponent >= 0) left <<= BigInt(exponent);
  else right <<= BigInt(-exponent);
  if (power >= 0) right *= 10n ** BigInt(power);
  else left *= 10n ** BigInt(-power);
  return left < right;
}

const signed = (exponent: number): string =>
  `${exponent < 0 ? '-' : '+'}${Math.abs(exponent).toString().padStart(2, '0')}`;

function scientific({ digits, point }: Decimal, precision: number, letter: string): string {
  const first = digits[0] ?? '0';
  const rest = digits.slice(1, precision + 1).padEnd(precision, '0');
  return `${first}${precision > 0 ? `.${rest}` : ''}${letter}${signed(digits === '' ? 0 : point - 1)}`;
}

function positional({ digits, point }: Decimal, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (precision <= 0) return whole;
  const zeros = Math.min(Math.max(0, -point), precision);
  const fraction =
    '0'.repeat(zeros) + digits.slice(Math.max(0, point), Math.max(0, point) + precision - zeros);
  return `${whole}.${fraction.padEnd(precision, '0')}`;
}

/** The %g rule: scientific where the exponent is below -4 or reaches the precision (6 for the shortest form). */
function general(decimal: Decimal, precision: number, isShortest: boolean, letter: string): string {
  const { digits, point } = decimal;
  const count = digits.length;
  const limit = isShortest ? 6 : precision > count && count >= point ? count : precision;
  if (point - 1 < -4 || point - 1 >= limit) {
    return scientific(decimal, Math.min(precision, count) - 1, letter);
  }
  return positional(decimal, Math.max(0, (precision > point ? count : precision) - point));
}

function binaryForm({ mantissa, exponent }: Binary): string {
  return `${mantissa}p${exponent >= 0 ? '+' : ''}${exponent}`;
}

/** One hexadecimal digit before the point, which is 1 but for zero. */
function hexForm(parts: Binary, precision: number, letter: 'x' | 'X'): string {
  let { mantissa } = parts;
  let exponent = parts.exponent;
  let fraction = 0n;
  let fractionDigits = 0;
  if (mantissa === 0n) exponent = 0;
  else {
    // Bring it to 1.FRACTION with 60 bits after the point.
    const length = mantissa.toString(2).length;
    exponent += length - 1;
    mantissa <<= BigInt(61 - length);
    fractionDigits = 15;
    if (precision >= 0 && precision < 15) {
      const unit = 1n << BigInt(60 - precision * 4);
      const rest = mantissa % unit;
      mantissa -= rest;
      if (rest * 2n > unit || (rest * 2n === unit && (mantissa / unit) % 2n === 1n)) mantissa += unit;
      if (mantissa >> 61n !== 0n) {
        mantissa >>= 1n;
        exponent++;
      }
    }
    fraction = mantissa & ((1n << 60n) - 1n);
  }
  let digits = fractionDigits === 0 ? '' : fraction.toString(16).padStart(fractionDigits, '0');
  digits = precision < 0 ? digits.replace(/0+$/, '') : digits.slice(0, precision).padEnd(precision, '0');
  const text = `0x${parts.mantissa === 0n ? 0 : 1}${digits === '' ? '' : `.${digits}`}p${signed(exponent)}`;
  return letter === 'X' ? text.toUpperCase() : text;
}

/**
 * strconv.FormatFloat.
 * @param precision digits after the point (`e`, `f`, `x`) or significant ones (`g`); -1: the fewest that are exact
 * @param bits 32 if the value is a float32
 */
export function formatFloat(value: number, format: FloatFormat, precision: number, bits: 32 | 64): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const magnitude = Math.abs(value);
  const isShortest = precision < 0;
  switch (format) {
    case 'b':
      return sign + binaryForm(binary(magnitude, bits));
    case 'x':
    case 'X':
      return sign + hexForm(binary(magnitude, bits), precision, format);
    case 'e':
    case 'E': {
      const decimal = isShortest ? shortest(magnitude, bits) : significant(magnitude, bits, precision + 1);
      return (
        sign + scientific(decimal, isShortest ? Math.max(decimal.digits.length - 1, 0) : precision, format)
      );
    }
    case 'f': {
      const decimal = isShortest
        ? shortest(magnitude, bits)
        : rounded(binary(magnitude, bits), Math.min(precision, MAX_DECIMALS));
      const { digits, point } = decimal;
      return sign + positional(decimal, isShortest ? Math.max(digits.length - point, 0) : precision);
    }
    default: {
      const wanted = Math.max(precision, 1);
      const decimal = isShortest ? shortest(magnitude, bits) : significant(magnitude, bits, wanted);
      const letter = format === 'g' ? 'e' : 'E';
      return sign + general(decimal, isShortest ? decimal.digits.length : wanted, isShortest, letter);
    }
  }
}
