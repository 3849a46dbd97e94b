/** The methods of strings, arrays, numbers and Buffers that a lodash template may call, with JavaScript's meaning. */
import { expandReplacement, groupOf, Regexp } from './regexp.ts';
import {
  type Bytes,
  Callable,
  Fault,
  joined,
  kindOf,
  nameOf,
  type Run,
  toNumber,
  toText,
  type Value,
} from './values.ts';

type Method<Self> = (self: Self, args: readonly Value[], run: Run) => Value;
type Methods<Self> = Readonly<Record<string, Method<Self>>>;

const ENCODINGS: ReadonlySet<string> = new Set([
  'utf8',
  'utf-8',
  'base64',
  'base64url',
  'hex',
  'ascii',
  'latin1',
  'binary',
]);

/** @throws Fault for what is no encoding of Buffer's that a template may use */
export function encodingOf(value: Value): BufferEncoding {
  if (value === undefined) return 'utf8';
  if (typeof value === 'string' && ENCODINGS.has(value.toLowerCase()))
    return value.toLowerCase() as BufferEncoding;
  throw new Fault(`no such encoding; there is ${[...ENCODINGS].join(', ')}`);
}

/** An argument that is called. */
function callback(args: readonly Value[], run: Run): (...given: Value[]) => Value {
  const [called] = args;
  if (!(called instanceof Callable)) throw new Fault(`${nameOf(called)} is no function`);
  return (...given) => {
    run.budget.spend(1);
    return called.call(given);
  };
}

const numberAt = (args: readonly Value[], index: number, run: Run): number | undefined =>
  args[index] === undefined ? undefined : toNumber(args[index], run);

/** A text that was made, accounted for. */
function made(text: string, run: Run): string {
  run.budget.allocate(text.length);
  return text;
}

/** Where a pattern, text or regular expression, matches. */
function findMatches(text: string, pattern: Value, all: boolean, run: Run): (readonly number[])[] {
  run.budget.spend(1 + text.length);
  if (pattern instanceof Regexp) {
    run.budget.spend(pattern.cost(text.length));
    const found: (readonly number[])[] = [];
    for (const match of pattern.matches(text, all || pattern.global ? -1 : 1)) {
      run.budget.spend(match.length);
      found.push(match);
    }
    return found;
  }
  const wanted = toText(pattern, run);
  const found: (readonly number[])[] = [];
  for (let at = text.indexOf(wanted); at >= 0; ) {
    run.budget.spend(1);
    found.push([at, at + wanted.length]);
    const next = at + Math.max(wanted.length, 1);
    if (!all || next > text.length) break;
    at = text.indexOf(wanted, next);
  }
  return found;
}

function replace(text: string, args: readonly Value[], all: boolean, run: Run): string {
  const [pattern, replacement] = args;
  const parts: string[] = [];
  let done = 0;
  for (const match of findMatches(text, pattern, all, run)) {
    const [start = 0, end = 0] = match;
    const groups = Array.from({ length: match.length / 2 - 1 }, (_, index) =>
      groupOf(text, match, index + 1),
    );
    const put =
      replacement instanceof Callable
        ? toText(replacement.call([text.slice(start, end), ...groups, start, text]), run)
        : expandReplacement(toText(replacement, run), text, match);
    parts.push(text.slice(done, start), put);
    run.budget.allocate(start - done + put.length);
    done = end;
  }
  return made(parts.join('') + text.slice(done), run);
}

function split(text: string, args: readonly Value[], run: Run): Value[] {
  const [separator] = args;
  if (separator === undefined) return [text];
  const limit = numberAt(args, 1, run) ?? Number.POSITIVE_INFINITY;
  run.budget.allocate(2 * text.length);
  if (!(separator instanceof Regexp)) {
    const parts = text.split(toText(separator, run));
    run.budget.spend(parts.length);
    return parts.slice(0, limit);
  }
  const parts: Value[] = [];
  let done = 0;
  for (const match of findMatches(text, separator, true, run)) {
    const [start = 0, end = 0] = match;
    if (end === start && (start === 0 || start >= text.length)) continue;
    parts.push(text.slice(done, start));
    for (let group = 1; group < match.length / 2; group += 1) parts.push(groupOf(text, match, group));
    done = end;
  }
  return [...parts, text.slice(done)].slice(0, limit);
}

