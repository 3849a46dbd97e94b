/**
 * Text functions of sprig that change or choose letters, with Go's simple case mappings. What is no UTF-8 becomes
 * U+FFFD where Go goes by runes; `nospace` and `initials` go by bytes and write each as a rune of its own.
 */
import type { Call, FunctionMap, GoFunction } from '../function.ts';
import {
  isDigit,
  isLetter,
  isLower,
  isSpace,
  isTitle,
  isUpper,
  toLower,
  toTitle,
  toUpper,
} from '../unicode.ts';
import { encodeRune, fromRunes, RUNE_ERROR, runes } from '../utf8.ts';
import { T } from '../value.ts';
import { stringAt } from './arguments.ts';
import { fixed, spendBytes, spendRunes } from './declare.ts';
import { type Word, words } from './words.ts';

const NON_ASCII = /[\x80-\xff]/;

/** A number of a list and a text of another one. */
const BYTES_A_RUNE = 20;

/** Pays for the way by runes and goes it. */
function overRunes(text: string, call: Call, map: (all: number[]) => readonly number[]): string {
  spendRunes(call, 4 * text.length);
  call.allocate(BYTES_A_RUNE * text.length);
  return fromRunes(map(runes(text)));
}

const ofText = (change: (text: string, call: Call) => string): GoFunction =>
  fixed([T.string], T.string, (args, call) => change(stringAt(args, 0), call));

/** A case mapping of all runes; text of ASCII alone is Node's work. */
const mapped = (ascii: (text: string) => string, map: (rune: number) => number): GoFunction =>
  ofText((text, call) => {
    if (NON_ASCII.test(text)) return overRunes(text, call, (all) => all.map(map));
    spendBytes(call, text.length);
    return ascii(text);
  });

/** What ends a word for strings.Title: among ASCII all but letters, digits and the underscore. */
function isSeparator(rune: number): boolean {
  if (rune < 0x80) return !/\w/.test(String.fromCharCode(rune));
  return !isLetter(rune) && !isDigit(rune) && isSpace(rune);
}

function title(all: readonly number[]): number[] {
  let previous = 0x20;
  return all.map((rune) => {
    const begins = isSeparator(previous);
    previous = rune;
    return begins ? toTitle(rune) : rune;
  });
}

/** The first letter after each run of white space in lower case. */
function untitle(all: readonly number[]): number[] {
  let begins = true;
  return all.map((rune) => {
    const space = isSpace(rune);
    const changed = begins && !space ? toLower(rune) : rune;
    begins = space;
    return changed;
  });
}

/** Upper to lower, lower to upper, but lower to title at the start and after white space. */
function swapCase(all: readonly number[]): number[] {
  let begins = true;
  return all.map((rune) => {
    const afterSpace = begins;
    begins = false;
    if (isUpper(rune) || isTitle(rune)) return toLower(rune);
    if (isLower(rune)) return afterSpace ? toTitle(rune) : toUpper(rune);
    begins = isSpace(rune);
    return rune;
  });
}

/** Each byte that `keep` takes as the rune of that number. */
function bytesAsRunes(text: string, keep: (byte: number) => boolean): string {
  let kept = '';
  for (let at = 0; at < text.length; at++) {
    const byte = text.charCodeAt(at);
    if (keep(byte)) kept += encodeRune(byte);
  }
  return kept;
}

/** Without white space; a text that has none stays as it is, byte for byte. */
function noSpace(text: string, call: Call): string {
  spendRunes(call, text.length);
  call.allocate(2 * text.length);
  let found = false;
  const kept = bytesAsRunes(text, (byte) => {
    const space = isSpace(byte);
    found ||= space;
    return !space;
  });
  return found ? kept : text;
}

function initials(text: string, call: Call): string {
  spendRunes(call, text.length);
  let gap = true;
  return bytesAsRunes(text, (byte) => {
    const space = isSpace(byte);
    const begins = gap && !space;
    gap = space;
    return begins;
  });
}

const isConnector = (rune: number): boolean => rune === 0x2d || rune === 0x5f || isSpace(rune);

/**
 * Pascal case as xstrings has it: connectors between letters go and the letter after one is upper case, leading and
 * doubled connectors stay (nothing but connectors: the last comes twice); a word that began with an upper case run loses that run's capitals after the first.
 */
function pascalCase(all: readonly number[]): readonly number[] {
  const start = all.findIndex((rune) => !isConnector(rune));
  if (start < 0) return [...all, ...all.slice(-1)];
  const result = all.slice(0, start);
  const first = all[start] ?? RUNE_ERROR;
  let lowering = isUpper(first);
  let pending = toUpper(first);
  for (const original of all.slice(start + 1)) {
    let rune = original;
    if (isConnector(rune) && isConnector(pending)) {
      result.push(pending);
    } else if (isConnector(pending)) {
      lowering = isUpper(rune);
      rune = toUpper(rune);
    } else {
      if (lowering && isUpper(rune)) rune = toLower(rune);
      else lowering = false;
      result.push(pending);
    }
    pending = rune;
  }
  result.push(pending);
  return result;
}

/** Words in lower case with `connector` between them: snake case and kebab case of xstrings. */
const connected = (connector: number): GoFunction =>
  ofText((text, call) => {
    spendRunes(call, 8 * text.length);
    call.allocate(BYTES_A_RUNE * text.length);
    return words(text)
      .map((word) => lowered(word, connector))
      .join('');
  });

/** Only words of upper case letters and of connectors are looked at by rune; the others stay byte for byte. */
function lowered({ kind, text }: Word, connector: number): string {
  if (kind !== 'upper' && kind !== 'connector') return text;
  return fromRunes(
    runes(text).map((rune) => (isConnector(rune) ? connector : isUpper(rune) ? toLower(rune) : rune)),
  );
}

const byRunes = (map: (all: readonly number[]) => readonly number[]): GoFunction =>
  ofText((text, call) => overRunes(text, call, map));

export const LETTERS: FunctionMap = new Map([
  ['upper', mapped((text) => text.toUpperCase(), toUpper)],
  ['lower', mapped((text) => text.toLowerCase(), toLower)],
  ['title', byRunes(title)],
  ['untitle', byRunes(untitle)],
  ['swapcase', byRunes(swapCase)],
  ['nospace', ofText(noSpace)],
  ['initials', ofText(initials)],
  ['camelcase', byRunes(pascalCase)],
  ['snakecase', connected(0x5f)],
  ['kebabcase', connected(0x2d)],
]);
