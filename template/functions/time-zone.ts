/** Where a time is: UTC, Local (UTC too, as in our image), a fixed offset, or a zone of the IANA database. */
import { ZONE_NAMES } from './time-zone-names.ts';

/** Offset from UTC and abbreviation that hold at one instant. */
export interface ZoneOffset {
  /** Seconds east of UTC. */
  readonly seconds: number;
  /** Empty if there is none. */
  readonly abbreviation: string;
}

/** A location: `name` is what Go's Location.String prints. */
export interface Zone {
  readonly name: string;
  /** What holds at the instant, in seconds since the epoch. */
  readonly at: (unixSeconds: bigint) => ZoneOffset;
}

const IN_UTC: ZoneOffset = { seconds: 0, abbreviation: 'UTC' };

export const UTC: Zone = { name: 'UTC', at: () => IN_UTC };

/** Go's time.Local. Templates are rendered in UTC wherever the process runs, so that every replica agrees. */
export const LOCAL: Zone = { name: 'Local', at: () => IN_UTC };

/** Go's time.FixedZone. */
export function fixedZone(name: string, seconds: number): Zone {
  const offset = { seconds, abbreviation: name };
  return { name, at: () => offset };
}

/** `+01`, `-0330`: how Go's database names an offset that has no name. */
function numericAbbreviation(seconds: number): string {
  const minutes = Math.abs(Math.trunc(seconds / 60));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${minutes % 60 === 0 ? '' : two(minutes % 60)}`;
}

/** Abbreviations by offset in minutes, of every zone. Parsed when the first template asks for a zone. */
let abbreviations: ReadonlyMap<string, ReadonlyMap<number, string>> | undefined;

function abbreviationsOf(name: string): ReadonlyMap<number, string> | undefined {
  if (abbreviations === undefined) {
    const zones = new Map<string, ReadonlyMap<number, string>>();
    for (const line of ZONE_NAMES.trim().split(/\n(?! )/)) {
      const [names = '', ...members] = line.split(/\s+/);
      const byOffset = new Map<number, string>();
      for (const [, abbreviation = '', minutes] of names.matchAll(/([A-Z]\w*?[A-Z])(-?\d+)/g)) {
        byOffset.set(Number(minutes), abbreviation);
      }
      for (const zone of members) zones.set(zone, byOffset);
    }
    abbreviations = zones;
  }
  return abbreviations.get(name);
}

const loaded = new Map<string, Zone | undefined>();

/** Go's time.LoadLocation: names are those of the database, to the letter; undefined if there is none of that name. */
export function loadZone(name: string): Zone | undefined {
  if (name === '' || name === 'UTC') return UTC;
  if (name === 'Local') return LOCAL;
  const names = abbreviationsOf(name);
  if (names === undefined) return undefined;
  if (!loaded.has(name)) loaded.set(name, ianaZone(name, names));
  return loaded.get(name);
}

/** The instants that a JavaScript Date can hold, in seconds. */
const DATE_LIMIT = 8_640_000_000_000;

function ianaZone(name: string, names: ReadonlyMap<number, string>): Zone | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    // The runtime's database lacks it.
    return undefined;
  }
  return {
    name,
    at: (unixSeconds) => {
      const instant = Math.min(Math.max(Number(unixSeconds), -DATE_LIMIT), DATE_LIMIT);
      const seconds = wallClock(format, instant) - instant;
      // Odd seconds are local mean time, before there were zones.
      return {
        seconds,
        abbreviation: names.get(seconds / 60) ?? (seconds % 60 === 0 ? numericAbbreviation(seconds) : 'LMT'),
      };
    },
  };
}

/** What a clock on the wall shows at the instant, as seconds since the epoch of that clock. */
function wallClock(format: Intl.DateTimeFormat, instant: number): number {
  const parts = new Map(format.formatToParts(instant * 1000).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
  const year = parts.get('era') === 'BC' ? 1 - part('year') : part('year');
  const date = new Date(0);
  date.setUTCFullYear(year, part('month') - 1, part('day'));
  date.setUTCHours(part('hour'), part('minute'), part('second'));
  return date.getTime() / 1000;
}
