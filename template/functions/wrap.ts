/** `wrap` and `wrapWith` of sprig: lines of at most so many bytes, words being what stands between spaces. */
import type { Call, FunctionMap } from '../function.ts';
import { T } from '../value.ts';
import { intAt, stringAt } from './arguments.ts';
import { fixed, spendRunes } from './declare.ts';

interface Wrapping {
  /** Bytes of a line; below 1 counts as 1. */
  readonly width: number;
  /** Between lines; nothing means a line feed. */
  readonly newLine: string;
  /** Cut words that are longer than a line. */
  readonly cutWords: boolean;
}

/**
 * One line as several, as goutils' WrapCustom: a space at the break goes, further ones at the start of a line too.
 * Bytes, not runes, are counted and cut.
 */
function wrapLine(text: string, { width: asked, newLine, cutWords }: Wrapping, call: Call): string {
  const width = Math.max(1, asked);
  const lineEnd = newLine === '' ? '\n' : newLine;
  spendRunes(call, text.length);
  const lines: string[] = [];
  let at = 0;
  while (text.length - at > width) {
    if (text[at] === ' ') {
      at++;
      continue;
    }
    call.spend(1);
    call.allocate(lineEnd.length);
    let end = text.lastIndexOf(' ', at + width);
    let gap = 1;
    if (end < at && cutWords) {
      end = at + width;
      gap = 0;
    } else if (end < at) {
      end = text.indexOf(' ', at + width);
      if (end < 0) break;
    }
    lines.push(text.slice(at, end));
    at = end + gap;
  }
  lines.push(text.slice(at));
  call.allocate(text.length);
  return lines.join(lineEnd);
}

export const WRAP: FunctionMap = new Map([
  [
    'wrap',
    fixed([T.int, T.string], T.string, (args, call) =>
      wrapLine(stringAt(args, 1), { width: intAt(args, 0), newLine: '', cutWords: false }, call),
    ),
  ],
  [
    'wrapWith',
    fixed([T.int, T.string, T.string], T.string, (args, call) =>
      wrapLine(
        stringAt(args, 2),
        { width: intAt(args, 0), newLine: stringAt(args, 1), cutWords: true },
        call,
      ),
    ),
  ],
]);
