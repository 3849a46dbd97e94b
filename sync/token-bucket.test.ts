import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { TokenBucket } from './token-bucket.ts';

const never = new AbortController().signal;
let time = 0;
const clock = { now: () => time, monotonic: () => time };

/** Lets time pass in steps, each longer than it was asked for, as timers of a busy process do. */
async function pass(ms: number, step = 1): Promise<void> {
  await setImmediate();
  for (let left = ms; left > 0; left -= step) {
    time += step;
    mock.timers.tick(step);
    await setImmediate();
  }
}

describe('a token bucket', () => {
  beforeEach(() => {
    time = 0;
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(() => mock.timers.reset());

  /** So many takes, in this order; when each got its token. */
  function takes(bucket: TokenBucket, count: number): number[] {
    const at: number[] = [];
    for (let i = 0; i < count; i += 1) void bucket.take(never).then(() => at.push(time));
    return at;
  }

  test('S64 of 200 that come at once no second gets more than its 20, and none gets less', async () => {
    const at = takes(new TokenBucket({ clock, rate: 20, burst: 1 }), 200);
    await pass(9_960);
    assert.equal(at.length, 200);
    for (let second = 0; second < 9; second += 1) {
      const count = at.filter((moment) => moment > second * 1000 && moment <= (second + 1) * 1000).length;
      assert.ok(count === 20, `${count} in second ${second}`);
    }
  });

  test('timers that fire late do not slow it down', async () => {
    const at = takes(new TokenBucket({ clock, rate: 500, burst: 1 }), 1_000);
    await pass(2_000, 5);
    assert.ok(at.length >= 990, `${at.length} in two seconds`);
  });

  test('after a while in which nobody came, a burst may come, and no more', async () => {
    const bucket = new TokenBucket({ clock, rate: 10, burst: 5 });
    const first = takes(bucket, 8);
    await pass(1);
    assert.equal(first.length, 5);
    await pass(60_000, 100);
    const second = takes(bucket, 8);
    await pass(1);
    assert.equal(second.length, 5);
  });

  test('who gives up spends nothing, and nobody behind him waits for longer', async () => {
    const bucket = new TokenBucket({ clock, rate: 1, burst: 1 });
    await bucket.take(never);
    const abort = new AbortController();
    const given = assert.rejects(bucket.take(abort.signal), /enough/);
    const at = takes(bucket, 1);
    abort.abort(new Error('enough'));
    await given;
    await pass(1_000, 10);
    assert.deepEqual(at, [1_000]);
    await assert.rejects(bucket.take(abort.signal), /enough/);
  });

  test('another rate holds for those who wait, too', async () => {
    const bucket = new TokenBucket({ clock, rate: 1, burst: 1 });
    const at = takes(bucket, 11);
    await pass(10);
    bucket.configure(100, 1);
    await pass(110);
    assert.equal(at.length, 11);
    assert.equal(bucket.waiting, 0);
    await pass(50);
    assert.ok(bucket.isFull);
  });
});
