/** The generators of AWS on a stand-in, and, for the public registry, which none of them has, over the wire. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { GeneratorRefKind } from '../../api/generators/names.ts';
import { forgetAwsSessions } from '../../providers/aws/access.ts';
import { takeAwsEnvironment } from '../../providers/aws/environment.ts';
import type { ServerGuard, StoreContext } from '../../providers/contract.ts';
import { generatorOf } from '../../providers/generators/registry.ts';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { type Aws, startAws } from '../harness/aws.ts';

const REGION = 'eu-west-1';
const KEYS = {
  secretRef: {
    accessKeyIDSecretRef: { name: 'aws', key: 'id' },
    secretAccessKeySecretRef: { name: 'aws', key: 'secret' },
  },
};
const IRSA = { jwt: { serviceAccountRef: { name: 'app' } } };

describe('generators of AWS', () => {
  let aws: Aws;
  let cluster: MemoryCluster;

  before(async () => {
    configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
    aws = await startAws();
  });
  beforeEach(() => {
    forgetAwsSessions();
    aws.proxy.fault = undefined;
    takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL: aws.endpoint });
    cluster = new MemoryCluster().set('Secret', 'team/aws', { id: 'AKIATESTTESTTEST', secret: 'SENTINEL' });
    cluster.objects.set('Annotations team/app', {
      'eks.amazonaws.com/role-arn': 'arn:aws:iam::000000000000:role/app',
    });
    cluster.objects.set('ServiceAccount team/app', { token: 'e30.e30.x' });
  });
  after(async () => {
    takeAwsEnvironment({ ambient: false }, {});
    await closeOutbound();
    await aws.stop();
  });

  async function generate(kind: GeneratorRefKind, spec: object, guard?: ServerGuard) {
    const choice = generatorOf(kind, { region: REGION, ...spec });
    assert.ok(choice.ok, inspect(choice));
    const store: StoreContext = {
      kind: 'SecretStore',
      name: `${kind} team/it`,
      namespace: 'team',
      uid: 'u',
      generation: 1,
      callerNamespace: 'team',
      guard,
    };
    const use = { store, ports: cluster.ports };
    const values = await choice.generator.generate(choice.spec, use, AbortSignal.timeout(10_000));
    return Object.fromEntries([...values].map(([key, value]) => [key, value.revealText()]));
  }
  const since = (from: number) => aws.proxy.calls.slice(from);

  test('ECRAuthorizationToken: a login of the private registry, signed with the keys of the Secret', async () => {
    const from = aws.proxy.calls.length;
    const { username, password, proxy_endpoint, expires_at, ...more } = await generate(
      'ECRAuthorizationToken',
      { auth: KEYS },
    );
    assert.deepEqual([username, more], ['AWS', {}]);
    assert.ok(expires_at);
    assert.ok(password);
    assert.match(proxy_endpoint ?? '', /^https:\/\/\d{12}\.dkr\.ecr\.eu-west-1\.amazonaws\.com$/);
    const left = Number(expires_at) * 1_000 - Date.now();
    assert.ok(left > 11 * 3_600_000 && left < 13 * 3_600_000, expires_at);
    const [call] = since(from);
    assert.deepEqual(
      [call?.action, call?.accessKeyId, call?.region],
      ['GetAuthorizationToken', 'AKIATESTTESTTEST', REGION],
    );
  });

  test('ECRAuthorizationToken: with a ServiceAccount and a role, whose login the next token shares', async () => {
    const from = aws.proxy.calls.length;
    const spec = { auth: IRSA, role: 'arn:aws:iam::000000000000:role/ecr' };
    for (let i = 0; i < 2; i++) await generate('ECRAuthorizationToken', spec);
    assert.deepEqual(
      since(from).map(({ action }) => action),
      ['AssumeRoleWithWebIdentity', 'AssumeRole', 'GetAuthorizationToken', 'GetAuthorizationToken'],
    );
    assert.ok(since(from)[2]?.hasSessionToken);
  });

  test('ECRAuthorizationToken: the public registry is asked in us-east-1, and has no endpoint', async () => {
    const asked: { target: unknown; authorization: string }[] = [];
    const server = createServer((request, response) => {
      const { 'x-amz-target': target, authorization = '' } = request.headers;
      asked.push({ target, authorization });
      const authorizationToken = Buffer.from('AWS:public-password').toString('base64');
      response.end(JSON.stringify({ authorizationData: { authorizationToken, expiresAt: 1_900_000_000.5 } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL_ECR_PUBLIC: `http://127.0.0.1:${port}` });
      assert.deepEqual(await generate('ECRAuthorizationToken', { auth: KEYS, scope: 'public' }), {
        username: 'AWS',
        password: 'public-password',
        expires_at: '1900000000',
      });
      assert.equal(asked[0]?.target, 'SpencerFrontendService.GetAuthorizationToken');
      assert.match(
        asked[0]?.authorization ?? '',
        /^AWS4-HMAC-SHA256 Credential=AKIATESTTESTTEST\/\d{8}\/us-east-1\/ecr-public\/aws4_request, SignedHeaders=[a-z0-9;-]+, Signature=[0-9a-f]{64}$/,
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('signatures are those of AWS: moto checks them', async () => {
    await using checked = await startAws({ emulator: 'moto' });
    const user = await checked.createUser('puller', ['ecr:GetAuthorizationToken', 'sts:GetSessionToken']);
    takeAwsEnvironment({ ambient: false }, { AWS_ENDPOINT_URL: checked.endpoint });
    cluster.set('Secret', 'team/aws', { id: user.accessKeyId, secret: user.secretAccessKey });
    assert.equal((await generate('ECRAuthorizationToken', { auth: KEYS }))['username'], 'AWS');
    cluster.set('Secret', 'team/aws', { id: user.accessKeyId, secret: 'not-the-key' });
    await assert.rejects(generate('ECRAuthorizationToken', { auth: KEYS }), {
      code: 'PROVIDER_UNAUTHENTICATED',
      message: /^AWS ECR eu-west-1: get an authorization token: .*SignatureDoesNotMatch/,
    });
  });

  test('STSSessionToken: credentials of the user, for as long as asked, with the word of an MFA device', async () => {
    const from = aws.proxy.calls.length;
    const requestParameters = {
      sessionDuration: 3_600,
      serialNumber: 'arn:aws:iam::1:mfa/x',
      tokenCode: '123456',
    };
    const { expiration, ...made } = await generate('STSSessionToken', { auth: KEYS, requestParameters });
    assert.deepEqual(Object.keys(made), ['access_key_id', 'secret_access_key', 'session_token']);
    assert.ok(Object.values(made).every((text) => text !== ''));
    assert.match(expiration ?? '', /^\d{10}$/);
    const [call] = since(from);
    assert.equal(call?.action, 'GetSessionToken');
    assert.deepEqual(
      [call?.parameters['DurationSeconds'], call?.parameters['SerialNumber'], call?.parameters['TokenCode']],
      ['3600', 'arn:aws:iam::1:mfa/x', '123456'],
    );
    await generate('STSSessionToken', { auth: KEYS });
    assert.equal(aws.proxy.calls.at(-1)?.parameters['DurationSeconds'], undefined);
  });

  test('what AWS refuses, and what makes no sense, without a credential in the words', async () => {
    for (const [fault, code, message] of [
      [
        { kind: 'error', code: 'AccessDeniedException', message: 'User: arn:x is not authorized' },
        'PROVIDER_DENIED',
        /^AWS ECR eu-west-1: get an authorization token: AccessDenied: User: arn:x/,
      ],
      [
        { kind: 'error', code: 'ThrottlingException', retryAfterSeconds: 3 },
        'PROVIDER_THROTTLED',
        /too many/,
      ],
      [{ kind: 'error', code: 'ServerException', status: 500 }, 'PROVIDER_UNREACHABLE', /status 500/],
      [
        { kind: 'raw', status: 200, body: '{"authorizationData":[]}' },
        'PROVIDER_INVALID_RESPONSE',
        /no token/,
      ],
      [{ kind: 'raw', status: 200, body: 'SENTINEL' }, 'PROVIDER_INVALID_RESPONSE', /not what AWS/],
      [{ kind: 'raw', status: 503, body: 'SENTINEL' }, 'PROVIDER_UNREACHABLE', /not what AWS/],
    ] as const) {
      aws.proxy.fault = () => fault;
      await assert.rejects(generate('ECRAuthorizationToken', { auth: KEYS }), (error: Error) => {
        assert.equal((error as { code?: unknown }).code, code, error.message);
        assert.match(error.message, message);
        assert.doesNotMatch(inspect(error, { depth: 12, showHidden: true }), /SENTINEL/);
        return true;
      });
    }
    cluster.objects.delete('Secret team/aws');
    await assert.rejects(generate('STSSessionToken', { auth: KEYS }), { code: 'REFERENCE_NOT_FOUND' });
  });

  test('another namespace is none of its business, nor a server that policies refuse', async () => {
    const auth = { jwt: { serviceAccountRef: { name: 'app', namespace: 'other' } } };
    await assert.rejects(generate('ECRAuthorizationToken', { auth }), {
      code: 'PROVIDER_INVALID_CONFIG',
      message: /^ECRAuthorizationToken team\/it: spec\.auth\.jwt\.serviceAccountRef\.namespace: /,
    });
    const guard: ServerGuard = {
      id: 'none',
      needsAddress: false,
      refusesServer: () => 'is not allowed',
      refusesAddress: () => undefined,
    };
    for (const kind of ['ECRAuthorizationToken', 'STSSessionToken'] as const) {
      await assert.rejects(generate(kind, { auth: KEYS }, guard), { code: 'POLICY_DENIED' });
    }
  });
});
