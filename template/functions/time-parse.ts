/** Go's time.Parse: a text read by a layout, with Go's errors. */
import { GoError } from '../function.ts';
import { quoteTimeText } from './duration.ts';
import { daysBeforeMonth, daysIn, isLeap, MONTHS, type Time, timeAt, WEEKDAYS } from './time.ts';
import { type LayoutPart, layoutParts } from './time-layout.ts';
import { fixedZone, LOCAL, UTC, type Zone } from './time-zone.ts';

/** What was read of a text; `rest` is what is left of it. */
interface Reading {
  rest: string;
  year: number;
  month?: number;
  day?: number;
  yearDay?: number;
  hour: number;
  minute: number;
  second: number;
  nanosecond: number;
  half?: 'AM' | 'PM';
  utc: boolean;
  offset?: number;
  zoneName: string;
}

/** The text is not what the layout wants here; the caller knows where. */
class Mismatch extends Error {}

/** A value beyond its range; `what` is Go's name of it. */
class OutOfRange extends Error {}

/**
 * Go's time.ParseInLocation with time.Local.
 * @throws GoError with Go's text
 */
export function parseTime(layout: string, value: string): Time {
  const reading: Reading = {
    rest: value,
    year: 0,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
    utc: false,
    zoneName: '',
  };
  const fail = (detail: string, redacted: string = detail): GoError =>
    new GoError(`parsing time [redacted]${redacted}`, `parsing time ${quoteTimeText(value)}${detail}`);
  const parts = layoutParts(layout);
  parts.forEach((part, index) => {
    const before = reading.rest;
    try {
      if (part.kind === 'text') skipText(reading, part.text);
      else if (part.kind === 'fraction') readFraction(reading, part.text);
      else readElement(reading, part.text, parts[index + 1], parts[index + 2]);
    } catch (error) {
      if (error instanceof OutOfRange) throw fail(`: ${error.message} out of range`);
      if (!(error instanceof Mismatch)) throw error;
      const found = part.kind === 'text' ? reading.rest : before;
      const wanted = quoteTimeText(part.text);
      throw fail(
        ` as ${quoteTimeText(layout)}: cannot parse ${quoteTimeText(found)} as ${wanted}`,
        `: cannot parse it as ${wanted}`,
      );
    }
  });
  if (reading.rest !== '') throw fail(`: extra text: ${quoteTimeText(reading.rest)}`, ': extra text');
  return resolve(reading, fail);
}

/** Literal text of the layout; its spaces stand for any number of spaces. */
function skipText(reading: Reading, text: string): void {
  for (let at = 0; at < text.length; ) {
    if (text[at] === ' ') {
      if (reading.rest !== '' && reading.rest[0] !== ' ') throw new Mismatch();
      while (text[at] === ' ') at++;
      reading.rest = reading.rest.replace(/^ +/, '');
      continue;
    }
    if (reading.rest[0] !== text[at]) throw new Mismatch();
    reading.rest = reading.rest.slice(1);
    at++;
  }
}

/** What matches at the front, taken off. */
function take(reading: Reading, pattern: RegExp): string {
  const found = pattern.exec(reading.rest)?.[0];
  if (found === undefined) throw new Mismatch();
  reading.rest = reading.rest.slice(found.length);
  return found;
}

/** One or two digits, or exactly two. */
const takeNumber = (reading: Reading, two: boolean): number =>
  Number(take(reading, two ? /^\d\d/ : /^\d\d?/));

function within(value: number, low: number, high: number, what: string): number {
  if (value < low || value > high) throw new OutOfRange(what);
  return value;
}

/** The index of the name, in whatever case, that the text begins with. */
function takeName(reading: Reading, names: readonly string[]): number {
  const text = reading.rest.toLowerCase();
  const index = names.findIndex((name) => text.startsWith(name.toLowerCase()));
  if (index < 0) throw new Mismatch();
  reading.rest = reading.rest.slice(names[index]?.length ?? 0);
  return index;
}

const abbreviate = (names: readonly string[]): string[] => names.map((name) => name.slice(0, 3));
const SHORT_MONTHS = abbreviate(MONTHS);
const SHORT_WEEKDAYS = abbreviate(WEEKDAYS);

function readElement(
  reading: Reading,
  element: string,
  next: LayoutPart | undefined,
  afterNext: LayoutPart | undefined,
): void {
  switch (element) {
    case '2006':
      reading.year = Number(take(reading, /^\d{4}/));
      return;
    case '06': {
      const digits = take(reading, /^(?:\d\d|[+-]\d)/);
      const year = Number(digits);
      reading.year = year + (year >= 69 ? 1900 : 2000);
      return;
    }
    case 'January':
      reading.month = takeName(reading, MONTHS) + 1;
      return;
    case 'Jan':
      reading.month = takeName(reading, SHORT_MONTHS) + 1;
      return;
    case '1':
    case '01':
      reading.month = within(takeNumber(reading, element === '01'), 1, 12, 'month');
      return;
    case 'Monday':
      takeName(reading, WEEKDAYS);
      return;
    case 'Mon':
      takeName(reading, SHORT_WEEKDAYS);
      return;
    case '2':
    case '02':
    case '_2':
      if (element === '_2') take(reading, /^ ?/);
      reading.day = takeNumber(reading, element === '02');
      return;
    case '002':
      reading.yearDay = Number(take(reading, /^\d{3}/));
      return;
    case '__2':
      take(reading, /^ {0,2}/);
      reading.yearDay = Number(take(reading, /^\d{1,3}/));
      return;
    case '15':
      reading.hour = within(takeNumber(reading, false), 0, 23, 'hour');
      return;
    case '3':
    case '03':
      reading.hour = within(takeNumber(reading, element === '03'), 0, 12, 'hour');
      return;
    case '4':
    case '04':
      reading.minute = within(takeNumber(reading, element === '04'), 0, 59, 'minute');
      return;
    case '5':
    case '05':
      reading.second = within(takeNumber(reading, element === '05'), 0, 59, 'second');
      // A fraction of a second is welcome even where the layout has none.
      if (!followsFraction(next, afterNext) && /^[.,]\d/.test(reading.rest))
        takeFraction(reading, /^[.,]\d+/);
      return;
    case 'PM':
      reading.half = take(reading, /^[AP]M/) === 'PM' ? 'PM' : 'AM';
      return;
    case 'pm':
      reading.half = take(reading, /^[ap]m/) === 'pm' ? 'PM' : 'AM';
      return;
    case 'MST':
      readZoneName(reading);
      return;
    default:
      readOffset(reading, element);
  }
}

