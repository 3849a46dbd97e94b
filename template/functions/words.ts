/**
 * How github.com/huandu/xstrings takes a text into words for snake_case and kebab-case, its quirks included: capitals
 * that precede lower case letters are split before the last one ("HTTPServer": HTTP, Server), numbers join the word
 * before or after them, and bytes that are no UTF-8 belong to the rune that follows them.
 */
import { isLetter, isNumber, isPunct, isSpace, isUpper } from '../unicode.ts';
import { decodeRune, RUNE_ERROR, type Rune } from '../utf8.ts';

type WordKind = 'invalid' | 'number' | 'upper' | 'alphabet' | 'connector' | 'punctuation' | 'other';

export interface Word {
  readonly kind: WordKind;
  readonly text: string;
}

/** What stands for a connector that the text itself does not have. */
const CONNECTOR: Word = { kind: 'connector', text: '-' };
const END: Word = { kind: 'invalid', text: '' };

const isConnector = (rune: number): boolean => rune === 0x2d || rune === 0x5f || isSpace(rune);

/** A letter of a script with upper and lower case, or at least none of the common CJK ideographs. */
const isAlphabet = (rune: number): boolean =>
  isLetter(rune) &&
  !(rune >= 0x4e00 && rune <= 0x9fcc) &&
  !(rune >= 0x3400 && rune <= 0x4d85) &&
  !(rune >= 0x20000 && rune <= 0x2b81d);

const isLowerAlphabet = (rune: number): boolean => isAlphabet(rune) && !isUpper(rune);

const isOther = (rune: number): boolean =>
  !isConnector(rune) && !isAlphabet(rune) && !isNumber(rune) && !isPunct(rune);

/** The next valid rune with all invalid bytes before it; if none follows, `previous` with the rest of the text. */
function validRune(text: string, at: number, previous: number): Rune {
  let end = at;
  while (end < text.length) {
    const { rune, size } = decodeRune(text, end);
    end += size;
    if (rune !== RUNE_ERROR) return { rune, size: end - at };
  }
  return { rune: previous, size: end - at };
}

interface Run {
  readonly end: number;
  /** The rune that ended the run, or the last of it at the end of the text. */
  readonly next: number;
  /** Bytes of the last rune of the run. */
  readonly lastSize: number;
}

/** How far runes that `belong` go on from `at`. */
function run(text: string, at: number, first: Rune, belong: (rune: number) => boolean): Run {
  let { rune: next, size: lastSize } = first;
  let end = at;
  while (end < text.length) {
    const { rune, size } = validRune(text, end, next);
    next = rune;
    if (!belong(rune)) break;
    lastSize = size;
    end += size;
  }
  return { end, next, lastSize };
}

/** Where a word that begins with a capital ends. */
function upperEnd(text: string, at: number, first: Rune): number {
  if (at >= text.length) return at;
  const second = validRune(text, at, first.rune);
  if (!isUpper(second.rune)) return isAlphabet(second.rune) ? run(text, at, first, isLowerAlphabet).end : at;
  const { end, next, lastSize } = run(text, at, first, isUpper);
  return end < text.length && isAlphabet(next) ? end - lastSize : end;
}

const PLAIN_KINDS: readonly (readonly [WordKind, (rune: number) => boolean, (rune: number) => boolean])[] = [
  ['connector', isConnector, isConnector],
  ['punctuation', isPunct, isPunct],
  ['alphabet', isLowerAlphabet, isLowerAlphabet],
  ['number', isNumber, isNumber],
  ['other', () => true, isOther],
];

/** The word at byte `at`. */
function wordAt(text: string, at: number): Word {
  const first = validRune(text, at, RUNE_ERROR);
  const start = at + first.size;
  if (first.rune === RUNE_ERROR) return { kind: 'invalid', text: text.slice(at, start) };
  if (isUpper(first.rune)) return { kind: 'upper', text: text.slice(at, upperEnd(text, start, first)) };
  for (const [kind, begins, belongs] of PLAIN_KINDS) {
    if (begins(first.rune)) return { kind, text: text.slice(at, run(text, start, first, belongs).end) };
  }
  return END;
}

const joinsNumber = ({ kind }: Word): boolean => kind === 'alphabet' || kind === 'number';
const separates = ({ kind }: Word): boolean => kind === 'connector' || kind === 'punctuation';

/** The words of a text in order, with a connector wherever snake_case and kebab-case want one. */
export function words(text: string): Word[] {
  const result: Word[] = [];
  let rest = 0;
  const take = (): Word => {
    if (rest >= text.length) return END;
    const word = wordAt(text, rest);
    rest += word.text.length;
    return word;
  };
  let word = take();
  /** All that a number draws into its word, and a connector if another word follows. */
  const finishNumber = (): void => {
    for (; joinsNumber(word); word = take()) result.push(word);
    if (word.kind !== 'invalid' && !separates(word)) result.push(CONNECTOR);
  };
  while (rest < text.length) {
    const previous = word;
    result.push(previous);
    word = take();
    if (previous.kind === 'number') {
      finishNumber();
    } else if (separates(previous)) {
      // A connector of the text is enough, and punctuation needs none.
    } else if (word.kind !== 'number') {
      if (!separates(word)) result.push(CONNECTOR);
    } else if (rest < text.length) {
      const number = word;
      word = take();
      if (word.kind === 'alphabet') {
        result.push(CONNECTOR, number);
        finishNumber();
      } else {
        result.push(number);
        if (!separates(word)) result.push(CONNECTOR);
      }
    }
  }
  result.push(word);
  return result;
}
