/**
 * Paths of gjson 1.18 (https://github.com/tidwall/gjson, SYNTAX.md) on JSON text. Nothing is parsed into objects:
 * what is found is a slice of the text. The text need not be valid; what gjson finds in a broken one is found here
 * too. Compared with the Go module by test/oracles/go-gjson.
 */
import { type GjsonBudget, STEP } from './budget.ts';
import { applyModifier, isModifier, type ModifierTools } from './modifiers.ts';
import {
  type ElementPath,
  elementPath,
  isPlainName,
  lastName,
  memberPath,
  type Query,
  type SubPath,
  splitPipe,
  subPaths,
} from './path.ts';
import { satisfies } from './query.ts';
import {
  exists,
  jsonResult,
  NOTHING,
  nextStart,
  nextValue,
  numberResult,
  parse,
  type Result,
  textOf,
  valueAt,
} from './result.ts';
import {
  bracketEnd,
  closingQuote,
  isValidJson,
  nestedEnd,
  quoteJson,
  unescapeJson,
  valueEnd,
} from './text.ts';
import { matchesWildcard } from './wildcard.ts';

/**
 * What is at `path` in `json`; both are Go strings, one character a byte. NOTHING if there is nothing.
 * @throws GjsonLimitError
 */
export function lookup(json: string, path: string, budget: GjsonBudget): Result {
  return budget.nested(() => {
    budget.spend(STEP + path.length);
    if (path.length > 1) {
      const modified = path.startsWith('@') ? modifier(json, path, budget) : undefined;
      const given = path.startsWith('!') ? literal(path) : undefined;
      const [start, rest] = modified ?? given ?? [];
      if (start !== undefined && rest !== undefined) {
        return /^[|.]/.test(rest) ? lookup(start, rest.slice(1), budget) : parse(start);
      }
      if (path.startsWith('[') || path.startsWith('{')) return multipath(json, path, budget);
    }
    return plain(json, path, budget);
  });
}

const applyTo = (value: Result, path: string, budget: GjsonBudget): Result => lookup(value.raw, path, budget);

