/**
 * dario.cat/mergo over dictionaries, as sprig uses it: `merge` fills what is missing or empty in the first dictionary,
 * `mergeOverwrite` lets the later ones win, empty values included. Both change the first dictionary and the ones
 * inside of it; what they take from a source is shared with it, not copied.
 */
import { type Call, GoError } from '../function.ts';
import { GoComplex, GoMap, GoObject, GoSlice, type GoValue, typeOf } from '../value.ts';
import { DICT, descend } from './declare.ts';
import { isEmpty } from './defaults.ts';

/** mergo counts a complex 0 as something. */
const isEmptyForMerge = (value: GoValue): boolean => !(value instanceof GoComplex) && isEmpty(value);

/**
 * Merges the sources into the target one after the other.
 * @returns the target (a new dictionary if it was nil), or undefined if two values cannot be merged: mergo's error
 * @throws GoError for what makes mergo panic: a value that does not fit into a `map[string]string`
 */
export function mergeAll(
  target: GoMap,
  sources: readonly GoMap[],
  overwrite: boolean,
  call: Call,
): GoMap | undefined {
  const merged =
    target.isNil && sources.some((source) => !source.isNil) ? new GoMap(DICT, new Map()) : target;
  for (const source of sources) {
    if (!mergeInto(merged, source, { overwrite, call }, 0)) return undefined;
  }
  return merged;
}

interface Merging {
  readonly overwrite: boolean;
  readonly call: Call;
}

/** False where mergo gives up: types that differ. */
function mergeInto(target: GoMap, source: GoMap, merging: Merging, depth: number): boolean {
  const { overwrite, call } = merging;
  descend(depth, call);
  for (const [key, value] of source.entries) {
    call.spend(4);
    call.allocate(64);
    const existing = target.entries.get(key);
    if (value === null) {
      if (overwrite) put(target, key, null, source);
      continue;
    }
    if (value instanceof GoMap || value instanceof GoObject) {
      if (!mergeNested(existing ?? null, value, merging, depth)) return false;
    } else if (value instanceof GoSlice) {
      const kept = keptSlice(target, existing, value);
      put(target, key, overwrite || target.entries.size === 0 ? value : kept);
    }
    const isFilled = existing !== undefined && !isEmptyForMerge(existing);
    if (isFilled && (value instanceof GoSlice || (value instanceof GoMap && existing instanceof GoMap)))
      continue;
    if (overwrite || !isFilled) put(target, key, value, source);
  }
  return true;
}

/**
 * Only a dictionary in a dictionary is merged. A struct stays as it is, but mergo panics where it has exported fields
 * and the other is no struct; a pointer and something else is an error unless the source wins.
 */
function mergeNested(existing: GoValue, value: GoMap | GoObject, merging: Merging, depth: number): boolean {
  if (existing instanceof GoMap) {
    if (!(value instanceof GoMap) || (existing.isNil && !value.isNil)) return true;
    return mergeInto(existing, value, merging, depth + 1);
  }
  if (!(existing instanceof GoObject)) return true;
  if (existing.type.kind === 'struct') {
    if (existing.fields.size === 0 || value.type.kind === 'struct') return true;
    throw new GoError(`reflect: call of reflect.Value.Field on ${value.type.kind} Value`);
  }
  return merging.overwrite || value.type.kind === 'ptr';
}

/** What stays where a slice of the source does not win. */
function keptSlice(target: GoMap, existing: GoValue | undefined, value: GoSlice): GoValue {
  if (existing === undefined || existing === null) return new GoSlice(value.type, []);
  if (target.type.elem?.kind !== 'interface') {
    throw new GoError(`reflect: call of reflect.Value.IsNil on ${target.type.elem?.kind} Value`);
  }
  return existing;
}

/** Sets an entry; as an element of `source` the value has that map's static type, else its own. */
function put(target: GoMap, key: string, value: GoValue, source?: GoMap): void {
  const wanted = target.type.elem;
  const given = source === undefined ? typeOf(value) : source.type.elem;
  if (wanted?.kind !== 'interface' && wanted !== given) {
    throw new GoError(
      `reflect.Value.SetMapIndex: value of type ${given?.name} is not assignable to type ${wanted?.name}`,
    );
  }
  target.entries.set(key, value);
}
