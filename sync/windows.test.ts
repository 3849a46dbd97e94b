import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { SyncWindows } from '../api/external-secrets/v1/external-secret.ts';
import { syncPermitted } from './windows.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const at = (text: string): number => Date.parse(text);
const windows = (kind: 'allow' | 'deny', ...list: [schedule: string, duration: string][]): SyncWindows => ({
  kind,
  windows: list.map(([schedule, duration]) => ({ schedule, duration })),
});
const permitted = (sw: SyncWindows | undefined, now: number): boolean => syncPermitted(sw, now).permitted;

describe('9.3 #48 sync windows', () => {
  const nightly = windows('allow', ['0 22 * * *', '2h']);
  const open = at('2026-06-01T22:00:00Z');
  for (const [name, now, expected] of [
    ['at window open', open, true],
    ['inside', open + HOUR / 2, true],
    ['at window close', open + 2 * HOUR, true],
    ['a second past window close', open + 2 * HOUR + 1_000, false],
    ['an hour before', open - HOUR, false],
    ['between two of them', open + 5 * HOUR, false],
    ['inside the next', open + 24.5 * HOUR, true],
  ] as const) {
    test(`allow, ${name}: ${expected}`, () => assert.equal(permitted(nightly, now), expected));
    test(`deny, ${name}: ${!expected}`, () =>
      assert.equal(permitted(windows('deny', ['0 22 * * *', '2h']), now), !expected));
  }

  const inside = at('2026-06-01T23:00:00Z');
  test('no windows permit', () => {
    assert.deepEqual(syncPermitted(undefined, inside), { permitted: true, nextChange: undefined });
    assert.equal(permitted(windows('allow'), inside), true);
  });

  test('a schedule or duration that cannot be read is a window that is never open', () => {
    for (const bad of [
      ['not-a-cron', '2h'],
      ['0 22 * * *', 'soon'],
      ['0 22 * * *', '-2h'],
    ] as [string, string][]) {
      assert.deepEqual(syncPermitted(windows('allow', bad), inside), {
        permitted: false,
        nextChange: undefined,
      });
      assert.equal(permitted(windows('deny', bad), inside), true);
      assert.equal(permitted(windows('allow', bad, ['0 22 * * *', '2h']), inside), true);
    }
  });

  test('an unknown kind permits', () => {
    const unknown = { kind: 'unknown', windows: [{ schedule: '0 22 * * *', duration: '2h' }] };
    assert.equal(permitted(unknown as unknown as SyncWindows, inside), true);
  });
});

describe('@every', () => {
  test('is always open if it stays open until it fires again, and never otherwise', () => {
    const now = at('2026-06-01T23:00:00Z');
    assert.equal(permitted(windows('allow', ['@every 1h', '1h']), now), true);
    assert.equal(permitted(windows('allow', ['@every 1h', '59m']), now), false);
    assert.deepEqual(syncPermitted(windows('deny', ['@every 1h', '2h']), now), {
      permitted: false,
      nextChange: undefined,
    });
  });
});

describe('the next change', () => {
  test('is the opening of the next window, or the first moment after the close', () => {
    const sw = windows('allow', ['0 22 * * *', '2h'], ['0 6 * * 1-5', '30m']);
    const next = (now: string) => new Date(syncPermitted(sw, at(now)).nextChange ?? 0).toISOString();
    assert.equal(next('2026-06-01T12:00:00Z'), '2026-06-01T22:00:00.000Z');
    assert.equal(next('2026-06-01T22:00:00Z'), '2026-06-02T00:00:00.001Z');
    assert.equal(next('2026-06-02T00:00:00.001Z'), '2026-06-02T06:00:00.000Z');
    assert.equal(next('2026-06-06T00:30:00Z'), '2026-06-06T22:00:00.000Z', 'a Saturday');
  });

  test('windows that overlap or touch are one', () => {
    const sw = windows('deny', ['0 1 * * *', '1h'], ['30 1 * * *', '90m'], ['0 3 * * *', '10m']);
    assert.deepEqual(syncPermitted(sw, at('2026-06-01T01:00:00Z')), {
      permitted: false,
      nextChange: at('2026-06-01T03:10:00.001Z'),
    });
  });

  test('windows without end are asked again after a while', () => {
    const { permitted: is, nextChange } = syncPermitted(
      windows('deny', ['* * * * *', '1m']),
      at('2026-06-01T00:00:00Z'),
    );
    assert.equal(is, false);
    assert.ok(nextChange !== undefined && nextChange > at('2026-06-01T01:00:00Z'));
  });

  test('a schedule that never fires never changes anything', () => {
    assert.deepEqual(syncPermitted(windows('allow', ['0 0 30 2 *', '1h']), at('2026-06-01T00:00:00Z')), {
      permitted: false,
      nextChange: undefined,
    });
  });

  test('is right (property-based)', () => {
    const schedules = [
      '0 * * * *',
      '*/20 * * * *',
      '15 3 * * *',
      '0 22 * * 1-5',
      '30 4 1 * *',
      '0 0 * * 0',
      '59 23 * * *',
    ];
    const durations = ['0s', '59.9s', '10m', '20m', '1h', '5h30m', '26h'];
    fc.assert(
      fc.property(
        fc.constantFrom('allow' as const, 'deny' as const),
        fc.array(fc.tuple(fc.constantFrom(...schedules), fc.constantFrom(...durations)), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.integer({ min: 0, max: 60 * 24 * 14 }),
        (kind, list, minute) => {
          const sw = windows(kind, ...list);
          const now = at('2026-05-25T00:00:00Z') + minute * MINUTE;
          const first = syncPermitted(sw, now);
          const until = Math.min(first.nextChange ?? Number.POSITIVE_INFINITY, now + 30 * HOUR);
          for (let time = now; time < until; time += 5 * MINUTE)
            assert.equal(permitted(sw, time), first.permitted);
          if (until === first.nextChange) assert.equal(permitted(sw, until), !first.permitted);
        },
      ),
      { numRuns: 25 },
    );
  });
});
