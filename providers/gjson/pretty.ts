/** JSON set over lines, or without white space, as github.com/tidwall/pretty 1.2 (behind @pretty and @ugly) does. */
import { parseFloat64 } from './numbers.ts';
import { closingQuote, isBlank, unescapeJson } from './text.ts';

export interface PrettyOptions {
  /** Members in the order of their names. */
  readonly sortKeys: boolean;
  /** White space a level. */
  readonly indent: string;
  /** Written in front of each line. */
  readonly prefix: string;
  /** Arrays without objects in them stay on one line up to this column; 0 or less: never. */
  readonly width: number;
}

interface Limits {
  /** Counts characters read or written; throws when too many. */
  spend(characters: number): void;
  /** Runs one level deeper; throws when too deep. */
  nested<T>(work: () => T): T;
}

/** The text without white space outside of strings. */
export function ugly(json: string): string {
  let out = '';
  for (let i = 0; i < json.length; i++) {
    if (isBlank(json.charCodeAt(i))) continue;
    const end = json[i] === '"' ? closingQuote(json, i + 1).at : i;
    out += json.slice(i, end + 1);
    i = end;
  }
  return out;
}

/** The text over several lines, with a line feed at its end; empty if there is no value in it. */
export function pretty(json: string, options: PrettyOptions, limits: Limits): string {
  const printer = new Printer(json, options, limits);
  printer.value(0);
  const out = options.prefix + printer.out;
  return out === '' ? '' : `${out}\n`;
}

/** A member of an object as it was printed. */
interface Pair {
  readonly key: string;
  readonly value: string;
  readonly printed: string;
}

class Printer {
  out = '';
  /** Position in the text. */
  #at = 0;
  /** Where the line began, counted as the original does: a line feed belongs to it unless it replaced a blank. */
  #lineStart: number;
  readonly #json: string;
  readonly #options: PrettyOptions;
  readonly #limits: Limits;

  constructor(json: string, options: PrettyOptions, limits: Limits) {
    this.#json = json;
    this.#options = options;
    this.#limits = limits;
    // The prefix of the first line is in front of `out`, and counts.
    this.#lineStart = -options.prefix.length;
  }

