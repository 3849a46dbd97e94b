/**
 * Go's `regexp` over re2js: RE2 syntax, linear time, Go's rules for successive matches and for `$1` in replacements.
 * Texts are JavaScript strings and positions are UTF-16 indices into them.
 */
import { type Matcher, RE2JS, RE2JSSyntaxException } from 're2js';

/** A regular expression that Go refuses, or re2js cannot build. `message` is Go's text and quotes the expression. */
export class GoRegexpError extends Error {
  /** What is wrong, without the quoted part of the expression: `missing closing )`. */
  readonly reason: string;

  constructor(message: string, reason: string) {
    super(message);
    this.name = 'GoRegexpError';
    this.reason = reason;
  }
}

/** Start and end of the match and then of every group, as Go's `FindSubmatchIndex`; -1 where a group took no part. */
export type MatchIndex = readonly number[];

/** A compiled regular expression. Stateless: safe to share. */
export interface GoRegexp {
  readonly source: string;
  /** True if some part of `text` matches (`MatchString`). */
  test(text: string): boolean;
  /** Instructions of the compiled program: matching takes time in proportion to it and to the text, at worst. */
  readonly size: number;
  /** At most `limit` successive matches, all if it is negative (`FindAllStringSubmatchIndex`), found one by one. */
  matches(text: string, limit: number): Iterable<MatchIndex>;
  /** Every match replaced by what `$1`, `${1}`, `$name`, `${name}` and `$$` in it expand to (`ReplaceAllString`). */
  replaceAll(text: string, replacement: string): string;
  /** A replacement as literal parts and numbers of groups; what names no group expands to nothing and is left out. */
  parseReplacement(replacement: string): (string | number)[];
  /** Start and end of the parts of `text` between matches: at most `limit`, all if it is negative (`Split`). */
  split(text: string, limit: number): Iterable<readonly [start: number, end: number]>;
}

/**
 * Compiles `source` (RE2 syntax as of Go's regexp package).
 * @throws GoRegexpError with Go's text, as in "error parsing regexp: missing closing ): `a(b`"
 */
export function compileGoRegexp(source: string): GoRegexp {
  try {
    return new CompiledRegexp(source, RE2JS.compile(source));
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) throw syntaxError(error.message);
    throw new GoRegexpError(
      `error parsing regexp: expression too large: \`${source}\``,
      'expression too large',
    );
  }
}

/** The text with every character that has a meaning in a regular expression escaped (`regexp.QuoteMeta`). */
export const quoteMeta = (text: string): string => text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');

const PREFIX = 'error parsing regexp: ';

/** Characters that the regular expressions of one object may have together: compiling takes some microseconds each. */
const MAX_SOURCES = 65_536;

/** Why so many expressions cannot be compiled; undefined if they can. */
export function regexpsError(sources: readonly string[]): string | undefined {
  const characters = sources.reduce((sum, { length }) => sum + length, 0);
  return characters <= MAX_SOURCES
    ? undefined
    : `the regular expressions have ${characters} characters together; no more than ${MAX_SOURCES} are compiled`;
}

function syntaxError(message: string): GoRegexpError {
  // Go always names the offending part, even when it is empty.
  const text = message.endsWith('`') ? message : `${message}: \`\``;
  return new GoRegexpError(text, text.slice(PREFIX.length, text.indexOf(': `')));
}

class CompiledRegexp implements GoRegexp {
  readonly source: string;
  readonly #pattern: RE2JS;
  readonly #names: ReadonlyMap<string, number>;

  constructor(source: string, pattern: RE2JS) {
    this.source = source;
    this.#pattern = pattern;
    this.#names = new Map(Object.entries(pattern.namedGroups()));
  }

  test(text: string): boolean {
    return this.#pattern.test(text);
  }

  get size(): number {
    return this.#pattern.programSize();
  }

  *matches(text: string, limit: number): Generator<MatchIndex> {
    const matcher = this.#pattern.matcher(text);
    let previousEnd = -1;
    for (let from = 0, left = limit; from <= text.length && left !== 0; ) {
      if (!matcher.find(from)) return;
      const start = matcher.start();
      const end = matcher.end();
      // An empty match right behind another match does not count.
      if (end !== from || start !== previousEnd) {
        left--;
        yield this.#groups(matcher);
      }
      from = end === from ? from + widthAt(text, from) : end;
      previousEnd = end;
    }
  }

  replaceAll(text: string, replacement: string): string {
    const parts = this.parseReplacement(replacement);
    let out = '';
    let copied = 0;
    for (const match of this.matches(text, -1)) {
      const [start = 0, end = 0] = match;
      out += text.slice(copied, start);
      for (const part of parts) out += typeof part === 'string' ? part : groupOf(text, match, part);
      copied = end;
    }
    return out + text.slice(copied);
  }

  parseReplacement(replacement: string): (string | number)[] {
    const parts: (string | number)[] = [];
    for (let from = 0; ; ) {
      const dollar = replacement.indexOf('$', from);
      parts.push(replacement.slice(from, dollar < 0 ? undefined : dollar));
      if (dollar < 0) return parts;
      REFERENCE.lastIndex = dollar + 1;
      const reference = REFERENCE.exec(replacement);
      if (reference === null) {
        // A dollar that introduces nothing stands for itself, and so does a doubled one.
        parts.push('$');
        from = dollar + (replacement[dollar + 1] === '$' ? 2 : 1);
        continue;
      }
      const name = reference[1] ?? reference[2] ?? '';
      const group = GROUP_NUMBER.test(name) ? Number(name) : this.#names.get(name);
      if (group !== undefined) parts.push(group);
      from = REFERENCE.lastIndex;
    }
  }

  *split(text: string, limit: number): Generator<readonly [start: number, end: number]> {
    if (limit === 0) return;
    if (this.source !== '' && text === '') {
      yield [0, 0];
      return;
    }
    let count = 0;
    let begin = 0;
    let end = 0;
    for (const [matchStart = 0, matchEnd = 0] of this.matches(text, limit)) {
      if (limit > 0 && count === limit - 1) break;
      end = matchStart;
      if (matchEnd !== 0) {
        count++;
        yield [begin, end];
      }
      begin = matchEnd;
    }
    if (end !== text.length) yield [begin, text.length];
  }

  #groups(matcher: Matcher): MatchIndex {
    const index: number[] = [];
    for (let group = 0; group <= this.#pattern.groupCount(); group++) {
      index.push(matcher.start(group), matcher.end(group));
    }
    return index;
  }
}

/** What may follow a `$`: a name of letters, digits and underscores, as long as possible, or one in braces. */
const REFERENCE = /(?:\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/uy;

/** Decimal without leading zero; no expression has groups of more digits. */
const GROUP_NUMBER = /^(?:0|[1-9][0-9]{0,7})$/;

/** How far to move on from an empty match: one code point, and one beyond the end. */
const widthAt = (text: string, at: number): number => ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);

/** The text of a group; nothing if there is no such group or it took no part in the match. */
function groupOf(text: string, match: MatchIndex, group: number): string {
  const start = match[2 * group] ?? -1;
  return start < 0 ? '' : text.slice(start, match[2 * group + 1]);
}
