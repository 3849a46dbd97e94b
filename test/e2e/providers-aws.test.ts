import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { ANNOTATION_AWS_ENDPOINT, ANNOTATION_AWS_STS_ENDPOINT } from '../../api/external-secrets/names.ts';
import { forgetAwsSessions } from '../../providers/aws/access.ts';
import { awsConfigSchema } from '../../providers/aws/config.ts';
import { takeAwsEnvironment } from '../../providers/aws/environment.ts';
import { awsProvider } from '../../providers/aws/provider.ts';
import type {
  Connection,
  FindRequest,
  ProviderError,
  ServerGuard,
  StoreContext,
} from '../../providers/contract.ts';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { annotationProblems, providerOf, providers } from '../../providers/registry.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { providerConformance } from '../conformance/provider-kit.ts';
import { type Aws, type Emulator, startAws } from '../harness/aws.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';

const REGION = 'us-west-2';
const store: StoreContext = {
  kind: 'SecretStore',
  name: 'aws',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};
const block = (more: object = {}): Record<string, unknown> => ({
  service: 'SecretsManager',
  region: REGION,
  auth: {
    secretRef: {
      accessKeyIDSecretRef: { name: 'aws', key: 'id' },
      secretAccessKeySecretRef: { name: 'aws', key: 'secret' },
    },
  },
  ...more,
});

after(() => takeAwsEnvironment({ ambient: false }, {}));

const tagList = (tags: Readonly<Record<string, string>>) =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** What the two services have in common. */
async function fixtureOn(emulator: Emulator, service: string, keyOf: (name: string) => string) {
  configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
  const aws = await startAws({ emulator });
  takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL: aws.endpoint });
  const cluster = new MemoryCluster().set('Secret', 'team/aws', {
    id: 'conformance-key-id',
    secret: 'conformance-secret-key\n',
  });
  const provider = providers.get('aws');
  if (provider === undefined) throw new Error('provider aws is not registered');
  const fixture = {
    provider,
    store,
    ports: cluster.ports,
    label: `aws ${service}`,
    traits: {
      find: ['name', 'tags', 'path'] as const,
      metadata: { team: 'team' },
    },
    keyOf,
    refused: [
      { block: block({ service: 'CertificateManager' }), path: ['service'] },
      { block: block({ region: 'atlantis' }), path: ['region'] },
      { block: block({ role: 'admin' }), path: ['role'] },
      { block: block({ auth: undefined }), path: ['auth'] },
      {
        block: block({ auth: { serviceAccount: { name: 'x', namespace: 'other' } } }),
        path: ['auth', 'serviceAccount', 'namespace'],
      },
    ],
    missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND' as const,
    hang: () => {
      aws.pause();
      return () => aws.resume();
    },
    // A store cannot name a CA: AWS has those of the system.
    at: (url: string, ca: string | undefined) => {
      if (ca !== undefined) return undefined;
      takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL: url });
      return block({ service });
    },
    sentinels: ['conformance-secret-key', 'conformance-key-id'],
    close: () => aws.stop(),
  };
  return { aws, fixture };
}

providerConformance('aws', async () => {
  const { aws, fixture } = await fixtureOn('ministack', 'SecretsManager', (name) => name);
  return {
    ...fixture,
    async prepare(secrets) {
      for (const [key, text] of Object.entries(secrets)) await aws.put(REGION, key, text);
      return block();
    },
    async prepareBytes(bytes) {
      await aws.put(REGION, 'no-text', bytes);
      return { key: 'no-text' };
    },
    async tag(key, tags) {
      await aws.call('TagResource', { SecretId: key, Tags: tagList(tags) }, REGION);
    },
  };
});

// MiniStack does not look at tags of parameters.
providerConformance('aws', async () => {
  const { aws, fixture } = await fixtureOn('moto', 'ParameterStore', (name) => `/${name}`);
  return {
    ...fixture,
    async prepare(secrets) {
      for (const [key, text] of Object.entries(secrets)) await aws.putParameter(REGION, key, text);
      return block({ service: 'ParameterStore' });
    },
    async tag(key, tags) {
      const parameter = { ResourceType: 'Parameter', ResourceId: key };
      await aws.ssm('AddTagsToResource', { ...parameter, Tags: tagList(tags) }, REGION);
    },
  };
});

