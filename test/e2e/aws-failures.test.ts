/** When AWS fails, denies or throttles: what objects say, what stays, and what is never said. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { type Aws, startAws } from '../harness/aws.ts';
import { eventually } from '../harness/eventually.ts';
import { scrape } from '../harness/metrics.ts';
import { type AwsBed, assertLeastPrivilege, fromAws, prepareAws, startAwsBed } from './support/aws.ts';
import type { Cluster } from './support/cluster.ts';
import { clusterSecretStore, secretStore } from './support/vault.ts';

const WITHIN_MS = 5_000;
const WEST = 'us-west-2';
/** Calls of this region go to moto, which checks signatures and policies. */
const CHECKED = 'eu-central-1';
const DATABASE = { username: 'u', password: 'p' };

let bed: AwsBed;
let aws: Aws;
let checked: Aws;
let cluster: Cluster;

before(async () => {
  [bed, checked] = await Promise.all([startAwsBed(), startAws({ emulator: 'moto' })]);
  ({ aws, cluster } = bed);
  aws.proxy.route = ({ region }) => (region === CHECKED ? checked.endpoint : undefined);
});
after(async () => {
  await bed.stop();
  await checked.stop();
});
afterEach(() => {
  aws.proxy.fault = undefined;
});

describe('failures of AWS', () => {
  const data = [{ secretKey: 'password', remoteRef: { key: 'faulty', property: 'password' } }];

  before(async () => {
    await prepareAws(cluster, 'faulty', WEST);
    await aws.put(WEST, 'faulty', '{"password":"hunter2"}');
    await cluster.create(fromAws('faulty', 'app', { data }));
    await cluster.synced('faulty', 'app', WITHIN_MS);
  });

  for (const { name, fault, message } of [
    {
      name: 'S33 resets: the message says that it is the network',
      fault: { kind: 'reset' },
      message:
        /could not get secret data from provider: .*AWS Secrets Manager us-west-2: read faulty: .*the connection was (?:reset|closed)/,
    },
    {
      name: 'throttling',
      fault: { kind: 'error', code: 'ThrottlingException', message: 'Rate exceeded', retryAfterSeconds: 1 },
      message: /read faulty: too many requests: Rate exceeded/,
    },
    {
      name: 'a failure of the service',
      fault: { kind: 'error', code: 'InternalServiceError', status: 500 },
      message: /read faulty: the service failed/,
    },
    {
      name: 'an answer that is not of AWS',
      fault: { kind: 'raw', status: 502, body: '<html>SENTINEL-html</html>' },
      message: /read faulty: .*\(status 502\)/,
    },
    {
      name: 'expired credentials',
      fault: { kind: 'error', code: 'ExpiredTokenException', message: 'SENTINEL-token is expired' },
      message: /read faulty: the credentials have expired \(ExpiredToken\)$/,
    },
  ] as const) {
    test(`${name}: the Secret stays, and it heals by itself`, async () => {
      const before = await cluster.get('Secret', 'faulty', 'app');
      aws.proxy.fault = ({ parameters }) => (parameters['SecretId'] === 'faulty' ? fault : undefined);
      assert.doesNotMatch(await cluster.failing('faulty', 'app', message, 2 * WITHIN_MS), /SENTINEL/);
      const during = await cluster.get('Secret', 'faulty', 'app');
      assert.equal(during.metadata.resourceVersion, before.metadata.resourceVersion);
      aws.proxy.fault = undefined;
      await cluster.synced('faulty', 'app', 2 * WITHIN_MS);
    });
  }

  test('an endpoint that hangs does not hold up the create', async () => {
    aws.proxy.fault = ({ parameters }) =>
      parameters['SecretId'] === 'faulty' ? { kind: 'delay', ms: 30_000 } : undefined;
    const began = performance.now();
    const created = await cluster.attempt(fromAws('faulty', 'slow', { data }));
    assert.equal(created.status, 201);
    assert.equal(created.warnings.length, 1);
    assert.ok(performance.now() - began < 7_000, `${performance.now() - began} ms`);
    aws.proxy.fault = undefined;
    await cluster.synced('faulty', 'slow', 3 * WITHIN_MS);
    assert.deepEqual(await cluster.values('faulty', 'slow'), { password: 'hunter2' });
  });
});