function match(text: string, [pattern]: readonly Value[], run: Run): Value {
  if (!(pattern instanceof Regexp)) throw new Fault('match takes a regular expression, such as /a+/');
  const found = findMatches(text, pattern, false, run);
  const [first] = found;
  if (first === undefined) return null;
  if (pattern.global) return found.map(([start, end]) => text.slice(start, end));
  return Array.from({ length: first.length / 2 }, (_, index) => groupOf(text, first, index));
}

/** Before a text of `length` characters is made of a short one. */
function longText(length: number, run: Run): void {
  run.budget.allocate(Number.isFinite(length) ? Math.max(length, 0) : Number.MAX_SAFE_INTEGER);
}

const TEXT: Methods<string> = {
  at: (text, args, run) => text.at(numberAt(args, 0, run) ?? 0),
  charAt: (text, args, run) => text.charAt(numberAt(args, 0, run) ?? 0),
  charCodeAt: (text, args, run) => text.charCodeAt(numberAt(args, 0, run) ?? 0),
  concat: (text, args, run) => made(text.concat(...args.map((arg) => toText(arg, run))), run),
  endsWith: (text, args, run) => text.endsWith(toText(args[0], run), numberAt(args, 1, run)),
  includes: (text, args, run) => text.includes(toText(args[0], run), numberAt(args, 1, run)),
  indexOf: (text, args, run) => text.indexOf(toText(args[0], run), numberAt(args, 1, run)),
  lastIndexOf: (text, args, run) => text.lastIndexOf(toText(args[0], run), numberAt(args, 1, run)),
  match,
  padEnd(text, args, run) {
    longText(numberAt(args, 0, run) ?? 0, run);
    return text.padEnd(numberAt(args, 0, run) ?? 0, args[1] === undefined ? ' ' : toText(args[1], run));
  },
  padStart(text, args, run) {
    longText(numberAt(args, 0, run) ?? 0, run);
    return text.padStart(numberAt(args, 0, run) ?? 0, args[1] === undefined ? ' ' : toText(args[1], run));
  },
  repeat(text, args, run) {
    const times = numberAt(args, 0, run) ?? 0;
    if (!(times >= 0)) throw new Fault('repeat takes a number from 0 on');
    longText(text.length * times, run);
    return text.repeat(times);
  },
  replace: (text, args, run) => replace(text, args, false, run),
  replaceAll: (text, args, run) => replace(text, args, true, run),
  slice: (text, args, run) => made(text.slice(numberAt(args, 0, run), numberAt(args, 1, run)), run),
  split,
  startsWith: (text, args, run) => text.startsWith(toText(args[0], run), numberAt(args, 1, run)),
  substr(text, args, run) {
    const from = numberAt(args, 0, run) ?? 0;
    const start = from < 0 ? Math.max(text.length + from, 0) : from;
    return made(text.slice(start, start + Math.max(numberAt(args, 1, run) ?? text.length, 0)), run);
  },
  substring: (text, args, run) =>
    made(text.substring(numberAt(args, 0, run) ?? 0, numberAt(args, 1, run)), run),
  toLowerCase: (text, _args, run) => made(text.toLowerCase(), run),
  toString: (text: string): Value => text,
  toUpperCase: (text, _args, run) => made(text.toUpperCase(), run),
  trim: (text, _args, run) => made(text.trim(), run),
  trimEnd: (text, _args, run) => made(text.trimEnd(), run),
  trimStart: (text, _args, run) => made(text.trimStart(), run),
};

/** A copy of a list, accounted for. */
function copied(items: Value[], run: Run): Value[] {
  run.budget.spend(items.length);
  run.budget.allocate(8 * items.length);
  return items;
}

/** One of JavaScript's methods that call back for every item. */
const each =
  (apply: (items: Value[], call: (...given: Value[]) => Value) => Value): Method<Value[]> =>
  (items, args, run) => {
    const call = callback(args, run);
    run.budget.allocate(8 * items.length);
    return apply(items, (item, index) => call(item, index, items));
  };

