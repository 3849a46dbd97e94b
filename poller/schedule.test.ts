import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextSlot, phaseOf } from '../sync/phase.ts';
import { BurstGauge, retryDelay, WallSlots } from './schedule.ts';

test('slots are an interval apart and do not depend on when one asks', () => {
  const phase = phaseOf('store|secret/app', 10_000);
  assert.ok(phase >= 0 && phase < 10_000);
  const first = nextSlot(1_000_000, 10_000, phase);
  assert.ok(first > 1_000_000 && first <= 1_010_000);
  assert.equal(nextSlot(first - 1, 10_000, phase), first);
  assert.equal(nextSlot(first, 10_000, phase), first + 10_000);
});

const HOUR_MS = 3_600_000;

/** A monotonic clock and a wall clock that is off from it by what can be changed. */
function twoClocks() {
  let monotonic = 5_000.25;
  let wall = 1_800_000_000_000;
  return {
    monotonic: () => monotonic,
    now: () => Math.floor(wall),
    pass: (ms: number) => {
      monotonic += ms;
      wall += ms;
    },
    jump: (ms: number) => {
      wall += ms;
    },
  };
}

for (const jump of [HOUR_MS, -HOUR_MS, 1_234, -1_234, -777_777, 40, -40]) {
  test(`the wall clock moves by ${jump} ms: no turn is past, none more than an interval away, none comes twice`, () => {
    const clock = twoClocks();
    const slots = new WallSlots(clock);
    const turns: number[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      if (turn === 4) clock.jump(jump);
      const due = slots.next(10_000, 3_000);
      const wait = due - clock.monotonic();
      assert.ok(wait > 0 && wait <= 10_000, `${wait} ms`);
      clock.pass(wait + 2.5);
      turns.push(due);
    }
    const gaps = turns.slice(1).map((due, index) => due - (turns[index] ?? 0));
    // The one turn around the jump may come early, so that slots are again where those of other replicas are.
    assert.ok(gaps.filter((gap) => gap !== 10_000).length <= 1, gaps.join());
    assert.ok(Math.abs((clock.now() % 10_000) - 3_000) <= 100);
  });
}

test('corrections of the clock that add up are followed', () => {
  const clock = twoClocks();
  const slots = new WallSlots(clock);
  let last = slots.next(10_000, 0);
  let turns = 0;
  // 0.5 ms a second backwards for an hour, as NTP does it.
  for (let second = 0; second < 3_600; second += 1) {
    clock.pass(1_000);
    clock.jump(-0.5);
    if (clock.monotonic() < last) continue;
    last = slots.next(10_000, 0);
    turns += 1;
  }
  assert.ok(turns >= 359 && turns <= 360 + 18, `${turns} turns in an hour`);
  const shown = last - clock.monotonic() + clock.now();
  assert.ok(Math.abs(shown - Math.round(shown / 10_000) * 10_000) <= 110, `the slot is at ${shown}`);
});

test('equal slots are one moment, whenever they are asked for', () => {
  const clock = twoClocks();
  const slots = new WallSlots(clock);
  const first = slots.next(10_000, 9_000);
  clock.pass(3.7);
  assert.equal(slots.next(10_000, 9_000), first);
  clock.jump(60);
  assert.equal(slots.next(10_000, 9_000), first);
});

test('a moment of the wall clock is told by the clock as it goes now', () => {
  const clock = twoClocks();
  const slots = new WallSlots(clock);
  const opens = clock.now() + 2 * HOUR_MS;
  assert.equal(Math.round(slots.monotonicOf(opens) - clock.monotonic()), 2 * HOUR_MS);
  clock.jump(HOUR_MS);
  assert.equal(Math.round(slots.monotonicOf(opens) - clock.monotonic()), HOUR_MS);
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

test('a Retry-After that is a date of another clock does not keep an object waiting for an hour', () => {
  const options = { interval: 10_000, synced: true, retryAfterMs: 3_600_000, random: 0 };
  assert.equal(retryDelay(1, options), 300_000);
});

test('without polling an error is still retried', () => {
  assert.equal(retryDelay(50, { interval: 0, synced: true, random: 0.5 }), 420_000);
});

test('adoptions wait for the end of a burst of creates, single ones do not', () => {
  const gauge = new BurstGauge();
  const arrive = (from: number, count: number): number[] =>
    Array.from({ length: count }, (_, index) => {
      gauge.arrived(from + index);
      return gauge.wait(from + index);
    });
  assert.deepEqual([...new Set(arrive(0, 16))], [0]);
  assert.ok(arrive(16, 4).every((wait) => wait > 0));
  // The burst goes on: not even the first of the next moment have their turn.
  assert.ok(arrive(600, 30).every((wait) => wait > 0));
  assert.ok(gauge.wait(1_500) > 0);
  assert.equal(gauge.wait(1_600), 0);
  assert.deepEqual([...new Set(arrive(2_000, 16))], [0]);
});

test('who creates without an end does not keep all adoptions waiting', () => {
  const gauge = new BurstGauge();
  let waited = 0;
  for (let now = 0; now < 60_000; now += 10) {
    gauge.arrived(now);
    if (gauge.wait(now) > 0) waited = now;
  }
  assert.ok(waited >= 19_000 && waited < 21_000, `until ${waited}`);
});