describe('IAM', () => {
  test('S16 S31 a policy of GetSecretValue and DescribeSecret is enough; without it the message says who was denied', async () => {
    await checked.put(CHECKED, 'prod/database', JSON.stringify(DATABASE));
    const reader = await checked.createUser('reader', [
      'secretsmanager:GetSecretValue',
      'secretsmanager:DescribeSecret',
    ]);
    const stranger = await checked.createUser('stranger', ['secretsmanager:DescribeSecret']);
    const spec = { data: [], dataFrom: [{ extract: { key: 'prod/database' } }] };
    await prepareAws(cluster, 'reader', CHECKED, reader);
    await cluster.create(fromAws('reader', 'db', spec));
    assert.deepEqual(await cluster.values('reader', 'db'), DATABASE);
    await cluster.synced('reader', 'db', WITHIN_MS);

    await prepareAws(cluster, 'stranger', CHECKED, stranger);
    const created = await cluster.attempt(fromAws('stranger', 'db', spec));
    assert.equal(created.status, 201);
    const denied = await cluster.failing(
      'stranger',
      'db',
      /read prod\/database: AccessDenied: .*user\/stranger .*secretsmanager:GetSecretValue/,
      WITHIN_MS,
    );
    assert.equal(await cluster.find('Secret', 'stranger', 'db'), undefined);

    await prepareAws(cluster, 'wrong-key', CHECKED, { ...reader, secretAccessKey: 'SENTINEL-not-the-key' });
    await cluster.create(fromAws('wrong-key', 'db', spec));
    const refused = await cluster.failing('wrong-key', 'db', /SignatureDoesNotMatch/, WITHIN_MS);
    assert.doesNotMatch(refused + denied, /SENTINEL|AKIA|ASIA/);
  });

  test('S16 nothing but GetSecretValue and DescribeSecret was asked of Secrets Manager', async () => {
    await cluster.create(
      fromAws('reader', 'tags', {
        data: [{ secretKey: 'tags', remoteRef: { key: 'prod/database', metadataPolicy: 'Fetch' } }],
      }),
    );
    assert.deepEqual(await cluster.values('reader', 'tags'), { tags: '{}' });
    assert.ok(aws.proxy.count('DescribeSecret') > 0);
    assertLeastPrivilege(aws);
  });

  test('a SecretStore without credentials is refused; a ClusterSecretStore is told how to get those of the program', async () => {
    const provider = { aws: { service: 'SecretsManager', region: WEST } };
    const { status, body } = await cluster.attempt(secretStore('reader', 'ambient', { provider }));
    assert.equal(status, 422);
    assert.match(body.message ?? '', /spec\.provider\.aws\.auth: .*brings its own credentials/);
    await cluster.create(clusterSecretStore('ambient', { provider }));
    await eventually(async () => {
      const condition = await cluster.ready('ClusterSecretStore', undefined, 'ambient');
      assert.match(condition?.message ?? '', /--aws-ambient-credentials/);
      return true;
    });
    await cluster.remove('ClusterSecretStore', undefined, 'ambient');
  });
});

