/**
 * The common cases on AWS, both services, on stand-ins: all of them with keys in a Secret, and with every other way to
 * get credentials those that show that values, finds and their absence come through (eso.md 9.2).
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ANNOTATION_AWS_ENDPOINT } from '../../api/external-secrets/names.ts';
import { type Aws, startAws } from '../harness/aws.ts';
import type { AwsCall } from '../harness/aws-proxy.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { commonCases, type Dialect, type RemoteSecret } from './common-cases.ts';
import { type AwsBed, fromAws, KEYS_AUTH, prepareAws, startAwsBed } from './support/aws.ts';
import { type CommonBackend, commonSuite, type StoreReference } from './support/common-suite.ts';
import { clusterSecretStore, externalSecret, namespace, secretStore } from './support/vault.ts';

const REGION = 'eu-central-1';
const role = (name: string): string => `arn:aws:iam::000000000000:role/${name}`;
/** What the Pods of the programs would have of IRSA, for ClusterSecretStores. */
const POD_TOKEN = ['{}', '{"sub":"the-pod"}', 'x']
  .map((part) => Buffer.from(part).toString('base64url'))
  .join('.');

let bed: AwsBed;
/**
 * Lists parameters by their tags, which MiniStack does not look at. It holds those with tags only, from the beginning:
 * it fails if it is written to while it lists.
 */
let moto: Aws;

before(async () => {
  const file = join(temporaryDirectory('irsa'), 'token');
  writeFileSync(file, POD_TOKEN);
  const ambient = ['--aws-ambient-credentials'];
  const env = {
    AWS_ACCESS_KEY_ID: '',
    AWS_ROLE_ARN: role('mounted'),
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
  };
  [bed, moto] = await Promise.all([
    startAwsBed({ product: { env, webhookArgs: ambient, pollerArgs: ambient } }),
    startAws({ emulator: 'moto' }),
  ]);
  bed.aws.proxy.route = ({ action }) => (action === 'DescribeParameters' ? moto.endpoint : undefined);
  for (const { remote } of commonCases(PARAMETERS.dialect)) {
    for (const [key, secret] of Object.entries(remote))
      if (secret.tags !== undefined) await moto.putParameter(REGION, `/${key}`, 'x', secret.tags);
  }
  for (const where of ['common', 'parameters']) await bed.cluster.create(namespace(where));
});
after(async () => {
  await bed.stop();
  await moto.stop();
});

interface Service {
  readonly title: string;
  readonly name: 'SecretsManager' | 'ParameterStore';
  /** Namespace of the ExternalSecrets. */
  readonly where: string;
  /** Of its stores: a parameter in a hierarchy begins with a slash. */
  readonly prefix?: string;
  readonly dialect: Dialect;
  put(key: string, secret: RemoteSecret): Promise<void>;
  remove(key: string): Promise<void>;
}

const textOf = ({ value }: RemoteSecret): string =>
  typeof value === 'string' ? value : JSON.stringify(value);
const DIALECT: Dialect = { text: (key) => ({ key }), foundText: (text) => text };

const SECRETS: Service = {
  title: 'AWS Secrets Manager',
  name: 'SecretsManager',
  where: 'common',
  dialect: DIALECT,
  async put(key, secret) {
    await bed.aws.put(REGION, key, textOf(secret));
    if (secret.tags === undefined) return;
    const Tags = Object.entries(secret.tags).map(([Key, Value]) => ({ Key, Value }));
    await bed.aws.call('TagResource', { SecretId: key, Tags }, REGION);
  },
  remove: (key) => bed.aws.remove(REGION, key),
};

const PARAMETERS: Service = {
  title: 'AWS Parameter Store',
  name: 'ParameterStore',
  where: 'parameters',
  prefix: '/',
  dialect: { ...DIALECT, named: (key) => `/${key}` },
  put: (key, secret) => bed.aws.putParameter(REGION, `/${key}`, textOf(secret)),
  remove: async (key) => {
    await bed.aws.ssm('DeleteParameter', { Name: `/${key}` }, REGION);
  },
};

interface Way {
  readonly name: string;
  readonly kind?: 'ClusterSecretStore';
  /** Of the block. */
  readonly block: object;
  /** What the login of the store looks like to AWS. */
  readonly login?: (call: AwsCall, where: string) => boolean;
}