const LIST: Methods<Value[]> = {
  at: (items, args, run) => items.at(numberAt(args, 0, run) ?? 0),
  concat: (items, args, run) => copied([...items, ...args.flat(1)], run),
  every: each((items, call) => items.every((item, index) => Boolean(call(item, index)))),
  filter: each((items, call) => items.filter((item, index) => Boolean(call(item, index)))),
  find: each((items, call) => items.find((item, index) => Boolean(call(item, index)))),
  findIndex: each((items, call) => items.findIndex((item, index) => Boolean(call(item, index)))),
  flat(items, args, run) {
    // Of an array that contains itself there is no end.
    if (args[0] !== undefined && args[0] !== 1) throw new Fault('flat takes no depth but 1');
    return copied(items.flat(1), run);
  },
  flatMap: each((items, call) => items.flatMap((item, index) => call(item, index))),
  forEach: each((items, call) => {
    for (const [index, item] of [...items].entries()) call(item, index);
    return undefined;
  }),
  includes: (items, args, run) => items.includes(args[0], numberAt(args, 1, run)),
  indexOf: (items, args, run) => items.indexOf(args[0], numberAt(args, 1, run)),
  join: (items, [separator], run) =>
    joined(items, separator === undefined ? ',' : toText(separator, run), run),
  map: each((items, call) => items.map((item, index) => call(item, index))),
  push(items, args, run) {
    if (args.some((arg) => arg instanceof Callable)) throw new Fault('a function cannot be kept in an array');
    run.budget.allocate(8 * args.length);
    return items.push(...args);
  },
  reduce(items, args, run) {
    const call = callback(args, run);
    const rest = args.length > 1 ? items : items.slice(1);
    if (args.length < 2 && items.length === 0)
      throw new Fault('reduce of an empty array needs a first value');
    const skipped = items.length - rest.length;
    return rest.reduce<Value>(
      (sum, item, index) => call(sum, item, index + skipped),
      args.length > 1 ? args[1] : items[0],
    );
  },
  reverse: (items, _args, run) => copied(items, run).reverse(),
  slice: (items, args, run) => copied(items.slice(numberAt(args, 0, run), numberAt(args, 1, run)), run),
  some: each((items, call) => items.some((item, index) => Boolean(call(item, index)))),
  sort(items, args, run) {
    if (args[0] === undefined) {
      const texts = new Map(items.map((item) => [item, toText(item, run)]));
      copied(items, run);
      return items.sort((a, b) => compareTexts(texts.get(a) ?? '', texts.get(b) ?? ''));
    }
    const call = callback(args, run);
    return items.sort((a, b) => toNumber(call(a, b), run));
  },
  toString: (items: Value[], _args: readonly Value[], run: Run): Value => joined(items, ',', run),
};

const compareTexts = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** @throws Fault where JavaScript throws a RangeError */
function inRange(format: () => string): string {
  try {
    return format();
  } catch {
    throw new Fault('the number of digits, or the base, is out of range');
  }
}

const NUMBER: Methods<number> = {
  toFixed: (number, args, run) => inRange(() => number.toFixed(numberAt(args, 0, run))),
  toString: (number: number, args: readonly Value[], run: Run): Value =>
    inRange(() => number.toString(numberAt(args, 0, run))),
};

const BYTES: Methods<Bytes> = {
  toString({ bytes }: Bytes, [encoding, ...range]: readonly Value[], run: Run): Value {
    if (range.length > 0) throw new Fault('toString of a Buffer takes an encoding only');
    longText(2 * bytes.length, run);
    return bytes.toString(encodingOf(encoding));
  },
};

const REGEXP: Methods<Regexp> = {
  test(regexp, [text], run) {
    const subject = toText(text, run);
    run.budget.spend(regexp.cost(subject.length));
    return regexp.test(subject);
  },
};

/** Of everything else. */
const OTHER: Methods<Value> = {
  toString: (value: Value, _args: readonly Value[], run: Run): Value => toText(value, run),
};

const OF_KIND = {
  text: TEXT,
  number: NUMBER,
  list: LIST,
  bytes: BYTES,
  regexp: REGEXP,
  other: OTHER,
} as const;

/** Every name that is a method of something. */
export const METHOD_NAMES: ReadonlySet<string> = new Set(
  Object.values(OF_KIND).flatMap((methods) => Object.keys(methods)),
);

/** @throws Fault if the value has no such method, or the method cannot do what is asked */
export function callMethod(self: Value, name: string, args: readonly Value[], run: Run): Value {
  if (self === null || self === undefined) throw new Fault(`cannot call ${name} of ${nameOf(self)}`);
  const kind = kindOf(self);
  const methods = kind === 'object' || kind === 'function' ? OTHER : OF_KIND[kind];
  if (!Object.hasOwn(methods, name)) throw new Fault(`${nameOf(self)} has no method ${name}`);
  // Each table is that of its own kind of value.
  return (methods as Methods<Value>)[name]?.(self, args, run);
}
