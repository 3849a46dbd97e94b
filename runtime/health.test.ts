import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../api/clock.ts';
import { type Loop, stalledLoop, timerLoop } from './health.ts';

const loop = (name: string, ms: number, limitMs: number): Loop => ({ name, stalledMs: () => ms, limitMs });

test('a loop beyond its limit is named, others are not', () => {
  assert.equal(stalledLoop([]), undefined);
  assert.equal(stalledLoop([loop('a', 0, 1_000), loop('b', 180_000, 180_000)]), undefined);
  assert.equal(
    stalledLoop([loop('a', 0, 1_000), loop('the queue', 181_200, 180_000)]),
    'the queue has stood still for 181 s',
  );
});

test('timers that do not fire are noticed after a minute', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let now = 0;
  const clock: Clock = { now: () => now, monotonic: () => now };
  using timers = timerLoop(clock);
  for (let i = 0; i < 100; i++) {
    now += 5_000;
    t.mock.timers.tick(5_000);
    assert.equal(stalledLoop([timers]), undefined);
  }
  // From here on time passes and no timer fires.
  now += 60_000;
  assert.equal(stalledLoop([timers]), undefined);
  now += 1;
  assert.match(stalledLoop([timers]) ?? '', /^the timers /);
});