describe('aws on a stand-in', () => {
  let aws: Aws;
  let cluster: MemoryCluster;

  before(async () => {
    configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
    aws = await startAws();
    takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL: aws.endpoint });
  });
  beforeEach(() => {
    cluster = new MemoryCluster().set('Secret', 'team/aws', { id: 'AKIATESTTESTTEST', secret: 'one' });
    cluster.objects.set('Annotations team/app', { 'eks.amazonaws.com/role-arn': role('app') });
    cluster.objects.set('ServiceAccount team/app', { token: jwt('app') });
  });
  afterEach(() => {
    aws.proxy.fault = undefined;
    forgetAwsSessions();
    takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL: aws.endpoint });
  });
  after(async () => {
    await closeOutbound();
    await aws.stop();
  });

  const role = (name: string): string => `arn:aws:iam::000000000000:role/${name}`;
  const jwt = (sub: string): string =>
    ['{}', JSON.stringify({ sub }), 'x'].map((part) => Buffer.from(part).toString('base64url')).join('.');
  const soon = (): AbortSignal => AbortSignal.timeout(10_000);
  const connect = (more: object = {}, used: StoreContext = store): Promise<Connection> =>
    awsProvider.connect(awsConfigSchema.parse(block(more)), used, cluster.ports, soon());
  const read = async (key: string, ref: object = {}, more: object = {}): Promise<string> =>
    (await (await connect(more)).read({ key, ...ref }, soon())).get(undefined).revealText();
  /** The calls since `from`, by name. */
  const since = (from: number): string[] => aws.proxy.calls.slice(from).map(({ action }) => action);
  const irsa = { auth: { jwt: { serviceAccountRef: { name: 'app' } } } };

  describe('what a reference means', () => {
    test('9.4 GetSecret: versions by stage and by id', async () => {
      const { versionId } = await aws.put(REGION, 'versions', 'one');
      await aws.put(REGION, 'versions', 'two');
      assert.equal(await read('versions'), 'two');
      assert.equal(await read('versions', { version: 'AWSPREVIOUS' }), 'one');
      assert.equal(await read('versions', { version: `uuid/${versionId}` }), 'one');
      await assert.rejects(read('versions', { version: 'NOSUCHSTAGE' }), { code: 'PROVIDER_NOT_FOUND' });
      assert.equal(
        aws.proxy.calls.find(({ parameters }) => parameters['SecretId'] === 'versions')?.parameters[
          'VersionStage'
        ],
        'AWSCURRENT',
      );
    });

    test('9.4 GetSecret: an ARN, a prefix, bytes that are no text, and the tags', async () => {
      const { arn } = await aws.put(REGION, 'team/named', 'by name');
      assert.equal(await read(arn), 'by name');
      assert.equal(await read('named', {}, { prefix: 'team/' }), 'by name');
      const bytes = Buffer.from([0, 255, 1, 128]);
      await aws.put(REGION, 'bytes', bytes);
      const object = await (await connect()).read({ key: 'bytes' }, soon());
      assert.deepEqual(object.get(undefined).revealBytes(), bytes);
      assert.throws(() => object.getMap(undefined), { code: 'PROVIDER_INVALID_RESPONSE' });
      const tags = [{ Key: 'owner', Value: 'a.team' }];
      await aws.call('TagResource', { SecretId: 'team/named', Tags: tags }, REGION);
      assert.equal(await read('team/named', { metadata: true }), '{"owner":"a.team"}');
    });

    test('a secret without a value is never an empty one', async () => {
      await aws.call('CreateSecret', { Name: 'no-value' }, REGION);
      await assert.rejects(read('no-value'), { code: 'PROVIDER_INVALID_RESPONSE' });
    });
  });

  describe('find', () => {
    const find = async (request: FindRequest, more: object = {}) =>
      (await (await connect(more)).find(request, soon())).map(({ key, canonicalKey, object }) => [
        key,
        canonicalKey,
        object.get(undefined).revealText(),
      ]);
    before(async () => {
      for (const [name, tags] of [
        ['find/one', { team: 'a', env: 'prod' }],
        ['find/two', { team: 'a' }],
        ['find-other', { team: 'b' }],
      ] as const) {
        await aws.put(REGION, name, `value of ${name}`);
        const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
        await aws.call('TagResource', { SecretId: name, Tags }, REGION);
      }
      for (let i = 0; i < 120; i++) await aws.put(REGION, `page/${i}`, String(i));
      await aws.call('CreateSecret', { Name: 'find/none' }, REGION);
    });

    test('9.4 GetAllSecrets by name: a list, then a read for each match', async () => {
      const calls = aws.proxy.calls.length;
      assert.deepEqual(await find({ nameRegexp: '^find/' }), [
        ['find/one', `${REGION}/find/one`, 'value of find/one'],
        ['find/two', `${REGION}/find/two`, 'value of find/two'],
      ]);
      const asked = since(calls).filter((action) => action !== 'ListSecrets');
      assert.deepEqual(asked, ['GetSecretValue', 'GetSecretValue', 'GetSecretValue']);
    });

    test('9.4 GetAllSecrets by path and by tags', async () => {
      const keys = async (request: FindRequest, more: object = {}): Promise<unknown[]> =>
        (await find(request, more)).map(([key]) => key);
      assert.deepEqual(await keys({ path: 'find/', nameRegexp: 'o$' }), ['find/two']);
      assert.deepEqual(await keys({ tags: { team: 'a' } }), ['find/one', 'find/two']);
      assert.deepEqual(await keys({ tags: { team: 'a', env: 'prod' } }), ['find/one']);
      assert.deepEqual(await keys({ tags: { team: 'b' }, path: 'find' }), ['find-other']);
      assert.deepEqual(await keys({ tags: { team: 'a' }, nameRegexp: 'one' }), ['find/one']);
      assert.deepEqual(await keys({ nameRegexp: 'o' }, { prefix: 'find/' }), ['find/one', 'find/two']);
    });

    test('9.4 GetAllSecrets: all pages of the list', async () => {
      assert.equal((await find({ nameRegexp: '^page/' })).length, 120);
    });
  });

  describe('several secrets with one request', () => {
    let arn: string;

    before(async () => {
      await aws.put(REGION, 'many/text', '{"a":"1"}');
      await aws.put(REGION, 'many/bytes', new Uint8Array([0, 255, 1]));
      ({ arn } = await aws.put(REGION, 'many/arn', 'by its ARN'));
      await aws.put(REGION, 'many/deleted', 'x');
      await aws.call('DeleteSecret', { SecretId: 'many/deleted', RecoveryWindowInDays: 7 }, REGION);
      await aws.call('CreateSecret', { Name: 'many/none' }, REGION);
    });
    const batchOf = async (keys: readonly string[], more: object = {}) =>
      (await connect(more)).readMany?.(
        keys.map((key) => ({ key })),
        soon(),
      );

    test('each is what a read of it alone is: value, bytes, absence and all', async () => {
      const keys = ['many/text', 'many/bytes', 'many/deleted', 'many/absent', 'many/none'];
      const connection = await connect();
      const from = aws.proxy.calls.length;
      const all = (await batchOf(keys)) ?? [];
      assert.deepEqual(since(from), ['BatchGetSecretValue']);
      assert.equal(all.length, keys.length);
      for (const [index, key] of keys.entries()) {
        const one = all[index];
        const alone = await connection
          .read({ key }, soon())
          .catch((error: unknown) => error as ProviderError);
        if (alone instanceof Error) {
          // What the answer is silent about is read alone.
          const { code, message } = (one ?? alone) as ProviderError;
          assert.deepEqual([code, message], [alone.code, alone.message]);
        } else {
          assert.ok(one !== undefined && !(one instanceof Error), key);
          assert.deepEqual(one.get(undefined).revealBytes(), alone.get(undefined).revealBytes());
        }
      }
      const [text, , deleted, absent] = all;
      assert.ok(text !== undefined && !(text instanceof Error));
      assert.equal(text.get('a').revealText(), '1');
      assert.throws(() => text.get('b'), { code: 'PROVIDER_PROPERTY_NOT_FOUND', message: /many\/text/ });
      for (const gone of [deleted, absent]) {
        assert.ok(gone instanceof Error);
        assert.equal(gone.code, 'PROVIDER_NOT_FOUND');
      }
    });

    test('by ARN, and behind the prefix of the store', async () => {
      const [byArn] = (await batchOf([arn, 'many/text'])) ?? [];
      assert.ok(byArn !== undefined && !(byArn instanceof Error));
      assert.equal(byArn.get(undefined).revealText(), 'by its ARN');
      const [behind] = (await batchOf(['arn', 'text'], { prefix: 'many/' })) ?? [];
      assert.ok(behind !== undefined && !(behind instanceof Error));
      assert.equal(behind.get(undefined).revealText(), 'by its ARN');
    });

    test('no version and no tags can be had so', () => {
      const accepts = (ref: object): boolean =>
        awsProvider.batch?.(awsConfigSchema.parse(block()))?.accepts({ key: 'k', ...ref }) === true;
      assert.deepEqual([{}, { version: 'AWSPREVIOUS' }, { metadata: true }].map(accepts), [
        true,
        false,
        false,
      ]);
    });

    test('where the action is denied or not known it cannot be; throttled or failing, it fails', async () => {
      const answered = (code: string, status = 400) => {
        aws.proxy.fault = () => ({ kind: 'error', code, status, retryAfterSeconds: 3 });
        return batchOf(['many/text', 'many/arn']);
      };
      assert.equal(await answered('AccessDeniedException'), undefined);
      assert.equal(await answered('UnknownOperationException'), undefined);
      await assert.rejects(answered('ThrottlingException'), {
        code: 'PROVIDER_THROTTLED',
        retryAfterMs: 3_000,
      });
      await assert.rejects(answered('ServiceUnavailable', 503), {
        code: 'PROVIDER_UNREACHABLE',
        retryAfterMs: 3_000,
      });
      await assert.rejects(answered('ValidationException'), { code: 'PROVIDER_INVALID_CONFIG' });
    });
  });

  describe('credentials', () => {
    test('a ServiceAccount: one token and one exchange for all who come together, then none', async () => {
      await aws.put(REGION, 'shared', 'x');
      const from = aws.proxy.calls.length;
      assert.deepEqual(
        new Set(await Promise.all(Array.from({ length: 20 }, () => read('shared', {}, irsa)))),
        new Set(['x']),
      );
      assert.equal(await read('shared', {}, irsa), 'x');
      const exchanges = aws.proxy.calls
        .slice(from)
        .filter(({ action }) => action === 'AssumeRoleWithWebIdentity');
      assert.equal(exchanges.length, 1);
      assert.equal(exchanges[0]?.claims?.['sub'], 'app');
      assert.equal(exchanges[0]?.parameters['RoleArn'], role('app'));
      assert.equal(exchanges[0]?.accessKeyId, undefined, 'the exchange is not signed');
      assert.deepEqual(
        cluster.asked.filter((one) => one.startsWith('token')),
        ['token team/app sts.amazonaws.com 600'],
      );
      const reads = aws.proxy.calls.slice(from).filter(({ action }) => action === 'GetSecretValue');
      assert.ok(reads.every(({ hasSessionToken, region }) => hasSessionToken && region === REGION));
    });

    test('audiences: the one of the annotation, and those of the store besides', async () => {
      cluster.objects.set('Annotations team/app', {
        'eks.amazonaws.com/role-arn': role('app'),
        'eks.amazonaws.com/audience': 'own',
      });
      await connect({ auth: { serviceAccount: { name: 'app', audiences: ['more'] } } });
      assert.ok(cluster.asked.includes('token team/app own,more 600'), cluster.asked.join());
    });

    test('roles are assumed one after the other; only the last has id and tags', async () => {
      const from = aws.proxy.calls.length;
      await connect({
        additionalRoles: [role('first'), role('second')],
        role: role('last'),
        externalID: 'outside',
        sessionTags: [{ key: 'team', value: 'a' }],
        transitiveTagKeys: ['team'],
        sessionTagsPolicy: 'Simple',
      });
      const calls = aws.proxy.calls.slice(from).map(({ action, parameters, hasSessionToken }) => ({
        action,
        role: parameters['RoleArn'],
        externalId: parameters['ExternalId'],
        tags: Object.keys(parameters).filter((name) => /^Tags\.member\.\d+\.Key$/.test(name)).length,
        transitive: parameters['TransitiveTagKeys.member.1'],
        hasSessionToken,
      }));
      const plain = { action: 'AssumeRole', externalId: undefined, tags: 0, transitive: undefined };
      assert.deepEqual(calls, [
        { ...plain, role: role('first'), hasSessionToken: false },
        { ...plain, role: role('second'), hasSessionToken: true },
        {
          ...plain,
          role: role('last'),
          externalId: 'outside',
          tags: 4,
          transitive: 'team',
          hasSessionToken: true,
        },
      ]);
    });

    test('a session token of static keys is sent, and new keys in the Secret are used at once', async () => {
      await aws.put(REGION, 'keys', 'x');
      const secretRef = {
        accessKeyIDSecretRef: { name: 'temporary', key: 'id' },
        secretAccessKeySecretRef: { name: 'temporary', key: 'secret' },
        sessionTokenSecretRef: { name: 'temporary', key: 'token' },
      };
      for (const id of ['ASIAFIRSTFIRSTFIRST', 'ASIAOTHEROTHEROTHER']) {
        cluster.set('Secret', 'team/temporary', { id, secret: 's', token: 't' });
        await read('keys', {}, { auth: { secretRef } });
        const last = aws.proxy.calls.at(-1);
        assert.deepEqual([last?.accessKeyId, last?.hasSessionToken], [id, true]);
      }
    });

    test('those of the program are lent to a ClusterSecretStore only, and only if it was told so', async () => {
      const clusterWide = { ...store, kind: 'ClusterSecretStore', namespace: undefined } as const;
      const environment = {
        AWS_ENDPOINT_URL: aws.endpoint,
        AWS_ACCESS_KEY_ID: 'AKIAAMBIENT',
        AWS_SECRET_ACCESS_KEY: 's',
      };
      takeAwsEnvironment({ ambient: true }, { ...environment });
      await assert.rejects(connect({ auth: undefined }), { code: 'PROVIDER_INVALID_CONFIG' });
      await aws.put(REGION, 'ambient', 'x');
      const connection = await connect({ auth: undefined }, clusterWide);
      await connection.read({ key: 'ambient' }, soon());
      assert.equal(aws.proxy.calls.at(-1)?.accessKeyId, 'AKIAAMBIENT');
      takeAwsEnvironment({ ambient: false }, { ...environment });
      await assert.rejects(connect({ auth: undefined }, clusterWide), /--aws-ambient-credentials/);
    });

    test('the projected token of the program is read at each login, and a file that is missing is named', async () => {
      const clusterWide = { ...store, kind: 'ClusterSecretStore', namespace: undefined } as const;
      const file = join(temporaryDirectory('token'), 'token');
      const environment = {
        AWS_ENDPOINT_URL: aws.endpoint,
        AWS_ROLE_ARN: role('program'),
        AWS_WEB_IDENTITY_TOKEN_FILE: file,
      };
      takeAwsEnvironment({ ambient: true }, environment);
      await assert.rejects(connect({ auth: undefined }, clusterWide), /token, cannot be read \(ENOENT\)/);
      writeFileSync(file, `${jwt('program')}\n`);
      await connect({ auth: undefined }, clusterWide);
      const call = aws.proxy.calls.at(-1);
      assert.deepEqual([call?.claims?.['sub'], call?.parameters['RoleArn']], ['program', role('program')]);
    });

    test('a login that one namespace has serves no other whose policies refuse the server', async () => {
      await aws.put(REGION, 'guarded', 'x');
      assert.equal(await read('guarded', {}, irsa), 'x');
      const refusing: ServerGuard = {
        id: 'nothing of AWS',
        needsAddress: false,
        refusesServer: () => 'is not allowed',
        refusesAddress: () => undefined,
      };
      const guarded = { ...store, guard: refusing };
      await assert.rejects(connect(irsa, guarded), { code: 'POLICY_DENIED' });
      const keys = await connect({}, store);
      await keys.read({ key: 'guarded' }, soon());
      const denied = await connect({}, guarded);
      await assert.rejects(denied.read({ key: 'guarded' }, soon()), { code: 'POLICY_DENIED' });
    });

    test('those of EKS Pod Identity: the agent of the node is asked, once for all', async () => {
      const clusterWide = { ...store, kind: 'ClusterSecretStore', namespace: undefined } as const;
      const file = join(temporaryDirectory('token'), 'token');
      writeFileSync(file, 'pod-token\n');
      const asked: (string | undefined)[] = [];
      const agent = createServer((request, response) => {
        asked.push(request.headers.authorization);
        const Expiration = new Date(Date.now() + 3_600_000).toISOString();
        const answer = { AccessKeyId: 'ASIAPOD', SecretAccessKey: 's', Token: 't', Expiration };
        response.end(JSON.stringify(answer));
      });
      await new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve));
      try {
        const { port } = agent.address() as AddressInfo;
        takeAwsEnvironment(
          { ambient: true },
          {
            AWS_ENDPOINT_URL: aws.endpoint,
            AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/v1/credentials`,
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
          },
        );
        await aws.put(REGION, 'pod', 'x');
        for (let i = 0; i < 3; i++) {
          const connection = await connect({ auth: undefined }, clusterWide);
          await connection.read({ key: 'pod' }, soon());
        }
        const last = aws.proxy.calls.at(-1);
        assert.deepEqual([last?.accessKeyId, last?.hasSessionToken], ['ASIAPOD', true]);
        assert.deepEqual(asked, ['pod-token']);
        await assert.rejects(connect({ auth: undefined }), { code: 'PROVIDER_INVALID_CONFIG' });
      } finally {
        agent.closeAllConnections();
        agent.close();
      }
    });

    for (const [code, kind, message] of [
      [
        'AccessDenied',
        'PROVIDER_DENIED',
        /with the token of ServiceAccount team\/app: AccessDenied: Not authorized/,
      ],
      ['InvalidIdentityToken', 'PROVIDER_UNAUTHENTICATED', /token of the ServiceAccount was refused/],
      ['Throttling', 'PROVIDER_THROTTLED', /too many requests/],
    ] as const) {
      test(`the exchange is refused: ${code}`, async () => {
        const text = `Not authorized to perform sts:AssumeRoleWithWebIdentity ${jwt('SENTINEL')}`;
        aws.proxy.fault = () => ({ kind: 'error', code, message: text, status: 403 });
        await assert.rejects(connect(irsa), (error: ProviderError) => {
          assert.equal(error.code, kind);
          assert.match(error.message, /^AWS STS us-west-2: assume role arn:aws:iam::000000000000:role\/app/);
          assert.match(error.message, message);
          assert.doesNotMatch(inspect(error, { depth: 12, showHidden: true }), /eyJ|SENTINEL/);
          return true;
        });
      });
    }
  });

  describe('annotations of the store', () => {
    const of = (annotations: Record<string, string>, more: object = {}) => {
      const choice = providerOf({ aws: block(more) }, annotations);
      assert.ok(choice.ok && choice.provider.name === 'aws');
      return choice;
    };
    const nobody = { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' };

    test('its service and STS are where they say, whatever the environment says', async () => {
      await aws.put(REGION, 'moved', 'x');
      takeAwsEnvironment({ ambient: false }, { ...nobody });
      const annotations = {
        [ANNOTATION_AWS_ENDPOINT]: aws.endpoint,
        [ANNOTATION_AWS_STS_ENDPOINT]: `${aws.endpoint}/`,
      };
      const { provider, config } = of(annotations, irsa);
      const connection = await provider.connect(config, store, cluster.ports, soon());
      assert.equal((await connection.read({ key: 'moved' }, soon())).get(undefined).revealText(), 'x');
      assert.deepEqual(
        provider.servers(config).map(({ origin }) => origin),
        [aws.endpoint, aws.endpoint],
        'policies know it',
      );
      const plain = of({}, irsa);
      assert.notEqual(provider.identity(config, store), provider.identity(plain.config, store));
      await assert.rejects(plain.provider.connect(plain.config, store, cluster.ports, soon()), {
        code: 'PROVIDER_UNREACHABLE',
      });
    });

    test('one that is no server is a problem of the annotation, and metadata is none of them', async () => {
      const problems = (endpoint: string) =>
        annotationProblems({ aws: block() }, { [ANNOTATION_AWS_ENDPOINT]: endpoint }).map(({ path }) => path);
      assert.deepEqual(problems('vpce.example.com'), [['metadata', 'annotations', ANNOTATION_AWS_ENDPOINT]]);
      assert.deepEqual(problems(aws.endpoint), []);
      const { provider, config } = of({ [ANNOTATION_AWS_ENDPOINT]: 'http://169.254.169.254' });
      const connection = await provider.connect(config, store, cluster.ports, soon());
      await assert.rejects(connection.read({ key: 'x' }, soon()), {
        code: 'PROVIDER_INVALID_CONFIG',
        message: /cloud metadata/,
      });
    });
  });

  describe('faults', () => {
    before(() => aws.put(REGION, 'faulty', 'x'));

    test('a connection that is reset once is not seen; twice is', async () => {
      const from = aws.proxy.calls.length;
      let resets = 1;
      aws.proxy.fault = () => (resets-- > 0 ? { kind: 'reset' } : undefined);
      assert.equal(await read('faulty'), 'x');
      assert.deepEqual(since(from), ['GetSecretValue', 'GetSecretValue']);
      resets = 2;
      await assert.rejects(read('faulty'), { code: 'PROVIDER_UNREACHABLE' });
    });

    test('throttling is passed on at once, with what AWS asks for: the engine decides when to come back', async () => {
      const from = aws.proxy.calls.length;
      aws.proxy.fault = () => ({ kind: 'error', code: 'ThrottlingException', retryAfterSeconds: 3 });
      await assert.rejects(read('faulty'), { code: 'PROVIDER_THROTTLED', retryAfterMs: 3_000 });
      assert.deepEqual(since(from), ['GetSecretValue']);
    });

    test('a find fails as a whole: on its list, and on any of its reads', async () => {
      await aws.put(REGION, 'faulty-too', 'y');
      const find = async () => (await connect()).find({ nameRegexp: '^faulty' }, soon());
      for (const failing of ['ListSecrets', 'GetSecretValue']) {
        aws.proxy.fault = ({ action }) =>
          action === failing
            ? { kind: 'error', code: 'ThrottlingException', retryAfterSeconds: 3 }
            : undefined;
        await assert.rejects(find(), { code: 'PROVIDER_THROTTLED', retryAfterMs: 3_000 });
      }
      aws.proxy.fault = undefined;
      assert.equal((await find()).length, 2);
    });

    test('nobody listens, and an address that is never asked', async () => {
      takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' });
      await assert.rejects(read('faulty'), { code: 'PROVIDER_UNREACHABLE', message: /connection refused/ });
      takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL: 'http://169.254.169.254' });
      await assert.rejects(read('faulty'), { code: 'PROVIDER_INVALID_CONFIG', message: /cloud metadata/ });
    });
  });
});
