import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import { DEFAULT_STORE_LIMITS } from '../policy/store-limits.ts';
import { ProviderError, type ProviderPorts } from '../providers/contract.ts';
import { Connections } from './connections.ts';
import type { ResolvedStore } from './stores.ts';

const ports = { clock: systemClock } as ProviderPorts;
const signal = new AbortController().signal;

const NAMED = { kind: 'SecretStore', namespace: 'shop', name: 'vault' };

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
    ({
      identity: 'same',
      provider,
      config: {},
      object: { metadata: {} },
      context: { uid, generation, ...NAMED },
    }) as unknown as ResolvedStore;
  return {
    store,
    counts: () => [made, closed],
    connections: new Connections({ clock: systemClock, limits: { ...DEFAULT_STORE_LIMITS, maxInFlight: 4 } }),
  };
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

test('a store that fails is not asked for a moment: by nobody, and the metric says so; another one is', async () => {
  const { store, connections } = setUp();
  const fail = (): Promise<never> =>
    Promise.reject(new ProviderError('PROVIDER_UNREACHABLE', 'nobody there'));
  const once = (uid: string, use: () => Promise<unknown>) => connections.once(store(uid), ports, signal, use);
  for (let i = 0; i < 3; i += 1) await assert.rejects(once('a', fail), { code: 'PROVIDER_UNREACHABLE' });
  await assert.rejects(
    once('a', () => assert.fail('it was asked')),
    { code: 'STORE_UNAVAILABLE', message: /nobody there \(/ },
  );
  assert.equal(await once('b', async () => 1), 1);
  assert.deepEqual(
    connections.states().map(({ state }) => state),
    ['open'],
  );
  // Its credentials have changed, say.
  connections.forget('same');
  assert.equal(await once('a', async () => 1), 1);
  assert.deepEqual(connections.states(), []);
});

test('who waited in vain for a place is told so, and it is no failure of the store', async () => {
  const { store, connections } = setUp();
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = Array.from({ length: 4 }, () => connections.once(store('a'), ports, signal, () => promise));
  for (let i = 0; i < 4; i += 1) {
    const late = connections.once(store('a'), ports, AbortSignal.timeout(5), async () => 1);
    await assert.rejects(late, { code: 'STORE_BUSY', message: /SecretStore shop\/vault/ });
  }
  assert.deepEqual(
    connections.states().map(({ state }) => state),
    ['closed'],
  );
  resolve();
  await Promise.all(held);
});
