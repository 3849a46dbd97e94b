/** An explanation for people. */
import { ERROR_CATALOGUE } from '../../api/errors.ts';
import { formatAge, type painter } from '../cluster/words.ts';
import { type Cause, type Explanation, type Fact, labelOf } from './explanation.ts';

const MAX_EVENTS = 5;
const WIDTH = 10;
const MARKS = { ok: 'ok', wrong: 'wrong', unknown: '?', note: '-' } as const;
const COLOURS = { ok: 'green', wrong: 'red', unknown: 'yellow', note: 'dim' } as const;

/** @param now wall clock */
export function printExplanation(
  explanation: Explanation,
  paint: ReturnType<typeof painter>,
  now: number,
): string {
  const { object, verdict, summary, causes, facts, events, lastSuccess, lastAttempt, next } = explanation;
  const colour = verdict === 'ready' ? 'green' : verdict === 'not-ready' ? 'red' : 'yellow';
  const lines = [`${paint('bold', labelOf(object))} ${paint(colour, summary)}`];
  for (const [index, cause] of causes.entries()) lines.push('', ...causeLines(cause, index, paint));
  lines.push('');
  for (const about of [
    'target',
    'store',
    'reads',
    'template',
    'policy',
    'namespace',
    'objects',
    'poller',
  ] as const)
    lines.push(
      ...factLines(
        facts.filter((fact) => fact.about === about),
        about,
        paint,
      ),
    );
  const attempts = [
    ...(lastSuccess === undefined ? [] : [`last success that is recorded: ${agoOf(lastSuccess, now)}`]),
    ...(lastAttempt === undefined || lastAttempt === lastSuccess
      ? []
      : [`last attempt that is recorded: ${agoOf(lastAttempt, now)}`]),
    ...events
      .slice(0, MAX_EVENTS)
      .map(
        ({ type, reason, message, count, last }) =>
          `${agoOf(last, now)}${count > 1 ? `, ${count} times` : ''}: ${type} ${reason}: ${message}`,
      ),
    ...(events.length > MAX_EVENTS ? [`and ${events.length - MAX_EVENTS} older events`] : []),
  ];
  lines.push(...attempts.map((text, index) => row(index === 0 ? 'attempts' : '', '-', text, paint)));
  if (next !== undefined) lines.push(row('next', '-', next.text, paint));
  return lines.map((line) => `${line}\n`).join('');
}

const agoOf = (time: string, now: number): string => `${formatAge(Math.max(0, now - Date.parse(time)))} ago`;

const row = (topic: string, mark: string, text: string, paint: ReturnType<typeof painter>): string =>
  `${paint('bold', topic.padEnd(WIDTH))}${mark.padEnd(7)}${text}`;

function factLines(facts: readonly Fact[], about: string, paint: ReturnType<typeof painter>): string[] {
  return facts.map(
    ({ state, text }, index) =>
      `${paint('bold', (index === 0 ? about : '').padEnd(WIDTH))}${paint(COLOURS[state], MARKS[state].padEnd(7))}${text}`,
  );
}

function causeLines(cause: Cause, index: number, paint: ReturnType<typeof painter>): string[] {
  const { code, message, path, remedy } = cause;
  const indent = ' '.repeat(WIDTH);
  const meaning = code === undefined ? message : `${code}: ${ERROR_CATALOGUE[code].meaning}`;
  return [
    `${paint('bold', (index === 0 ? 'cause' : 'also').padEnd(WIDTH))}${paint('red', meaning)}`,
    ...(code === undefined ? [] : [`${indent}${message}`]),
    ...(path === undefined || path === '' ? [] : [`${indent}at ${path}`]),
    `${paint('bold', 'remedy'.padEnd(WIDTH))}${remedy}`,
  ];
}
