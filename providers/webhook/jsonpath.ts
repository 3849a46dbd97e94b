/**
 * JSONPath as PaesslerAG/jsonpath has it, which ESO's webhook uses, and a little more of it (comparisons other than
 * == and !=, &&, ||, single quotes, negative indexes): `$.a.b`, `$["a"]`, `$[0]`, `$[-1]`, `$[1:3]`,
 * `$["a","b"]`, `$.*`, `$..a`, `$[?(@.a == "b" && @.n > 1)]`. A path that can only mean one value gives that value; one
 * with a wildcard, a slice, a union, `..` or a filter gives a list. Nothing is evaluated but comparisons.
 */

import { isJsonObject, isRawNumber } from '../../api/json.ts';

/** What is wrong with a path, or why it finds nothing; names fields, quotes no value. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

/** One application of a path; filters within it share its budget. */
interface Run {
  readonly root: unknown;
  visits: number;
}

type Test = (current: unknown, run: Run) => unknown;

type Step =
  | { readonly kind: 'member'; readonly names: readonly (string | number)[]; readonly many: boolean }
  | {
      readonly kind: 'slice';
      readonly from: number | undefined;
      readonly to: number | undefined;
      readonly by: number;
    }
  | { readonly kind: 'all' }
  | { readonly kind: 'filter'; readonly test: Test };

interface Located {
  readonly step: Step;
  /** True after `..`: at every depth. */
  readonly deep: boolean;
}

/** Values that one path may visit: a document of a few megabytes, many times over. */
const MAX_VISITS = 1_000_000;
const MAX_DEPTH = 64;

class Reader {
  readonly text: string;
  at = 0;
  #depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  fail(what: string): never {
    throw new JsonPathError(`position ${this.at + 1}: ${what}`);
  }

  space(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++;
  }

  /** True, and read over, if this comes next. */
  take(token: string): boolean {
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  need(token: string): void {
    if (!this.take(token)) this.fail(`expected ${token}`);
  }

  match(pattern: RegExp): string | undefined {
    const found = new RegExp(pattern.source, 'yu');
    found.lastIndex = this.at;
    const [token] = found.exec(this.text) ?? [];
    if (token !== undefined) this.at += token.length;
    return token;
  }

  nested<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) this.fail('it is nested too deeply');
    const result = read();
    this.#depth--;
    return result;
  }

  string(): string | undefined {
    const quote = this.text[this.at];
    if (quote !== '"' && quote !== "'") return undefined;
    const token = this.match(quote === '"' ? /"(?:[^"\\]|\\.)*"/ : /'(?:[^'\\]|\\.)*'/);
    if (token === undefined) return this.fail('the text has no end');
    const inner = token.slice(1, -1);
    const json = quote === '"' ? inner : inner.replaceAll("\\'", "'").replaceAll(/(?<!\\)"/g, '\\"');
    try {
      return JSON.parse(`"${json}"`) as string;
    } catch {
      return this.fail('the text has an escape that there is not');
    }
  }
}

const NAME = /[\p{L}_][\p{L}\p{N}_-]*/u;
const INTEGER = /-?\d+/;

/** The steps after `$` or `@`. */
function steps(reader: Reader): Located[] {
  const found: Located[] = [];
  for (;;) {
    const deep = reader.take('..');
    if (deep || reader.take('.')) {
      if (reader.take('*')) found.push({ step: { kind: 'all' }, deep });
      else if (deep && reader.text[reader.at] === '[') found.push({ step: bracket(reader), deep });
      else {
        const name =
          reader.match(NAME) ?? reader.match(/\d+/) ?? reader.fail('expected the name of a member');
        found.push({ step: { kind: 'member', names: [name], many: false }, deep });
      }
    } else if (reader.text[reader.at] === '[') found.push({ step: bracket(reader), deep: false });
    else return found;
  }
}

function bracket(reader: Reader): Step {
  return reader.nested(() => {
    reader.need('[');
    reader.space();
    const step = inBracket(reader);
    reader.space();
    reader.need(']');
    return step;
  });
}

function inBracket(reader: Reader): Step {
  if (reader.take('*')) return { kind: 'all' };
  if (reader.take('?')) {
    reader.space();
    reader.need('(');
    const test = either(reader);
    reader.space();
    reader.need(')');
    return { kind: 'filter', test };
  }
  const first = reader.match(INTEGER);
  reader.space();
  if (reader.take(':')) return slice(reader, first);
  const names: (string | number)[] = [first === undefined ? nameIn(reader) : Number(first)];
  reader.space();
  while (reader.take(',')) {
    reader.space();
    const index = reader.match(INTEGER);
    names.push(index === undefined ? nameIn(reader) : Number(index));
    reader.space();
  }
  return { kind: 'member', names, many: names.length > 1 };
}

const nameIn = (reader: Reader): string =>
  reader.string() ?? reader.fail('expected a number, a quoted name, *, or ?(');

function slice(reader: Reader, first: string | undefined): Step {
  const number = (): number | undefined => {
    reader.space();
    const text = reader.match(INTEGER);
    reader.space();
    return text === undefined ? undefined : Number(text);
  };
  const to = number();
  const by = reader.take(':') ? (number() ?? 1) : 1;
  if (by < 1) reader.fail('the step of a slice must be positive');
  return { kind: 'slice', from: first === undefined ? undefined : Number(first), to, by };
}

// Filters: || over && over comparisons over values.

