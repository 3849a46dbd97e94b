/** The common cases on the provider fake, whose secrets stand in the store: a store for each case. */
import { after, before } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import type { RemoteSecret } from './common-cases.ts';
import { Cluster } from './support/cluster.ts';
import { type CommonBackend, commonSuite } from './support/common-suite.ts';
import { namespace, secretStore } from './support/vault.ts';

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
  refused: {
    tags: /only find secrets by name: set find\.name\.regexp$/,
    // In ESO the path counts for nothing.
    path: /only find secrets by name: leave find\.path out$/,
  },
});
