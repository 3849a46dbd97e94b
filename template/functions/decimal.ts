/**
 * Decimal arithmetic as github.com/shopspring/decimal does it for sprig's addf, subf, mulf and divf: floats become the
 * shortest decimals that read back as them, sums and products are exact, quotients have 16 places.
 */
import { GoError } from '../function.ts';

/** coefficient x 10^exponent. */
export interface Decimal {
  readonly coefficient: bigint;
  readonly exponent: number;
}

const QUOTIENT_PLACES = 16;
const MAX_EXPONENT = 2 ** 31 - 1;

const power = (exponent: number): bigint => 10n ** BigInt(exponent);

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** @throws GoError of NaN and the infinities */
export function fromFloat(value: number): Decimal {
  if (!Number.isFinite(value)) {
    const name = Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
    throw new GoError(`Cannot create a Decimal from ${name}`);
  }
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  return { coefficient: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

/** The nearest float. */
export const toFloat = ({ coefficient, exponent }: Decimal): number =>
  coefficient === 0n ? 0 : Number(`${coefficient}e${exponent}`);

export function add(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  const coefficient =
    a.coefficient * power(a.exponent - exponent) + b.coefficient * power(b.exponent - exponent);
  return { coefficient, exponent };
}

export const subtract = (a: Decimal, b: Decimal): Decimal =>
  add(a, { coefficient: -b.coefficient, exponent: b.exponent });

export function multiply(a: Decimal, b: Decimal): Decimal {
  const exponent = a.exponent + b.exponent;
  if (Math.abs(exponent) > MAX_EXPONENT) throw new GoError(`exponent ${exponent} overflows an int32!`);
  return { coefficient: a.coefficient * b.coefficient, exponent };
}

/** To 16 places, halves away from zero. @throws GoError of a division by zero */
export function divide(a: Decimal, b: Decimal): Decimal {
  if (b.coefficient === 0n) throw new GoError('decimal division by 0');
  const shift = a.exponent - b.exponent + QUOTIENT_PLACES;
  const dividend = shift > 0 ? a.coefficient * power(shift) : a.coefficient;
  const divisor = shift < 0 ? b.coefficient * power(-shift) : b.coefficient;
  const negative = dividend < 0n !== divisor < 0n;
  let coefficient = dividend / divisor;
  if (2n * magnitude(dividend % divisor) >= magnitude(divisor)) coefficient += negative ? -1n : 1n;
  return { coefficient, exponent: -QUOTIENT_PLACES };
}
