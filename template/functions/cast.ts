/**
 * Numbers out of values of any type as github.com/spf13/cast makes them; what is none becomes 0, as sprig throws the
 * errors away. Only the plain types count: of the named ones cast knows time.Month and time.Weekday.
 */
import { type Call, GoError } from '../function.ts';
import { parseGoFloat, parseGoInt } from '../strconv.ts';
import { GoFloat, GoInt, type GoValue } from '../value.ts';

const MIN_INT64 = -(1n << 63n);
const NAMED = new Set(['time.Month', 'time.Weekday']);

const isPlain = ({ type }: GoInt | GoFloat): boolean => type.name === type.kind || NAMED.has(type.name);

/** What the computation gives, or `otherwise` where Go has an error; a budget that is used up stays an error. */
export function attempt<R>(convert: () => R, otherwise: R): R {
  try {
    return convert();
  } catch (error) {
    if (error instanceof GoError) return otherwise;
    throw error;
  }
}

/** A float as int64, as amd64 converts it: what does not fit is the least integer. */
function truncateFloat(value: number): bigint {
  const whole = Math.trunc(value);
  return whole >= -(2 ** 63) && whole < 2 ** 63 ? BigInt(whole) : MIN_INT64;
}

/** A number of few digits is free; a long text is read digit by digit. */
function spendText(text: string, call: Call): void {
  if (text.length > 32) call.spend(text.length);
}

/** Without the zeros after a final point (`3.00` is 3, but `3.10` is no integer); points after them go too. */
const withoutZeroDecimals = (text: string): string => text.replace(/\.0+\.*$/, '');

/** cast.ToInt64, which cast.ToInt equals on 64 bits. Texts may be `0x…`, `0o…`, `0b…`, `0…` and have underscores. */
export function toInt64(value: GoValue, call: Call): bigint {
  if (typeof value === 'string') {
    spendText(value, call);
    return attempt(() => parseGoInt(withoutZeroDecimals(value), 0, 64), 0n);
  }
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (value instanceof GoInt && isPlain(value)) return BigInt.asIntN(64, value.value);
  if (value instanceof GoFloat && isPlain(value)) return truncateFloat(value.value);
  return 0n;
}

/** cast.ToFloat64. */
export function toFloat64(value: GoValue, call: Call): number {
  if (typeof value === 'string') {
    spendText(value, call);
    return attempt(() => parseGoFloat(value, 64), 0);
  }
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof GoInt && isPlain(value)) return Number(value.value);
  if (value instanceof GoFloat && isPlain(value)) return value.value;
  return 0;
}
