/** Functions of sprig over `map[string]interface {}`. Where Go's order is random, ours is that of the keys. */
import { type Call, type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { dict, GoMap, type GoValue, list, strings, T, typeOf } from '../value.ts';
import { stringAt } from './arguments.ts';
import { anyAt, DICT, fixed, LIST, mapAt, mapsFrom, STRINGS, variadic } from './declare.ts';
import { mergeAll } from './merge.ts';
import { textOf } from './text.ts';

/** A dictionary of keys and values by turns; a last key without a value gets the empty text. */
function dictOf(args: readonly GoValue[], call: Call): GoMap {
  call.spend(2 * args.length);
  call.allocate(64 * args.length);
  const made = dict();
  for (let index = 0; index < args.length; index += 2) {
    made.entries.set(textOf(anyAt(args, index), call), index + 1 < args.length ? anyAt(args, index + 1) : '');
  }
  return made;
}

function sortedKeys(map: GoMap, call: Call): string[] {
  call.spend(1 + 4 * map.entries.size);
  call.allocate(16 * map.entries.size);
  return [...map.entries.keys()].sort();
}

/** The entries of the map whose key passes, as a new map. */
function filtered(map: GoMap, call: Call, passes: (key: string) => boolean): GoMap {
  call.spend(1 + map.entries.size);
  call.allocate(64 * map.entries.size);
  return dict([...map.entries].filter(([key]) => passes(key)));
}

const keysFrom = (args: readonly GoValue[], first: number): Set<string> =>
  new Set(args.slice(first).map((_, index) => stringAt(args, first + index)));

/** A failed type assertion of Go. */
const notOfType = (value: GoValue, wanted: string): GoError =>
  new GoError(`interface conversion: interface {} is ${typeOf(value)?.name ?? 'nil'}, not ${wanted}`);

function asDict(value: GoValue): GoMap {
  if (value instanceof GoMap && value.type === DICT) return value;
  throw notOfType(value, DICT.name);
}

/** The value under the path of keys, or the default where a key is missing; keys, default, dictionary. */
function dig(args: readonly GoValue[]): GoValue {
  if (args.length < 3) throw new GoError('dig needs at least three arguments');
  let found: GoValue = asDict(anyAt(args, args.length - 1));
  const path = args.slice(0, -2).map((key) => {
    if (typeof key !== 'string') throw notOfType(key, 'string');
    return key;
  });
  for (const key of path) {
    const next: GoValue | undefined = asDict(found).entries.get(key);
    if (next === undefined) return anyAt(args, args.length - 2);
    found = next;
  }
  return found;
}

/** sprig's `merge` swallows the error, `mustMerge` does not. */
const merging = (overwrite: boolean, failure: () => GoValue): GoFunction =>
  variadic(
    [DICT, DICT],
    T.any,
    (args, call) => mergeAll(mapAt(args, 0), mapsFrom(args, 1), overwrite, call) ?? failure(),
  );

const emptyText = (): string => '';

const refuseTypes = (): never => {
  throw new GoError('src and dst must be of same type');
};

export const DICTS: FunctionMap = new Map([
  ['dict', variadic([T.any], DICT, dictOf)],
  [
    'get',
    fixed([DICT, T.string], T.any, (args) => {
      const value = mapAt(args, 0).entries.get(stringAt(args, 1));
      return value === undefined ? '' : value;
    }),
  ],
  ['hasKey', fixed([DICT, T.string], T.bool, (args) => mapAt(args, 0).entries.has(stringAt(args, 1)))],
  [
    'set',
    fixed([DICT, T.string, T.any], DICT, (args, call) => {
      const map = mapAt(args, 0);
      if (map.isNil) throw new GoError('assignment to entry in nil map');
      call.allocate(64);
      map.entries.set(stringAt(args, 1), anyAt(args, 2));
      return map;
    }),
  ],
  [
    'unset',
    fixed([DICT, T.string], DICT, (args) => {
      const map = mapAt(args, 0);
      map.entries.delete(stringAt(args, 1));
      return map;
    }),
  ],
  [
    'pluck',
    variadic([T.string, DICT], LIST, (args) => {
      const found = mapsFrom(args, 1).map((map) => map.entries.get(stringAt(args, 0)));
      return list(found.filter((value) => value !== undefined));
    }),
  ],
  [
    'keys',
    variadic([DICT], STRINGS, (args, call) =>
      strings(mapsFrom(args, 0).flatMap((map) => sortedKeys(map, call))),
    ),
  ],
  [
    'values',
    fixed([DICT], LIST, (args, call) => {
      const map = mapAt(args, 0);
      return list(sortedKeys(map, call).map((key) => map.entries.get(key) ?? null));
    }),
  ],
  [
    'pick',
    variadic([DICT, T.string], DICT, (args, call) => {
      const wanted = keysFrom(args, 1);
      return filtered(mapAt(args, 0), call, (key) => wanted.has(key));
    }),
  ],
  [
    'omit',
    variadic([DICT, T.string], DICT, (args, call) => {
      const unwanted = keysFrom(args, 1);
      return filtered(mapAt(args, 0), call, (key) => !unwanted.has(key));
    }),
  ],
  ['dig', variadic([T.any], T.any, dig)],
  ['merge', merging(false, emptyText)],
  ['mustMerge', merging(false, refuseTypes)],
  ['mergeOverwrite', merging(true, emptyText)],
  ['mustMergeOverwrite', merging(true, refuseTypes)],
]);