  /** Prints the next value at the position, `depth` levels deep. */
  value(depth: number): void {
    const json = this.#json;
    for (; this.#at < json.length; this.#at++) {
      const char = json[this.#at] ?? '';
      if (char === '{' || char === '[') {
        this.#limits.nested(() => (char === '{' ? this.#object(depth) : this.#array(depth)));
        return;
      }
      const scalar = this.#scalar();
      if (scalar !== undefined) {
        this.out += scalar;
        return;
      }
    }
  }

  /** Takes the string, number or word at the position. */
  #scalar(): string | undefined {
    const json = this.#json;
    const start = this.#at;
    const char = json[start] ?? '';
    if (char === '"') {
      this.#at = Math.min(closingQuote(json, start + 1).at + 1, json.length);
    } else if (
      /[-+0-9iIN]/.test(char) ||
      (char === 'n' && start + 1 < json.length && json[start + 1] !== 'u')
    ) {
      this.#at = start + 1;
      while (this.#at < json.length && !/[\0-\x20,:\]}]/.test(json[this.#at] ?? '')) this.#at++;
    } else {
      const word = { t: 'true', f: 'false', n: 'null' }[char];
      this.#at += word?.length ?? 0;
      return word;
    }
    this.#limits.spend(this.#at - start);
    return json.slice(start, this.#at);
  }

  #newLine(depth: number, replacesBlank: boolean): void {
    const { prefix, indent } = this.#options;
    this.#lineStart = this.out.length + (replacesBlank ? 1 : 0);
    this.#limits.spend(prefix.length + indent.length * depth);
    this.out += `\n${prefix}${indent.repeat(depth)}`;
  }

  #object(depth: number): void {
    const json = this.#json;
    const start = this.out.length + 1;
    const pairs: Pair[] = [];
    this.out += '{';
    for (this.#at++; this.#at < json.length; ) {
      const char = json[this.#at];
      if (char === '}') break;
      if (char !== '"') {
        this.#at++;
        continue;
      }
      if (pairs.length > 0) this.out += ',';
      this.#newLine(depth + 1, false);
      const printedFrom = this.out.length;
      const key = this.#scalar() ?? '';
      this.out += `${key}: `;
      const valueFrom = this.out.length;
      this.value(depth + 1);
      const sorts = this.#options.sortKeys;
      pairs.push({
        key,
        value: sorts ? this.out.slice(valueFrom) : '',
        printed: sorts ? this.out.slice(printedFrom) : '',
      });
    }
    if (this.#at >= json.length) return;
    if (this.#options.sortKeys && pairs.length > 1) this.#sort(start, pairs, depth + 1);
    if (pairs.length > 0) this.#newLine(depth, false);
    this.out += '}';
    this.#at++;
  }

  /** Prints the pairs again in order. The lengths stay, so the start of the line does too. */
  #sort(start: number, pairs: readonly Pair[], depth: number): void {
    const { prefix, indent } = this.#options;
    this.#limits.spend(this.out.length - start);
    const line = `\n${prefix}${indent.repeat(depth)}`;
    const sorted = pairs.toSorted((a, b) => compareJson(a.key, b.key) || compareJson(a.value, b.value));
    this.out = this.out.slice(0, start) + sorted.map(({ printed }) => line + printed).join(',');
  }

  #array(depth: number): void {
    const start = this.#at;
    const room = this.#options.width - (this.out.length - this.#lineStart);
    if (this.#options.width > 0 && room > 3) {
      const line = this.#oneLine(room);
      if (line !== undefined) {
        this.out += line;
        return;
      }
      this.#at = start;
    }
    const json = this.#json;
    let count = 0;
    this.out += '[';
    for (this.#at++; this.#at < json.length; ) {
      const char = json[this.#at] ?? '';
      if (char === ']') break;
      if (isBlank(char.charCodeAt(0)) || char === ',') {
        this.#at++;
        continue;
      }
      if (count > 0) this.out += ',';
      this.#newLine(depth + 1, count > 0);
      const before = this.#at;
      this.value(depth + 1);
      if (this.#at === before) this.#at++;
      count++;
    }
    if (this.#at >= json.length) return;
    if (count > 0) this.#newLine(depth, false);
    this.out += ']';
    this.#at++;
  }

  /** The array at the position on one line; undefined if it is longer than `room` or has an object in it. */
  #oneLine(room: number): string | undefined {
    const json = this.#json;
    let line = '[';
    let depth = 1;
    let isFirst = true;
    for (this.#at++; this.#at < json.length && line.length <= room; ) {
      const char = json[this.#at] ?? '';
      if (char === '{') return undefined;
      if (char === ']') {
        line += ']';
        this.#at++;
        isFirst = false;
        if (--depth === 0) return line.length <= room ? line : undefined;
        continue;
      }
      const at = this.#at;
      const text = char === '[' ? '[' : this.#scalar();
      if (text === undefined) {
        this.#at = at + 1;
        continue;
      }
      line += isFirst ? text : `, ${text}`;
      isFirst = char === '[';
      if (isFirst) {
        depth++;
        this.#at++;
      }
    }
    return undefined;
  }
}

const RANKS = ['null', 'false', 'number', 'string', 'true', 'json'] as const;

/** The kind of a JSON text by its first character. */
function rankOf(json: string): number {
  const kinds: Readonly<Record<string, (typeof RANKS)[number]>> = {
    '': 'null',
    n: 'null',
    f: 'false',
    '"': 'string',
    t: 'true',
    '[': 'json',
    '{': 'json',
  };
  return RANKS.indexOf(kinds[json.slice(0, 1)] ?? 'number');
}

const compare = <T extends string | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** Order of two JSON texts: by kind, then strings by their content, numbers by value, others by their text. */
function compareJson(a: string, b: string): number {
  const rank = rankOf(a);
  const byKind = rank - rankOf(b);
  if (byKind !== 0) return byKind;
  if (RANKS[rank] === 'string') return compare(unescapeJson(a.slice(1, -1)), unescapeJson(b.slice(1, -1)));
  return RANKS[rank] === 'number' ? compare(parseFloat64(a), parseFloat64(b)) : compare(a, b);
}
