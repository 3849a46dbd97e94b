/** Go's time.Time: an instant in nanoseconds, and where it is looked at. Dates are proleptic Gregorian. */
import { LOCAL, UTC, type Zone } from './time-zone.ts';

export const MONTHS: readonly string[] =
  'January February March April May June July August September October November December'.split(' ');
export const WEEKDAYS: readonly string[] = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(
  ' ',
);

const NS_PER_SECOND = 1_000_000_000n;
const SECONDS_PER_DAY = 86_400n;

export interface Time {
  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  readonly ns: bigint;
  readonly zone: Zone;
}

/** A time as a calendar and a clock show it. */
export interface Civil {
  readonly year: number;
  /** 1 to 12 */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** From 1. */
  readonly yearDay: number;
  /** Seconds east of UTC. */
  readonly offset: number;
  readonly abbreviation: string;
}

/** Division that rounds towards minus infinity. */
function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

/** Seconds from year 1 to 1970. Go counts from year 1 in 64 bits, and that is where it wraps around. */
const TO_INTERNAL = 62_135_596_800n;

/** Go's time.Unix(seconds, 0), which is in Local. */
export const fromUnix = (seconds: bigint): Time => ({
  ns: (BigInt.asIntN(64, seconds + TO_INTERNAL) - TO_INTERNAL) * NS_PER_SECOND,
  zone: LOCAL,
});

/** The zero time.Time: 0001-01-01 00:00:00 UTC. */
export const ZERO_TIME: Time = { ns: -TO_INTERNAL * NS_PER_SECOND, zone: UTC };

export const unixSeconds = (time: Time): bigint => floorDivide(time.ns, NS_PER_SECOND);

export const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

export const daysIn = (year: number, month: number): number =>
  month === 2
    ? isLeap(year)
      ? 29
      : 28
    : month === 4 || month === 6 || month === 9 || month === 11
      ? 30
      : 31;

/** Days before January 1st of the year, counted from 1970-01-01. */
function daysBeforeYear(year: bigint): bigint {
  const past = year - 1n;
  return past * 365n + floorDivide(past, 4n) - floorDivide(past, 100n) + floorDivide(past, 400n) - 719_162n;
}

/** Days before the month in its year; month 13 is the whole year. */
export function daysBeforeMonth(year: number, month: number): number {
  let days = 0;
  for (let earlier = 1; earlier < month; earlier++) days += daysIn(year, earlier);
  return days;
}

/** What calendar and clock show at the time, where it is looked at. */
export function civilOf(time: Time): Civil {
  const unix = unixSeconds(time);
  const { seconds: offset, abbreviation } = time.zone.at(unix);
  const local = unix + BigInt(offset);
  const days = floorDivide(local, SECONDS_PER_DAY);
  const clock = Number(local - days * SECONDS_PER_DAY);
  // An estimate, at most one off: a year is 365.2425 days.
  let year = 1970n + floorDivide(days * 400n, 146_097n);
  while (daysBeforeYear(year) > days) year--;
  while (daysBeforeYear(year + 1n) <= days) year++;
  const yearNumber = Number(year);
  const yearDay = Number(days - daysBeforeYear(year)) + 1;
  let month = 1;
  let day = yearDay;
  for (; day > daysIn(yearNumber, month); month++) day -= daysIn(yearNumber, month);
  return {
    year: yearNumber,
    month,
    day,
    hour: Math.floor(clock / 3600),
    minute: Math.floor(clock / 60) % 60,
    second: clock % 60,
    nanosecond: Number(time.ns - unix * NS_PER_SECOND),
    weekday: Number((((days + 4n) % 7n) + 7n) % 7n),
    yearDay,
    offset,
    abbreviation,
  };
}

/** Year, month (any integer), day (any), hour, minute, second, nanosecond: what a calendar shows. */
export type CalendarFields = readonly [
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  nanosecond: number,
];

/** Go's time.Date: values out of their range carry over. A time that clocks skip or repeat is resolved as in Go. */
export function timeAt(fields: CalendarFields, zone: Zone): Time {
  const [year, month, day, hour, minute, second, nanosecond] = fields;
  const years = BigInt(year) + floorDivide(BigInt(month) - 1n, 12n);
  const monthIndex = Number((((BigInt(month) - 1n) % 12n) + 12n) % 12n);
  const days =
    daysBeforeYear(years) + BigInt(daysBeforeMonth(Number(years), monthIndex + 1)) + BigInt(day) - 1n;
  const seconds = days * SECONDS_PER_DAY + BigInt(hour) * 3600n + BigInt(minute) * 60n + BigInt(second);
  const guess = BigInt(zone.at(seconds).seconds);
  const offset = guess === 0n ? 0n : BigInt(zone.at(seconds - guess).seconds);
  return { ns: (seconds - offset) * NS_PER_SECOND + BigInt(nanosecond), zone };
}

export const MAX_DURATION = 2n ** 63n - 1n;
export const MIN_DURATION = -(2n ** 63n);

const saturate = (ns: bigint): bigint =>
  ns > MAX_DURATION ? MAX_DURATION : ns < MIN_DURATION ? MIN_DURATION : ns;

/** Nanoseconds from `earlier` to `time`, cut to what a Duration can hold. */
export const since = (time: Time, earlier: Time): bigint => saturate(time.ns - earlier.ns);

/** Go's Duration.Round: to the nearest multiple, halves away from zero. */
export function roundDuration(ns: bigint, multiple: bigint): bigint {
  if (multiple <= 0n) return ns;
  const size = ns < 0n ? -ns : ns;
  const rest = size % multiple;
  const rounded = rest * 2n < multiple ? size - rest : size - rest + multiple;
  return saturate(ns < 0n ? -rounded : rounded);
}