function either(reader: Reader): Test {
  return reader.nested(() => {
    let left = both(reader);
    for (reader.space(); reader.take('||'); reader.space()) {
      const [one, other] = [left, both(reader)];
      left = (current, run) => truth(one(current, run)) || truth(other(current, run));
    }
    return left;
  });
}

function both(reader: Reader): Test {
  let left = comparison(reader);
  for (reader.space(); reader.take('&&'); reader.space()) {
    const [one, other] = [left, comparison(reader)];
    left = (current, run) => truth(one(current, run)) && truth(other(current, run));
  }
  return left;
}

/** As there: a value that is there is not yet true. */
const truth = (value: unknown): boolean => value === true;

const OPERATORS = ['==', '!=', '<=', '>=', '<', '>'] as const;

function comparison(reader: Reader): Test {
  reader.space();
  const left = operand(reader);
  reader.space();
  const operator = OPERATORS.find((one) => reader.take(one));
  if (operator === undefined) return left;
  reader.space();
  const right = operand(reader);
  return (current, run) => compare(operator, left(current, run), right(current, run));
}

function operand(reader: Reader): Test {
  if (reader.take('(')) {
    const inner = either(reader);
    reader.space();
    reader.need(')');
    return inner;
  }
  const origin = reader.match(/[@$]/);
  if (origin !== undefined) {
    const path = steps(reader);
    return (current, run) => {
      const found = walk(path, origin === '@' ? current : run.root, run);
      return isPlural(path) ? found : found[0];
    };
  }
  const text = reader.string();
  if (text !== undefined) return () => text;
  const number = reader.match(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/);
  if (number !== undefined) return () => Number(number);
  for (const [word, value] of [
    ['true', true],
    ['false', false],
    ['null', null],
    ['nil', null],
  ] as const)
    if (reader.take(word)) return () => value;
  return reader.fail('expected @, $, a text, a number, true, false or null');
}

const plain = (value: unknown): unknown => (isRawNumber(value) ? Number(value.rawJSON) : value);

function compare(operator: (typeof OPERATORS)[number], left: unknown, right: unknown): boolean {
  const [a, b] = [plain(left), plain(right)];
  if (operator === '==') return a === b;
  if (operator === '!=') return a !== b;
  const ordered =
    (typeof a === 'number' && typeof b === 'number') || (typeof a === 'string' && typeof b === 'string');
  if (!ordered) return false;
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

/** Members in the order of their names, as a Go map is written; items in theirs. */
function children(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return isJsonObject(value)
    ? Object.keys(value)
        .sort()
        .map((name) => value[name])
    : [];
}

const isPlural = (path: readonly Located[]): boolean =>
  path.some(({ step, deep }) => deep || step.kind !== 'member' || step.many);

function member(value: unknown, name: string | number): { value: unknown } | undefined {
  if (Array.isArray(value)) {
    const index = typeof name === 'number' ? name : /^\d+$/.test(name) ? Number(name) : Number.NaN;
    const at = index < 0 ? value.length + index : index;
    return at in value ? { value: value[at] } : undefined;
  }
  const key = String(name);
  return isJsonObject(value) && Object.hasOwn(value, key) ? { value: value[key] } : undefined;
}

function select(step: Step, value: unknown, run: Run): unknown[] {
  switch (step.kind) {
    case 'member':
      return step.names.flatMap((name) => {
        const found = member(value, name);
        return found === undefined ? [] : [found.value];
      });
    case 'all':
      return children(value);
    case 'filter':
      return children(value).filter((one) => truth(step.test(one, run)));
    case 'slice': {
      if (!Array.isArray(value)) return [];
      const clamp = (index: number): number =>
        Math.min(Math.max(index < 0 ? value.length + index : index, 0), value.length);
      const part: unknown[] = value.slice(clamp(step.from ?? 0), clamp(step.to ?? value.length));
      return part.filter((_, index) => index % step.by === 0);
    }
  }
}

function count(run: Run, more: number): void {
  run.visits += more;
  if (run.visits > MAX_VISITS) throw new JsonPathError('the path visits too many values');
}

/** The values and all that is in them, from the outside in. */
function withDescendants(values: readonly unknown[], run: Run): unknown[] {
  const found: unknown[] = [];
  const rest = values.toReversed();
  while (rest.length > 0) {
    const next = rest.pop();
    found.push(next);
    count(run, 1);
    rest.push(...children(next).toReversed());
  }
  return found;
}

function walk(path: readonly Located[], from: unknown, run: Run): unknown[] {
  let values: unknown[] = [from];
  for (const { step, deep } of path) {
    const starts = deep ? withDescendants(values, run) : values;
    count(run, starts.length);
    values = starts.flatMap((one) => {
      const selected = select(step, one, run);
      count(run, selected.length);
      return selected;
    });
  }
  return values;
}

/**
 * A path that can be applied to any document parsed by parseKeepingNumbers.
 * @throws JsonPathError if it means one value and that is not there
 */
export type JsonPath = (document: unknown) => unknown;

/** @throws JsonPathError for what is no path */
export function compileJsonPath(text: string): JsonPath {
  const trimmed = text.trim();
  // A name alone is one of the document's members.
  const reader = new Reader(/^[\p{L}_]/u.test(trimmed) ? `$.${trimmed}` : trimmed);
  if (!reader.take('$')) reader.fail('a path begins with $');
  const path = steps(reader);
  if (reader.at < reader.text.length) reader.fail('unexpected text');
  const plural = isPlural(path);
  return (document) => {
    const found = walk(path, document, { root: document, visits: 0 });
    if (plural) return found;
    if (found.length === 0) throw new JsonPathError('the path finds nothing in the answer');
    return found[0];
  };
}
