/** The common cases on Vault, both versions of its KV engine, and those of ESO's suite for Vault alone. */
import { createPublicKey } from 'node:crypto';
import { after, before, test } from 'node:test';
import { selfSigned } from '../../providers/testing/self-signed.ts';
import { enableLogins, jwtOf, READER } from '../conformance/vault-logins.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import type { CommonCase, Dialect, RemoteSecret } from './common-cases.ts';
import { Cluster } from './support/cluster.ts';
import { type CommonBackend, commonSuite } from './support/common-suite.ts';
import {
  administer,
  clusterSecretStore,
  enableKubernetesAuth,
  namespace,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

const WHERE = 'common';
/** Vault holds objects only: a text is a member of one. */
const MEMBER = 'value';
const DIALECT: Dialect = {
  text: (key) => ({ key, property: MEMBER }),
  foundText: (text) => JSON.stringify({ [MEMBER]: text }),
};

let bed: Bed;
let cluster: Cluster;
/** Of each method beside the token: its auth block, and what else its block of vault has. */
let methods: Readonly<Record<Method, object>>;

const METHODS = ['appRole', 'cert', 'jwt', 'jwtK8s', 'kubernetes', 'referent', 'mTLS'] as const;
type Method = (typeof METHODS)[number];
const namespaceOf = (method: Method): string => `common-${method.toLowerCase()}`;

before(async () => {
  const client = selfSigned('127.0.0.1');
  bed = await startBed({ openBao: { tls: true, clientCa: client.cert } });
  const { openBao, cp } = bed;
  cluster = new Cluster(cp);
  const trusted = { caBundle: openBao.ca };
  const block = (more: object): object => ({
    provider: vaultProvider(openBao.address, { ...trusted, ...more }),
  });
  await administer(openBao, 'POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
  for (const [where, more] of [
    [WHERE, {}],
    ['common-v1', { path: 'kv1', version: 'v1' }],
  ] as const) {
    await cluster.create(namespace(where));
    await cluster.create(tokenSecret(where, openBao.token));
    await cluster.create(secretStore(where, 'vault', block(more)));
  }

  const logins = await enableLogins(openBao, client);
  const account = { serviceAccount: 'app', namespace: namespaceOf('kubernetes'), audience: 'vault' };
  await enableKubernetesAuth(bed, cluster, [{ name: 'app', ...account }]);
  await administer(openBao, 'PUT', 'sys/policies/acl/reader', { policy: READER });
  await trustServiceAccounts();
  methods = {
    appRole: { auth: { appRole: { roleId: logins.roleId, secretRef: { name: 'login', key: 'secret-id' } } } },
    cert: {
      auth: {
        cert: { clientCert: { name: 'login', key: 'tls.crt' }, secretRef: { name: 'login', key: 'tls.key' } },
      },
    },
    jwt: { auth: { jwt: { role: 'app', secretRef: { name: 'login', key: 'jwt' } } } },
    jwtK8s: {
      auth: {
        jwt: {
          path: 'service-accounts',
          role: 'app',
          kubernetesServiceAccountToken: { serviceAccountRef: { name: 'app' } },
        },
      },
    },
    kubernetes: {
      auth: { kubernetes: { role: 'app', serviceAccountRef: { name: 'app', audiences: ['vault'] } } },
    },
    referent: {},
    mTLS: {
      server: openBao.mutualAddress,
      caBundle: openBao.mutualCa,
      tls: { certSecretRef: { name: 'login' }, keySecretRef: { name: 'login' } },
    },
  };
  for (const method of METHODS) {
    const where = namespaceOf(method);
    await cluster.create(namespace(where));
    await cluster.create(tokenSecret(where, openBao.token));
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'app', namespace: where },
    });
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login', namespace: where },
      stringData: {
        'secret-id': await logins.secretId(),
        jwt: jwtOf(logins.issuer, 'vault'),
        'tls.crt': client.cert,
        'tls.key': client.key,
      },
    });
    const spec = block(methods[method]);
    await cluster.create(
      method === 'referent' ? clusterSecretStore(method, spec) : secretStore(where, 'vault', spec),
    );
  }
});
after(() => bed.stop());

/** Mounts auth/service-accounts, which knows the keys of the API server without asking it. */
async function trustServiceAccounts(): Promise<void> {
  const { openBao, cp } = bed;
  const { body } = await cp.request<{ keys: { readonly kty: string }[] }>('GET', '/openid/v1/jwks');
  const keys = body.keys.map((key) =>
    createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
  );
  await administer(openBao, 'POST', 'sys/auth/service-accounts', { type: 'jwt' });
  await administer(openBao, 'POST', 'auth/service-accounts/config', { jwt_validation_pubkeys: keys });
  await administer(openBao, 'POST', 'auth/service-accounts/role/app', {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: ['vault'],
    bound_subject: `system:serviceaccount:${namespaceOf('jwtK8s')}:app`,
    token_policies: ['reader'],
  });
}

const objectOf = ({ value }: RemoteSecret): object =>
  typeof value === 'string' ? { [MEMBER]: value } : value;

/** @param where namespace of the objects; its store is SecretStore `vault` unless another one is named */
const version2 = (
  where: string,
  store: Awaited<ReturnType<CommonBackend['prepare']>> = 'vault',
): CommonBackend => ({
  cluster,
  where,
  prepare: async (_name, remote) => {
    for (const [key, secret] of Object.entries(remote)) {
      await administer(bed.openBao, 'POST', `secret/data/${key}`, { data: objectOf(secret) });
      if (secret.tags !== undefined)
        await administer(bed.openBao, 'POST', `secret/metadata/${key}`, { custom_metadata: secret.tags });
    }
    return store;
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

commonSuite('Vault, KV version 2', () => version2(WHERE), { dialect: DIALECT, more: OF_VAULT });
commonSuite('Vault, KV version 1', version1, {
  dialect: DIALECT,
  more: OF_VAULT,
  refused: { tags: /by tag operations with kv version v1$/ },
});

/** A login decides who may ask, never what is made of the answer: each kind of request once, and a deletion. */
const OF_EACH_METHOD = [
  'SimpleDataSync',
  'JSONDataWithProperty',
  'JSONDataFromSync',
  'FindByNameWithPath',
  'FindByTagWithPath',
  'DeletionPolicyDelete',
];

for (const method of METHODS) {
  const store = method === 'referent' ? { kind: 'ClusterSecretStore' as const, name: method } : undefined;
  const only = OF_EACH_METHOD;
  commonSuite(`Vault with ${method}`, () => version2(namespaceOf(method), store), { dialect: DIALECT, only });
}

test('vault: testInvalidMtlsStore: a server that asks for a certificate, and a store without one', async () => {
  const where = namespaceOf('mTLS');
  const { mutualAddress: server, mutualCa: caBundle } = bed.openBao;
  const provider = vaultProvider(server, { caBundle });
  await cluster.create(secretStore(where, 'without', { provider }));
  await eventually(
    async () => (await cluster.ready('SecretStore', where, 'without'))?.reason === 'InvalidProviderConfig',
    { timeout: 10_000 },
  );
});
