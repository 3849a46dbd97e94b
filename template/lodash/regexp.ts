/** Regular expressions of lodash templates: those of JavaScript that RE2 has too, matched in linear time. */
import { compileGoRegexp, type GoRegexp, GoRegexpError, type MatchIndex } from '../../api/go-regexp.ts';

/** What compiling costs, for an instruction of the program. */
const STEPS_A_COMPILED_PART = 20;

/** A literal such as `/a+/g`. */
export class Regexp {
  readonly #compiled: GoRegexp;
  readonly global: boolean;
  readonly #text: string;

  constructor(source: string, flags: string) {
    const unknown = /[^gims]/.exec(flags);
    if (unknown !== null) throw new GoRegexpError('', `flag ${unknown[0]} is not supported`);
    if (/\(\?P?<\w/.test(source)) throw new GoRegexpError('', 'named groups are not supported');
    const modes = flags.replaceAll('g', '');
    // `\/` and `\-` are escapes in JavaScript only; `$` and `.` mean the same in both.
    const portable = source.replaceAll('\\/', '/');
    this.#compiled = compileGoRegexp(modes === '' ? portable : `(?${modes})${portable}`);
    this.global = flags.includes('g');
    this.#text = `/${source}/${flags}`;
  }

  /** Steps of compiling it, and of matching a text of this length: at worst each character meets much of the program. */
  cost(length: number): number {
    const { size } = this.#compiled;
    return STEPS_A_COMPILED_PART * size + length * (1 + Math.ceil(Math.min(size, 60) / 4));
  }

  test(text: string): boolean {
    return this.#compiled.test(text);
  }

  /** At most `limit` matches, all if it is negative. */
  matches(text: string, limit: number): Iterable<MatchIndex> {
    return this.#compiled.matches(text, limit);
  }

  toString(): string {
    return this.#text;
  }
}

/** JavaScript's expansion of `$1`, `$&`, `$$`, `` $` `` and `$'` in a replacement. */
export function expandReplacement(replacement: string, text: string, match: MatchIndex): string {
  const [start = 0, end = 0] = match;
  const groups = match.length / 2 - 1;
  return replacement.replace(/\$(?:\$|&|`|'|(\d\d?))/g, (all, digits: string | undefined) => {
    if (all === '$$') return '$';
    if (all === '$&') return text.slice(start, end);
    if (all === '$`') return text.slice(0, start);
    if (all === "$'") return text.slice(end);
    for (const length of [2, 1]) {
      const number = Number((digits ?? '').slice(0, length));
      if ((digits ?? '').length < length || number < 1 || number > groups) continue;
      return `${groupOf(text, match, number) ?? ''}${(digits ?? '').slice(length)}`;
    }
    return all;
  });
}

/** A group of a match; undefined if it took no part. */
export function groupOf(text: string, match: MatchIndex, number: number): string | undefined {
  const start = match[2 * number] ?? -1;
  return start < 0 ? undefined : text.slice(start, match[2 * number + 1]);
}
