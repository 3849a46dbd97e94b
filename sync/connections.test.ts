import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import type { ProviderPorts } from '../providers/contract.ts';
import { Connections } from './connections.ts';
import type { ResolvedStore } from './stores.ts';

const ports = { clock: systemClock } as ProviderPorts;
const signal = new AbortController().signal;

/** Stores of one identity; their connections are counted. */
function setUp() {
  let made = 0;
  let closed = 0;
  const provider = {
    name: 'counting',
    connect: async () => {
      made += 1;
      return {
        close: async () => {
          closed += 1;
        },
      };
    },
  };
  const store = (uid: string, generation = 1): ResolvedStore =>
    ({ identity: 'same', provider, config: {}, context: { uid, generation } }) as unknown as ResolvedStore;
  return { store, counts: () => [made, closed], connections: new Connections({ perStore: 4 }) };
}

test('9.3 #53 two stores of one identity keep a connection each, and do not take turns in reconnecting', async () => {
  const { store, counts, connections } = setUp();
  for (const uid of ['a', 'b', 'a', 'b', 'a'])
    await connections.kept(store(uid), ports, signal, async () => 1);
  assert.deepEqual(counts(), [2, 0]);
  connections.forget('same');
  await connections.kept(store('a'), ports, signal, async () => 1);
  assert.deepEqual(counts(), [3, 2]);
});

test('9.3 #53 a changed spec and refused credentials have a new connection', async () => {
  const { store, counts, connections } = setUp();
  await connections.kept(store('a'), ports, signal, async () => 1);
  await connections.kept(store('a', 2), ports, signal, async () => 1);
  assert.equal(counts()[0], 2);
  const refused = Object.assign(new Error('no'), { code: 'PROVIDER_DENIED' });
  await assert.rejects(connections.kept(store('a', 2), ports, signal, () => Promise.reject(refused)));
  await connections.kept(store('a', 2), ports, signal, async () => 1);
  assert.equal(counts()[0], 3);
});
