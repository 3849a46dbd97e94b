/** The common cases on the provider fake, whose secrets stand in the store: a store for each case. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import type { RemoteSecret } from './common-cases.ts';
import { Cluster } from './support/cluster.ts';
import { type CommonBackend, commonSuite } from './support/common-suite.ts';
import { externalSecret, namespace, secretStore } from './support/vault.ts';

const WHERE = 'common';

let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed();
  cluster = new Cluster(bed.cp);
  await cluster.create(namespace(WHERE));
});
after(() => bed.stop());

const providerOf = (remote: Readonly<Record<string, RemoteSecret>>): object => ({
  fake: {
    data: Object.entries(remote).map(([key, { value }]) => ({
      key,
      value: typeof value === 'string' ? value : JSON.stringify(value),
    })),
  },
});

const backend = (): CommonBackend => ({
  cluster,
  where: WHERE,
  prepare: async (name, remote) => {
    await cluster.create(secretStore(WHERE, name, { provider: providerOf(remote) }));
    return name;
  },
  remove: async (name, keys) => {
    const { spec } = await cluster.get('SecretStore', WHERE, name);
    const { data } = (spec.provider as { fake: { data: { key: string }[] } }).fake;
    const left = data.filter(({ key }) => !keys.includes(key));
    await cluster.patch('SecretStore', WHERE, name, { spec: { provider: { fake: { data: left } } } });
  },
});

commonSuite('fake', backend, {
  dialect: { text: (key) => ({ key }), foundText: (text) => text },
  refused: { tags: /only find secrets by name: set find\.name\.regexp$/ },
  without: ['FindByNameWithPath'],
});

test('9.2 FindByNameWithPath on fake: the path does not count, as in ESO', async () => {
  const remote = { 'in/one': { value: '1' }, 'out/one': { value: '2' } };
  const store = await backend().prepare('by-path', remote);
  const dataFrom = [{ find: { path: 'in', name: { regexp: 'one$' } } }];
  const spec = { secretStoreRef: { name: store }, data: undefined, dataFrom };
  await cluster.create(externalSecret(WHERE, 'by-path', spec));
  assert.deepEqual(await cluster.values(WHERE, 'by-path'), { in_one: '1', out_one: '2' });
});
