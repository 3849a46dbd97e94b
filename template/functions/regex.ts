/** Sprig's regular expressions: Go's regexp over strings of bytes. */
import { LRUCache } from 'lru-cache';
import type { GoRegexp, MatchIndex } from '../../api/go-regexp.ts';
import { compileGoRegexp, GoRegexpError, quoteMeta } from '../../api/go-regexp.ts';
import { type Call, type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { canBackquote, quote } from '../quote.ts';
import { decodeRune, encodeRune, RUNE_ERROR, validUtf8 } from '../utf8.ts';
import { fromUtf8, type GoType, type GoValue, strings, T, toUtf8 } from '../value.ts';
import { intAt, stringAt, textToText } from './arguments.ts';
import { nilSlice, STRINGS } from './declare.ts';

/** What compiling costs, for a byte of the source and again for an instruction of the program. */
const STEPS_A_COMPILED_PART = 20;

/** A template often applies one expression in a loop; compiling takes far longer than matching. */
const compiled = new LRUCache<string, GoRegexp>({ max: 100 });

function compile(source: string, call: Call): GoRegexp {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  call.spend(STEPS_A_COMPILED_PART * source.length);
  try {
    if (!validUtf8(source)) {
      const fault = firstInvalid(source);
      refuseBefore(source.slice(0, fault));
      const fromFault = source.slice(fault);
      throw new GoRegexpError(`error parsing regexp: invalid UTF-8: \`${fromFault}\``, 'invalid UTF-8');
    }
    const regexp = compileGoRegexp(toUtf8(source));
    // Only now is it known how much its repetitions have made of it.
    call.spend(STEPS_A_COMPILED_PART * regexp.size);
    compiled.set(source, regexp);
    return regexp;
  } catch (error) {
    if (!(error instanceof GoRegexpError)) throw error;
    const text = error.reason === 'invalid UTF-8' ? error.message : fromUtf8(error.message);
    throw new GoError(`error parsing regexp: ${error.reason}: [redacted]`, text);
  }
}

/** What more text could mend. */
const UNFINISHED = new Set([
  'missing closing )',
  'missing closing ]',
  'trailing backslash at end of expression',
]);

/** Go reads from left to right: a mistake before bytes that are no UTF-8 comes first. @throws GoRegexpError */
function refuseBefore(prefix: string): void {
  try {
    compileGoRegexp(toUtf8(prefix));
  } catch (error) {
    if (error instanceof GoRegexpError && !UNFINISHED.has(error.reason)) throw error;
  }
}

/** Where the first byte stands that is no UTF-8. */
function firstInvalid(text: string): number {
  let at = 0;
  for (;;) {
    const { rune, size } = decodeRune(text, at);
    if (rune === RUNE_ERROR && size < 2) return at;
    at += size;
  }
}

/** As `regexp.MustCompile`, which panics with a longer text. */
function mustCompile(source: string, call: Call): GoRegexp {
  try {
    return compile(source, call);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    const quoted = canBackquote(source) ? `\`${source}\`` : quote(source);
    throw new GoError(
      `regexp: Compile([redacted]): ${error.message}`,
      `regexp: Compile(${quoted}): ${error.goText}`,
    );
  }
}

/**
 * A Go string as UTF-16 text for the matcher. `at` gives the byte where a position of the text lies. Every byte
 * that is no UTF-8 is one U+FFFD, as Go's matcher sees it.
 */
class Subject {
  readonly bytes: string;
  readonly text: string;
  readonly #offsets: readonly number[] | undefined;

  constructor(bytes: string) {
    this.bytes = bytes;
    if (!/[\x80-\xff]/.test(bytes)) {
      this.text = bytes;
      return;
    }
    const offsets: number[] = [];
    let text = '';
    for (let at = 0; at < bytes.length; ) {
      const { rune, size } = decodeRune(bytes, at);
      const character = String.fromCodePoint(rune);
      for (let unit = 0; unit < character.length; unit++) offsets.push(at);
      text += character;
      at += size;
    }
    offsets.push(bytes.length);
    this.text = text;
    this.#offsets = offsets;
  }

  at(position: number): number {
    return this.#offsets === undefined ? position : (this.#offsets[position] ?? this.bytes.length);
  }

  slice(start: number, end: number): string {
    return this.bytes.slice(this.at(start), this.at(end));
  }

  /** The bytes of a group; nothing if there is no such group or it took no part. */
  group(match: MatchIndex, group: number): string {
    const start = match[2 * group] ?? -1;
    return start < 0 ? '' : this.slice(start, match[2 * group + 1] ?? start);
  }
}

/** What each match costs besides, whatever its length. */
const STEPS_A_MATCH = 100;

/** How the result of a function is computed from a compiled expression and the arguments behind it. */
type Compute = (regexp: GoRegexp, args: readonly GoValue[], call: Call) => GoValue;

const findAll: Compute = (regexp, args, call) => {
  const subject = subjectOf(regexp, args, call);
  const found: string[] = [];
  for (const [start = 0, end = 0] of regexp.matches(subject.text, intAt(args, 2))) {
    call.spend(STEPS_A_MATCH);
    found.push(subject.slice(start, end));
  }
  return found.length === 0 ? nilSlice(STRINGS) : strings(found);
};

const find: Compute = (regexp, args, call) => {
  const subject = subjectOf(regexp, args, call);
  for (const [start = 0, end = 0] of regexp.matches(subject.text, 1)) return subject.slice(start, end);
  return '';
};

const replaceAll: Compute = (regexp, args, call) => {
  const parts = regexp
    .parseReplacement(surrogateText(stringAt(args, 2)))
    .map((part) => (typeof part === 'string' ? fromSurrogateText(part) : part));
  return replace(regexp, parts, args, call);
};

/** Where bytes that are no UTF-8 go: to lone surrogates, which are no letters and come of no UTF-8. */
const LOW_SURROGATES = 0xdc00;

/** A Go string as text from which `fromSurrogateText` gets it back, whatever its bytes. */
function surrogateText(bytes: string): string {
  if (validUtf8(bytes)) return toUtf8(bytes);
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const { rune, size } = decodeRune(bytes, at);
    const isInvalid = rune === RUNE_ERROR && size === 1;
    text += String.fromCodePoint(isInvalid ? LOW_SURROGATES + bytes.charCodeAt(at) : rune);
    at += size;
  }
  return text;
}

