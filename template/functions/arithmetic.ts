/** Arithmetic of sprig: integers are int64 and wrap around, floats go through decimals where sprig's do. */
import { sprint } from '../fmt.ts';
import type { Call, FunctionMap, GoFunction } from '../function.ts';
import { parseGoInt } from '../strconv.ts';
import { float64, type GoValue, int, int64, T } from '../value.ts';
import { intAt, stringAt } from './arguments.ts';
import { attempt, toFloat64, toInt64 } from './cast.ts';
import { add, type Decimal, divide, fromFloat, multiply, subtract, toFloat } from './decimal.ts';
import { anyAt, fixed, floatAt, runtimeError, spendBytes, variadic } from './declare.ts';
import { powerOfTen } from './power.ts';

const MAX_INT64 = 2n ** 63n - 1n;

/** A function of one number or more that takes the first and each further one together. */
const folded = (step: (sum: bigint, next: bigint) => bigint): GoFunction =>
  variadic([T.any, T.any], T.int64, (args, call) => {
    call.spend(args.length);
    return int64(
      args.map((value) => toInt64(value, call)).reduce((sum, next) => BigInt.asIntN(64, step(sum, next))),
    );
  });

const larger = (a: bigint, b: bigint): bigint => {
  if (a >= b) return a;
  return b;
};

const smaller = (a: bigint, b: bigint): bigint => {
  if (a <= b) return a;
  return b;
};

const MAX = folded(larger);

/** A function of exactly two integers. */
const ofTwo = (compute: (a: bigint, b: bigint) => bigint): GoFunction =>
  fixed([T.any, T.any], T.int64, (args, call) =>
    int64(compute(toInt64(anyAt(args, 0), call), toInt64(anyAt(args, 1), call))),
  );

/** Go panics where the divisor is 0; quotient and remainder truncate, as BigInt's do. */
const dividing = (compute: (a: bigint, b: bigint) => bigint): GoFunction =>
  ofTwo((a, b) => {
    if (b === 0n) throw runtimeError('integer divide by zero');
    return compute(a, b);
  });

type DecimalStep = (sum: Decimal, next: Decimal) => Decimal;

/** Steps for an operation that multiplies the digits there are. */
const DECIMAL_STEPS = 20;

function decimals(numbers: readonly number[], step: DecimalStep): GoValue {
  // One after the other: a division by zero comes before a later number that is none.
  const [first = 0, ...rest] = numbers;
  return float64(toFloat(rest.reduce((sum, next) => step(sum, fromFloat(next)), fromFloat(first))));
}

const foldedDecimals = (step: DecimalStep): GoFunction =>
  variadic([T.any, T.any], T.float64, (args, call) => {
    call.spend(DECIMAL_STEPS * args.length + args.length ** 2);
    return decimals(
      args.map((value) => toFloat64(value, call)),
      step,
    );
  });

const foldedFloats = (step: (sum: number, next: number) => number): GoFunction =>
  variadic([T.any, T.any], T.float64, (args, call) => {
    call.spend(args.length);
    return float64(args.map((value) => toFloat64(value, call)).reduce(step));
  });

/** A limit that has its way even over NaN, as in Go's math.Max and math.Min. */
const extreme =
  (choose: (a: number, b: number) => number, limit: number) =>
  (a: number, b: number): number =>
    a === limit || b === limit ? limit : choose(a, b);

const ofFloat = (compute: (value: number) => number): GoFunction =>
  fixed([T.any], T.float64, (args, call) => float64(compute(toFloat64(anyAt(args, 0), call))));

/** sprig's `round`: up from `threshold` of the last place on; negative numbers therefore go down. */
function round(value: number, places: number, threshold: number): number {
  const power = powerOfTen(places);
  const shifted = power * value;
  const fraction = Number.isFinite(shifted) ? shifted - Math.trunc(shifted) : Number.NaN;
  return (fraction >= threshold ? Math.ceil(shifted) : Math.floor(shifted)) / power;
}

const MAX_UINT64 = 2n ** 64n - 1n;

/** strconv.Atoi with its error thrown away: what is too large is the largest, what is no number is 0. */
function atoi(text: string): bigint {
  const [, sign = '', zeros = '', digits = '', rest = ''] = /^([+-]?)(0*)([0-9]*)(.*)$/s.exec(text) ?? [];
  if (zeros + digits === '') return 0n;
  // BigInt of a megabyte of digits would take long.
  const size = digits.length > 20 ? MAX_UINT64 + 1n : BigInt(digits === '' ? 0 : digits);
  // Go stops at the digit that is too much, before it sees what is no digit.
  if (rest !== '' && size <= MAX_UINT64) return 0n;
  if (sign === '-') return size > MAX_INT64 ? -MAX_INT64 - 1n : -size;
  return size > MAX_INT64 ? MAX_INT64 : size;
}

/** The number that octal digits stand for, 0 for anything else. */
function octal(text: string, call: Call): bigint {
  call.spend(text.length);
  return attempt(() => parseGoInt(text, 8, 64), 0n);
}

export const ARITHMETIC: FunctionMap = new Map([
  ['int64', fixed([T.any], T.int64, (args, call) => int64(toInt64(anyAt(args, 0), call)))],
  ['int', fixed([T.any], T.int, (args, call) => int(toInt64(anyAt(args, 0), call)))],
  ['float64', ofFloat((value) => value)],
  [
    'atoi',
    fixed([T.string], T.int, (args, call) => {
      spendBytes(call, stringAt(args, 0).length);
      return int(atoi(stringAt(args, 0)));
    }),
  ],
  ['toDecimal', fixed([T.any], T.int64, (args, call) => int64(octal(sprint([anyAt(args, 0)], call), call)))],
  ['add1', fixed([T.any], T.int64, (args, call) => int64(toInt64(anyAt(args, 0), call) + 1n))],
  [
    'add',
    variadic([T.any], T.int64, (args, call) => {
      call.spend(args.length);
      return int64(args.reduce((sum: bigint, value) => sum + toInt64(value, call), 0n));
    }),
  ],
  ['sub', ofTwo((a, b) => a - b)],
  ['mul', folded((a, b) => a * b)],
  ['div', dividing((a, b) => a / b)],
  ['mod', dividing((a, b) => a % b)],
  ['max', MAX],
  ['biggest', MAX],
  ['min', folded(smaller)],
  ['add1f', fixed([T.any], T.float64, (args, call) => decimals([toFloat64(anyAt(args, 0), call), 1], add))],
  [
    'addf',
    variadic([T.any], T.float64, (args, call) => {
      call.spend(DECIMAL_STEPS * args.length);
      return decimals([0, ...args.map((value) => toFloat64(value, call))], add);
    }),
  ],
  ['subf', foldedDecimals(subtract)],
  ['mulf', foldedDecimals(multiply)],
  ['divf', foldedDecimals(divide)],
  ['maxf', foldedFloats(extreme(Math.max, Number.POSITIVE_INFINITY))],
  ['minf', foldedFloats(extreme(Math.min, Number.NEGATIVE_INFINITY))],
  ['ceil', ofFloat(Math.ceil)],
  ['floor', ofFloat(Math.floor)],
  [
    'round',
    variadic([T.any, T.int, T.float64], T.float64, (args, call) =>
      float64(
        round(toFloat64(anyAt(args, 0), call), intAt(args, 1), args.length > 2 ? floatAt(args, 2) : 0.5),
      ),
    ),
  ],
]);
