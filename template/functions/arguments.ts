/** How a function reads what the executor has already checked against its parameters, and how it is declared. */
import type { Call, GoFunction } from '../function.ts';
import { GoInt, type GoType, type GoValue, T } from '../value.ts';
import { spendBytes } from './declare.ts';

/** The argument at `index`, declared as `string`. */
export function stringAt(args: readonly GoValue[], index: number): string {
  const value = args[index];
  if (typeof value !== 'string') throw new TypeError(`argument ${index} was declared a string`);
  return value;
}

/** The argument at `index`, declared as an integer, saturated to what a JavaScript number holds exactly. */
export function intAt(args: readonly GoValue[], index: number): number {
  const value = args[index];
  if (!(value instanceof GoInt)) throw new TypeError(`argument ${index} was declared an integer`);
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  if (value.value > limit) return Number.MAX_SAFE_INTEGER;
  if (value.value < -limit) return Number.MIN_SAFE_INTEGER;
  return Number(value.value);
}

/** A function of `count` strings; it pays for native work on their bytes before it runs. */
export function ofStrings<R extends GoValue>(
  count: number,
  result: GoType,
  compute: (texts: readonly [string, string, string, string], call: Call) => R,
): GoFunction {
  return {
    params: Array.from({ length: count }, () => T.string),
    result,
    call: (args, call) => {
      const text = (index: number): string => (index < count ? stringAt(args, index) : '');
      const texts = [text(0), text(1), text(2), text(3)] as const;
      spendBytes(call, texts[0].length + texts[1].length + texts[2].length + texts[3].length);
      return compute(texts, call);
    },
  };
}

/** A function of one string with a string as result. */
export const textToText = (compute: (text: string, call: Call) => string): GoFunction =>
  ofStrings(1, T.string, ([text], call) => compute(text, call));
