/** time.Time, time.Month, time.Weekday, time.Duration and *time.Location as templates see them. */
import { GoError } from '../function.ts';
import {
  float64,
  type GoInt,
  type GoMethod,
  GoObject,
  type GoType,
  type GoValue,
  int,
  int64,
  integer,
  T,
} from '../value.ts';
import { intAt, stringAt } from './arguments.ts';
import { bigAt } from './declare.ts';
import { formatDuration } from './duration.ts';
import {
  civilOf,
  MONTHS,
  roundDuration,
  since,
  type Time,
  timeAt,
  unixSeconds,
  WEEKDAYS,
  ZERO_TIME,
} from './time.ts';
import { formatTime } from './time-layout.ts';
import { LOCAL, UTC, type Zone } from './time-zone.ts';

export const TIME: GoType = { kind: 'struct', name: 'time.Time' };
const LOCATION: GoType = {
  kind: 'ptr',
  name: '*time.Location',
  elem: { kind: 'struct', name: 'time.Location' },
};

const method = (params: readonly GoType[], call: GoMethod['call']): GoMethod => ({ params, call });
const getter = (value: () => GoValue): GoMethod => ({ params: [], call: value });

/** An integer type with a String method, and others that need the value. */
function namedInteger(
  kind: 'int' | 'int64',
  name: string,
  text: (value: bigint) => string,
  others: (value: bigint) => readonly (readonly [string, GoMethod])[] = () => [],
): GoType {
  return {
    kind,
    name,
    text,
    methods: (value) => new Map([['String', getter(() => text(value))], ...others(value)]),
  };
}

const MONTH = namedInteger('int', 'time.Month', (value) => MONTHS[Number(value) - 1] ?? `%!Month(${value})`);
const WEEKDAY = namedInteger(
  'int',
  'time.Weekday',
  (value) => WEEKDAYS[Number(value)] ?? `%!Weekday(${value})`,
);

const NS_PER_SECOND = 1_000_000_000n;

const DURATION: GoType = namedInteger('int64', 'time.Duration', formatDuration, (ns) => [
  ['Nanoseconds', getter(() => int64(ns))],
  ['Microseconds', getter(() => int64(ns / 1_000n))],
  ['Milliseconds', getter(() => int64(ns / 1_000_000n))],
  ['Seconds', getter(() => float64(quotient(ns, NS_PER_SECOND)))],
  ['Minutes', getter(() => float64(quotient(ns, 60n * NS_PER_SECOND)))],
  ['Hours', getter(() => float64(quotient(ns, 3600n * NS_PER_SECOND)))],
  ['Abs', getter(() => duration(ns < 0n ? -ns : ns))],
  ['Round', method([DURATION], (args) => duration(roundDuration(ns, bigAt(args, 0))))],
  [
    'Truncate',
    method([DURATION], (args) => duration(bigAt(args, 0) <= 0n ? ns : ns - (ns % bigAt(args, 0)))),
  ],
]);

const duration = (ns: bigint): GoInt => integer(DURATION, ns);

/** The whole part is exact, the rest as Go adds it in floating point. */
const quotient = (ns: bigint, by: bigint): number => Number(ns / by) + Number(ns % by) / Number(by);

/** A time.Time of its own, as a template gets it. */
export function timeObject(time: Time): GoObject {
  return new GoObject({
    type: TIME,
    methods: methodsOf(time),
    text: () => formatTime(time, '2006-01-02 15:04:05.999999999 -0700 MST'),
    json: () => `"${formatTime(time, '2006-01-02T15:04:05.999999999Z07:00')}"`,
    native: time,
  });
}

/** The time behind a value that was declared time.Time. */
export function timeOf(value: GoValue | undefined): Time {
  if (!(value instanceof GoObject) || value.type !== TIME)
    throw new TypeError('the argument was declared a time.Time');
  // Only timeObject makes objects of this type.
  return value.native as Time;
}

const within = (zone: Zone, { ns }: Time): GoObject => timeObject({ ns, zone });