/** Whether the next element of the layout, behind text or not, is a fraction. */
const followsFraction = (next: LayoutPart | undefined, afterNext: LayoutPart | undefined): boolean =>
  (next?.kind === 'text' ? afterNext : next)?.kind === 'fraction';

/** `.000` wants as many digits, `.999` any number or none. */
function readFraction(reading: Reading, layout: string): void {
  if (layout[1] === '0') takeFraction(reading, new RegExp(`^[.,]\\d{${layout.length - 1}}`));
  else if (/^[.,]\d/.test(reading.rest)) takeFraction(reading, /^[.,]\d+/);
}

function takeFraction(reading: Reading, pattern: RegExp): void {
  reading.nanosecond = Number(take(reading, pattern).slice(1, 10).padEnd(9, '0'));
}

function readOffset(reading: Reading, element: string): void {
  if (element.startsWith('Z') && reading.rest.startsWith('Z')) {
    reading.rest = reading.rest.slice(1);
    reading.utc = true;
    return;
  }
  const form = element.slice(1).replace(/\d/g, '\\d');
  const digits = take(reading, new RegExp(`^[-+]${form}`));
  const [hours = 0, minutes = 0, seconds = 0] = (digits.match(/\d\d/g) ?? []).map(Number);
  within(hours, 0, 24, 'time zone offset hour');
  within(minutes, 0, 60, 'time zone offset minute');
  within(seconds, 0, 60, 'time zone offset second');
  const offset = (hours * 60 + minutes) * 60 + seconds;
  reading.offset = digits.startsWith('-') ? -offset : offset;
}

/** Three capitals, four that end in T, five that end in T, a few others, GMT with an offset, or an offset alone. */
const ZONE_NAME =
  /^(?:ChST|MeST|GMT(?:[-+]\d+)?|[-+]\d+|[A-Z]{4}T(?![A-Z])|(?:[A-Z]{3}T|WITA)(?![A-Z])|[A-Z]{3}(?![A-Z]))/;

function readZoneName(reading: Reading): void {
  if (reading.rest.startsWith('UTC')) {
    reading.rest = reading.rest.slice(3);
    reading.utc = true;
    return;
  }
  if (reading.rest.length < 3) throw new Mismatch();
  const name = ZONE_NAME.exec(reading.rest)?.[0];
  if (name === undefined) throw new Mismatch();
  // An offset of more than 23 hours is none.
  const hours = Number(/\d+$/.exec(name)?.[0] ?? 0);
  const accepted = hours <= 23 ? name : name.startsWith('GMT') ? 'GMT' : '';
  if (accepted === '') throw new Mismatch();
  reading.zoneName = accepted;
  reading.rest = reading.rest.slice(accepted.length);
}

function resolve(reading: Reading, fail: (detail: string) => GoError): Time {
  const { year, half } = reading;
  const hour =
    half === 'PM' && reading.hour < 12
      ? reading.hour + 12
      : half === 'AM' && reading.hour === 12
        ? 0
        : reading.hour;
  let { month, day } = reading;
  if (reading.yearDay !== undefined) {
    if (reading.yearDay < 1 || reading.yearDay > (isLeap(year) ? 366 : 365)) {
      throw fail(': day-of-year out of range');
    }
    let dayMonth = 1;
    while (daysBeforeMonth(year, dayMonth + 1) < reading.yearDay) dayMonth++;
    const monthDay = reading.yearDay - daysBeforeMonth(year, dayMonth);
    if (month !== undefined && month !== dayMonth) throw fail(': day-of-year does not match month');
    if (day !== undefined && day !== monthDay) throw fail(': day-of-year does not match day');
    month = dayMonth;
    day = monthDay;
  }
  month ??= 1;
  day ??= 1;
  if (day < 1 || day > daysIn(year, month)) throw fail(': day out of range');
  const at = (zone: Zone): Time =>
    timeAt([year, month, day, hour, reading.minute, reading.second, reading.nanosecond], zone);
  if (reading.utc) return at(UTC);
  const { offset, zoneName } = reading;
  if (offset !== undefined) return at(offset === 0 && zoneName === '' ? LOCAL : fixedZone(zoneName, offset));
  if (zoneName === '') return at(LOCAL);
  // The instant of a name without a known offset is that of the same clock in UTC, GMT+n being known.
  const hours = /^GMT([-+]\d+)$/.exec(zoneName)?.[1];
  const utc = at(UTC);
  return { ns: utc.ns, zone: fixedZone(zoneName, hours === undefined ? 0 : Number(hours) * 3600) };
}
