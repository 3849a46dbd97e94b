/** Text functions of sprig that search, cut and join; those about letters are in letters.ts. */
import { sprint } from '../fmt.ts';
import { type Call, type FunctionMap, GoError } from '../function.ts';
import { quote } from '../quote.ts';
import { isSpace } from '../unicode.ts';
import { decodeLastRune, decodeRune, runes } from '../utf8.ts';
import { GoInt, GoObject, GoSlice, type GoValue, strings, T } from '../value.ts';
import { intAt, stringAt } from './arguments.ts';
import { anyAt, bigAt, fixed, runtimeError, STRINGS, spendBytes, spendRunes, variadic } from './declare.ts';

/** sprig's `strval`: the text of a value; a `[]byte` is its bytes, everything else as fmt's %v prints it. */
export function textOf(value: GoValue, call: Call): string {
  if (typeof value === 'string') return value;
  if (value instanceof GoObject && value.text !== undefined) return value.text();
  if (value instanceof GoSlice && value.type.elem?.kind === 'uint8') {
    return value.items
      .map((item) => (item instanceof GoInt ? String.fromCharCode(Number(item.value)) : ''))
      .join('');
  }
  return sprint([value], call);
}

/** sprig's `strslice`: the texts of the elements but for nil ones; of a single value, its text. */
export function textsOf(value: GoValue, call: Call): string[] {
  if (value === null) return [];
  if (!(value instanceof GoSlice)) return [textOf(value, call)];
  call.spend(value.items.length);
  return value.items.filter((item) => item !== null).map((item) => textOf(item, call));
}

/** Pays for what joining the parts with the separator makes, and makes it. */
function joined(parts: readonly string[], separator: string, call: Call): string {
  const size = parts.reduce(
    (sum, part) => sum + part.length,
    separator.length * Math.max(0, parts.length - 1),
  );
  spendBytes(call, size + parts.length);
  call.allocate(size);
  return parts.join(separator);
}

/** strings.Repeat. */
function repeat(text: string, count: bigint, call: Call): string {
  if (count < 0n) throw new GoError('strings: negative Repeat count');
  const size = BigInt(text.length) * count;
  if (size > 0x7fff_ffff_ffff_ffffn) throw new GoError('strings: Repeat output length overflow');
  spendBytes(call, Number(size));
  call.allocate(Number(size));
  return text === '' ? '' : text.repeat(Number(count));
}

/** strings.Replace of all; nothing as `old` stands between any two runes and at both ends. */
function replaceAll(text: string, old: string, replacement: string, call: Call): string {
  if (old === replacement) return text;
  if (old !== '') {
    return joined(splitText(text, old, -1, call), replacement, call);
  }
  spendRunes(call, text.length);
  return joined(['', ...explode(text, Number.POSITIVE_INFINITY), ''], replacement, call);
}

