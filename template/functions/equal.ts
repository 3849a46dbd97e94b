/** reflect.DeepEqual over the values of templates. */
import { isDeepStrictEqual } from 'node:util';
import type { Call } from '../function.ts';
import { GoComplex, GoFloat, GoInt, GoMap, GoObject, GoSlice, type GoValue } from '../value.ts';
import { descend } from './declare.ts';

/**
 * True if both have the same type and are equal in depth: an `int` is no `int64`, a nil slice no empty one, and NaN
 * equals nothing, but a map or slice equals itself whatever it holds.
 */
export function deepEqual(a: GoValue, b: GoValue, call: Call, depth = 0): boolean {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') {
    call.spend(1);
    return a === b;
  }
  if (a.type !== b.type) return false;
  descend(depth, call);
  if (a instanceof GoInt && b instanceof GoInt) return a.value === b.value;
  if (a instanceof GoFloat && b instanceof GoFloat) return a.value === b.value;
  if (a instanceof GoComplex && b instanceof GoComplex)
    return a.real === b.real && a.imaginary === b.imaginary;
  if (a === b) return true;
  if (a instanceof GoSlice && b instanceof GoSlice) {
    if (a.isNil !== b.isNil || a.items.length !== b.items.length) return false;
    return a.items.every((item, index) => deepEqual(item, b.items[index] ?? null, call, depth + 1));
  }
  if (a instanceof GoMap && b instanceof GoMap) {
    return a.isNil === b.isNil && equalEntries(a.entries, b.entries, call, depth + 1);
  }
  if (a instanceof GoObject && b instanceof GoObject) {
    return isDeepStrictEqual(a.native, b.native) && equalEntries(a.fields, b.fields, call, depth + 1);
  }
  return false;
}

type Entries = ReadonlyMap<string, GoValue>;

function equalEntries(a: Entries, b: Entries, call: Call, depth: number): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    const other = b.get(key);
    if (other === undefined || !deepEqual(value, other, call, depth)) return false;
  }
  return true;
}
