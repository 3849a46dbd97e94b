import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '../api/clock.ts';
import { type GateLimits, StoreGate } from './store-gate.ts';

const never = new AbortController().signal;
const limits = (changes: Partial<GateLimits> = {}): GateLimits => ({
  maxInFlight: 4,
  rate: undefined,
  burst: 1,
  ...changes,
});

/** Uses that end when they are told to. */
function setUp(given: GateLimits) {
  const gate = new StoreGate(systemClock, given);
  const inside = new Map<string, () => void>();
  const begun: string[] = [];
  let most = 0;
  const use = (name: string, urgent = false, signal = never): Promise<void> =>
    gate.run(
      () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        inside.set(name, resolve);
        begun.push(name);
        most = Math.max(most, inside.size);
        return promise;
      },
      signal,
      urgent,
    );
  const end = async (name: string): Promise<void> => {
    inside.get(name)?.();
    inside.delete(name);
    await setImmediate();
  };
  return {
    gate,
    use,
    end,
    begun,
    most: () => most,
    inside: () => inside.size,
    endAll: async () => {
      for (const name of [...inside.keys()]) await end(name);
    },
  };
}

test('so many are in at a time; who waits goes in by turns, and before them those somebody waits for', async () => {
  const s = setUp(limits({ maxInFlight: 2 }));
  const all = ['a', 'b', 'c', 'd'].map((name) => s.use(name));
  const urgent = s.use('u', true);
  await setImmediate();
  assert.deepEqual(s.begun, ['a', 'b']);
  await s.end('a');
  assert.deepEqual(s.begun, ['a', 'b', 'u']);
  await s.end('u');
  await s.end('b');
  await s.endAll();
  await s.endAll();
  await Promise.all([...all, urgent]);
  assert.deepEqual(s.begun, ['a', 'b', 'u', 'c', 'd']);
  assert.equal(s.most(), 2);
  assert.ok(s.gate.idle);
});

test('who gives up while he waits takes no place', async () => {
  const s = setUp(limits({ maxInFlight: 1 }));
  const first = s.use('a');
  const abort = new AbortController();
  const second = assert.rejects(s.use('b', false, abort.signal), /enough/);
  const third = s.use('c');
  abort.abort(new Error('enough'));
  await second;
  await s.end('a');
  await s.end('c');
  await Promise.all([first, third]);
  assert.deepEqual(s.begun, ['a', 'c']);
});

test('a store that is back gets one request, then two, then four: no burst', async () => {
  const s = setUp(limits({ maxInFlight: 8 }));
  s.gate.startSlowly();
  const all = Array.from({ length: 40 }, (_, i) => s.use(`u${i}`));
  const waves: number[] = [];
  while (s.begun.length < 40 || s.inside() > 0) {
    await setImmediate();
    waves.push(s.inside());
    await s.endAll();
  }
  await Promise.all(all);
  assert.equal(waves[0], 1);
  assert.ok(s.most() <= 8);
  assert.ok(s.gate.idle);
});

test('failures let nobody else in', async () => {
  const gate = new StoreGate(systemClock, limits());
  gate.startSlowly();
  const fail = (): Promise<void> => gate.run(() => Promise.reject(new Error('no')), never, false);
  await assert.rejects(fail());
  await assert.rejects(fail());
  let inside = 0;
  const held = Promise.withResolvers<void>();
  const both = [1, 2].map(() =>
    gate.run(
      () => {
        inside += 1;
        return held.promise;
      },
      never,
      false,
    ),
  );
  await setImmediate();
  assert.equal(inside, 1);
  held.resolve();
  await Promise.all(both);
});

test('another limit holds at once for those who wait', async () => {
  const s = setUp(limits({ maxInFlight: 1 }));
  const all = ['a', 'b', 'c'].map((name) => s.use(name));
  await setImmediate();
  s.gate.configure(limits({ maxInFlight: 3 }));
  await setImmediate();
  assert.equal(s.inside(), 3);
  await s.endAll();
  await Promise.all(all);
});

test('without a rate any longer, nobody who waited for his moment is left behind', async () => {
  const gate = new StoreGate(systemClock, limits({ rate: 1 }));
  await gate.pace(never);
  const waits = gate.pace(never);
  assert.equal(gate.idle, false);
  gate.configure(limits());
  await waits;
  assert.equal(gate.pace(never), undefined);
});
