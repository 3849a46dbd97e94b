import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FreshReads } from './fresh-reads.ts';

/** A clock under control, and a read whose answers are handed out one by one. */
function setUp(keepMs = 0) {
  let time = 0;
  const clock = { now: () => time, monotonic: () => time };
  const pending: { resolve(value: string): void; reject(error: Error): void }[] = [];
  const read = (): Promise<string> => new Promise((resolve, reject) => pending.push({ resolve, reject }));
  return {
    reads: new FreshReads<string>({ clock, keepMs }),
    read,
    pending,
    advance: (ms: number) => {
      time += ms;
    },
    time: () => time,
  };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('askers from before the read began share it', async () => {
  const s = setUp();
  s.advance(10);
  const answers = [s.reads.get('k', 5, s.read), s.reads.get('k', 10, s.read)];
  await turn();
  assert.equal(s.pending.length, 1);
  s.pending[0]?.resolve('v');
  assert.deepEqual(await Promise.all(answers), ['v', 'v']);
});

test('who comes after the read began gets the next one, together with the others', async () => {
  const s = setUp();
  const first = s.reads.get('k', 0, s.read);
  s.advance(1);
  const late = [s.reads.get('k', 1, s.read), s.reads.get('k', 1, s.read)];
  await turn();
  assert.equal(s.pending.length, 1);
  s.pending[0]?.resolve('old');
  assert.equal(await first, 'old');
  await turn();
  assert.equal(s.pending.length, 2);
  s.pending[1]?.resolve('new');
  assert.deepEqual(await Promise.all(late), ['new', 'new']);
});

test('a kept answer serves those it is fresh enough for', async () => {
  const s = setUp(1000);
  s.advance(5);
  const first = s.reads.get('k', 5, s.read);
  await turn();
  s.pending[0]?.resolve('v');
  await first;
  s.advance(5);
  assert.equal(await s.reads.get('k', 5, s.read), 'v');
  void s.reads.get('k', 6, s.read);
  await turn();
  assert.equal(s.pending.length, 2);
  s.reads.clear();
});

test('a failed read reaches all who share it and is not kept', async () => {
  const s = setUp(1000);
  const both = [s.reads.get('k', 0, s.read), s.reads.get('k', 0, s.read)];
  await turn();
  s.pending[0]?.reject(new Error('no'));
  for (const one of both) await assert.rejects(one, /no/);
  const again = s.reads.get('k', 0, s.read);
  await turn();
  s.pending[1]?.resolve('v');
  assert.equal(await again, 'v');
});

test('each question is counted: as one that begins a read, or as one that another has begun', async () => {
  let time = 0;
  const seen: boolean[] = [];
  const clock = { now: () => time, monotonic: () => time };
  const reads = new FreshReads<number>({ clock, keepMs: 0, onRead: (shared) => seen.push(shared) });
  const { promise, resolve } = Promise.withResolvers<number>();
  const first = reads.get('k', 0, () => promise);
  const same = reads.get('k', 0, () => assert.fail('it was read again'));
  time = 10;
  const later = reads.get('k', 10, async () => 2);
  const too = reads.get('k', 10, async () => 3);
  resolve(1);
  assert.deepEqual(await Promise.all([first, same, later, too]), [1, 1, 2, 2]);
  assert.deepEqual(seen, [false, true, false, true]);
});
