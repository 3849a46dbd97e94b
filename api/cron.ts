/**
 * Cron schedules with the rules of github.com/robfig/cron v3 (five fields, or a word such as @daily), which ESO reads
 * them with. All times are UTC, in milliseconds since the epoch. Compared with Go by test/oracles/go-cron.
 */
import { parseGoDuration } from './duration.ts';

/** Fires at whole minutes of a calendar. */
export interface CalendarSchedule {
  readonly kind: 'calendar';
  /** The first time after `time`; undefined if there is none within five years. */
  next(time: number): number | undefined;
  /** The last time at or before `time`; undefined if there is none within five years. */
  previous(time: number): number | undefined;
}

/**
 * `@every 90s`: fires that long after whatever moment one starts at, so it has no times of its own.
 */
export interface IntervalSchedule {
  readonly kind: 'interval';
  /** Whole seconds, at least one, as milliseconds. */
  readonly everyMs: number;
}

export type CronSchedule = CalendarSchedule | IntervalSchedule;

/** A schedule that cannot be read. The message is a sentence without the schedule itself. */
export class CronError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CronError';
  }
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** In the order of their numbers, the first is `min`. */
  readonly names: readonly string[];
}

const MINUTE: Field = { name: 'minute', min: 0, max: 59, names: [] };
const HOUR: Field = { name: 'hour', min: 0, max: 23, names: [] };
const DAY: Field = { name: 'day of month', min: 1, max: 31, names: [] };
const MONTH: Field = {
  name: 'month',
  min: 1,
  max: 12,
  names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
};
const WEEKDAY: Field = {
  name: 'day of week',
  min: 0,
  max: 6,
  names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
};

/** The words and what they stand for. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);
const EVERY = '@every ';

/** @throws CronError */
export function parseCron(text: string): CronSchedule {
  if (text.startsWith(EVERY)) return { kind: 'interval', everyMs: intervalOf(text.slice(EVERY.length)) };
  if (/^(CRON_)?TZ=/.test(text)) throw new CronError('a time zone cannot be chosen: schedules are in UTC');
  const fields = (WORDS.get(text) ?? text).split(/[\s\u0085]+/u).filter((field) => field !== '');
  if (text.startsWith('@') && !WORDS.has(text)) {
    throw new CronError(`no such word; there are ${[...WORDS.keys()].join(', ')} and @every with a duration`);
  }
  const [minute, hour, day, month, weekday] = fields;
  if (fields.length !== 5 || !minute || !hour || !day || !month || !weekday) {
    throw new CronError(`expected 5 fields (minute, hour, day, month, day of week), found ${fields.length}`);
  }
  return new Calendar({
    minutes: parseField(minute, MINUTE),
    hours: parseField(hour, HOUR),
    days: parseField(day, DAY),
    months: parseField(month, MONTH),
    weekdays: parseField(weekday, WEEKDAY),
  });
}

const SECOND_MS = 1_000;

function intervalOf(text: string): number {
  const ms = parseGoDuration(text);
  if (ms === undefined) throw new CronError('@every needs a duration such as 90s or 1h30m');
  return Math.max(SECOND_MS, Math.floor(ms / SECOND_MS) * SECOND_MS);
}

/** The values that a field names. */
interface Values {
  readonly has: ReadonlySet<number>;
  /** True if a star without a step, or a question mark, is among them. */
  readonly any: boolean;
}

function parseField(text: string, field: Field): Values {
  const has = new Set<number>();
  let any = false;
  for (const part of text.split(',')) {
    // Empty parts do not count, and a field of commas alone never matches.
    if (part === '') continue;
    const range = parseRange(part, field);
    any ||= range.any;
    for (let value = range.from; value <= range.to; value += range.step) has.add(value);
  }
  return { has, any };
}

/** `*`, `?`, `n`, `n-m`, each with `/step`; `n/step` goes up to the greatest value. */
function parseRange(text: string, field: Field) {
  const [range = '', stepText, ...moreSteps] = text.split('/');
  const [low = '', high, ...moreHyphens] = range.split('-');
  const fail = (what: string): never => {
    throw new CronError(`${field.name}: ${what}`);
  };
  if (moreSteps.length > 0) fail('too many slashes');
  const step = stepText === undefined ? 1 : parseNumber(stepText, field);
  if (step === 0) fail('a step has to be positive');
  if (low === '*' || low === '?') return { from: field.min, to: field.max, step, any: step === 1 };
  if (moreHyphens.length > 0) fail('too many hyphens');
  const from = parseValue(low, field);
  const to = high !== undefined ? parseValue(high, field) : stepText === undefined ? from : field.max;
  if (from < field.min || to > field.max) fail(`values go from ${field.min} to ${field.max}`);
  if (from > to) fail('a range ends before it begins');
  return { from, to, step, any: false };
}

function parseValue(text: string, field: Field): number {
  const index = field.names.indexOf(text.toLowerCase());
  return index === -1 ? parseNumber(text, field) : field.min + index;
}

function parseNumber(text: string, field: Field): number {
  if (/^\+?\d+$/.test(text)) return Number(text);
  throw new CronError(
    `${field.name}: expected a number${field.names.length === 0 ? '' : ' or a name of three letters'}`,
  );
}

interface Fields {
  readonly minutes: Values;
  readonly hours: Values;
  readonly days: Values;
  readonly months: Values;
  readonly weekdays: Values;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** How far to look for a day: to the end of the fifth year from now. */
const YEARS = 5;

class Calendar implements CalendarSchedule {
  readonly kind = 'calendar';
  readonly #fields: Fields;
  /** Times of a day at which it fires, in order, as milliseconds since midnight. */
  readonly #times: readonly number[];

  constructor(fields: Fields) {
    this.#fields = fields;
    const ascending = ({ has }: Values): number[] => [...has].sort((a, b) => a - b);
    this.#times = ascending(fields.hours).flatMap((hour) =>
      ascending(fields.minutes).map((minute) => (hour * 60 + minute) * MINUTE_MS),
    );
  }

  next(time: number): number | undefined {
    const last = Date.UTC(new Date(time).getUTCFullYear() + YEARS + 1, 0, 1);
    for (let day = startOfDay(time); day < last; day += DAY_MS) {
      if (!this.#matchesDay(day)) continue;
      const found = this.#times.find((offset) => day + offset > time);
      if (found !== undefined) return day + found;
    }
    return undefined;
  }

  previous(time: number): number | undefined {
    const first = Date.UTC(new Date(time).getUTCFullYear() - YEARS, 0, 1);
    for (let day = startOfDay(time); day >= first; day -= DAY_MS) {
      if (!this.#matchesDay(day)) continue;
      const found = this.#times.findLast((offset) => day + offset <= time);
      if (found !== undefined) return day + found;
    }
    return undefined;
  }

  #matchesDay(day: number): boolean {
    const { days, months, weekdays } = this.#fields;
    const date = new Date(day);
    if (!months.has.has(date.getUTCMonth() + 1)) return false;
    const dayMatches = days.has.has(date.getUTCDate());
    const weekdayMatches = weekdays.has.has(date.getUTCDay());
    // Where both are restricted one of them is enough.
    return days.any || weekdays.any ? dayMatches && weekdayMatches : dayMatches || weekdayMatches;
  }
}

const startOfDay = (time: number): number => Math.floor(time / DAY_MS) * DAY_MS;
