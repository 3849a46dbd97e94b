/** What depends on the clock; the rest is in testdata/dates.*. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTemplate } from '../engine.ts';
import { GoMap, mapOf, T } from '../value.ts';
import { FUNCTIONS } from './index.ts';

const clock = { now: () => Date.UTC(2026, 10, 22, 6, 7, 8, 123), monotonic: () => 0 };

const render = (template: string): string =>
  parseTemplate('k', template, FUNCTIONS).execute(new GoMap(mapOf(T.string), new Map()), { clock });

test('now is the time of the clock, in UTC', () => {
  assert.equal(render('{{ now }}'), '2026-11-22 06:07:08.123 +0000 UTC');
  assert.equal(render('{{ now.UnixNano }}'), '1795327628123000000');
  assert.equal(render('{{ unixEpoch now }}'), '1795327628');
  assert.equal(
    render('{{ now | date "Mon 2 Jan 2006 15:04:05.000 MST" }}'),
    'Sun 22 Nov 2026 06:07:08.123 UTC',
  );
  assert.equal(render('{{ now | dateModify "-36h" | htmlDate }}'), '2026-11-20');
  assert.equal(render('{{ dateInZone "15:04 MST" now "America/New_York" }}'), '01:07 EST');
});

test('a date that is none is now', () => {
  for (const value of ['nil', '"2020-01-01"', '1.5', '(list)']) {
    assert.equal(render(`{{ htmlDate ${value} }}`), '2026-11-22', value);
  }
});

test('ago counts whole seconds from a time or a number of seconds since the epoch', () => {
  assert.equal(render('{{ ago (now | dateModify "-1h1m1.6s") }}'), '1h1m2s');
  assert.equal(render('{{ ago 1795327028 }}'), '10m0s');
  assert.equal(render('{{ ago (toDate "2006" "0001") }}'), '2562047h47m16.854775807s');
  assert.equal(render('{{ durationRound (now | dateModify "-50h") }}'), '2d');
});

test('a long text takes no longer than its length allows', () => {
  const started = performance.now();
  assert.equal(render('{{ duration (print (repeat 200000 "0") "x") }}'), '0s');
  assert.equal(render('{{ duration (print (repeat 200000 "0") "5") }}'), '5s');
  assert.throws(() => render('{{ mustDateModify (print (repeat 200000 "1") "h") now }}'), /invalid duration/);
  assert.ok(performance.now() - started < 2000);
});