/** A path without a modifier, literal or multipath in front. */
function plain(json: string, path: string, budget: GjsonBudget): Result {
  const search = new Search(json, budget);
  if (path.startsWith('..')) {
    search.inArray(0, path.slice(2));
  } else {
    const start = json.search(/[{[]/);
    if (start >= 0 && json[start] === '{') search.inObject(start + 1, path);
    else if (start >= 0) search.inArray(start + 1, path);
  }
  return search.pipe === undefined ? search.found : applyTo(search.found, search.pipe, budget);
}

/** `@name`, `@name:argument` in front of a path: the new text and what is left of the path. */
function modifier(json: string, path: string, budget: GjsonBudget): [string, string] | undefined {
  const name = /^@([^:|.]*)/.exec(path)?.[1] ?? '';
  if (!isModifier(name)) return undefined;
  const behind = path.slice(name.length + 1);
  const argument = behind.startsWith(':') ? modifierArgument(behind.slice(1)) : '';
  const rest = behind.startsWith(':') ? behind.slice(1 + argument.length) : behind;
  return [applyModifier(name, json, argument, toolsOf(budget)), rest];
}

const toolsOf = (budget: GjsonBudget): ModifierTools => ({
  spend: (characters) => budget.spend(characters),
  nested: (work) => budget.nested(work),
  lookup: (json, path) => lookup(json, path, budget),
});

/** A JSON value, or all up to the next pipe outside of brackets and strings. */
function modifierArgument(text: string): string {
  if (/^["{[]/.test(text)) return text.slice(0, nestedEnd(text, 0));
  let i = 0;
  for (; i < text.length && text[i] !== '|'; i++) {
    if (/["{[(]/.test(text[i] ?? '')) i = nestedEnd(text, i) - 1;
  }
  return text.slice(0, i);
}

/** `!value` in front of a path. A string or number takes all of the path, for no bracket ends it. */
function literal(path: string): [string, string] | undefined {
  const text = path.slice(1);
  if (/^[-+{["0-9]/.test(text)) {
    const end = bracketEnd(text, 0);
    return [text.slice(0, end), text.slice(end)];
  }
  const word = /^[^|.]*/.exec(text)?.[0] ?? '';
  return /^(true|false|null|nan|inf)$/i.test(word) ? [word, text.slice(word.length)] : undefined;
}

/** `[a,b]` and `{"name":a,b}`: a new array or object of what is found. */
function multipath(json: string, path: string, budget: GjsonBudget): Result {
  const read = subPaths(path);
  if (read === undefined) return plain(json, '', budget);
  const { parts, rest } = read;
  // Something else behind the bracket: then the bracket does not count, and that is the path.
  if (rest !== '' && !/^[|.]/.test(rest)) return plain(json, rest, budget);
  const [open, close] = path.startsWith('[') ? ['[', ']'] : ['{', '}'];
  const members: string[] = [];
  for (const part of parts) {
    const value = lookup(json, part.path, budget);
    if (!exists(value)) continue;
    const text = value.raw === '' ? textOf(value) || 'null' : value.raw;
    budget.spend(text.length);
    members.push(open === '{' ? `${nameOf(part)}:${text}` : text);
  }
  const made = jsonResult(`${open}${members.join(',')}${close}`);
  return rest === '' ? made : applyTo(made, rest.slice(1), budget);
}

/** The name of a part of `{...}` as JSON. */
function nameOf({ name, path }: SubPath): string {
  if (name !== undefined && name !== '') {
    return name.startsWith('"') && isValidJson(name) ? name : quoteJson(name);
  }
  const last = lastName(path);
  return quoteJson(isPlainName(last) ? last : '_');
}

/** Where the next element starts, or the array ends. */
const ELEMENT_START = /[\]"{[ntf+\-0-9iIN]/g;

function elementStart(json: string, from: number): number {
  ELEMENT_START.lastIndex = from;
  return ELEMENT_START.exec(json)?.index ?? json.length;
}

/** What the walk through one array has seen. */
interface Seen {
  /** Elements, the one at hand included. */
  count: number;
  /** For `#.path`: where the search for each element began. */
  readonly starts: number[];
  /** For `#(...)#`: what is found of each match, as JSON. */
  readonly matches: string[];
  /** For a query: the components behind it. */
  next: string | undefined;
}

/** One walk through a text. */
class Search {
  /** What was found; it may be set although the walk goes on. */
  found: Result = NOTHING;
  /** The path to apply to it. */
  pipe: string | undefined;
  readonly #json: string;
  readonly #budget: GjsonBudget;
  /** True once a value ends the walk. */
  #done = false;

  constructor(json: string, budget: GjsonBudget) {
    this.#json = json;
    this.#budget = budget;
  }

  readonly #spend = (steps: number): void => this.#budget.spend(steps);

  /** Looks among the members of the object whose content starts at `from`. @returns where it stopped */
  inObject(from: number, path: string): number {
    return this.#budget.nested(() => this.#members(from, path));
  }

  /** Looks among the elements of the array whose content starts at `from`. @returns where it stopped */
  inArray(from: number, path: string): number {
    return this.#budget.nested(() => this.#elements(from, path));
  }

  #members(from: number, path: string): number {
    const json = this.#json;
    const wanted = memberPath(path, isModifier);
    if (wanted.pipe !== undefined) this.pipe = wanted.pipe;
    for (let i = from; i < json.length; ) {
      while (i < json.length && json[i] !== '"' && json[i] !== '}') i++;
      if (json[i] === '}') return i + 1;
      const quote = closingQuote(json, i + 1);
      if (quote.at >= json.length) return json.length;
      this.#spend(quote.at - i);
      const key = json.slice(i + 1, quote.at);
      const name = quote.escaped ? unescapeJson(key) : key;
      const isWanted = wanted.isPattern
        ? matchesWildcard(name, wanted.name, this.#spend)
        : name === wanted.name;
      const start = nextStart(json, quote.at + 1);
      if (start >= json.length) return start;
      i = this.#value(start, isWanted, wanted.next) ?? json.length;
      if (this.#done) return i;
    }
    return json.length;
  }

  #elements(from: number, path: string): number {
    const json = this.#json;
    const wanted = elementPath(path, isModifier);
    if (wanted.pipe !== undefined) this.pipe = wanted.pipe;
    const seen: Seen = { count: 0, starts: [], matches: [], next: wanted.next };
    for (let i = from; i <= json.length; ) {
      const isWanted = wanted.index === seen.count;
      seen.count++;
      if (wanted.collect !== undefined) seen.starts.push(i);
      const start = elementStart(json, i);
      // The end of the text closes an array too.
      if (start >= json.length || json[start] === ']') {
        this.#closeArray(wanted, seen);
        return start + 1;
      }
      const end = this.#value(start, isWanted, wanted.next);
      // A string that never ends: nothing more can be told of this array.
      if (end === undefined) return json.length;
      if (wanted.query !== undefined) this.#ask(valueAt(json, start, end), wanted.query, seen);
      i = end;
      if (this.#done) return i;
    }
    return json.length;
  }

  /**
   * Passes the value that starts at `start`. If it is wanted it is the result, or with `next` entered.
   * @returns where it ends; undefined for a string without an end
   */
  #value(start: number, isWanted: boolean, next: string | undefined): number | undefined {
    const json = this.#json;
    if (isWanted && next !== undefined) {
      if (json[start] === '{') return this.inObject(start + 1, next);
      if (json[start] === '[') return this.inArray(start + 1, next);
    }
    const end = valueEnd(json, start);
    if (end === undefined) return undefined;
    this.#spend(end - start);
    if (isWanted && next === undefined) {
      this.found = valueAt(json, start, end);
      this.#done = true;
    }
    return end;
  }

  /** Holds an element against a query. */
  #ask(element: Result, query: Query, seen: Seen): void {
    if (element.type !== 'json' && query.path !== '') return;
    const asked = element.type === 'json' ? applyTo(element, query.path, this.#budget) : element;
    if (!satisfies(asked, query, this.#spend)) return;
    if (seen.next !== undefined) {
      const split = splitPipe(seen.next);
      if (split !== undefined) {
        seen.next = split.left;
        this.pipe = split.right;
      }
    }
    const value = seen.next === undefined ? element : applyTo(element, seen.next, this.#budget);
    if (!query.all) {
      this.found = value;
      this.#done = true;
      return;
    }
    const text = value.raw === '' ? textOf(value) : value.raw;
    this.#spend(text.length);
    if (text !== '') seen.matches.push(text);
  }

  #closeArray(wanted: ElementPath, seen: Seen): void {
    if (wanted.isHash) {
      this.found =
        wanted.collect === undefined
          ? numberResult(String(seen.count - 1))
          : this.#collected(wanted.collect, seen);
      this.#done = true;
    } else if (wanted.query?.all === true && !exists(this.found)) {
      this.found = jsonResult(`[${seen.matches.join(',')}]`);
    }
  }

  /** `#.path`: what is at the path in each element that has it. */
  #collected(path: string, seen: Seen): Result {
    const json = this.#json;
    const split = splitPipe(path);
    if (split !== undefined) this.pipe = split.right;
    const found: string[] = [];
    for (const start of seen.starts) {
      let i = start;
      while (i < json.length && ' \t\r\n'.includes(json[i] ?? '')) i++;
      if (i >= json.length || json[i] === ']') continue;
      const element = nextValue(json, i);
      if (element === undefined) continue;
      this.#spend(element.end - i);
      const value = applyTo(element.value, split?.left ?? path, this.#budget);
      if (!exists(value)) continue;
      const text = value.raw === '' ? textOf(value) : value.raw;
      this.#spend(text.length);
      found.push(text);
    }
    return jsonResult(`[${found.join(',')}]`);
  }
}