/** The first `limit - 1` runes, each as its own bytes, and the rest. */
function explode(text: string, limit: number): string[] {
  const parts: string[] = [];
  let at = 0;
  while (at < text.length && parts.length < limit - 1) {
    const { size } = decodeRune(text, at);
    parts.push(text.slice(at, at + size));
    at += size;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}

/** How often `part`, which is not empty, stands in the text. */
function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

/** What a piece of a text costs besides its bytes, which it shares with the text. */
const BYTES_A_PART = 32;

/** strings.SplitN; `limit` below 0 means all. */
export function splitText(text: string, separator: string, limit: number, call: Call): string[] {
  if (limit === 0) return [];
  const most = limit < 0 ? Number.POSITIVE_INFINITY : limit;
  spendRunes(call, text.length);
  if (separator === '') {
    call.allocate(BYTES_A_PART * text.length);
    return explode(text, most);
  }
  call.allocate(BYTES_A_PART * (1 + occurrences(text, separator)));
  const parts = text.split(separator);
  return parts.length <= most ? parts : [...parts.slice(0, most - 1), parts.slice(most - 1).join(separator)];
}

/** strings.Trim: off both ends, every rune that is in `cutset`. */
function trimRunes(text: string, isCut: (rune: number) => boolean): string {
  let start = 0;
  let end = text.length;
  while (start < end) {
    const { rune, size } = decodeRune(text, start);
    if (!isCut(rune)) break;
    start += size;
  }
  while (end > start) {
    const { rune, size } = decodeLastRune(text, end);
    if (!isCut(rune)) break;
    end -= size;
  }
  return text.slice(start, end);
}

/** strings.TrimSpace. */
const trimSpace = (text: string): string => trimRunes(text, isSpace);

const TRIM_ALL = fixed([T.string, T.string], T.string, (args, call) => {
  const cut = new Set(runes(stringAt(args, 0)));
  spendRunes(call, stringAt(args, 0).length + stringAt(args, 1).length);
  return trimRunes(stringAt(args, 1), (rune) => cut.has(rune));
});

/** Goutils' AbbreviateFull: at most `width` bytes, with dots where something was cut off. */
function abbreviate(text: string, offset: bigint, width: number): string {
  if (text === '' || text.length <= width) return text;
  const length = BigInt(text.length);
  // A very negative offset overflows, and then it is the end that is left.
  const room = BigInt.asIntN(64, length - (offset > length ? length : offset));
  const from = room < BigInt(width - 3) ? text.length - (width - 3) : Math.max(0, text.length - Number(room));
  if (from <= 4) return `${text.slice(0, width - 3)}...`;
  // Too narrow for dots on both sides: an error of goutils, which sprig leaves out.
  if (width < 7) return '';
  if (from + width - 3 < text.length) return `...${abbreviate(text.slice(from), 0n, width - 3)}`;
  return `...${text.slice(text.length - (width - 3))}`;
}

/** A slice of a string as Go's runtime takes or refuses it; the message of a refusal leaves the length out. */
function substring(text: string, start: bigint, end: bigint): string {
  const length = BigInt(text.length);
  if (start < 0n) {
    if (end < 0n) throw runtimeError(`slice bounds out of range [:${end}]`);
    if (end > length) {
      const what = `slice bounds out of range [:${end}]`;
      throw runtimeError(`${what} with length ${length}`, what);
    }
    return text.slice(0, Number(end));
  }
  const open = end < 0n || end > length;
  const last = open ? length : end;
  if (start > last) {
    throw runtimeError(
      `slice bounds out of range [${start}:${last}]`,
      `slice bounds out of range [${start}:${open ? 'length' : last}]`,
    );
  }
  return text.slice(Number(start), Number(last));
}

function truncate(text: string, count: number): string {
  if (count < 0) return text.length + count > 0 ? text.slice(text.length + count) : text;
  return text.slice(0, count);
}

function indent(text: string, spaces: bigint, call: Call): string {
  const pad = repeat(' ', spaces, call);
  return pad + replaceAll(text, '\n', `\n${pad}`, call);
}

type Test = (text: string, part: string) => boolean;

/** Sprig takes the part first, so that the text can come through a pipe. */
const test = (passes: Test) =>
  fixed([T.string, T.string], T.bool, (args, call) => {
    spendBytes(call, stringAt(args, 1).length);
    return passes(stringAt(args, 1), stringAt(args, 0));
  });

const cut = (trim: (text: string, part: string) => string) =>
  fixed([T.string, T.string], T.string, (args) => trim(stringAt(args, 1), stringAt(args, 0)));

/** Those of the values that are not nil. */
const present = (values: readonly GoValue[]): GoValue[] => values.filter((value) => value !== null);

export const TEXT: FunctionMap = new Map([
  ['hello', fixed([], T.string, () => 'Hello!')],
  [
    'trim',
    fixed([T.string], T.string, (args, call) => {
      spendBytes(call, stringAt(args, 0).length);
      return trimSpace(stringAt(args, 0));
    }),
  ],
  ['trimall', TRIM_ALL],
  ['trimAll', TRIM_ALL],
  [
    'trimSuffix',
    cut((text, part) => (text.endsWith(part) ? text.slice(0, text.length - part.length) : text)),
  ],
  ['trimPrefix', cut((text, part) => (text.startsWith(part) ? text.slice(part.length) : text))],
  ['trunc', fixed([T.int, T.string], T.string, (args) => truncate(stringAt(args, 1), intAt(args, 0)))],
  [
    'substr',
    fixed([T.int, T.int, T.string], T.string, (args) =>
      substring(stringAt(args, 2), bigAt(args, 0), bigAt(args, 1)),
    ),
  ],
  [
    'abbrev',
    fixed([T.int, T.string], T.string, (args) => {
      const width = intAt(args, 0);
      return width < 4 ? stringAt(args, 1) : abbreviate(stringAt(args, 1), 0n, width);
    }),
  ],
  [
    'abbrevboth',
    fixed([T.int, T.int, T.string], T.string, (args) => {
      const [left, right, text] = [bigAt(args, 0), intAt(args, 1), stringAt(args, 2)];
      return right < 4 || (left > 0n && right < 7) ? text : abbreviate(text, left, right);
    }),
  ],
  [
    'repeat',
    fixed([T.int, T.string], T.string, (args, call) => repeat(stringAt(args, 1), bigAt(args, 0), call)),
  ],
  ['contains', test((text, part) => text.includes(part))],
  ['hasPrefix', test((text, part) => text.startsWith(part))],
  ['hasSuffix', test((text, part) => text.endsWith(part))],
  [
    'quote',
    variadic([T.any], T.string, (args, call) =>
      joined(
        present(args).map((value) => {
          const text = textOf(value, call);
          spendRunes(call, text.length);
          return quote(text);
        }),
        ' ',
        call,
      ),
    ),
  ],
  [
    'squote',
    variadic([T.any], T.string, (args, call) =>
      joined(
        present(args).map((value) => `'${sprint([value], call)}'`),
        ' ',
        call,
      ),
    ),
  ],
  [
    'cat',
    variadic([T.any], T.string, (args, call) =>
      joined(
        present(args).map((value) => sprint([value], call)),
        ' ',
        call,
      ),
    ),
  ],
  [
    'indent',
    fixed([T.int, T.string], T.string, (args, call) => indent(stringAt(args, 1), bigAt(args, 0), call)),
  ],
  [
    'nindent',
    fixed(
      [T.int, T.string],
      T.string,
      (args, call) => `\n${indent(stringAt(args, 1), bigAt(args, 0), call)}`,
    ),
  ],
  [
    'replace',
    fixed([T.string, T.string, T.string], T.string, (args, call) =>
      replaceAll(stringAt(args, 2), stringAt(args, 0), stringAt(args, 1), call),
    ),
  ],
  [
    'plural',
    fixed([T.string, T.string, T.int], T.string, (args) => stringAt(args, bigAt(args, 2) === 1n ? 0 : 1)),
  ],
  ['toString', fixed([T.any], T.string, (args, call) => textOf(anyAt(args, 0), call))],
  [
    'toStrings',
    fixed([T.any], STRINGS, (args, call) => {
      const value = anyAt(args, 0);
      return value instanceof GoSlice && value.type === STRINGS ? value : strings(textsOf(value, call));
    }),
  ],
  [
    'join',
    fixed([T.string, T.any], T.string, (args, call) =>
      joined(textsOf(anyAt(args, 1), call), stringAt(args, 0), call),
    ),
  ],
]);
