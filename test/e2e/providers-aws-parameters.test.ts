/** The Parameter Store of AWS on stand-ins: what a reference means, what is asked, and what goes wrong. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { forgetAwsSessions } from '../../providers/aws/access.ts';
import { awsConfigSchema } from '../../providers/aws/config.ts';
import { takeAwsEnvironment } from '../../providers/aws/environment.ts';
import { awsProvider } from '../../providers/aws/provider.ts';
import type { Connection, FindRequest, StoreContext } from '../../providers/contract.ts';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { type Aws, startAws } from '../harness/aws.ts';

const REGION = 'us-west-2';
const store: StoreContext = {
  kind: 'SecretStore',
  name: 'aws',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};
const parse = (more: object = {}) =>
  awsConfigSchema.parse({
    service: 'ParameterStore',
    region: REGION,
    auth: {
      secretRef: {
        accessKeyIDSecretRef: { name: 'aws', key: 'id' },
        secretAccessKeySecretRef: { name: 'aws', key: 'secret' },
      },
    },
    ...more,
  });

describe('the Parameter Store on a stand-in', () => {
  const cluster = new MemoryCluster().set('Secret', 'team/aws', { id: 'AKIATESTTESTTEST', secret: 'one' });
  let aws: Aws;

  before(async () => {
    configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
    aws = await startAws({ emulator: 'moto' });
    takeAwsEnvironment({ ambient: false }, { AWS_SSM_ENDPOINT: aws.endpoint });
  });
  afterEach(() => {
    aws.proxy.fault = undefined;
    forgetAwsSessions();
  });
  after(async () => {
    takeAwsEnvironment({ ambient: false }, {});
    await closeOutbound();
    await aws.stop();
  });

  const soon = (): AbortSignal => AbortSignal.timeout(10_000);
  const connect = (more: object = {}): Promise<Connection> =>
    awsProvider.connect(parse(more), store, cluster.ports, soon());
  const read = async (key: string, ref: object = {}, more: object = {}): Promise<string> =>
    (await (await connect(more)).read({ key, ...ref }, soon())).get(undefined).revealText();
  const since = (from: number): string[] => aws.proxy.calls.slice(from).map(({ action }) => action);

  test('the newest version, one by its number or label, behind the key or in it, and an ARN', async () => {
    await aws.putParameter(REGION, '/prod/db', 'one');
    await aws.putParameter(REGION, '/prod/db', 'two');
    const label = { Name: '/prod/db', ParameterVersion: 1, Labels: ['stable'] };
    await aws.ssm('LabelParameterVersion', label, REGION);
    const { Parameter } = await aws.ssm<{ Parameter: { ARN: string } }>(
      'GetParameter',
      { Name: '/prod/db' },
      REGION,
    );
    const from = aws.proxy.calls.length;
    assert.equal(await read('/prod/db'), 'two');
    assert.equal(await read('/prod/db', { version: '1' }), 'one');
    assert.equal(await read('/prod/db', { version: 'stable' }), 'one');
    assert.equal(await read('/prod/db:1'), 'one');
    assert.equal(await read('db', {}, { prefix: '/prod/' }), 'two');
    assert.equal(await read(Parameter.ARN), 'two');
    const calls = aws.proxy.calls.slice(from);
    assert.deepEqual(new Set(calls.map(({ action }) => action)), new Set(['GetParameter']));
    assert.ok(calls.every(({ parameters }) => parameters['WithDecryption'] === true));
    const { version } = await (await connect()).read({ key: '/prod/db' }, soon());
    assert.equal(version, '2', 'for the audit line');
  });

  test('K59 what is not there: only an absent parameter counts as one that is gone', async () => {
    await assert.rejects(read('/no/such'), {
      code: 'PROVIDER_NOT_FOUND',
      message:
        'AWS Parameter Store us-west-2: read /no/such: no such parameter: Parameter /no/such not found.',
    });
    await aws.putParameter(REGION, '/version', 'x');
    await assert.rejects(read('/version', { version: '9' }), {
      code: 'PROVIDER_INVALID_CONFIG',
      message: /no such version/,
    });
    await assert.rejects(read('/version:1', { version: '9' }), { code: 'PROVIDER_INVALID_CONFIG' });
    await assert.rejects(read('/no/such', { metadata: true }), { code: 'PROVIDER_NOT_FOUND' });
  });

  test('tags, as a JSON object', async () => {
    await aws.putParameter(REGION, '/tagged', 'x', { owner: 'a.team' });
    for (const key of ['/tagged', '/tagged:1'])
      assert.equal(await read(key, { metadata: true }), '{"owner":"a.team"}');
    const object = await (await connect()).read({ key: '/tagged', metadata: true }, soon());
    assert.equal(object.get('owner').revealText(), 'a.team');
  });

  test('several with one request: those it does not know are left to a read of each', async () => {
    await aws.putParameter(REGION, '/many/a', '{"k":"1"}');
    await aws.putParameter(REGION, '/many/b', '2');
    const keys = ['/many/a', '/many/absent', '/many/b'].map((key) => ({ key }));
    const connection = await connect();
    const from = aws.proxy.calls.length;
    const [a, absent, b] = (await connection.readMany?.(keys, soon())) ?? [];
    assert.deepEqual(since(from), ['GetParameters']);
    assert.equal(absent, undefined);
    assert.ok(a !== undefined && b !== undefined && !(a instanceof Error) && !(b instanceof Error));
    assert.equal(a.get('k').revealText(), '1');
    assert.equal(b.get(undefined).revealText(), '2');
    const behind = await (await connect({ prefix: '/many/' })).readMany?.([{ key: 'b' }], soon());
    assert.ok(behind?.[0] !== undefined && !(behind[0] instanceof Error));

    const batch = awsProvider.batch?.(parse());
    assert.equal(batch?.size, 10);
    const accepts = (ref: object): boolean | undefined => batch?.accepts({ key: '/k', ...ref });
    assert.deepEqual([{}, { version: '1' }, { metadata: true }, { key: '/k:1' }].map(accepts), [
      true,
      false,
      false,
      false,
    ]);
    aws.proxy.fault = () => ({ kind: 'error', code: 'AccessDeniedException' });
    assert.equal(await connection.readMany?.(keys, soon()), undefined);
    aws.proxy.fault = () => ({ kind: 'error', code: 'ThrottlingException', retryAfterSeconds: 3 });
    await assert.rejects(async () => connection.readMany?.(keys, soon()), {
      code: 'PROVIDER_THROTTLED',
      retryAfterMs: 3_000,
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
      for (let i = 0; i < 25; i++) await aws.putParameter(REGION, `/page/${i}`, String(i));
      await aws.putParameter(REGION, '/find/one', '1', { team: 'a', env: 'prod' });
      await aws.putParameter(REGION, '/find/deep/two', '2', { team: 'a' });
    });

    test('by name: all pages, values and all, in ten a request', async () => {
      const from = aws.proxy.calls.length;
      const found = await find({ nameRegexp: '.', path: '/page' });
      assert.equal(found.length, 25);
      assert.deepEqual(found[3], ['/page/11', `${REGION}/ssm:/page/11`, '11']);
      assert.deepEqual(since(from), ['GetParametersByPath', 'GetParametersByPath', 'GetParametersByPath']);
    });

    test('without the right to that, by a list of names and reads', async () => {
      const from = aws.proxy.calls.length;
      aws.proxy.fault = ({ action }) =>
        action === 'GetParametersByPath' ? { kind: 'error', code: 'AccessDeniedException' } : undefined;
      assert.deepEqual(
        (await find({ nameRegexp: 'two$', path: '/find' })).map(([key]) => key),
        ['/find/deep/two'],
      );
      assert.deepEqual(since(from), ['GetParametersByPath', 'DescribeParameters', 'GetParameter']);
    });

    test('by tags, all of which count, below a path, behind a prefix', async () => {
      const keys = async (request: FindRequest, more: object = {}): Promise<unknown[]> =>
        (await find(request, more)).map(([key]) => key);
      assert.deepEqual(await keys({ tags: { team: 'a' } }), ['/find/deep/two', '/find/one']);
      assert.deepEqual(await keys({ tags: { team: 'a', env: 'prod' } }), ['/find/one']);
      assert.deepEqual(await keys({ tags: { team: 'a' }, path: '/find/deep' }), ['/find/deep/two']);
      assert.deepEqual(await keys({ tags: { team: 'a' } }, { prefix: '/find/o' }), ['/find/one']);
    });
  });

  test('failures have words of their own, without values and credentials', async () => {
    await aws.putParameter(REGION, '/faulty', 'SENTINEL-value');
    for (const [fault, code, message] of [
      [
        {
          kind: 'error',
          code: 'AccessDeniedException',
          message: 'User: arn:x is not authorized: ssm:GetParameter',
        },
        'PROVIDER_DENIED',
        /read \/faulty: AccessDenied: User: arn:x is not authorized/,
      ],
      [
        { kind: 'error', code: 'ThrottlingException', retryAfterSeconds: 2 },
        'PROVIDER_THROTTLED',
        /too many/,
      ],
      [{ kind: 'error', code: 'InternalServerError', status: 500 }, 'PROVIDER_UNREACHABLE', /failed/],
      [{ kind: 'error', code: 'InvalidKeyId' }, 'PROVIDER_DENIED', /KMS key/],
      [
        { kind: 'error', code: 'UnrecognizedClientException' },
        'PROVIDER_UNAUTHENTICATED',
        /UnrecognizedClient/,
      ],
    ] as const) {
      aws.proxy.fault = () => fault;
      await assert.rejects(read('/faulty'), (error: Error) => {
        assert.deepEqual((error as { code?: unknown }).code, code);
        assert.match(error.message, message);
        assert.doesNotMatch(inspect(error, { depth: 12, showHidden: true }), /SENTINEL|AKIATEST/);
        return true;
      });
    }
  });

  test('a secret and a parameter of one name are two things to policies, and stores of the services to each other', () => {
    const secrets = { ...parse(), service: 'SecretsManager' as const };
    assert.equal(awsProvider.canonicalKey(parse(), { key: '/a/b' }), 'us-west-2/ssm:/a/b');
    // Equal keys are one read, so two versions must not have one.
    assert.equal(awsProvider.canonicalKey(parse(), { key: '/a/b:3' }), 'us-west-2/ssm:/a/b:3');
    assert.equal(awsProvider.canonicalKey(secrets, { key: '/a/b' }), 'us-west-2//a/b');
    const arn = 'arn:aws:ssm:us-west-2:111122223333:parameter/a/b';
    assert.equal(awsProvider.canonicalKey(parse(), { key: arn }), arn);
    assert.notEqual(awsProvider.identity(parse(), store), awsProvider.identity(secrets, store));
    assert.deepEqual(
      awsProvider.servers(parse()).map(({ href }) => href),
      [`${aws.endpoint}/`],
    );
  });
});
