/** Functions of sprig that choose by whether a value is empty. */
import type { FunctionMap } from '../function.ts';
import { GoComplex, GoFloat, GoInt, GoMap, GoObject, GoSlice, type GoValue, T } from '../value.ts';
import { anyAt, fixed, variadic } from './declare.ts';

/** True of nil, false, 0, and what has length 0; never of a struct or a pointer. */
export function isEmpty(value: GoValue): boolean {
  if (value === null || value === '' || value === false) return true;
  if (typeof value !== 'object') return false;
  if (value instanceof GoInt) return value.value === 0n;
  if (value instanceof GoFloat) return value.value === 0;
  if (value instanceof GoSlice) return value.items.length === 0;
  if (value instanceof GoMap) return value.entries.size === 0;
  if (value instanceof GoComplex) return value.real === 0 && value.imaginary === 0;
  return !(value instanceof GoObject);
}

/** The first that is not empty, else nil. */
const coalesce = (values: readonly GoValue[]): GoValue => values.find((value) => !isEmpty(value)) ?? null;

export const DEFAULTS: FunctionMap = new Map([
  [
    'default',
    variadic([T.any, T.any], T.any, (args) => (isEmpty(anyAt(args, 1)) ? anyAt(args, 0) : anyAt(args, 1))),
  ],
  ['empty', fixed([T.any], T.bool, (args) => isEmpty(anyAt(args, 0)))],
  ['coalesce', variadic([T.any], T.any, coalesce)],
  ['all', variadic([T.any], T.bool, (args) => args.every((value) => !isEmpty(value)))],
  ['any', variadic([T.any], T.bool, (args) => args.some((value) => !isEmpty(value)))],
  ['ternary', fixed([T.any, T.any, T.bool], T.any, (args) => anyAt(args, args[2] === true ? 0 : 1))],
]);
