/** What a plain YAML scalar means to go-yaml v2: YAML 1.1, with what that library leaves out and adds. */
import { GoError } from './function.ts';
import { parseTime } from './functions/time-parse.ts';
import { parseGoFloat as goParseFloat, parseGoInt as goParseInt, parseUint } from './strconv.ts';

/** An integer is a bigint (64 bits, signed or not), a float64 a number; a timestamp keeps its text. */
export type ScalarValue = null | boolean | bigint | number | string;

export interface Resolved {
  readonly tag: 'null' | 'bool' | 'int' | 'float' | 'str' | 'timestamp';
  readonly value: ScalarValue;
}

const WORDS: ReadonlyMap<string, Resolved> = new Map(
  (
    [
      ['bool', true, 'y Y yes Yes YES true True TRUE on On ON'],
      ['bool', false, 'n N no No NO false False FALSE off Off OFF'],
      ['null', null, '~ null Null NULL'],
      ['float', Number.NaN, '.nan .NaN .NAN'],
      ['float', Number.POSITIVE_INFINITY, '.inf .Inf .INF +.inf +.Inf +.INF'],
      ['float', Number.NEGATIVE_INFINITY, '-.inf -.Inf -.INF'],
    ] as const
  ).flatMap(([tag, value, words]) => words.split(' ').map((word) => [word, { tag, value }] as const)),
);

const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** What `read` gives; undefined where Go's strconv gives an error. */
function attempt<R>(read: () => R): R | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof GoError) return undefined;
    throw error;
  }
}

/** @param text a Go string, ASCII where it is anything but a string */
export function resolvePlain(text: string): Resolved {
  const word = text === '' ? WORDS.get('null') : WORDS.get(text);
  if (word !== undefined) return word;
  const string: Resolved = { tag: 'str', value: text };
  if (!/^[-+.0-9]/.test(text)) return string;
  if (text.startsWith('.')) return floatOr(string, text);
  if (isTimestamp(text)) return { tag: 'timestamp', value: text };
  const digits = text.replaceAll('_', '');
  const int = attempt(() => goParseInt(digits, 0, 64)) ?? attempt(() => parseUint(digits, 0, 64));
  if (int !== undefined) return { tag: 'int', value: int };
  return FLOAT.test(digits) ? floatOr(string, digits) : string;
}

function floatOr(otherwise: Resolved, text: string): Resolved {
  const value = attempt(() => goParseFloat(text, 64));
  return value === undefined ? otherwise : { tag: 'float', value };
}

const TIMESTAMPS = [
  '2006-1-2T15:4:5.999999999Z07:00',
  '2006-1-2t15:4:5.999999999Z07:00',
  '2006-1-2 15:4:5.999999999',
  '2006-1-2',
];

/** Whether go-yaml takes the text for a timestamp, which it then leaves a string, but quotes when it writes. */
const isTimestamp = (text: string): boolean =>
  /^[0-9]{4}-/.test(text) &&
  TIMESTAMPS.some((layout) => attempt(() => parseTime(layout, text)) !== undefined);
