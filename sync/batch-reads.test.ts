import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import { SecretValue } from '../api/secret-value.ts';
import { type Connection, ProviderError, type RemoteObject } from '../providers/contract.ts';
import { BatchReads, type RunRead } from './batch-reads.ts';
import type { ResolvedStore } from './stores.ts';

type ReadMany = NonNullable<Connection['readMany']>;

const object = (text: string): RemoteObject => ({
  get: () => SecretValue.fromText(text),
  getMap: () => new Map(),
});

/** A store of an identity whose connection notes what it is asked. */
function setUp(readMany: ReadMany = async (refs) => refs.map(({ key }) => object(key))) {
  let time = 0;
  const asked: string[] = [];
  const refused: string[] = [];
  const connection = {
    read: async ({ key }: { key: string }) => {
      asked.push(key);
      return object(`alone ${key}`);
    },
    readMany: (refs: Parameters<ReadMany>[0], signal: AbortSignal) => {
      asked.push(refs.map(({ key }) => key).join('+'));
      return readMany(refs, signal);
    },
  } as unknown as Connection;
  const run: RunRead = (use) => use(connection, new AbortController().signal);
  const store = (identity: string): ResolvedStore =>
    ({
      identity,
      provider: {
        batch: () => ({ size: 3, accepts: ({ version }: { version?: string }) => version === undefined }),
      },
      context: { kind: 'SecretStore', namespace: 'shop', name: 'aws' },
    }) as unknown as ResolvedStore;
  const batches = new BatchReads({
    clock: { ...systemClock, monotonic: () => time },
    wants: ({ identity }) => identity !== 'unwilling',
    onRefused: (label) => refused.push(label),
  });
  const read = async (key: string, identity = 'a'): Promise<string> =>
    (await batches.read(store(identity), { key }, run)).get(undefined).revealText();
  return {
    read,
    takes: (identity = 'a', version?: string) =>
      batches.takes(store(identity), { key: 'k', ...(version === undefined ? {} : { version }) }),
    asked,
    refused,
    advance: (ms: number) => {
      time += ms;
    },
  };
}

test('reads of one moment and one identity are one request, of as many as it holds; one alone is a read', async () => {
  const { read, asked } = setUp();
  const values = await Promise.all([
    ...['1', '2', '3', '4', '5'].map((key) => read(key)),
    read('b', 'other'),
  ]);
  assert.deepEqual(values, ['1', '2', '3', '4', '5', 'alone b']);
  assert.deepEqual(asked.toSorted(), ['1+2+3', '4+5', 'b']);
});

test('only where the store wants it, and what the provider can read so', () => {
  const { takes } = setUp();
  assert.equal(takes(), true);
  assert.equal(takes('unwilling'), false);
  assert.equal(takes('a', '7'), false);
});

test('each error is that of its own secret, and what the answer is silent about is read alone', async () => {
  const { read, asked } = setUp(async () => [
    object('1'),
    new ProviderError('PROVIDER_NOT_FOUND', 'read 2: no such secret'),
  ]);
  const [one, two, three] = await Promise.allSettled([read('1'), read('2'), read('3')]);
  assert.deepEqual(one, { status: 'fulfilled', value: '1' });
  assert.equal(two?.status === 'rejected' && (two.reason as ProviderError).code, 'PROVIDER_NOT_FOUND');
  assert.deepEqual(three, { status: 'fulfilled', value: 'alone 3' });
  assert.deepEqual(asked, ['1+2+3', '3']);
});

test('a server that refuses batches is told of once, and not asked again for a while, but not never', async () => {
  const { read, takes, asked, refused, advance } = setUp(async () => undefined);
  assert.deepEqual(await Promise.all([read('1'), read('2')]), ['alone 1', 'alone 2']);
  assert.deepEqual(asked, ['1+2', '1', '2']);
  assert.deepEqual(refused, ['SecretStore shop/aws']);
  assert.equal(takes(), false);
  assert.equal(takes('other'), true);
  advance(10 * 60_000);
  assert.equal(takes(), true);
});

test('whether batches are allowed one of them finds out, and the others wait for it', async () => {
  const { read, asked, refused } = setUp(async () => undefined);
  const values = await Promise.all(['1', '2', '3', '4', '5', '6'].map((key) => read(key)));
  assert.equal(values.length, 6);
  assert.deepEqual(
    asked.filter((keys) => keys.includes('+')),
    ['1+2+3'],
  );
  assert.equal(refused.length, 1);
});

test('one that makes no sense to the server does not fail the others; a failure of the server does', async () => {
  const odd = setUp(() => Promise.reject(new ProviderError('PROVIDER_INVALID_CONFIG', 'bad name')));
  assert.deepEqual(await Promise.all([odd.read('1'), odd.read('2')]), ['alone 1', 'alone 2']);
  assert.deepEqual(odd.refused, []);
  const down = setUp(() => Promise.reject(new ProviderError('PROVIDER_UNREACHABLE', 'down')));
  for (const one of await Promise.allSettled([down.read('1'), down.read('2')])) {
    assert.equal(one.status === 'rejected' && (one.reason as ProviderError).code, 'PROVIDER_UNREACHABLE');
  }
  assert.deepEqual(down.asked, ['1+2']);
});
