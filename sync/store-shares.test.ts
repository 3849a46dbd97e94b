import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreShares } from './store-shares.ts';
import type { ResolvedStore } from './stores.ts';

const store = (name: string, ...servers: string[]): ResolvedStore =>
  ({
    identity: name,
    config: {},
    context: { kind: 'SecretStore', name },
    provider: { servers: () => servers.map((server) => new URL(server)) },
  }) as unknown as ResolvedStore;
const A = store('a', 'https://a.example/');
const A_TOO = store('a-too', 'https://a.example/path');
const B = store('b', 'https://b.example/');
const NONE = store('none');

function setUp(size = 20) {
  let time = 0;
  const shares = new StoreShares({ clock: { now: () => time, monotonic: () => time }, size });
  const enter = (count: number, ...stores: ResolvedStore[]) =>
    Array.from({ length: count }, () => shares.enter(stores));
  return {
    enter,
    advance: (ms: number) => {
      time += ms;
    },
  };
}
const busy = { code: 'STORE_BUSY', message: /creates wait for the provider of SecretStore a(-too)? already/ };

test('a provider gets its share of the room and no more, whatever the number of its stores', () => {
  const { enter } = setUp();
  enter(10, A);
  const [place] = enter(10, A_TOO);
  assert.throws(() => enter(1, A), busy);
  enter(20, B);
  enter(20, NONE);
  place?.leave();
  enter(1, A);
});

test('of one that answers nobody for a second only a few may wait; an answer of any kind lets all in again', () => {
  const { enter, advance } = setUp();
  const places = enter(8, A);
  advance(1_000);
  enter(4, A);
  advance(1);
  assert.throws(() => enter(1, A_TOO), busy);
  enter(1, B);
  places[0]?.answered(A_TOO);
  enter(1, A);
});

test('fewer than that always find a place', () => {
  const { enter, advance } = setUp();
  const places = enter(8, A);
  advance(5_000);
  assert.throws(() => enter(1, A), busy);
  places[0]?.leave();
  enter(1, A);
  assert.throws(() => enter(1, A), busy);
});

test('a create that one provider has no place for takes none at the others', () => {
  const { enter } = setUp(1);
  enter(1, A);
  assert.throws(() => enter(1, B, A), busy);
  enter(1, B);
});

test('the smallest room has a place for each provider', () => {
  const { enter } = setUp(0.5);
  enter(1, A);
  assert.throws(() => enter(1, A), busy);
});