const WAYS: readonly Way[] = [
  { name: 'static', block: { auth: KEYS_AUTH } },
  { name: 'referent static', kind: 'ClusterSecretStore', block: { auth: KEYS_AUTH } },
  {
    name: 'referenced IRSA',
    block: { auth: { jwt: { serviceAccountRef: { name: 'app' } } } },
    login: ({ action, claims, parameters }, where) =>
      action === 'AssumeRoleWithWebIdentity' &&
      claims?.['sub'] === `system:serviceaccount:${where}:app` &&
      parameters['RoleArn'] === role('referenced'),
  },
  {
    name: 'mounted IRSA',
    kind: 'ClusterSecretStore',
    block: {},
    login: ({ action, claims, parameters }) =>
      action === 'AssumeRoleWithWebIdentity' &&
      claims?.['sub'] === 'the-pod' &&
      parameters['RoleArn'] === role('mounted'),
  },
  {
    name: 'external id',
    block: { auth: KEYS_AUTH, role: role('outside'), externalID: 'their-id' },
    login: ({ action, parameters }) =>
      action === 'AssumeRole' &&
      parameters['RoleArn'] === role('outside') &&
      parameters['ExternalId'] === 'their-id',
  },
  {
    name: 'session tags',
    block: {
      auth: KEYS_AUTH,
      role: role('tagged'),
      sessionTagsPolicy: 'Custom',
      customSessionTags: { team: 'a' },
    },
    login: ({ action, parameters }, where) =>
      action === 'AssumeRole' &&
      ['esoNamespace', 'esoStoreName', 'esoStoreKind', 'team'].every((tag) =>
        Object.values(parameters).includes(tag),
      ) &&
      Object.values(parameters).includes(where),
  },
];

/** Enough to show that values, finds and their absence come through. */
const SOME = ['SimpleDataSync', 'JSONDataFromSync', 'FindByName', 'DeletionPolicyDelete'];

for (const service of [SECRETS, PARAMETERS]) {
  for (const way of WAYS) {
    describe(`${service.title} with ${way.name}`, () => {
      const isStatic = way.name === 'static';
      const where = isStatic
        ? service.where
        : `${service.where}-${way.name.replaceAll(' ', '-').toLowerCase()}`;
      const store: StoreReference = { name: where, kind: way.kind ?? 'SecretStore' };

      before(async () => {
        if (!isStatic) await bed.cluster.create(namespace(where));
        await bed.cluster.create({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'aws', namespace: where },
          stringData: { id: 'AKIATESTTESTTEST', secret: 'key' },
        });
        await bed.cluster.create({
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: {
            name: 'app',
            namespace: where,
            annotations: { 'eks.amazonaws.com/role-arn': role('referenced') },
          },
        });
        const { prefix } = service;
        const block = { service: service.name, region: REGION, ...(prefix && { prefix }), ...way.block };
        const spec = { provider: { aws: block } };
        await bed.cluster.create(
          store.kind === 'SecretStore' ? secretStore(where, where, spec) : clusterSecretStore(where, spec),
        );
      });

      const backend = (): CommonBackend => ({
        cluster: bed.cluster,
        where,
        prepare: async (_name, remote) => {
          for (const [key, secret] of Object.entries(remote)) await service.put(key, secret);
          return store;
        },
        remove: async (_name, keys) => {
          for (const key of keys) await service.remove(key);
        },
      });
      commonSuite(`${service.title}, ${way.name}`, backend, {
        dialect: service.dialect,
        ...(isStatic ? {} : { only: SOME }),
      });

      const { login } = way;
      if (login !== undefined) {
        test('the login is the one that the store asks for', () => {
          assert.ok(bed.aws.proxy.calls.some((call) => login(call, where)));
        });
      }
    });
  }
}

test('9.4 caching: several properties of one secret are one call', async () => {
  await bed.aws.put(REGION, 'shared/one', '{"a":"1","b":{"c":"2"},"d.e":"3"}');
  await prepareAws(bed.cluster, 'caching', REGION);
  const entry = (secretKey: string, property: string): object => ({
    secretKey,
    remoteRef: { key: 'shared/one', property },
  });
  const data = [entry('a', 'a'), entry('c', 'b.c'), entry('e', 'd.e')];
  await bed.cluster.create(fromAws('caching', 'shared', { refreshInterval: '1h', data }));
  assert.deepEqual(await bed.cluster.values('caching', 'shared'), { a: '1', c: '2', e: '3' });
  await bed.cluster.synced('caching', 'shared');
  const calls = bed.aws.proxy.calls.filter(
    ({ action, parameters }) => action === 'GetSecretValue' && parameters['SecretId'] === 'shared/one',
  );
  assert.equal(calls.length, 1);
});

