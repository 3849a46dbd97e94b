import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import { URGENCY, WorkQueue } from './queue.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const now = (): number => systemClock.monotonic();

function recorder(workers: number, duration = 0, limits = {}) {
  const log: string[] = [];
  let running = 0;
  let most = 0;
  const queue = new WorkQueue({
    clock: systemClock,
    workers,
    limits,
    work: async (key) => {
      log.push(key);
      running += 1;
      most = Math.max(most, running);
      await sleep(duration);
      running -= 1;
    },
  });
  return { log, queue, most: () => most };
}

test('keys run at their moment', async () => {
  const { log, queue } = recorder(4);
  queue.add('later', now() + 500, URGENCY.refresh);
  queue.add('now', now(), URGENCY.refresh);
  await sleep(50);
  assert.deepEqual(log, ['now']);
  await sleep(700);
  assert.deepEqual(log, ['now', 'later']);
  await queue.stop();
});

test('a key is in once: the sooner moment holds for add, the newer for set', async () => {
  const { log, queue } = recorder(4);
  queue.add('a', now() + 30, URGENCY.refresh);
  queue.add('a', now() + 5_000, URGENCY.refresh);
  queue.add('b', now(), URGENCY.refresh);
  queue.set('b', now() + 5_000, URGENCY.refresh);
  await sleep(100);
  assert.deepEqual(log, ['a']);
  await queue.stop();
});

test('what is urgent goes first when workers are scarce', async () => {
  const { log, queue } = recorder(1, 5);
  for (const key of ['r1', 'r2']) queue.add(key, now(), URGENCY.refresh);
  queue.add('c', now(), URGENCY.check);
  queue.add('n', now(), URGENCY.now);
  await sleep(100);
  assert.deepEqual(log, ['n', 'r1', 'r2', 'c']);
  await queue.stop();
});

test('one key never runs twice at a time, and what came in meanwhile runs after', async () => {
  const { log, queue, most } = recorder(4, 30);
  queue.add('a', now(), URGENCY.now);
  await sleep(10);
  queue.add('a', now(), URGENCY.now);
  queue.add('a', now(), URGENCY.now);
  await sleep(120);
  assert.deepEqual(log, ['a', 'a']);
  assert.equal(most(), 1);
  await queue.stop();
});

test('no more than the workers run, and stop waits for them', async () => {
  const { log, queue, most } = recorder(2, 20);
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key, now(), URGENCY.now);
  await sleep(10);
  await queue.stop();
  assert.deepEqual(log, ['a', 'b']);
  assert.equal(most(), 2);
});

test('a key that was removed does not run', async () => {
  const { log, queue } = recorder(2);
  queue.add('a', now() + 10, URGENCY.now);
  queue.remove('a');
  await sleep(40);
  assert.deepEqual(log, []);
  await queue.stop();
});

test('an urgency with a limit leaves the other workers free', async () => {
  const { log, queue, most } = recorder(4, 200, { [URGENCY.adopt]: 1 });
  for (const key of ['a1', 'a2', 'a3']) queue.add(key, now(), URGENCY.adopt);
  await sleep(20);
  queue.add('n', now(), URGENCY.now);
  await sleep(60);
  assert.deepEqual(log, ['a1', 'n']);
  await sleep(900);
  assert.deepEqual(log, ['a1', 'n', 'a2', 'a3']);
  assert.equal(most(), 2);
  await queue.stop();
});

/** A queue by a clock that only the test moves; work lasts until it is told to end. */
function held(workers: number) {
  let time = 1_000;
  const ends = new Map<string, () => void>();
  const queue = new WorkQueue({
    clock: { now: () => time, monotonic: () => time },
    workers,
    work: (key) => new Promise<void>((resolve) => ends.set(key, resolve)),
  });
  const pass = (ms: number): void => {
    time += ms;
  };
  const end = async (key: string): Promise<void> => {
    ends.get(key)?.();
    await sleep(20);
  };
  return { queue, pass, end, at: (ms: number) => time + ms };
}

test('a queue without work never stands still, however long', async () => {
  const { queue, pass, at } = held(1);
  queue.add('far', at(1e9), URGENCY.refresh);
  pass(1e8);
  assert.deepEqual([queue.stalledMs, queue.oldestMs], [0, 0]);
  await queue.stop();
});