const fromSurrogateText = (text: string): string =>
  text.isWellFormed()
    ? fromUtf8(text)
    : Array.from(text, (character) => {
        const code = character.codePointAt(0) ?? 0;
        const isByte = code >= LOW_SURROGATES && code <= LOW_SURROGATES + 0xff;
        return isByte ? String.fromCharCode(code - LOW_SURROGATES) : encodeRune(code);
      }).join('');

const replaceAllLiteral: Compute = (regexp, args, call) => replace(regexp, [stringAt(args, 2)], args, call);

function replace(
  regexp: GoRegexp,
  parts: readonly (string | number)[],
  args: readonly GoValue[],
  call: Call,
): string {
  const subject = subjectOf(regexp, args, call);
  let out = '';
  let copied = 0;
  for (const match of regexp.matches(subject.text, -1)) {
    call.spend(STEPS_A_MATCH);
    let added = subject.slice(copied, match[0] ?? 0);
    for (const part of parts) added += typeof part === 'string' ? part : subject.group(match, part);
    call.allocate(added.length);
    out += added;
    copied = match[1] ?? 0;
  }
  return out + subject.slice(copied, subject.text.length);
}

const split: Compute = (regexp, args, call) => {
  const limit = intAt(args, 2);
  const subject = subjectOf(regexp, args, call);
  if (limit === 0) return nilSlice(STRINGS);
  const parts: string[] = [];
  for (const [start, end] of regexp.split(subject.text, limit)) {
    call.spend(STEPS_A_MATCH);
    parts.push(subject.slice(start, end));
  }
  return strings(parts);
};

/** The string to match, paid for: at worst every byte meets a good part of the program. */
function subjectOf(regexp: GoRegexp, args: readonly GoValue[], call: Call): Subject {
  const bytes = stringAt(args, 1);
  call.spend(bytes.length * (1 + Math.ceil(Math.min(regexp.size, 60) / 4)));
  return new Subject(bytes);
}

/** A function that panics on an invalid expression, and its `must` twin that returns the error. */
function pair(
  name: string,
  params: readonly GoType[],
  result: GoType,
  compute: Compute,
): [string, GoFunction][] {
  const variant = (compiler: (source: string, call: Call) => GoRegexp): GoFunction => ({
    params,
    result,
    call: (args, call) => compute(compiler(stringAt(args, 0), call), args, call),
  });
  return [
    [name, variant(mustCompile)],
    [`mustR${name.slice(1)}`, variant(compile)],
  ];
}

const TEXTS = [T.string, T.string];
const isMatch: Compute = (regexp, args, call) => regexp.test(subjectOf(regexp, args, call).text);

/** An invalid expression matches nothing, without an error. */
const regexMatch: GoFunction = {
  params: TEXTS,
  result: T.bool,
  call: (args, call) => {
    try {
      return isMatch(compile(stringAt(args, 0), call), args, call);
    } catch (error) {
      if (error instanceof GoError) return false;
      throw error;
    }
  },
};

export const REGEX: FunctionMap = new Map<string, GoFunction>([
  ...pair('regexMatch', TEXTS, T.bool, isMatch),
  ['regexMatch', regexMatch],
  ...pair('regexFindAll', [...TEXTS, T.int], STRINGS, findAll),
  ...pair('regexFind', TEXTS, T.string, find),
  ...pair('regexReplaceAll', [...TEXTS, T.string], T.string, replaceAll),
  ...pair('regexReplaceAllLiteral', [...TEXTS, T.string], T.string, replaceAllLiteral),
  ...pair('regexSplit', [...TEXTS, T.int], STRINGS, split),
  [
    'regexQuoteMeta',
    textToText((text, call) => {
      call.allocate(2 * text.length);
      return quoteMeta(text);
    }),
  ],
]);
