/** Patterns of `*` (any text), `?` (one character) and `\` (the next character as it is) on Go strings. */
import { decodeLastRune, decodeRune } from '../../template/utf8.ts';

/** A pattern may branch this often for each byte of the text; then it counts as not matching. */
const BRANCHES_A_BYTE = 10_000;

type Spend = (steps: number) => void;

/** True if all of `text` matches. The work is reported to `spend`, which may throw. */
export function matchesWildcard(text: string, pattern: string, spend: Spend): boolean {
  if (pattern === '*') return true;
  return new Matcher(text.length * BRANCHES_A_BYTE, spend).match(text, pattern) === 'yes';
}

type Answer = 'yes' | 'no' | 'too much';

class Matcher {
  readonly #limit: number;
  readonly #spend: Spend;
  #branches = 0;

  constructor(limit: number, spend: Spend) {
    this.#limit = limit;
    this.#spend = spend;
  }

  match(wholeText: string, wholePattern: string): Answer {
    if (this.#branches > this.#limit) return 'too much';
    this.#branches++;
    this.#spend(wholePattern.length);
    let text = wholeText;
    let pattern = wholePattern;
    while (pattern !== '') {
      if (pattern.startsWith('*')) {
        pattern = pattern.replace(/^\*+/, '*');
        if (pattern === '*') return 'yes';
        const trimmed = withoutCommonSuffix(text, pattern);
        if (trimmed === undefined) return 'no';
        [text, pattern] = trimmed;
        if (pattern === '*') return 'yes';
        return this.#anywhere(text, pattern.slice(1));
      }
      const want = decodeRune(pattern, 0);
      if (text === '') return 'no';
      const have = decodeRune(text, 0);
      if (!pattern.startsWith('?')) {
        let literal = want;
        if (pattern.startsWith('\\')) {
          pattern = pattern.slice(1);
          literal = decodeRune(pattern, 0);
          if (literal.size === 0) return 'no';
        }
        if (literal.rune !== have.rune) return 'no';
        pattern = pattern.slice(literal.size);
      } else {
        pattern = pattern.slice(1);
      }
      text = text.slice(have.size);
    }
    return text === '' ? 'yes' : 'no';
  }

  /** The pattern at every position of the text, its end included. */
  #anywhere(wholeText: string, pattern: string): Answer {
    for (let text = wholeText; ; text = text.slice(decodeRune(text, 0).size)) {
      const answer = this.match(text, pattern);
      if (answer !== 'no') return answer;
      if (text === '') return 'no';
    }
  }
}

/**
 * Text and pattern (which starts with a star) without the literal characters that both end in; undefined if those
 * after the pattern's last star differ from the text's.
 */
function withoutCommonSuffix(text: string, pattern: string): [string, string] | undefined {
  let textEnd = text.length;
  let patternEnd = pattern.length;
  while (textEnd > 0 && patternEnd > 1) {
    const want = decodeLastRune(pattern, patternEnd);
    let start = patternEnd - want.size;
    let backslashes = 0;
    while (pattern[start - backslashes - 1] === '\\') backslashes++;
    const escaped = backslashes % 2 === 1;
    if (escaped) start--;
    const char = pattern.slice(patternEnd - want.size, patternEnd);
    if (char === '*' && !escaped) break;
    const have = decodeLastRune(text, textEnd);
    if (!(char === '?' && !escaped) && want.rune !== have.rune) return undefined;
    textEnd -= have.size;
    patternEnd = start;
  }
  return [text.slice(0, textEnd), pattern.slice(0, patternEnd)];
}
