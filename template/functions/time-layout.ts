/** Layouts of Go's package time: what stands for what in `2006-01-02T15:04:05Z07:00`, and how a time is written. */
import { type Civil, civilOf, MONTHS, type Time, WEEKDAYS } from './time.ts';

/** A piece of a layout: literal text, or an element such as `2006` by its own spelling. */
export interface LayoutPart {
  readonly kind: 'text' | 'element' | 'fraction';
  /** As in the layout. */
  readonly text: string;
}

/** The elements by their first character, the longest first where one begins another. */
const ELEMENTS = (
  'January Jan Monday Mon MST 01 02 03 04 05 06 002 15 1 2006 2 _2 __2 3 4 5 PM pm ' +
  '-070000 -07:00:00 -0700 -07:00 -07 Z070000 Z07:00:00 Z0700 Z07:00 Z07'
).split(' ');

/** The element or fraction of a second that begins at `at`. */
function partAt(layout: string, at: number): LayoutPart | undefined {
  const first = layout[at];
  if (first === '.' || first === ',') {
    const digits = /^(?:0+|9+)(?!\d)/.exec(layout.slice(at + 1))?.[0];
    return digits === undefined ? undefined : { kind: 'fraction', text: first + digits };
  }
  const element = ELEMENTS.find((spelling) => layout.startsWith(spelling, at));
  if (element === undefined) return undefined;
  // `Jan` and `Mon` as parts of longer words are text, and so is an underscore before a year.
  const next = layout.charAt(at + element.length);
  if (element === 'Jan' && /[a-z]/.test(next)) return undefined;
  if (element === 'Mon' && /[a-z]/.test(next)) return undefined;
  if (element === '_2' && layout.startsWith('_2006', at)) return undefined;
  return { kind: 'element', text: element };
}

/** The layout in pieces; text never follows text. */
export function layoutParts(layout: string): LayoutPart[] {
  const parts: LayoutPart[] = [];
  let begin = 0;
  for (let at = 0; at < layout.length; ) {
    const part = partAt(layout, at);
    if (part === undefined) {
      at++;
      continue;
    }
    if (at > begin) parts.push({ kind: 'text', text: layout.slice(begin, at) });
    parts.push(part);
    at += part.text.length;
    begin = at;
  }
  if (begin < layout.length) parts.push({ kind: 'text', text: layout.slice(begin) });
  return parts;
}

/** Go's Time.Format. */
export function formatTime(time: Time, layout: string): string {
  const civil = civilOf(time);
  return layoutParts(layout)
    .map(({ kind, text }) => {
      if (kind === 'text') return text;
      return kind === 'fraction' ? fractionText(civil, text) : elementText(civil, text);
    })
    .join('');
}

/** `value` with at least `width` digits behind its sign. */
const digits = (value: number, width: number): string =>
  (value < 0 ? '-' : '') + String(Math.abs(value)).padStart(width, '0');

function fractionText({ nanosecond }: Civil, layout: string): string {
  const shown = digits(nanosecond, 9)
    .slice(0, layout.length - 1)
    .padEnd(layout.length - 1, '0');
  if (layout[1] === '0') return layout.charAt(0) + shown;
  const trimmed = shown.replace(/0+$/, '');
  return trimmed === '' ? '' : layout.charAt(0) + trimmed;
}

function elementText(civil: Civil, element: string): string {
  switch (element) {
    case '2006':
      return digits(civil.year, 4);
    case '06':
      return digits(Math.abs(civil.year) % 100, 2);
    case 'January':
      return MONTHS[civil.month - 1] ?? '';
    case 'Jan':
      return MONTHS[civil.month - 1]?.slice(0, 3) ?? '';
    case '1':
      return String(civil.month);
    case '01':
      return digits(civil.month, 2);
    case 'Monday':
      return WEEKDAYS[civil.weekday] ?? '';
    case 'Mon':
      return WEEKDAYS[civil.weekday]?.slice(0, 3) ?? '';
    case '2':
      return String(civil.day);
    case '_2':
      return String(civil.day).padStart(2);
    case '02':
      return digits(civil.day, 2);
    case '__2':
      return String(civil.yearDay).padStart(3);
    case '002':
      return digits(civil.yearDay, 3);
    case '15':
      return digits(civil.hour, 2);
    case '3':
      return String(civil.hour % 12 === 0 ? 12 : civil.hour % 12);
    case '03':
      return digits(civil.hour % 12 === 0 ? 12 : civil.hour % 12, 2);
    case '4':
      return String(civil.minute);
    case '04':
      return digits(civil.minute, 2);
    case '5':
      return String(civil.second);
    case '05':
      return digits(civil.second, 2);
    case 'PM':
      return civil.hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return civil.hour >= 12 ? 'pm' : 'am';
    case 'MST':
      return civil.abbreviation === '' ? offsetText(civil.offset, '-0700') : civil.abbreviation;
    default:
      return element.startsWith('Z') && civil.offset === 0 ? 'Z' : offsetText(civil.offset, element);
  }
}

/** An offset in the form of `-07`, `-0700`, `-07:00`, `-070000`, `-07:00:00`; cut, not rounded. */
function offsetText(seconds: number, form: string): string {
  const colon = form.includes(':') ? ':' : '';
  const minutes = Math.trunc(seconds / 60);
  const size = Math.abs(minutes);
  const parts = [digits(Math.floor(size / 60), 2)];
  if (form.length > 3) parts.push(digits(size % 60, 2));
  if (form.length > 6) parts.push(digits(Math.abs(seconds) % 60, 2));
  return (minutes < 0 ? '-' : '+') + parts.join(colon);
}
