import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BurstGauge, nextSlot, phaseOf, retryDelay } from './schedule.ts';

test('slots are an interval apart and do not depend on when one asks', () => {
  const phase = phaseOf('store|secret/app', 10_000);
  assert.ok(phase >= 0 && phase < 10_000);
  const first = nextSlot(1_000_000, 10_000, phase);
  assert.ok(first > 1_000_000 && first <= 1_010_000);
  assert.equal(nextSlot(first - 1, 10_000, phase), first);
  assert.equal(nextSlot(first, 10_000, phase), first + 10_000);
});

test('phases spread', () => {
  const phases = Array.from({ length: 1000 }, (_, index) => phaseOf(`key-${index}`, 10_000));
  const buckets = Array.from({ length: 10 }, () => 0);
  for (const phase of phases) {
    const bucket = Math.floor(phase / 1000);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  for (const count of buckets) assert.ok(count > 60 && count < 140, `bucket of ${count}`);
});

test('turns come together four times a second, so that a process wakes up for many of them', () => {
  const moments = (interval: number): number =>
    new Set(Array.from({ length: 5_000 }, (_, index) => phaseOf(`key-${index}`, interval))).size;
  assert.equal(moments(10_000), 40);
  assert.equal(moments(1_000), 8);
  assert.equal(moments(0), 1);
  for (const interval of [250, 999, 60_001]) {
    for (let index = 0; index < 100; index += 1) {
      const phase = phaseOf(`key-${index}`, interval);
      assert.ok(phase >= 0 && phase < interval, `${phase} of ${interval}`);
    }
  }
});

test('a new object is retried at once, then less and less, up to its interval', () => {
  const delay = (failures: number): number =>
    retryDelay(failures, { interval: 3_600_000, synced: false, random: 0.5 });
  assert.deepEqual([1, 2, 3].map(delay), [1000, 2000, 4000]);
  assert.equal(delay(50), 420_000);
  assert.equal(retryDelay(50, { interval: 5_000, synced: false, random: 1 }), 5_000);
});

test('an object that was synced is not tried more often than it is refreshed', () => {
  assert.equal(retryDelay(1, { interval: 10_000, synced: true, random: 0 }), 10_000);
  assert.equal(retryDelay(1, { interval: 3_600_000, synced: true, random: 0 }), 10_000);
  assert.equal(retryDelay(1, { interval: 1_000, synced: true, random: 0 }), 1_000);
});

test('what the provider asks for is kept', () => {
  assert.equal(retryDelay(1, { interval: 10_000, synced: true, retryAfterMs: 60_000, random: 0 }), 60_000);
});

test('those who were refused during a pause do not come all at its end', () => {
  const after = (random: number): number =>
    retryDelay(1, { interval: 10_000, synced: true, retryAfterMs: 60_000, random });
  assert.deepEqual([0, 0.5, 1].map(after), [60_000, 65_000, 70_000]);
  const short = { interval: 3_600_000, synced: true, retryAfterMs: 60_000, random: 1 };
  assert.equal(retryDelay(1, short), 120_000);
});

test('without polling an error is still retried', () => {
  assert.equal(retryDelay(50, { interval: 0, synced: true, random: 0.5 }), 420_000);
});

test('only what comes in a burst waits', () => {
  const gauge = new BurstGauge();
  const waits = Array.from({ length: 20 }, (_, index) => gauge.arrived(index));
  assert.deepEqual(
    waits.slice(0, 16),
    Array.from({ length: 16 }, () => 0),
  );
  assert.ok(waits.slice(16).every((wait) => wait > 0));
  assert.equal(gauge.arrived(600), 0);
});
