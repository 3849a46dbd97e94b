/** Functions of sprig that take a text apart. */
import type { Call, FunctionMap } from '../function.ts';
import { GoMap, mapOf, strings, T } from '../value.ts';
import { intAt, stringAt } from './arguments.ts';
import { fixed, STRINGS } from './declare.ts';
import { splitText } from './text.ts';

const PARTS = mapOf(T.string);

/** The parts under the keys `_0`, `_1` and so on. */
function numbered(text: string, separator: string, limit: number, call: Call): GoMap {
  const parts = splitText(text, separator, limit, call);
  return new GoMap(PARTS, new Map(parts.map((part, index) => [`_${index}`, part])));
}

export const SPLIT: FunctionMap = new Map([
  [
    'split',
    fixed([T.string, T.string], PARTS, (args, call) =>
      numbered(stringAt(args, 1), stringAt(args, 0), -1, call),
    ),
  ],
  [
    'splitn',
    fixed([T.string, T.int, T.string], PARTS, (args, call) =>
      numbered(stringAt(args, 2), stringAt(args, 0), intAt(args, 1), call),
    ),
  ],
  [
    'splitList',
    fixed([T.string, T.string], STRINGS, (args, call) =>
      strings(splitText(stringAt(args, 1), stringAt(args, 0), -1, call)),
    ),
  ],
]);
