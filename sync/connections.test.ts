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
  const complaints: string[] = [];
  const recovered: string[] = [];
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
  const store = (uid: string, generation = 1, annotations?: Record<string, string>): ResolvedStore =>
    ({
      identity: 'same',
      provider,
      config: {},
      object: { metadata: annotations === undefined ? {} : { annotations } },
      context: { uid, generation, ...NAMED },
    }) as unknown as ResolvedStore;
  return {
    store,
    counts: () => [made, closed],
    complaints,
    recovered,
    connections: new Connections({
      onRecovered: ({ uid }) => recovered.push(uid),
      onBadLimits: (label, problems) => complaints.push(`${label}: ${problems}`),
      clock: systemClock,
      limits: { ...DEFAULT_STORE_LIMITS, maxInFlight: 4 },
    }),
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

const OURS = 'external-secrets-admission.io';
const pause = (): Promise<void> => new Promise((done) => setImmediate(done));

test('limits are those of the annotations, at once, and the least of what the stores of an identity want', async () => {
  const { store, connections } = setUp();
  const { promise, resolve } = Promise.withResolvers<void>();
  let inside = 0;
  const use = (one: ResolvedStore): Promise<void> =>
    connections.kept(one, ports, signal, () => {
      inside += 1;
      return promise;
    });
  const all = Array.from({ length: 6 }, () => use(store('a', 1, { [`${OURS}/max-in-flight`]: '2' })));
  await pause();
  assert.equal(inside, 2);
  assert.deepEqual(
    connections.states().map(({ waiting }) => waiting),
    [4],
  );
  all.push(use(store('b', 1, { [`${OURS}/max-in-flight`]: '8' })));
  await pause();
  assert.equal(inside, 2);
  // Somebody has edited the annotation; nothing else of the store has changed.
  all.push(use(store('a', 1, { [`${OURS}/max-in-flight`]: '8' })));
  await pause();
  assert.equal(inside, 8);
  resolve();
  await Promise.all(all);
});

test('each request of a connection waits for its moment, and who waits in vain is told that others do', async () => {
  const { store, connections } = setUp();
  const limited = store('a', 1, { [`${OURS}/rate-limit`]: '1' });
  let pace: ProviderPorts['pace'];
  const { provider } = limited as unknown as {
    provider: { connect: (...all: unknown[]) => Promise<unknown> };
  };
  const { connect } = provider;
  provider.connect = (...all) => {
    ({ pace } = all[2] as ProviderPorts);
    return connect();
  };
  await connections.once(limited, ports, signal, async () => {
    await pace?.(signal);
    const late = pace?.(AbortSignal.timeout(20)) ?? Promise.resolve();
    assert.equal(connections.states()[0]?.waiting, 1);
    await assert.rejects(late, { code: 'STORE_BUSY', message: /SecretStore shop\/vault/ });
  });
  // The next one does not begin anew: what was spent comes back with time only.
  await connections.once(limited, ports, signal, async () => {
    await assert.rejects(pace?.(AbortSignal.timeout(20)) ?? Promise.resolve(), { code: 'STORE_BUSY' });
  });
});

test('annotations that make no sense leave the defaults in force, and are told of once', async () => {
  const { store, connections, complaints } = setUp();
  const bad = (text: string): ResolvedStore =>
    store('a', 1, { [`${OURS}/max-in-flight`]: text, [`${OURS}/breaker-failures`]: '1' });
  for (const text of ['many', 'many', 'all']) await connections.kept(bad(text), ports, signal, async () => 1);
  assert.deepEqual(complaints, [
    `SecretStore shop/vault: metadata.annotations[${OURS}/max-in-flight]: "many" is not a whole number from 1 to 32`,
    `SecretStore shop/vault: metadata.annotations[${OURS}/max-in-flight]: "all" is not a whole number from 1 to 32`,
  ]);
  assert.equal(connections.limitsOf(bad('many')).maxInFlight, 4);
  assert.equal(connections.limitsOf(bad('many')).breakerFailures, 1);
});

test('S65 after a pause that the provider asked for its store begins slowly', async () => {
  const { store, connections } = setUp();
  const fail = (): Promise<never> =>
    Promise.reject(new ProviderError('PROVIDER_UNREACHABLE', '503', { retryAfterMs: 20 }));
  await assert.rejects(connections.kept(store('a'), ports, signal, fail));
  await assert.rejects(
    connections.kept(store('a'), ports, signal, async () => 1),
    { code: 'STORE_UNAVAILABLE' },
  );
  await new Promise((done) => setTimeout(done, 600));
  let inside = 0;
  let most = 0;
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 12 }, () =>
      connections.kept(store('a'), ports, signal, async () => {
        inside += 1;
        most = Math.max(most, inside);
        order.push(inside);
        await pause();
        inside -= 1;
      }),
    ),
  );
  assert.deepEqual(order.slice(0, 2), [1, 1]);
  assert.ok(most <= 4);
});

test('that a store answers again is told once, to those whom its failures kept waiting; not after a pause that it asked for', async () => {
  const { store, connections, recovered } = setUp();
  const limits = { [`${OURS}/breaker-failures`]: '1', [`${OURS}/breaker-cool-down`]: '100ms' };
  const use = (uid: string, work: () => Promise<unknown>): Promise<unknown> =>
    connections.kept(store(uid, 1, limits), ports, signal, work);
  const failing = (error: ProviderError) => () => Promise.reject(error);
  const over = new ProviderError('PROVIDER_UNREACHABLE', 'nobody there');
  const busy = new ProviderError('PROVIDER_THROTTLED', 'too many', { retryAfterMs: 10 });
  await assert.rejects(use('failing', failing(over)), { code: 'PROVIDER_UNREACHABLE' });
  await assert.rejects(use('busy', failing(busy)), { code: 'PROVIDER_THROTTLED' });
  assert.deepEqual(recovered, []);
  await new Promise((done) => setTimeout(done, 700));
  for (const uid of ['failing', 'failing', 'busy', 'fine']) await use(uid, async () => 1);
  assert.deepEqual(recovered, ['failing']);
});
