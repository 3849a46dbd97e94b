/** Sprig's date functions. The local time zone is UTC. */
import type { Call, FunctionMap, GoFunction } from '../function.ts';
import { GoError } from '../function.ts';
import { GoInt, GoObject, type GoType, type GoValue, T } from '../value.ts';
import { stringAt } from './arguments.ts';
import { anyAt, fixed } from './declare.ts';
import { formatDuration, parseDuration } from './duration.ts';
import {
  fromUnix,
  MAX_DURATION,
  MIN_DURATION,
  roundDuration,
  since,
  type Time,
  unixSeconds,
  ZERO_TIME,
} from './time.ts';
import { formatTime } from './time-layout.ts';
import { TIME, timeObject, timeOf } from './time-object.ts';
import { parseTime } from './time-parse.ts';
import { LOCAL, loadZone, UTC } from './time-zone.ts';

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/** The wall clock, to its millisecond. */
function now(call: Call): Time {
  const ms = call.clock.now();
  const whole = Math.floor(ms);
  return { ns: BigInt(whole) * NS_PER_MS + BigInt(Math.floor((ms - whole) * 1e6)), zone: LOCAL };
}

/** A time or a number of seconds since the epoch of one of the types; anything else is now. */
function timeFrom(value: GoValue, types: readonly GoType[], call: Call): Time {
  if (value instanceof GoObject && value.type === TIME) return timeOf(value);
  if (value instanceof GoInt && types.includes(value.type)) return fromUnix(value.value);
  return now(call);
}

/** At every byte of a layout all elements are tried. */
const STEPS_A_BYTE = 10;

/** A zone that does not exist is UTC. */
function inZone(layout: string, date: GoValue, zone: string, call: Call): string {
  call.spend(STEPS_A_BYTE * layout.length);
  const time = timeFrom(date, [T.int64, T.int, T.int32], call);
  return formatTime({ ns: time.ns, zone: loadZone(zone) ?? UTC }, layout);
}

const HTML_DATE = '2006-01-02';

const dateInZone = fixed([T.string, T.any, T.string], T.string, (args, call) =>
  inZone(stringAt(args, 0), anyAt(args, 1), stringAt(args, 2), call),
);

function durationIn(text: string, call: Call): bigint {
  call.spend(text.length);
  return parseDuration(text);
}

/** An invalid duration changes nothing. */
const dateModify = fixed([T.string, TIME], TIME, (args, call) => {
  const time = timeOf(args[1]);
  const ns = attempt(() => durationIn(stringAt(args, 0), call), 0n);
  return timeObject({ ...time, ns: time.ns + ns });
});

const mustDateModify = fixed([T.string, TIME], TIME, (args, call) => {
  const time = timeOf(args[1]);
  return timeObject({ ...time, ns: time.ns + durationIn(stringAt(args, 0), call) });
});

/** What `compute` gives, or `otherwise` if Go would give an error. */
function attempt<R>(compute: () => R, otherwise: R): R {
  try {
    return compute();
  } catch (error) {
    if (error instanceof GoError) return otherwise;
    throw error;
  }
}

/** Seconds as a text or an int64; anything else, an int too, is none. */
function secondsOf(value: GoValue): bigint {
  if (value instanceof GoInt && value.type === T.int64) return value.value;
  const [, sign = '', written = ''] = (typeof value === 'string' ? /^([-+]?)(\d+)$/.exec(value) : null) ?? [];
  const digits = written.replace(/^0+/, '');
  // What does not fit into 64 bits is the most that does.
  if (digits.length > MAX_DIGITS) return sign === '-' ? MIN_DURATION : MAX_DURATION;
  const seconds = BigInt(digits);
  if (sign === '-') return seconds > MAX_DURATION ? MIN_DURATION : -seconds;
  return seconds > MAX_DURATION ? MAX_DURATION : seconds;
}

const MAX_DIGITS = 19;

/** Nanoseconds of a duration as a text, an int64, or the time passed since. */
function durationOf(value: GoValue, call: Call): bigint {
  if (typeof value === 'string') return attempt(() => durationIn(value, call), 0n);
  if (value instanceof GoInt && value.type === T.int64) return value.value;
  if (value instanceof GoObject && value.type === TIME) return since(now(call), timeOf(value));
  return 0n;
}

const HOUR = 3600n * NS_PER_SECOND;
const ROUND_UNITS: readonly (readonly [unit: bigint, suffix: string])[] = [
  [365n * 24n * HOUR, 'y'],
  [30n * 24n * HOUR, 'mo'],
  [24n * HOUR, 'd'],
  [HOUR, 'h'],
  [60n * NS_PER_SECOND, 'm'],
  [NS_PER_SECOND, 's'],
];

/** The largest unit of which there is more than one, without its sign. */
function roundToUnit(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  for (const [unit, suffix] of ROUND_UNITS) {
    if (size > unit) return `${size / unit}${suffix}`;
  }
  return '0s';
}

const toDate = (otherwise: Time | undefined): GoFunction =>
  fixed([T.string, T.string], TIME, (args, call) => {
    const [layout, text] = [stringAt(args, 0), stringAt(args, 1)];
    call.spend(STEPS_A_BYTE * (layout.length + text.length));
    const parse = (): Time => parseTime(layout, text);
    return timeObject(otherwise === undefined ? parse() : attempt(parse, otherwise));
  });

export const DATES: FunctionMap = new Map<string, GoFunction>([
  [
    'ago',
    fixed([T.any], T.string, (args, call) => {
      const passed = since(now(call), timeFrom(anyAt(args, 0), [T.int64, T.int], call));
      return formatDuration(roundDuration(passed, NS_PER_SECOND));
    }),
  ],
  [
    'date',
    fixed([T.string, T.any], T.string, (args, call) =>
      inZone(stringAt(args, 0), anyAt(args, 1), 'Local', call),
    ),
  ],
  ['date_in_zone', dateInZone],
  ['dateInZone', dateInZone],
  ['date_modify', dateModify],
  ['dateModify', dateModify],
  [
    'duration',
    fixed([T.any], T.string, (args) =>
      formatDuration(BigInt.asIntN(64, secondsOf(anyAt(args, 0)) * NS_PER_SECOND)),
    ),
  ],
  ['durationRound', fixed([T.any], T.string, (args, call) => roundToUnit(durationOf(anyAt(args, 0), call)))],
  ['htmlDate', fixed([T.any], T.string, (args, call) => inZone(HTML_DATE, anyAt(args, 0), 'Local', call))],
  [
    'htmlDateInZone',
    fixed([T.any, T.string], T.string, (args, call) =>
      inZone(HTML_DATE, anyAt(args, 0), stringAt(args, 1), call),
    ),
  ],
  ['must_date_modify', mustDateModify],
  ['mustDateModify', mustDateModify],
  ['mustToDate', toDate(undefined)],
  ['now', fixed([], TIME, (_, call) => timeObject(now(call)))],
  ['toDate', toDate(ZERO_TIME)],
  ['unixEpoch', fixed([TIME], T.string, (args) => String(unixSeconds(timeOf(args[0]))))],
]);
