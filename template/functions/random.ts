/** Functions of sprig that draw lots; all of them from the system's cryptographic source. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { type Call, type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { fromRunes, runes } from '../utf8.ts';
import { int, T } from '../value.ts';
import { intAt, stringAt } from './arguments.ts';
import { bigAt, fixed, spendRunes } from './declare.ts';

const DIGITS = '0123456789';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PRINTABLE = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');

/** `count` characters of the alphabet, each as likely as the others. */
function draw(alphabet: string, count: number, call: Call): string {
  spendRunes(call, 4 * count);
  call.allocate(count);
  // A byte above the largest multiple of the alphabet's size is drawn again, or the first characters were likelier.
  const limit = 256 - (256 % alphabet.length);
  let drawn = '';
  while (drawn.length < count) {
    for (const byte of randomBytes(Math.min(65536, 2 * (count - drawn.length)))) {
      if (byte < limit && drawn.length < count) drawn += alphabet.charAt(byte % alphabet.length);
    }
  }
  return drawn;
}

/** A function of the number of characters; fewer than none are none. */
const drawing = (alphabet: string): GoFunction =>
  fixed([T.int], T.string, (args, call) => draw(alphabet, Math.max(0, intAt(args, 0)), call));

/** The runes of a text in any order. */
function shuffle(text: string, call: Call): string {
  spendRunes(call, 16 * text.length);
  call.allocate(20 * text.length);
  const all = runes(text);
  for (let last = all.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    const rune = all[last] ?? 0;
    all[last] = all[other] ?? 0;
    all[other] = rune;
  }
  return fromRunes(all);
}

/** An integer of [0, limit). */
function randomBelow(limit: bigint): bigint {
  const most = 1n << 64n;
  const fair = most - (most % limit);
  for (;;) {
    const drawn = randomBytes(8).readBigUInt64BE();
    if (drawn < fair) return drawn % limit;
  }
}

/** math/rand's Intn over the difference, which wraps around as Go's does. */
function between(min: bigint, max: bigint): bigint {
  const range = BigInt.asIntN(64, max - min);
  if (range <= 0n) throw new GoError('invalid argument to Intn');
  return min + randomBelow(range);
}

export const RANDOM: FunctionMap = new Map([
  ['randAlphaNum', drawing(DIGITS + LETTERS)],
  ['randAlpha', drawing(LETTERS)],
  ['randNumeric', drawing(DIGITS)],
  ['randAscii', drawing(PRINTABLE)],
  ['shuffle', fixed([T.string], T.string, (args, call) => shuffle(stringAt(args, 0), call))],
  ['randInt', fixed([T.int, T.int], T.int, (args) => int(between(bigAt(args, 0), bigAt(args, 1))))],
  [
    'uuidv4',
    fixed([], T.string, (_, call) => {
      call.spend(20);
      return randomUUID();
    }),
  ],
]);