test('another endpoint in the annotation of a store is used at once, and one that is none is said', async () => {
  const where = 'moving';
  await prepareAws(bed.cluster, where, REGION);
  await bed.aws.put(REGION, 'moved', 'here');
  await moto.put(REGION, 'moved', 'there');
  const data = [{ secretKey: 'a', remoteRef: { key: 'moved' } }];
  await bed.cluster.create(fromAws(where, 'app', { refreshInterval: '1h', data }));
  await bed.cluster.synced(where, 'app');
  assert.deepEqual(await bed.cluster.values(where, 'app'), { a: 'here' });
  const move = (url: string) =>
    bed.cluster.patch('SecretStore', where, 'aws', {
      metadata: { annotations: { [ANNOTATION_AWS_ENDPOINT]: url } },
    });
  await move(moto.endpoint);
  await bed.cluster.holds(where, 'app', { a: 'there' }, 20_000);
  await move('nowhere');
  await bed.cluster.failing(
    where,
    'app',
    /aws-endpoint.*: must be the http or https URL of a server/,
    20_000,
  );
  assert.deepEqual(await bed.cluster.values(where, 'app'), { a: 'there' });
});

test('VersionedParameter', async () => {
  for (const value of ['first', 'second']) await bed.aws.putParameter(REGION, '/versioned', value);
  const entry = (secretKey: string, version: string): object => ({
    secretKey,
    remoteRef: { key: 'versioned', version },
  });
  const inKey = ['1', '2'].map((version) => ({
    secretKey: `key${version}`,
    remoteRef: { key: `versioned:${version}` },
  }));
  const data = [entry('v1', '1'), entry('v2', '2'), ...inKey];
  await bed.cluster.create(
    externalSecret('parameters', 'versioned', { secretStoreRef: { name: 'parameters' }, data }),
  );
  assert.deepEqual(await bed.cluster.values('parameters', 'versioned'), {
    v1: 'first',
    v2: 'second',
    key1: 'first',
    key2: 'second',
  });
  await bed.cluster.synced('parameters', 'versioned');
});

test('generators: what pulls images is there when the create returns, by the credentials of the namespace or of the programs', async () => {
  const group = 'generators.external-secrets.io/v1alpha1';
  const kind = 'ECRAuthorizationToken';
  const metadata = { name: 'registry', namespace: 'common' };
  await bed.cluster.create({ apiVersion: group, kind, metadata, spec: { region: REGION, auth: KEYS_AUTH } });
  await bed.cluster.create({
    apiVersion: group,
    kind: 'ClusterGenerator',
    metadata: { name: 'registry' },
    spec: { kind, generator: { ecrAuthorizationTokenSpec: { region: REGION } } },
  });
  const config =
    '{"auths":{"{{ .proxy_endpoint }}":{"username":"{{ .username }}","password":"{{ .password }}"}}}';
  for (const used of [kind, 'ClusterGenerator']) {
    const name = used.toLowerCase();
    await bed.cluster.create({
      ...externalSecret('common', name, {
        secretStoreRef: undefined,
        data: undefined,
        refreshInterval: '6h',
        dataFrom: [{ sourceRef: { generatorRef: { apiVersion: group, kind: used, name: 'registry' } } }],
        target: {
          template: { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': config } },
        },
      }),
    });
    const text = (await bed.cluster.values('common', name))?.['.dockerconfigjson'] ?? '';
    assert.match(
      text,
      /^\{"auths":\{"https:\/\/\d+\.dkr\.ecr\.eu-central-1\.amazonaws\.com":\{"username":"AWS",/,
    );
    await bed.cluster.synced('common', name);
    // The poller takes over what is in use.
    assert.equal((await bed.cluster.values('common', name))?.['.dockerconfigjson'], text);
  }
  const askers = bed.aws.proxy.calls.flatMap(({ action, accessKeyId }) =>
    action === 'GetAuthorizationToken' ? [accessKeyId] : [],
  );
  assert.equal(askers[0], 'AKIATESTTESTTEST');
  assert.ok(askers.length >= 2 && askers.at(-1) !== askers[0]);
});

test('SimpleSyncWithNamespaceTags: the tags of a ClusterSecretStore name who is served', async () => {
  const block = {
    service: 'SecretsManager',
    region: REGION,
    auth: { secretRef: KEYS_AUTH.secretRef },
    role: role('by-namespace'),
    sessionTagsPolicy: 'Simple',
  };
  await bed.cluster.create(clusterSecretStore('by-namespace', { provider: { aws: block } }));
  await bed.aws.put(REGION, 'by-namespace', '{"a":"1"}');
  for (const where of ['common', 'caching']) {
    await bed.cluster.create(
      externalSecret(where, 'by-namespace', {
        secretStoreRef: { name: 'by-namespace', kind: 'ClusterSecretStore' },
        data: [{ secretKey: 'a', remoteRef: { key: 'by-namespace', property: 'a' } }],
      }),
    );
    assert.deepEqual(await bed.cluster.values(where, 'by-namespace'), { a: '1' });
    const tags = bed.aws.proxy.calls
      .filter(({ parameters }) => parameters['RoleArn'] === role('by-namespace'))
      .map(({ parameters }) => Object.values(parameters));
    assert.ok(tags.some((values) => values.includes(where) && values.includes('ClusterSecretStore')));
  }
});