/** The exported methods of time.Time that have one result, less those that serialise it. */
function methodsOf(time: Time): ReadonlyMap<string, GoMethod> {
  const of = (pick: (civil: ReturnType<typeof civilOf>) => number): GoMethod =>
    getter(() => int(pick(civilOf(time))));
  const unix = (perSecond: bigint): GoMethod =>
    getter(() => integer(T.int64, floor(time.ns, NS_PER_SECOND / perSecond)));
  const compare = (answer: (other: bigint) => boolean): GoMethod =>
    method([TIME], (args) => answer(timeOf(args[0]).ns));
  const toMultiple = (pick: (sinceZero: bigint, multiple: bigint) => bigint): GoMethod =>
    method([DURATION], (args) => {
      const multiple = bigAt(args, 0);
      const sinceZero = time.ns - ZERO_TIME.ns;
      return multiple <= 0n
        ? timeObject(time)
        : timeObject({ ...time, ns: ZERO_TIME.ns + pick(sinceZero, multiple) });
    });
  return new Map<string, GoMethod>([
    ['Add', method([DURATION], (args) => timeObject({ ...time, ns: time.ns + bigAt(args, 0) }))],
    [
      'AddDate',
      method([T.int, T.int, T.int], (args) => addDate(time, intAt(args, 0), intAt(args, 1), intAt(args, 2))),
    ],
    ['After', compare((other) => time.ns > other)],
    ['Before', compare((other) => time.ns < other)],
    ['Compare', method([TIME], (args) => int(sign(time.ns - timeOf(args[0]).ns)))],
    ['Day', of(({ day }) => day)],
    ['Equal', compare((other) => time.ns === other)],
    ['Format', method([T.string], (args) => formatTime(time, stringAt(args, 0)))],
    ['Hour', of(({ hour }) => hour)],
    ['In', method([LOCATION], (args) => within(zoneOf(args[0]), time))],
    ['IsDST', getter(() => false)],
    ['IsZero', getter(() => time.ns === ZERO_TIME.ns)],
    ['Local', getter(() => within(LOCAL, time))],
    ['Location', getter(() => locationObject(time.zone))],
    ['Minute', of(({ minute }) => minute)],
    ['Month', getter(() => integer(MONTH, BigInt(civilOf(time).month)))],
    ['Nanosecond', of(({ nanosecond }) => nanosecond)],
    [
      'Round',
      toMultiple((ns, multiple) => ns - (ns % multiple) + ((ns % multiple) * 2n < multiple ? 0n : multiple)),
    ],
    ['Second', of(({ second }) => second)],
    ['String', getter(() => formatTime(time, '2006-01-02 15:04:05.999999999 -0700 MST'))],
    ['Sub', method([TIME], (args) => duration(since(time, timeOf(args[0]))))],
    ['Truncate', toMultiple((ns, multiple) => ns - (ns % multiple))],
    ['UTC', getter(() => within(UTC, time))],
    ['Unix', getter(() => integer(T.int64, unixSeconds(time)))],
    ['UnixMicro', unix(1_000_000n)],
    ['UnixMilli', unix(1_000n)],
    ['UnixNano', unix(NS_PER_SECOND)],
    ['Weekday', getter(() => integer(WEEKDAY, BigInt(civilOf(time).weekday)))],
    ['Year', of(({ year }) => year)],
    ['YearDay', of(({ yearDay }) => yearDay)],
  ]);
}

const sign = (value: bigint): number => (value > 0n ? 1 : value < 0n ? -1 : 0);

const floor = (value: bigint, by: bigint): bigint => value / by - (value % by < 0n ? 1n : 0n);

function addDate(time: Time, years: number, months: number, days: number): GoObject {
  const { year, month, day, hour, minute, second, nanosecond } = civilOf(time);
  const fields = [year + years, month + months, day + days, hour, minute, second, nanosecond] as const;
  if (!fields.every(Number.isSafeInteger)) throw new GoError('time: date out of range');
  return timeObject(timeAt(fields, time.zone));
}

function locationObject(zone: Zone): GoObject {
  return new GoObject({
    type: LOCATION,
    methods: new Map([['String', getter(() => zone.name)]]),
    text: () => zone.name,
    native: zone,
  });
}

function zoneOf(value: GoValue | undefined): Zone {
  if (value === null) throw new GoError('time: missing Location in call to Time.In');
  if (!(value instanceof GoObject) || value.type !== LOCATION)
    throw new TypeError('the argument was declared a *time.Location');
  return value.native as Zone;
}
