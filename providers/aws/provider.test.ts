import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatFieldPath } from '../../api/problem.ts';
import type { ServerGuard, StoreContext } from '../contract.ts';
import { MemoryCluster } from '../testing/cluster.ts';
import { type AwsConfig, awsConfigSchema } from './config.ts';
import { sessionTagsOf } from './login.ts';
import { awsProvider } from './provider.ts';

const account = { name: 'sa' };
const ROLE = 'arn:aws:iam::111122223333:role/r';
const parse = (more: object = {}): AwsConfig =>
  awsConfigSchema.parse({
    service: 'SecretsManager',
    region: 'us-west-2',
    auth: { jwt: { serviceAccountRef: account } },
    ...more,
  });
const namespaced: StoreContext = {
  kind: 'SecretStore',
  name: 's',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};
const clusterWide = (callerNamespace: string | undefined): StoreContext => ({
  ...namespaced,
  kind: 'ClusterSecretStore',
  namespace: undefined,
  callerNamespace,
});
const KEYS = {
  secretRef: {
    accessKeyIDSecretRef: { name: 'a', key: 'id' },
    secretAccessKeySecretRef: { name: 'a', key: 'secret', namespace: 'central' },
  },
};

test('the name of a remote object: region and name, or its ARN', () => {
  const arn = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:app-AbCdEf';
  assert.equal(awsProvider.canonicalKey(parse(), { key: 'prod/db' }), 'us-west-2/prod/db');
  assert.equal(awsProvider.canonicalKey(parse({ prefix: 'prod/' }), { key: 'db' }), 'us-west-2/prod/db');
  assert.equal(awsProvider.canonicalKey(parse(), { key: arn }), arn);
});

describe('identity', () => {
  const identity = (more: object = {}, store = namespaced): string =>
    awsProvider.identity(parse(more), store);

  test('differs with whatever decides about the credentials', () => {
    const different = [
      {},
      { region: 'us-east-1' },
      { role: ROLE },
      { additionalRoles: [ROLE] },
      { role: ROLE, externalID: 'SENTINEL' },
      { role: ROLE, sessionTags: [{ key: 'k', value: 'v' }] },
      { role: ROLE, transitiveTagKeys: ['k'] },
      { role: ROLE, sessionTagsPolicy: 'Simple' },
      { prefix: 'p' },
      { auth: KEYS },
      { auth: { jwt: { serviceAccountRef: { ...account, audiences: ['x'] } } } },
    ].map((more) => identity(more));
    assert.equal(new Set(different).size, different.length);
    assert.doesNotMatch(different.join(), /SENTINEL/);
  });

  test('two stores of one namespace that say the same share it; so do both spellings', () => {
    assert.equal(identity({}, { ...namespaced, name: 'other', uid: 'v' }), identity());
    assert.notEqual(identity({}, { ...namespaced, namespace: 'b', callerNamespace: 'b' }), identity());
    const simple = { role: ROLE, sessionTagsPolicy: 'Simple' };
    assert.notEqual(identity(simple, { ...namespaced, name: 'other' }), identity(simple));
  });

  test('of a ClusterSecretStore it depends on the caller where a reference names no namespace', () => {
    assert.notEqual(identity({}, clusterWide('a')), identity({}, clusterWide('b')));
    const named = { auth: { serviceAccount: { ...account, namespace: 'central' } } };
    assert.equal(identity(named, clusterWide('a')), identity(named, clusterWide('b')));
  });
});

test('dependencies, and whether the store can be checked by itself', () => {
  const dependencies = (more: object, store: StoreContext) =>
    awsProvider
      .dependencies(parse(more), store)
      .map(({ kind, namespace, name, key, path }) => [kind, namespace, name, key, formatFieldPath(path)]);
  assert.deepEqual(dependencies({}, namespaced), [
    ['ServiceAccount', 'team', 'sa', undefined, 'auth.jwt.serviceAccountRef'],
  ]);
  assert.deepEqual(dependencies({ auth: KEYS }, clusterWide('a')), [
    ['Secret', 'a', 'a', 'id', 'auth.secretRef.accessKeyIDSecretRef'],
    ['Secret', 'central', 'a', 'secret', 'auth.secretRef.secretAccessKeySecretRef'],
  ]);
  const can = (more: object, store: StoreContext) => awsProvider.canValidate(parse(more), store);
  assert.equal(can({}, namespaced), true);
  assert.equal(can({}, clusterWide(undefined)), false);
  assert.equal(can({ auth: undefined }, clusterWide(undefined)), true);
  const tagged = { auth: undefined, role: ROLE, sessionTagsPolicy: 'Simple' };
  assert.equal(can(tagged, clusterWide(undefined)), false);
});

