/** Functions of sprig over lists: each takes any slice, and gives a new `[]interface {}` but where it says otherwise. */
import { type Call, type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { GoFloat, GoInt, GoSlice, type GoValue, int, list, sliceOf, strings, T, typeOf } from '../value.ts';
import { intAt } from './arguments.ts';
import { toInt64 } from './cast.ts';
import { anyAt, bigAt, fixed, LIST, nilDereference, nilSlice, STRINGS, variadic } from './declare.ts';
import { isEmpty } from './defaults.ts';
import { deepEqual } from './equal.ts';
import { textOf, textsOf } from './text.ts';

const CHUNKS = sliceOf(LIST);

/** The slice that the argument must be; `refusal` begins sprig's words for any other kind. */
function sliceAt(args: readonly GoValue[], index: number, refusal: string, call: Call): GoSlice {
  const value = anyAt(args, index);
  if (value === null) throw nilDereference();
  if (!(value instanceof GoSlice)) throw new GoError(`${refusal} ${typeOf(value)?.kind}`);
  call.spend(1 + value.items.length / 8);
  call.allocate(8 * value.items.length);
  return value;
}

/** A function of one list. */
const ofList = (refusal: string, compute: (items: readonly GoValue[], call: Call) => GoSlice): GoFunction =>
  fixed([T.any], LIST, (args, call) => compute(sliceAt(args, 0, refusal, call).items, call));

/** A function of one list whose result is an element, nil of an empty list. */
const picking = (refusal: string, index: number): GoFunction =>
  fixed([T.any], T.any, (args, call) => sliceAt(args, 0, refusal, call).items.at(index) ?? null);

const PUSH = fixed([T.any, T.any], LIST, (args, call) =>
  list([...sliceAt(args, 0, 'Cannot push on type', call).items, anyAt(args, 1)]),
);

const PREPEND = fixed([T.any, T.any], LIST, (args, call) =>
  list([anyAt(args, 1), ...sliceAt(args, 0, 'Cannot prepend on type', call).items]),
);

const FIRST = picking('Cannot find first on type', 0);
const LAST = picking('Cannot find last on type', -1);

const REST = ofList('Cannot find rest on type', (items) =>
  items.length === 0 ? nilSlice(LIST) : list(items.slice(1)),
);

const INITIAL = ofList('Cannot find initial on type', (items) =>
  items.length === 0 ? nilSlice(LIST) : list(items.slice(0, -1)),
);

const REVERSE = ofList('Cannot find reverse on type', (items) => list(items.toReversed()));

const COMPACT = ofList('Cannot compact on type', (items) => list(items.filter((item) => !isEmpty(item))));

const contains = (items: readonly GoValue[], wanted: GoValue, call: Call): boolean =>
  items.some((item) => deepEqual(wanted, item, call));

/** What stands for a plain value in a set: two have the same key if and only if they are equal (NaN has none). */
function keyOf(value: GoValue): string | undefined {
  if (value === null || typeof value !== 'object') return `${typeof value} ${value}`;
  if (value instanceof GoInt) return `${value.type.name} ${value.value}`;
  return value instanceof GoFloat && !Number.isNaN(value.value)
    ? `${value.type.name} ${value.value}`
    : undefined;
}

/** Plain values that were seen are found by their key; others are compared one by one. */
function unique(items: readonly GoValue[], call: Call): GoSlice {
  call.spend(items.length);
  const seen = new Set<string>();
  const others: GoValue[] = [];
  return list(
    items.filter((item) => {
      const key = keyOf(item);
      if (key !== undefined) {
        const isNew = !seen.has(key);
        seen.add(key);
        return isNew;
      }
      if (contains(others, item, call)) return false;
      others.push(item);
      return true;
    }),
  );
}

const UNIQ = ofList('Cannot find uniq on type', unique);

const WITHOUT = variadic([T.any, T.any], LIST, (args, call) => {
  const { items } = sliceAt(args, 0, 'Cannot find without on type', call);
  const omitted = args.slice(1);
  return list(items.filter((item) => !contains(omitted, item, call)));
});

const HAS = fixed([T.any, T.any], T.bool, (args, call) => {
  if (anyAt(args, 1) === null) return false;
  return contains(sliceAt(args, 1, 'Cannot find has on type', call).items, anyAt(args, 0), call);
});

/** Elements from the first index to before the second; the type stays. Nil of an empty list, whatever the indexes. */
const SLICE = variadic([T.any, T.any], T.any, (args, call) => {
  const whole = sliceAt(args, 0, 'list should be type of slice or array but', call);
  if (whole.items.length === 0) return null;
  const start = args.length > 1 ? toInt64(anyAt(args, 1), call) : 0n;
  const end = args.length > 2 ? toInt64(anyAt(args, 2), call) : BigInt(whole.items.length);
  if (start < 0n || end < start || end > BigInt(whole.items.length)) {
    throw new GoError('reflect.Value.Slice: slice index out of bounds');
  }
  return new GoSlice(whole.type, whole.items.slice(Number(start), Number(end)));
});

/** All elements of all lists; nil of no list or of empty ones alone. */
const CONCAT = variadic([T.any], T.any, (args, call) => {
  const items = args.flatMap((_, index) => [...sliceOfConcat(args, index, call)]);
  return items.length === 0 ? nilSlice(LIST) : list(items);
});

function sliceOfConcat(args: readonly GoValue[], index: number, call: Call): readonly GoValue[] {
  const value = anyAt(args, index);
  if (value !== null && !(value instanceof GoSlice)) {
    throw new GoError(`Cannot concat type ${typeOf(value)?.kind} as list`);
  }
  return sliceAt(args, index, '', call).items;
}

/**
 * Lists of `size` elements, the last of what is left. The number of lists is computed as sprig does, in floating
 * point, so that sizes below 1 end in sprig's panics or in no list.
 */
function chunk(items: readonly GoValue[], size: number, call: Call): GoSlice {
  const count = Math.floor((items.length - 1) / size) + 1;
  const last = items.length % size === 0 ? size : items.length % size;
  if (!Number.isFinite(count) || count < 0 || (count > 0 && last < 0)) {
    throw new GoError('runtime error: makeslice: len out of range');
  }
  call.allocate(32 * count);
  const chunks = Array.from({ length: count }, (_, index) => {
    const start = index * size;
    return list(items.slice(start, start + (index === count - 1 ? last : size)));
  });
  return new GoSlice(CHUNKS, chunks);
}

const CHUNK = fixed([T.int, T.any], CHUNKS, (args, call) =>
  chunk(sliceAt(args, 1, 'Cannot chunk type', call).items, intAt(args, 0), call),
);

/** The texts in the order of their bytes. Go sorts a `[]string` in place, so who holds the same list sees it sorted. */
const SORT_ALPHA = fixed([T.any], STRINGS, (args, call) => {
  const value = anyAt(args, 0);
  if (!(value instanceof GoSlice)) return strings([textOf(value, call)]);
  const sorted = textsOf(value, call).sort(compareBytes);
  call.spend(value.items.length);
  if (value.type !== STRINGS) return strings(sorted);
  (value.items as GoValue[]).splice(0, sorted.length, ...sorted);
  return value;
});

const compareBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The integers from `start` on in steps, before `stop`. Beyond the last 64-bit integer comes the first, as in Go. */
function steps(start: bigint, stop: bigint, step: bigint, call: Call): bigint[] {
  const down = stop < start;
  if (down ? step >= 0n : step <= 0n) return [];
  const made: bigint[] = [];
  for (let at = start; down ? at > stop : at < stop; at = BigInt.asIntN(64, at + step)) {
    call.spend(2);
    call.allocate(64);
    made.push(at);
  }
  return made;
}

const INTS = sliceOf(T.int);

/** Texts of the integers between spaces; 1 argument: to it from 1; 2: from, to; 3: from, step, to. Ends are included. */
function sequence(params: readonly bigint[], call: Call): string {
  const [first = 0n, second = 0n, third = 0n] = params;
  if (params.length === 0 || params.length > 3) return '';
  const [start, end] =
    params.length === 1 ? [1n, first] : params.length === 2 ? [first, second] : [first, third];
  const direction = end < start ? -1n : 1n;
  if (params.length === 3 && direction < 0n && second > 0n) return '';
  return steps(
    start,
    BigInt.asIntN(64, end + direction),
    params.length === 3 ? second : direction,
    call,
  ).join(' ');
}

const asInts = (numbers: readonly bigint[]): GoSlice => new GoSlice(INTS, numbers.map(int));

export const LISTS: FunctionMap = new Map([
  ['list', variadic([T.any], LIST, list)],
  ['tuple', variadic([T.any], LIST, list)],
  ['append', PUSH],
  ['mustAppend', PUSH],
  ['push', PUSH],
  ['mustPush', PUSH],
  ['prepend', PREPEND],
  ['mustPrepend', PREPEND],
  ['first', FIRST],
  ['mustFirst', FIRST],
  ['last', LAST],
  ['mustLast', LAST],
  ['rest', REST],
  ['mustRest', REST],
  ['initial', INITIAL],
  ['mustInitial', INITIAL],
  ['reverse', REVERSE],
  ['mustReverse', REVERSE],
  ['compact', COMPACT],
  ['mustCompact', COMPACT],
  ['uniq', UNIQ],
  ['mustUniq', UNIQ],
  ['without', WITHOUT],
  ['mustWithout', WITHOUT],
  ['has', HAS],
  ['mustHas', HAS],
  ['slice', SLICE],
  ['mustSlice', SLICE],
  ['concat', CONCAT],
  ['chunk', CHUNK],
  ['mustChunk', CHUNK],
  ['sortAlpha', SORT_ALPHA],
  [
    'until',
    fixed([T.int], INTS, (args, call) => {
      const stop = bigAt(args, 0);
      return asInts(steps(0n, stop, stop < 0n ? -1n : 1n, call));
    }),
  ],
  [
    'untilStep',
    fixed([T.int, T.int, T.int], INTS, (args, call) =>
      asInts(steps(bigAt(args, 0), bigAt(args, 1), bigAt(args, 2), call)),
    ),
  ],
  [
    'seq',
    variadic([T.int], T.string, (args, call) =>
      sequence(
        args.map((_, index) => bigAt(args, index)),
        call,
      ),
    ),
  ],
]);
