/** The functions that every Go template has. `and` and `or` are the executor's: they do not evaluate all operands. */
import type { Budget } from './budget.ts';
import type { Builtin } from './evaluate.ts';
import { sprint, sprintf, sprintln } from './fmt.ts';
import { GoError } from './function.ts';
import { Boxed, indirect, inPlace, isTrue, nilOf, printable, type Reference, unbox } from './reference.ts';
import { isPrint } from './unicode.ts';
import { decodeRune } from './utf8.ts';
import {
  float64,
  GoComplex,
  GoFloat,
  GoInt,
  GoMap,
  GoObject,
  GoSlice,
  type GoType,
  type GoValue,
  int,
  integer,
  T,
  typeNameOf,
  typeOf,
} from './value.ts';

/** A position in something of length `length`; the length itself is let through, as Go does. */
function position(index: GoValue, length: number): number {
  if (index === null) throw new GoError('cannot index slice/array with nil');
  if (!(index instanceof GoInt)) throw new GoError(`cannot index slice/array with type ${typeNameOf(index)}`);
  const value = BigInt.asIntN(64, index.value);
  if (value < 0n || value > BigInt(length)) {
    throw new GoError('index out of range: [redacted]', `index out of range: ${value}`);
  }
  return Number(value);
}

/** What a map gives for a key that it does not have. */
function zeroOf(type: GoType): GoValue {
  switch (type.kind) {
    case 'string':
      return '';
    case 'bool':
      return false;
    case 'float32':
    case 'float64':
      return type === T.float64 ? float64(0) : new GoFloat(type, 0);
    case 'interface':
    case 'map':
    case 'slice':
    case 'ptr':
    case 'func':
      return nilOf(type);
    default:
      return integer(type, 0n);
  }
}

function element(item: GoValue, key: GoValue): Reference {
  if (typeof item === 'string') {
    const at = position(key, item.length);
    if (at === item.length) throw new GoError('reflect: string index out of range');
    return integer(T.uint8, BigInt(item.charCodeAt(at)));
  }
  if (item instanceof GoSlice) {
    const at = position(key, item.items.length);
    const found = item.items[at];
    if (found === undefined) {
      throw new GoError(`reflect: ${item.type.kind === 'array' ? 'array' : 'slice'} index out of range`);
    }
    return inPlace(found, item.type.elem);
  }
  if (item instanceof GoMap) {
    if (key === null) throw new GoError('value is nil; should be of type string');
    if (typeof key !== 'string') throw new GoError(`value has type ${typeNameOf(key)}; should be string`);
    const elem = item.type.elem ?? T.any;
    return inPlace(item.entries.get(key) ?? zeroOf(elem), elem);
  }
  throw new GoError(`can't index item of type ${typeNameOf(indirect(item))}`);
}

/** `index x 1 "b"` is `x[1]["b"]`. */
function index([item = null, ...keys]: readonly Reference[]): Reference {
  let found: Reference = unbox(item);
  if (found === null) throw new GoError('index of untyped nil');
  for (const key of keys) {
    const value = unbox(found);
    if (value === null) throw new GoError('index of nil pointer');
    found = element(value, unbox(key));
  }
  return found;
}

/** `slice x 1 2` is `x[1:2]`. The capacity of a slice is taken to be its length. */
function slice([reference = null, ...indexes]: readonly Reference[]): GoValue {
  const item = unbox(reference);
  if (item === null) throw new GoError('slice of untyped nil');
  if (indexes.length > 3) throw new GoError(`too many slice indexes: ${indexes.length}`);
  if (typeof item === 'string' && indexes.length === 3) throw new GoError('cannot 3-index slice a string');
  if (typeof item !== 'string' && !(item instanceof GoSlice)) {
    throw new GoError(`can't slice item of type ${typeNameOf(indirect(item))}`);
  }
  const length = typeof item === 'string' ? item.length : item.items.length;
  const at = indexes.map((one) => position(one instanceof Boxed ? one.value : one, length));
  const [start = 0, end = length, capacity = length] = at;
  const ordered = (low: number, high: number): void => {
    if (low <= high) return;
    throw new GoError('invalid slice index', `invalid slice index: ${low} > ${high}`);
  };
  ordered(start, end);
  ordered(end, capacity);
  return typeof item === 'string'
    ? item.slice(start, end)
    : new GoSlice(item.type, item.items.slice(start, end), item.isNil);
}