test('session tags by policy', () => {
  const tags = (more: object, store: StoreContext = clusterWide('app')) =>
    Object.fromEntries(sessionTagsOf(parse(more), store).map(({ Key, Value }) => [Key, Value]));
  const own = { sessionTags: [{ key: 'team', value: 'a' }], customSessionTags: { cost: '1' } };
  const simple = { esoNamespace: 'app', esoStoreName: 's', esoStoreKind: 'ClusterSecretStore' };
  assert.deepEqual(tags(own), { team: 'a' });
  assert.deepEqual(tags({ ...own, sessionTagsPolicy: 'Simple' }), { team: 'a', ...simple });
  assert.deepEqual(tags({ ...own, sessionTagsPolicy: 'Custom' }), { team: 'a', cost: '1', ...simple });
});

describe('what stops a connection before AWS is asked', () => {
  const connect = (more: object, cluster = new MemoryCluster(), store = namespaced) =>
    awsProvider.connect(parse(more), store, cluster.ports, new AbortController().signal);

  test('a ServiceAccount that is not there, or names no role', async () => {
    await assert.rejects(connect({}), /ServiceAccount team\/sa not found/);
    const cluster = new MemoryCluster();
    cluster.objects.set('Annotations team/sa', {});
    await assert.rejects(connect({}, cluster), {
      code: 'PROVIDER_INVALID_CONFIG',
      message:
        'ServiceAccount team/sa has no annotation eks.amazonaws.com/role-arn; it names the IAM role to assume',
    });
  });

  test('keys that cannot be ones', async () => {
    const auth = { secretRef: { ...KEYS.secretRef, secretAccessKeySecretRef: { name: 'a', key: 'secret' } } };
    for (const [secret, fault] of [
      [' \n', /key secret of Secret team\/a is empty/],
      ['SENTINEL\nSENTINEL', /key secret of Secret team\/a holds characters/],
    ] as const) {
      const cluster = new MemoryCluster().set('Secret', 'team/a', { id: 'AKIA', secret });
      await assert.rejects(connect({ auth }, cluster), (error: Error) => {
        assert.match(error.message, fault);
        assert.doesNotMatch(error.message, /SENTINEL/);
        return true;
      });
    }
  });

  test('no credentials, and none to lend', async () => {
    await assert.rejects(connect({ auth: undefined }), /aws\.auth: a SecretStore brings its own credentials/);
    await assert.rejects(
      connect({ auth: undefined }, new MemoryCluster(), clusterWide('a')),
      /start it with --aws-ambient-credentials/,
    );
  });

  test('a block that no webhook has seen', async () => {
    await assert.rejects(connect({ region: 'evil.example.com/' }), /aws\.region: region not found/);
  });
});

test('the servers of a region, STS only where credentials come from it', () => {
  const servers = (more: object): string[] => awsProvider.servers(parse(more)).map(({ origin }) => origin);
  const manager = 'https://secretsmanager.us-west-2.amazonaws.com';
  const sts = 'https://sts.us-west-2.amazonaws.com';
  assert.deepEqual(servers({}), [manager, sts]);
  assert.deepEqual(servers({ auth: KEYS }), [manager]);
  assert.deepEqual(servers({ auth: KEYS, role: ROLE }), [manager, sts]);
  assert.deepEqual(servers({ auth: KEYS, additionalRoles: [ROLE] }), [manager, sts]);
  assert.deepEqual(servers({ auth: undefined }), [manager]);
  assert.deepEqual(servers({ auth: KEYS, region: 'cn-north-1' }), [
    'https://secretsmanager.cn-north-1.amazonaws.com.cn',
  ]);
});

test('what policies say about servers holds for logins and reads', async () => {
  const asked: string[] = [];
  const guard: ServerGuard = {
    id: 'g',
    needsAddress: false,
    refusesServer: ({ origin }) => {
      asked.push(origin);
      return 'is not allowed here';
    },
    refusesAddress: () => undefined,
  };
  const cluster = new MemoryCluster().set('Secret', 'team/a', { id: 'AKIA', secret: 'SENTINEL' });
  cluster.objects.set('Annotations team/sa', { 'eks.amazonaws.com/role-arn': ROLE });
  cluster.objects.set('ServiceAccount team/sa', { token: 'jwt' });
  const never = new AbortController().signal;
  const connect = (more: object) =>
    awsProvider.connect(parse(more), { ...namespaced, guard }, cluster.ports, never);
  const denied = { code: 'POLICY_DENIED', message: /the server is not allowed here$/ };
  await assert.rejects(connect({}), denied);
  const keys = { name: 'a', key: 'id' };
  const auth = {
    secretRef: { accessKeyIDSecretRef: keys, secretAccessKeySecretRef: { name: 'a', key: 'secret' } },
  };
  const connection = await connect({ auth });
  await assert.rejects(connection.read({ key: 'k' }, never), denied);
  assert.deepEqual(asked, [
    'https://sts.us-west-2.amazonaws.com',
    'https://secretsmanager.us-west-2.amazonaws.com',
  ]);
});
