/** The syntax of paths: what one component says, and what is left behind it. Paths are Go strings. */
import { closingQuote, nestedEnd, trimBlank, unescapeJson } from './text.ts';

/** What stands behind a component. */
interface Rest {
  /** The components that follow, behind a dot. */
  readonly next: string | undefined;
  /** A path to apply to the result, behind a `|` or a dot before a modifier or multipath. */
  readonly pipe: string | undefined;
}

const END: Rest = { next: undefined, pipe: undefined };

/** A component that names members of an object. */
export interface MemberPath extends Rest {
  readonly name: string;
  readonly isPattern: boolean;
}

/** '' asks whether the value exists; `!` alone is no operator that anything matches. */
export type Operator = '' | '!' | '=' | '!=' | '<' | '<=' | '>' | '>=' | '%' | '!%';

/** `#(path op value)`, with `#` behind it for all matches instead of the first. */
export interface Query {
  readonly path: string;
  readonly operator: Operator;
  readonly value: string;
  readonly all: boolean;
}

/** A component that picks elements of an array. */
export interface ElementPath extends Rest {
  /** Index of the element; -1 if the component is none. */
  readonly index: number;
  /** True if `#` is in the component: then it is no index. */
  readonly hasHash: boolean;
  /** True if the component is `#` alone. */
  readonly isHash: boolean;
  /** `#.path`: what to collect of each element. */
  readonly collect: string | undefined;
  readonly query: Query | undefined;
}

/** What stands behind a dot: more components, or a pipe where a modifier or multipath follows. */
function behindDot(path: string, at: number, isModifier: (name: string) => boolean, piping = true): Rest {
  const rest = path.slice(at + 1);
  return piping && startsPipe(rest, isModifier) ? { ...END, pipe: rest } : { ...END, next: rest };
}

function startsPipe(rest: string, isModifier: (name: string) => boolean): boolean {
  if (rest.startsWith('@')) return isModifier(/^@([^.|:]*)/.exec(rest)?.[1] ?? '');
  return rest.startsWith('[') || rest.startsWith('{');
}

/** Reads a component for an object: a name or pattern, in which a backslash takes the next character as it is. */
export function memberPath(path: string, isModifier: (name: string) => boolean): MemberPath {
  let name = '';
  let isPattern = false;
  for (let i = 0; i < path.length; i++) {
    const char = path[i] ?? '';
    if (char === '\\') {
      // The backslash goes, so an escaped star is a star again if a bare one makes this a pattern.
      name += path[++i] ?? '';
      continue;
    }
    if (char === '|') return { name, isPattern, ...END, pipe: path.slice(i + 1) };
    if (char === '.') return { name, isPattern, ...behindDot(path, i, isModifier) };
    if (char === '*' || char === '?') isPattern = true;
    name += char;
  }
  return { name, isPattern, ...END };
}

/** Reads a component for an array. A query that never closes matches whatever exists. */
export function elementPath(path: string, isModifier: (name: string) => boolean): ElementPath {
  let hasHash = false;
  let collect: string | undefined;
  let query: Query | undefined;
  const component = (end: number, rest: Rest): ElementPath => {
    const text = path.slice(0, end);
    return { index: hasHash ? -1 : indexOf(text), hasHash, isHash: text === '#', collect, query, ...rest };
  };
  for (let i = 0; i < path.length; i++) {
    const char = path[i];
    if (char === '|') return component(i, { ...END, pipe: path.slice(i + 1) });
    if (char === '.') return component(i, behindDot(path, i, isModifier, !hasHash));
    if (char !== '#') continue;
    hasHash = true;
    if (i > 0) continue;
    if (path[1] === '.') collect = path.slice(2);
    if (path[1] !== '[' && path[1] !== '(') continue;
    const read = readQuery(path);
    query = read === undefined ? { path: '', operator: '', value: '', all: false } : read.query;
    if (read === undefined) break;
    i = read.end - 1;
  }
  return component(path.length, END);
}

/** A decimal number as an unsigned 64-bit integer and that as a signed one, as the index is computed. */
function indexOf(text: string): number {
  if (!/^\d+$/.test(text)) return -1;
  return text.length < 16 ? Number(text) : Number(BigInt.asIntN(64, BigInt(text)));
}

const COMPARISONS: readonly Operator[] = ['!=', '!%', '<=', '>=', '<', '>', '=', '%'];