function len([reference = null]: readonly Reference[]): GoValue {
  const item = unbox(reference);
  if (typeof item === 'string') return int(item.length);
  if (item instanceof GoSlice) return int(item.items.length);
  if (item instanceof GoMap) return int(item.entries.size);
  if (item === null) {
    throw new GoError(
      reference instanceof Boxed ? 'len of nil pointer' : 'reflect: call of reflect.Value.Type on zero Value',
    );
  }
  throw new GoError(`len of type ${typeNameOf(indirect(item))}`);
}

type BasicKind = 'bool' | 'complex' | 'int' | 'float' | 'string' | 'uint';

function basicKind(value: GoValue): BasicKind | undefined {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof GoInt) return value.type.kind.startsWith('u') ? 'uint' : 'int';
  if (value instanceof GoFloat) return 'float';
  return value instanceof GoComplex ? 'complex' : undefined;
}

const isNil = (value: GoValue): boolean =>
  value === null || ((value instanceof GoMap || value instanceof GoSlice) && value.isNil);

const incompatible = (a: GoValue, b: GoValue): GoError =>
  new GoError(`incompatible types for comparison: ${typeNameOf(a)} and ${typeNameOf(b)}`);

/** Structs are equal if their texts are, pointers if they are the same. */
const sameObject = (a: GoValue, b: GoValue): boolean =>
  a === b ||
  (a instanceof GoObject &&
    b instanceof GoObject &&
    a.type === b.type &&
    a.type.kind === 'struct' &&
    a.text !== undefined &&
    a.text() === b.text?.());

function composites(a: GoValue, b: GoValue, budget: Budget): boolean {
  if (a !== null && b !== null && a !== b && typeOf(a)?.kind !== typeOf(b)?.kind) {
    throw new GoError(
      `non-comparable types ${typeNameOf(a)}, ${typeNameOf(b)}`,
      sprintf('non-comparable types %s: %s, %s: %v', [a, typeNameOf(a), typeNameOf(b), b], budget),
    );
  }
  if (isNil(a) || isNil(b)) return isNil(a) === isNil(b);
  if (b instanceof GoMap || b instanceof GoSlice) {
    throw new GoError(
      `non-comparable type ${typeNameOf(b)}`,
      sprintf('non-comparable type %s: %s', [b, typeNameOf(b)], budget),
    );
  }
  return sameObject(a, b);
}

/** How many bytes are compared in the time of a step. */
const BYTES_PER_STEP = 1024;

function spendOnStrings(a: GoValue, b: GoValue, budget: Budget): void {
  if (typeof a === 'string' && typeof b === 'string') {
    budget.spend(Math.floor(Math.min(a.length, b.length) / BYTES_PER_STEP));
  }
}

function equal(a: GoValue, b: GoValue, budget: Budget): boolean {
  spendOnStrings(a, b, budget);
  const kind = basicKind(a);
  const other = basicKind(b);
  if (kind === undefined && other === undefined) return composites(a, b, budget);
  if (a instanceof GoInt && b instanceof GoInt) return a.value === b.value;
  if (kind !== other) {
    if (a === null || b === null) return false;
    throw incompatible(a, b);
  }
  if (a instanceof GoFloat && b instanceof GoFloat) return a.value === b.value;
  if (a instanceof GoComplex && b instanceof GoComplex) {
    return a.real === b.real && a.imaginary === b.imaginary;
  }
  return a === b;
}

function eq([first = null, ...others]: readonly Reference[], budget: Budget): boolean {
  if (others.length === 0) throw new GoError('missing argument for comparison');
  const value = unbox(first);
  return others.some((other) => equal(value, unbox(other), budget));
}

function less(a: GoValue, b: GoValue, budget: Budget): boolean {
  spendOnStrings(a, b, budget);
  const kind = basicKind(a);
  const other = basicKind(b);
  if (kind === undefined || other === undefined) throw new GoError('invalid type for comparison');
  if (a instanceof GoInt && b instanceof GoInt) return a.value < b.value;
  if (kind !== other) throw incompatible(a, b);
  if (a instanceof GoFloat && b instanceof GoFloat) return a.value < b.value;
  if (typeof a === 'string' && typeof b === 'string') return a < b;
  throw new GoError('invalid type for comparison');
}

const lessOrEqual = (a: GoValue, b: GoValue, budget: Budget): boolean =>
  less(a, b, budget) || equal(a, b, budget);

/** The text of the arguments as a template would print them. */
function textOf(args: readonly Reference[], budget: Budget): string {
  const text = sprint(
    args.map((arg) => printable(unbox(arg))),
    budget,
  );
  budget.allocate(text.length);
  return text;
}

