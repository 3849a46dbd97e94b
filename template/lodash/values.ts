/**
 * What a lodash template computes with. Objects have no prototype and members are looked up among their own only, so
 * that nothing of this process can be reached from any of them.
 */
import type { Budget } from '../budget.ts';
import type { Regexp } from './regexp.ts';

/** Bytes, as Buffer.from makes them. */
export class Bytes {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** As Buffer's, for JSON.stringify. */
  toJSON(): unknown {
    return this.bytes.toJSON();
  }
}

/** A function, only ever an argument of a method: it is never stored, and has no members. */
export class Callable {
  readonly call: (args: readonly Value[]) => Value;

  constructor(call: (args: readonly Value[]) => Value) {
    this.call = call;
  }
}

export interface Dict {
  [name: string]: Value;
}

export type Value = string | number | boolean | null | undefined | Value[] | Dict | Bytes | Regexp | Callable;

/** What is wrong while a template runs; never with a value of the data in it. The interpreter says where. */
export class Fault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Fault';
  }
}

/** What methods and functions have to their disposal. */
export interface Run {
  readonly budget: Budget;
  /** Adds to the output. */
  print(text: string): void;
}

export type Kind = 'text' | 'number' | 'list' | 'bytes' | 'regexp' | 'function' | 'object' | 'other';

const NAMES: Readonly<Record<Kind, string>> = {
  text: 'a string',
  number: 'a number',
  list: 'an array',
  bytes: 'a Buffer',
  regexp: 'a regular expression',
  function: 'a function',
  object: 'an object',
  other: 'a boolean',
};

export const newDict = (): Dict => Object.create(null) as Dict;

export const isDict = (value: Value): value is Dict => kindOf(value) === 'object';

/** What has members of its own names; of anything else there are none. */
export const membersOf = (value: Value): Readonly<Record<string, Value>> =>
  Array.isArray(value) || isDict(value) ? (value as Readonly<Record<string, Value>>) : {};

export function kindOf(value: Value): Kind {
  if (typeof value === 'string') return 'text';
  if (typeof value === 'number') return 'number';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Bytes) return 'bytes';
  if (value instanceof Callable) return 'function';
  if (typeof value !== 'object' || value === null) return 'other';
  return Object.getPrototypeOf(value) === null ? 'object' : 'regexp';
}

/** `a string`, `undefined`: what is said of a value in an error. */
export const nameOf = (value: Value): string =>
  value === null || value === undefined ? String(value) : NAMES[kindOf(value)];

/** JavaScript's String(). @throws Fault for a function; TemplateError TEMPLATE_BUDGET for one that contains itself */
export function toText(value: Value, run: Run): string {
  if (typeof value === 'string') return value;
  if (value instanceof Bytes) return value.bytes.toString();
  if (value instanceof Callable) throw new Fault('a function is no text');
  if (typeof value !== 'object' || value === null) return String(value);
  if (!Array.isArray(value)) return isDict(value) ? '[object Object]' : String(value);
  return joined(value, ',', run);
}

/** JavaScript's Array.prototype.join. */
export function joined(items: readonly Value[], separator: string, run: Run): string {
  run.budget.enter();
  run.budget.spend(items.length);
  const parts = items.map((item) => (item === null || item === undefined ? '' : toText(item, run)));
  run.budget.allocate(parts.reduce((sum, part) => sum + part.length + separator.length, 0));
  run.budget.leave();
  return parts.join(separator);
}

/** JavaScript's Number(). */
export const toNumber = (value: Value, run: Run): number =>
  typeof value === 'object' && value !== null ? Number(toText(value, run)) : Number(value);

/** A value of JSON or YAML, as JavaScript's parsers give it. */
export function fromPlain(plain: unknown, run: Run): Value {
  run.budget.spend(1);
  if (Array.isArray(plain)) {
    run.budget.enter();
    const items = plain.map((item) => fromPlain(item, run));
    run.budget.leave();
    return items;
  }
  if (typeof plain !== 'object' || plain === null) return plain as Value;
  run.budget.enter();
  const dict = newDict();
  for (const [name, member] of Object.entries(plain)) dict[name] = fromPlain(member, run);
  run.budget.leave();
  return dict;
}
