/** The common cases on Vault, both versions of its KV engine, and those of ESO's suite for Vault alone. */
import { after, before } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import type { CommonCase, Dialect, RemoteSecret } from './common-cases.ts';
import { Cluster } from './support/cluster.ts';
import { type CommonBackend, commonSuite } from './support/common-suite.ts';
import { administer, prepare, secretStore, vaultProvider } from './support/vault.ts';

const WHERE = 'common';
/** Vault holds objects only: a text is a member of one. */
const MEMBER = 'value';
const DIALECT: Dialect = {
  text: (key) => ({ key, property: MEMBER }),
  foundText: (text) => JSON.stringify({ [MEMBER]: text }),
};

let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed();
  cluster = new Cluster(bed.cp);
  await prepare(cluster, bed.openBao, WHERE);
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'common-v1' },
  });
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'vault-token', namespace: 'common-v1' },
    stringData: { token: bed.openBao.token },
  });
  await administer(bed.openBao, 'POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
  const provider = vaultProvider(bed.openBao.address, { path: 'kv1', version: 'v1' });
  await cluster.create(secretStore('common-v1', 'vault', { provider }));
});
after(() => bed.stop());

const objectOf = ({ value }: RemoteSecret): object =>
  typeof value === 'string' ? { [MEMBER]: value } : value;

const version2 = (): CommonBackend => ({
  cluster,
  where: WHERE,
  prepare: async (_name, remote) => {
    for (const [key, secret] of Object.entries(remote)) {
      await administer(bed.openBao, 'POST', `secret/data/${key}`, { data: objectOf(secret) });
      if (secret.tags !== undefined)
        await administer(bed.openBao, 'POST', `secret/metadata/${key}`, { custom_metadata: secret.tags });
    }
    return 'vault';
  },
  remove: async (_name, keys) => {
    for (const key of keys) await administer(bed.openBao, 'DELETE', `secret/metadata/${key}`);
  },
});

const version1 = (): CommonBackend => ({
  cluster,
  where: 'common-v1',
  prepare: async (_name, remote) => {
    for (const [key, secret] of Object.entries(remote))
      await administer(bed.openBao, 'PUT', `kv1/${key}`, objectOf(secret));
    return 'vault';
  },
  remove: async (_name, keys) => {
    for (const key of keys) await administer(bed.openBao, 'DELETE', `kv1/${key}`);
  },
});

const NESTED = { plain: 'text', nested: { a: 'x', b: { c: 1 }, list: ['p', 'q'] } };

/** ESO's own cases for Vault: what JSON becomes with and without a property. */
const OF_VAULT: readonly CommonCase[] = [
  {
    name: 'testJSONWithoutProperty',
    remote: { 'json/whole': { value: NESTED } },
    spec: { data: [{ secretKey: 'all', remoteRef: { key: 'json/whole' } }] },
    expected: {
      data: { all: '{"nested":{"a":"x","b":{"c":1},"list":["p","q"]},"plain":"text"}' },
    },
  },
  {
    name: 'testJSONWithProperty',
    remote: { 'json/property': { value: NESTED } },
    spec: {
      data: [
        { secretKey: 'nested', remoteRef: { key: 'json/property', property: 'nested' } },
        { secretKey: 'deep', remoteRef: { key: 'json/property', property: 'nested.b.c' } },
      ],
    },
    expected: { data: { nested: '{"a":"x","b":{"c":1},"list":["p","q"]}', deep: '1' } },
  },
  {
    name: 'testDataFromJSONWithoutProperty',
    remote: { 'json/extract': { value: NESTED } },
    spec: { dataFrom: [{ extract: { key: 'json/extract' } }] },
    expected: { data: { plain: 'text', nested: '{"a":"x","b":{"c":1},"list":["p","q"]}' } },
  },
  {
    name: 'testDataFromJSONWithProperty',
    remote: { 'json/extract-property': { value: NESTED } },
    spec: { dataFrom: [{ extract: { key: 'json/extract-property', property: 'nested' } }] },
    expected: { data: { a: 'x', b: '{"c":1}', list: '["p","q"]' } },
  },
];

commonSuite('Vault, KV version 2', version2, { dialect: DIALECT, more: OF_VAULT });
commonSuite('Vault, KV version 1', version1, {
  dialect: DIALECT,
  more: OF_VAULT,
  refused: { tags: /by tag operations with kv version v1$/ },
});