/** Escapes in the order in which they must be replaced one after the other. */
const HTML = [
  ['&', '&amp;'],
  ['\0', '\xef\xbf\xbd'],
  ['"', '&#34;'],
  ["'", '&#39;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
] as const;

const JS = [
  ['\\', '\\\\'],
  ["'", "\\'"],
  ['"', '\\"'],
  ['<', '\\u003C'],
  ['>', '\\u003E'],
  ['&', '\\u0026'],
  ['=', '\\u003D'],
] as const;

/** What a replacement takes while it is made, the text besides. */
const BYTES_A_REPLACEMENT = 16;

function replaceEach(text: string, pairs: typeof HTML | typeof JS, budget: Budget): string {
  let result = text;
  for (const [from, to] of pairs) {
    // Before it is made: eight million `<` are more than a process may have.
    let found = 0;
    for (let at = result.indexOf(from); at >= 0; at = result.indexOf(from, at + 1)) found += 1;
    if (found === 0) continue;
    budget.spend(found >> 3);
    budget.allocate(found * BYTES_A_REPLACEMENT);
    result = result.replaceAll(from, to);
  }
  return result;
}

const upperHex = (value: number, digits: number): string =>
  value.toString(16).toUpperCase().padStart(digits, '0');

/** Escaped for a literal of JavaScript: what cannot be printed by its number. */
function escapeJs(text: string, budget: Budget): string {
  const quoted = replaceEach(text, JS, budget);
  if (!/[^ -~]/.test(quoted)) return quoted;
  budget.spend(quoted.length >> 1);
  budget.allocate(8 * quoted.length);
  const parts: string[] = [];
  for (let at = 0; at < quoted.length; ) {
    const { rune, size } = decodeRune(quoted, at);
    const hidden = rune < 0x20 || (rune >= 0x80 && !isPrint(rune));
    parts.push(hidden ? `\\u${upperHex(rune, 4)}` : quoted.slice(at, at + size));
    at += size;
  }
  return parts.join('');
}

/** The bytes that are safe in the query of a URL stay. */
function escapeQuery(text: string, budget: Budget): string {
  if (!/[^A-Za-z0-9\-_.~]/.test(text)) return text;
  budget.spend(text.length >> 1);
  budget.allocate(3 * text.length);
  return text.replace(/[^A-Za-z0-9\-_.~]/g, (byte) =>
    byte === ' ' ? '+' : `%${upperHex(byte.charCodeAt(0), 2)}`,
  );
}

function callFunction([name = '', callee = null]: readonly Reference[]): Reference {
  const value = unbox(callee);
  if (value === null) throw new GoError('call of nil');
  const type = typeNameOf(value);
  throw new GoError(
    `non-function [redacted] of type ${type}`,
    `non-function ${typeof name === 'string' ? name : ''} of type ${type}`,
  );
}

const comparison = (compare: (a: GoValue, b: GoValue, budget: Budget) => boolean): Builtin => ({
  params: [T.any, T.any],
  call: ([a = null, b = null], budget) => compare(unbox(a), unbox(b), budget),
});

const one = (call: Builtin['call']): Builtin => ({ params: [T.any], call });
const anyNumber = (call: Builtin['call']): Builtin => ({ params: [T.any], variadic: true, call });
const oneOrMore = (call: Builtin['call']): Builtin => ({ params: [T.any, T.any], variadic: true, call });

/** `and` and `or` are here for their names; the executor never calls them. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map([
  ['and', oneOrMore(([value = null]) => value)],
  ['or', oneOrMore(([value = null]) => value)],
  ['not', one(([value = null]) => !isTrue(value))],
  ['call', oneOrMore(callFunction)],
  ['index', oneOrMore(index)],
  ['slice', oneOrMore(slice)],
  ['len', one(len)],
  ['print', anyNumber((args, budget) => sprint(args.map(unbox), budget))],
  [
    'printf',
    {
      params: [T.string, T.any],
      variadic: true,
      call: ([format, ...args], budget) =>
        sprintf(typeof format === 'string' ? format : '', args.map(unbox), budget),
    },
  ],
  ['println', anyNumber((args, budget) => sprintln(args.map(unbox), budget))],
  ['html', anyNumber((args, budget) => replaceEach(textOf(args, budget), HTML, budget))],
  ['js', anyNumber((args, budget) => escapeJs(textOf(args, budget), budget))],
  ['urlquery', anyNumber((args, budget) => escapeQuery(textOf(args, budget), budget))],
  ['eq', oneOrMore(eq)],
  ['ne', comparison((a, b, budget) => !equal(a, b, budget))],
  ['lt', comparison(less)],
  ['le', comparison(lessOrEqual)],
  ['gt', comparison((a, b, budget) => !lessOrEqual(a, b, budget))],
  ['ge', comparison((a, b, budget) => !less(a, b, budget))],
]);
