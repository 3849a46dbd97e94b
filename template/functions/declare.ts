/** Short forms in which the functions of this room declare themselves and read their arguments. */
import { budgetError } from '../errors.ts';
import { type Call, GoError, type GoFunction } from '../function.ts';
import { GoFloat, GoInt, GoMap, GoSlice, type GoType, type GoValue, mapOf, sliceOf, T } from '../value.ts';

/** `map[string]interface {}`. */
export const DICT = mapOf(T.any);
/** `[]interface {}`. */
export const LIST = sliceOf(T.any);
/** `[]string`. */
export const STRINGS = sliceOf(T.string);

type Body = (args: readonly GoValue[], call: Call) => GoValue;

/** A function of exactly these parameters. */
export const fixed = (params: readonly GoType[], result: GoType, call: Body): GoFunction => ({
  params,
  result,
  call,
});

/** A function whose last parameter may come any number of times. */
export const variadic = (params: readonly GoType[], result: GoType, call: Body): GoFunction => ({
  params,
  variadic: true,
  result,
  call,
});

/** The argument at `index`, declared `interface {}`. */
export const anyAt = (args: readonly GoValue[], index: number): GoValue => args[index] ?? null;

/** The argument at `index`, declared as an integer, exactly. */
export function bigAt(args: readonly GoValue[], index: number): bigint {
  const value = args[index];
  if (!(value instanceof GoInt)) throw new TypeError(`argument ${index} was declared an integer`);
  return value.value;
}

/** The argument at `index`, declared `float64`. */
export function floatAt(args: readonly GoValue[], index: number): number {
  const value = args[index];
  if (!(value instanceof GoFloat)) throw new TypeError(`argument ${index} was declared a float64`);
  return value.value;
}

/** The argument at `index`, declared `map[string]interface {}`; nil is a nil map. */
export function mapAt(args: readonly GoValue[], index: number): GoMap {
  const value = args[index] ?? null;
  if (value === null) return new GoMap(DICT, new Map(), true);
  if (!(value instanceof GoMap)) throw new TypeError(`argument ${index} was declared a map`);
  return value;
}

/** The arguments from `first` on, all declared `map[string]interface {}`. */
export const mapsFrom = (args: readonly GoValue[], first: number): GoMap[] =>
  args.slice(first).map((_, index) => mapAt(args, first + index));

/** A nil slice of the type. */
export const nilSlice = (type: GoType): GoSlice => new GoSlice(type, [], true);

/**
 * A panic of Go's runtime.
 * @param text Go's, without the prefix `runtime error: ` @param redacted the same without lengths of values
 */
export const runtimeError = (text: string, redacted: string = text): GoError =>
  new GoError(`runtime error: ${redacted}`, `runtime error: ${text}`);

/** What calling a method of reflect.TypeOf(nil) panics with: how sprig's list functions refuse nil. */
export const nilDereference = (): GoError =>
  runtimeError('invalid memory address or nil pointer dereference');

/** Bytes that one step of the budget pays for in work that Node does natively. */
const BYTES_A_STEP = 32;

/** Pays for native work (search, slice, join) on `bytes`. */
export const spendBytes = (call: Call, bytes: number): void =>
  call.spend(1 + Math.floor(bytes / BYTES_A_STEP));

/** Pays for work that looks at each of `count` bytes or runes in JavaScript. */
export const spendRunes = (call: Call, count: number): void => call.spend(1 + Math.floor(count / 4));

/** How deep a value may be nested; deeper ones would overflow the stack of JavaScript. */
const MAX_NESTING = 500;

/**
 * Before a function goes one level deeper into a value.
 * @throws TemplateError TEMPLATE_BUDGET if the value is nested too deeply (or contains itself)
 */
export function descend(depth: number, call: Call): void {
  call.spend(1);
  if (depth > MAX_NESTING) throw budgetError(`a value is nested deeper than ${MAX_NESTING}`);
}