test('work that never ends, and work that is never begun, are stalls; waiting in a queue that moves is none', async () => {
  const { queue, pass, end, at } = held(1);
  for (const key of ['a', 'b', 'c']) queue.add(key, at(0), URGENCY.refresh);
  await sleep(20);
  pass(30_000);
  assert.deepEqual([queue.stalledMs, queue.oldestMs], [30_000, 30_000]);
  await end('a');
  pass(30_000);
  assert.deepEqual([queue.stalledMs, queue.oldestMs], [30_000, 60_000], 'c waits long, but b has begun');
  await end('b');
  assert.deepEqual([queue.stalledMs, queue.oldestMs], [0, 0]);
  pass(200_000);
  assert.deepEqual([queue.stalledMs, queue.oldestMs], [200_000, 0], 'c hangs');
  await end('c');
  assert.equal(queue.stalledMs, 0);
  await queue.stop();
});

test('one that hangs among others that go on is a stall', async () => {
  const { queue, pass, end, at } = held(2);
  queue.add('hangs', at(0), URGENCY.now);
  for (let i = 0; i < 4; i++) {
    queue.add(`goes-${i}`, at(0), URGENCY.refresh);
    await sleep(20);
    pass(60_000);
    await end(`goes-${i}`);
  }
  assert.equal(queue.stalledMs, 240_000);
  await end('hangs');
  await queue.stop();
});

test('a timer that does not fire is a stall once the moment has passed', async () => {
  const { queue, pass, at } = held(1);
  queue.add('soon', at(20_000), URGENCY.refresh);
  pass(20_000 + 185_000);
  assert.deepEqual([queue.stalledMs, queue.oldestMs], [185_000, 185_000]);
  await queue.stop();
});

/** A queue whose work ends when it is told to; the group of a key is its first letter. */
function byGroup(workers: number) {
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const queue = new WorkQueue({
    clock: systemClock,
    workers,
    groupOf: ([letter]) => letter,
    work: (key) => {
      log.push(key);
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.set(key, resolve);
      return promise;
    },
  });
  const end = async (key: string): Promise<void> => {
    ends.get(key)?.();
    ends.delete(key);
    await sleep(1);
  };
  return { log, queue, end, inside: () => [...ends.keys()] };
}

test('a store that is slow, or may be asked seldom, never takes the workers from the others', async () => {
  const { log, queue, end, inside } = byGroup(8);
  const at = now();
  for (let i = 0; i < 20; i += 1) queue.add(`slow-${i}`, at - 100 + i, URGENCY.refresh);
  await sleep(20);
  assert.equal(inside().length, 4);
  assert.equal(queue.depth, 20);
  // Came last, and waits for nobody.
  queue.add('other', now(), URGENCY.refresh);
  await sleep(20);
  assert.ok(log.includes('other'));
  await end('other');
  // In the order in which they were due, but those somebody waits for.
  queue.add('slow-18', now(), URGENCY.now);
  await sleep(20);
  await end('slow-0');
  await end('slow-1');
  assert.deepEqual(log.slice(-2), ['slow-18', 'slow-4']);
  queue.remove('slow-5');
  await end('slow-18');
  assert.equal(log.at(-1), 'slow-6');
  while (inside().length > 0) await end(inside()[0] ?? '');
  assert.equal(log.length, 20);
  assert.equal(new Set(log).size, 20);
  assert.equal(queue.depth, 0);
  await queue.stop();
});

test('however many stores are slow, the next free worker is for one that has none', async () => {
  const { log, queue, end, inside } = byGroup(8);
  for (const letter of 'abcdef') {
    for (let i = 0; i < 10; i += 1) queue.add(`${letter}${i}`, now(), URGENCY.refresh);
    await sleep(10);
  }
  assert.deepEqual(inside(), ['a0', 'a1', 'a2', 'a3', 'b0', 'b1', 'c0', 'd0']);
  await end('a0');
  assert.equal(log.at(-1), 'e0');
  await end('a1');
  assert.equal(log.at(-1), 'f0');
  queue.add('z', now(), URGENCY.refresh);
  await sleep(20);
  await end('b0');
  assert.equal(log.at(-1), 'z');
});