/** Reads `#(path op value)` at the start of `text`. Brackets of both kinds close each other. */
function readQuery(text: string): { readonly query: Query; readonly end: number } | undefined {
  let comparison = 0;
  let quotedEscape = false;
  let depth = 1;
  let i = 2;
  for (; i < text.length; i++) {
    const char = text[i] ?? '';
    if (depth === 1 && comparison === 0 && '!=<>%'.includes(char)) {
      comparison = i;
    } else if (char === '\\') {
      i++;
    } else if (char === '[' || char === '(') {
      depth++;
    } else if (char === ']' || char === ')') {
      if (--depth === 0) break;
    } else if (char === '"') {
      const quote = closingQuote(text, i + 1);
      quotedEscape ||= quote.escaped;
      i = quote.at;
    }
  }
  if (depth > 0) return undefined;
  const all = text[i + 1] === '#';
  const end = i + 1;
  if (comparison === 0) {
    return { query: { path: trimBlank(text.slice(2, i)), operator: '', value: '', all }, end };
  }
  const path = trimBlank(text.slice(2, comparison));
  const { operator, value } = readComparison(trimBlank(text.slice(comparison, i)));
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  const content = isQuoted ? value.slice(1, -1) : value;
  return {
    query: { path, operator, value: isQuoted && quotedEscape ? unescapeJson(content) : content, all },
    end,
  };
}

function readComparison(text: string): { readonly operator: Operator; readonly value: string } {
  if (text === '!') return { operator: '!', value: '' };
  if (text.startsWith('==')) return { operator: '=', value: trimBlank(text.slice(2)) };
  const operator = COMPARISONS.find((one) => text.startsWith(one)) ?? '';
  return { operator, value: trimBlank(text.slice(operator.length)) };
}

/**
 * Splits a path that is applied to many elements at its first pipe; what is behind it applies to the collected
 * result. Undefined if there is none outside of brackets and queries.
 */
export function splitPipe(path: string): { readonly left: string; readonly right: string } | undefined {
  if (!path.includes('|')) return undefined;
  const split = (at: number) => ({ left: path.slice(0, at), right: path.slice(at + 1) });
  if (path.startsWith('{')) {
    const end = nestedEnd(path, 1);
    // The scan starts behind the brace, at a character that counts as an opening bracket or quote itself.
    return end < path.length && path[end] === '|' ? split(end) : undefined;
  }
  for (let i = 0; i < path.length; i++) {
    const char = path[i];
    if (char === '\\') i++;
    else if (char === '|') return split(i);
    else if (char === '.') {
      if (i === path.length - 1) return undefined;
      if (path[i + 1] !== '#') continue;
      i += 2;
      if (i === path.length) return undefined;
      if (path[i] === '[' || path[i] === '(') i = selectorEnd(path, i);
    }
  }
  return undefined;
}

/** Position of the bracket that closes the one at `at`; only brackets of its kind count. */
function selectorEnd(path: string, at: number): number {
  const open = path[at];
  const close = open === '[' ? ']' : ')';
  let depth = 1;
  let i = at + 1;
  for (; i < path.length; i++) {
    const char = path[i];
    if (char === '\\') i++;
    else if (char === open) depth++;
    else if (char === close && --depth === 0) break;
    else if (char === '"') i = closingQuote(path, i + 1).at;
  }
  return i;
}

/** One part of `[a,b]` or `{"name":a,b}`. */
export interface SubPath {
  /** As written, quotes included; undefined if none is given. */
  readonly name: string | undefined;
  readonly path: string;
}

/** The parts of the multipath at the start of `path`, and what is behind it; undefined if it never closes. */
export function subPaths(
  path: string,
): { readonly parts: readonly SubPath[]; readonly rest: string } | undefined {
  const parts: SubPath[] = [];
  let depth = 1;
  let start = 1;
  let colon = 0;
  let inModifier = false;
  const push = (end: number): void => {
    parts.push(
      colon === 0
        ? { name: undefined, path: path.slice(start, end) }
        : { name: path.slice(start, colon), path: path.slice(colon + 1, end) },
    );
    colon = 0;
    inModifier = false;
    start = end + 1;
  };
  for (let i = 1; i < path.length; i++) {
    const char = path[i] ?? '';
    if (char === '\\') i++;
    else if (char === '"') i = closingQuote(path, i + 1).at;
    // Behind a modifier a colon starts its argument.
    else if (char === '@') inModifier ||= path[i - 1] === '.' || path[i - 1] === '|';
    else if (char === ':') colon = !inModifier && colon === 0 && depth === 1 ? i : colon;
    else if (char === ',' && depth === 1) push(i);
    else if ('[({'.includes(char)) depth++;
    else if (')]}'.includes(char) && --depth === 0) {
      push(i);
      return { parts, rest: path.slice(i + 1) };
    }
  }
  return undefined;
}

/** The last component of a path, by which a multipath names a part without a name. */
export function lastName(path: string): string {
  for (let i = path.length - 1; i >= 0; i--) {
    if ((path[i] === '|' || path[i] === '.') && path[i - 1] !== '\\') return path.slice(i + 1);
  }
  return path;
}

/** True if the component can be a name as it stands: no brackets, `#`, `|`, `!` or control characters. */
export const isPlainName = (component: string): boolean => /^[ "$-'*-Z\\^-z~-\xff]*$/.test(component);
