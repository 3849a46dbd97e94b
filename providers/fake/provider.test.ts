import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../api/clock.ts';
import { EsaError } from '../../api/errors.ts';
import type { ProviderPorts, RemoteRef, StoreContext } from '../contract.ts';
import { fakeConfigSchema } from './config.ts';
import { fakeProvider } from './provider.ts';

const store: StoreContext = {
  kind: 'SecretStore',
  name: 's',
  namespace: 'a',
  uid: 'u',
  generation: 1,
  callerNamespace: 'a',
};
const nothing = async (): Promise<never> => {
  throw new EsaError('INTERNAL', 'the fake provider needs nothing of the cluster');
};
const ports: ProviderPorts = {
  clock: systemClock,
  secretKey: nothing,
  configMapKey: nothing,
  serviceAccountToken: nothing,
  serviceAccountAnnotations: nothing,
};
const { signal } = new AbortController();

const connect = (data: unknown, more: object = {}) =>
  fakeProvider.connect(fakeConfigSchema.parse({ data, ...more }), store, ports, signal);
const read = async (data: unknown, ref: Omit<RemoteRef, 'property'>) =>
  (await connect(data)).read(ref, signal);

const data = [
  { key: '/foo', value: 'plain', version: 'v1' },
  { key: '/foo', value: 'newer', version: 'v2' },
  { key: '/foo', value: 'unversioned' },
  { key: '/json', value: '{"a":"x","b":{ "c": [1, 2] },"n":1.50,"z":null}' },
  { key: '/map', valueMap: { k: 'v' } },
];

describe('fake', () => {
  test('key and version match exactly; no version means the entry without one', async () => {
    for (const [version, value] of [
      ['v1', 'plain'],
      ['v2', 'newer'],
      [undefined, 'unversioned'],
    ] as const) {
      assert.equal((await read(data, { key: '/foo', version })).get(undefined).revealText(), value);
    }
    await assert.rejects(read(data, { key: '/foo', version: 'v3' }), { code: 'PROVIDER_NOT_FOUND' });
    await assert.rejects(read(data, { key: '/none' }), {
      code: 'PROVIDER_NOT_FOUND',
      message: /"\/none" does not exist/,
    });
  });

  test('a property, whose absence counts as that of the secret', async () => {
    const secret = await read(data, { key: '/json' });
    assert.equal(secret.get('b.c.1').revealText(), '2');
    assert.throws(() => secret.get('nope'), { code: 'PROVIDER_NOT_FOUND' });
    assert.equal(secret.get('b.c.#').revealText(), '2');
  });

  test('a map: strings bare, all else as the value has it', async () => {
    const map = (await read(data, { key: '/json' })).getMap(undefined);
    assert.deepEqual(
      [...map].map(([name, value]) => [name, value.revealText()]),
      [
        ['a', 'x'],
        ['b', '{ "c": [1, 2] }'],
        ['n', '1.50'],
        ['z', ''],
      ],
    );
    assert.deepEqual([...(await read(data, { key: '/json' })).getMap('b').keys()], ['c']);
    assert.equal((await read(data, { key: '/map' })).getMap(undefined).get('k')?.revealText(), 'v');
  });

  test('find by name takes the highest version of each key', async () => {
    const found = await (await connect(data)).find({ nameRegexp: '^/(foo|map)$' }, signal);
    assert.deepEqual(
      found.map(({ key, canonicalKey, object }) => [key, canonicalKey, object.get(undefined).revealText()]),
      [
        ['/foo', '/foo', 'newer'],
        ['/map', '/map', '{"k":"v"}'],
      ],
    );
    assert.deepEqual(await (await connect(data)).find({ nameRegexp: '^nope$' }, signal), []);
    for (const find of [
      {},
      { tags: { a: 'b' } },
      { nameRegexp: '.', tags: { a: 'b' } },
      { nameRegexp: '.', path: 'x' },
      { nameRegexp: '(' },
      { nameRegexp: '(?=x)' },
    ]) {
      await assert.rejects((await connect(data)).find(find, signal), { code: 'PROVIDER_INVALID_CONFIG' });
    }
  });

  test('the live check says what the block says', async () => {
    for (const validationResult of [undefined, 0, 1]) {
      await (await connect([], validationResult === undefined ? {} : { validationResult })).validate(signal);
    }
    await assert.rejects((await connect([], { validationResult: 2 })).validate(signal), {
      code: 'PROVIDER_INVALID_CONFIG',
    });
  });

  test('entries without key or value are refused', () => {
    const config = fakeConfigSchema.parse({
      data: [{ key: '', value: 'x' }, { key: 'k' }, { key: 'k', value: '' }],
    });
    assert.deepEqual(
      fakeProvider.validateConfig(config, store).map(({ path }) => path),
      [
        ['data', 0, 'key'],
        ['data', 1, 'value'],
        ['data', 2, 'value'],
      ],
    );
  });

  test('one generation of one store shares nothing with another', () => {
    const config = fakeConfigSchema.parse({ data: [] });
    const identities = [store, { ...store, generation: 2 }, { ...store, uid: 'w' }].map((one) =>
      fakeProvider.identity(config, one),
    );
    assert.equal(new Set(identities).size, 3);
  });
});
