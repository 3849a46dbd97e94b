// The goldens come from Go: test/oracles/go-cron
import assert from 'node:assert/strict';
import { test } from 'node:test';
import golden from './cron.golden.json' with { type: 'json' };
import { CronError, parseCron } from './cron.ts';

for (const { schedule, refused, times, everyMs } of golden.results) {
  test(`${JSON.stringify(schedule)} ${refused ? 'is refused' : 'fires when Go says'}`, () => {
    if (refused) {
      assert.throws(() => parseCron(schedule), CronError);
      return;
    }
    const parsed = parseCron(schedule);
    if (parsed.kind === 'interval') {
      assert.equal(parsed.everyMs, everyMs);
      return;
    }
    for (const [index, start] of golden.from.entries()) {
      let at = Date.parse(start);
      for (const expected of times?.[index] ?? []) {
        const next = parsed.next(at);
        assert.equal(next, expected === null ? undefined : Date.parse(expected), `after ${start}`);
        if (next === undefined) break;
        assert.equal(parsed.previous(next), next);
        assert.equal(parsed.previous(next + 59_999), next);
        const before = parsed.previous(next - 1);
        assert.ok(before === undefined || (before <= at && parsed.next(before) === next));
        at = next;
      }
    }
  });
}

test('there are refused schedules, intervals and times in the goldens', () => {
  assert.ok(golden.results.filter(({ refused }) => refused).length > 25);
  assert.ok(golden.results.some(({ everyMs }) => everyMs === 90_000));
});

test('a time zone is refused: windows are in UTC', () => {
  for (const text of ['TZ=Europe/Berlin 0 22 * * *', 'CRON_TZ=UTC 0 22 * * *'])
    assert.throws(() => parseCron(text), /UTC/);
});

test('a schedule that no day satisfies is told in time', () => {
  const schedule = parseCron('* * 30 2 *');
  const started = performance.now();
  assert.ok(schedule.kind === 'calendar');
  assert.equal(schedule.next(Date.UTC(2026, 0, 1)), undefined);
  assert.equal(schedule.previous(Date.UTC(2026, 0, 1)), undefined);
  assert.ok(performance.now() - started < 200);
});

for (const [text, said] of [
  ['* * * *', /5 fields .* found 4/],
  ['60 * * * *', /minute: values go from 0 to 59/],
  ['* * * * 7', /day of week: values go from 0 to 6/],
  ['* * * foo *', /month: expected a number or a name/],
  ['@soon', /no such word/],
  ['@every soon', /duration/],
  ['5-1 * * * *', /ends before/],
] as const) {
  test(`says what is wrong with ${text}`, () => assert.throws(() => parseCron(text), said));
}