describe('reads in batches', () => {
  const KEYS = Array.from({ length: 6 }, (_, index) => `batch/${index}`);
  const readOf = (name: string) => ({
    data: [{ secretKey: 'password', remoteRef: { key: name, property: 'password' } }],
  });
  const opt = (batch: string): object => ({
    metadata: { annotations: { 'external-secrets-admission.io/batch-reads': batch } },
  });
  const called = (action: string, accessKeyId: string): number =>
    aws.proxy.calls.filter((call) => call.action === action && call.accessKeyId === accessKeyId).length;

  /** A namespace whose store is used by as many objects as there are keys. */
  async function prepareBatch(name: string, keys: Parameters<typeof prepareAws>[3]): Promise<void> {
    await prepareAws(cluster, name, CHECKED, keys);
    for (const [index, key] of KEYS.entries()) {
      await checked.put(CHECKED, key, JSON.stringify({ password: key }));
      await cluster.create(fromAws(name, `app-${index}`, readOf(key)));
      await cluster.synced(name, `app-${index}`, WITHIN_MS);
    }
  }

  test('a store that asks for it has one request for what is due at one moment; values are the same', async () => {
    const reader = await checked.createUser('batch-reader', [
      'secretsmanager:GetSecretValue',
      'secretsmanager:BatchGetSecretValue',
    ]);
    await prepareBatch('batch', reader);
    assert.equal(called('BatchGetSecretValue', reader.accessKeyId), 0);
    await cluster.patch('SecretStore', 'batch', 'aws', opt('true'));
    await eventually(() => called('BatchGetSecretValue', reader.accessKeyId) >= 3, { timeout: 20_000 });
    await checked.put(CHECKED, KEYS[0] ?? '', '{"password":"new"}');
    await cluster.holds('batch', 'app-0', { password: 'new' }, WITHIN_MS);
    await cluster.patch('SecretStore', 'batch', 'aws', opt('false'));
    for (const [index, key] of KEYS.entries()) {
      if (index > 0) assert.deepEqual(await cluster.values('batch', `app-${index}`), { password: key });
      await cluster.remove('ExternalSecret', 'batch', `app-${index}`);
    }
  });

  test('without the right to that action secrets are read one by one, which is said once', async () => {
    const reader = await checked.createUser('single-reader', ['secretsmanager:GetSecretValue']);
    await prepareBatch('single', reader);
    await cluster.patch('SecretStore', 'single', 'aws', opt('true'));
    const said = (): number =>
      readFileSync(bed.product.poller.log, 'utf8').split('refuses to read several secrets at once').length -
      1;
    await eventually(() => said() > 0, { timeout: 20_000, what: 'the line in the log' });
    const before = called('GetSecretValue', reader.accessKeyId);
    await eventually(() => called('GetSecretValue', reader.accessKeyId) >= before + 2 * KEYS.length, {
      timeout: 20_000,
      what: 'single reads',
    });
    assert.equal(said(), 1);
    assert.equal(called('BatchGetSecretValue', reader.accessKeyId), 1);
    for (const index of KEYS.keys()) {
      assert.equal((await cluster.ready('ExternalSecret', 'single', `app-${index}`))?.status, 'True');
      await cluster.remove('ExternalSecret', 'single', `app-${index}`);
    }
  });
});

test('no key, token or value is in a log, a metric, an event or a status', async () => {
  await prepareAws(cluster, 'sentinel', WEST, {
    accessKeyId: 'AKIASENTINELKEYID',
    secretAccessKey: 'SENTINEL-secret-key',
  });
  await aws.put(WEST, 'sentinel', '{"password":"SENTINEL-value"}');
  const data = [{ secretKey: 'password', remoteRef: { key: 'sentinel', property: 'password' } }];
  await cluster.create(fromAws('sentinel', 'app', { data }));
  await cluster.synced('sentinel', 'app', WITHIN_MS);
  const missing = [{ secretKey: 'password', remoteRef: { key: 'sentinel', property: 'nope' } }];
  await cluster.create(fromAws('sentinel', 'missing', { data: missing }));
  await cluster.failing('sentinel', 'missing', /does not exist in secret/, WITHIN_MS);
  const objects = await bed.cp.kubectlOutput([
    'get',
    'externalsecrets,secretstores,clustersecretstores,events',
    '-A',
    '-o',
    'json',
  ]);
  const programs = [bed.product.webhook, bed.product.poller];
  const logs = programs.map(({ log }) => readFileSync(log, 'utf8'));
  const metrics = await Promise.all(
    programs.map(async ({ metricsUrl }) => JSON.stringify(await scrape(metricsUrl))),
  );
  for (const text of [objects, ...logs, ...metrics]) assert.doesNotMatch(text, /SENTINEL|AKIASENT|eyJhbGci/);
});
