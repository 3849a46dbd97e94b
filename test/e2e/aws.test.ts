/** The articles on AWS, as printed, with the webhook and the poller on a real API server and a stand-in for AWS. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ANNOTATION_DATA_HASH } from '../../api/external-secrets/names.ts';
import type { Aws } from '../harness/aws.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { startProduct } from '../harness/product.ts';
import { type AwsBed, assertLeastPrivilege, fromAws, prepareAws, startAwsBed } from './support/aws.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import {
  applyManifests,
  enableKubernetesAuth,
  externalSecret,
  namespace,
  readSeed,
} from './support/vault.ts';

const WITHIN_MS = 5_000;
const WEST = 'us-west-2';
const EAST = 'us-east-1';
/** Of the roles in the fixture. */
const ACCOUNT = '111122223333';
const DATABASE = { username: 'u', password: 'p' };

let bed: AwsBed;
let aws: Aws;
let cluster: Cluster;

before(async () => {
  bed = await startAwsBed({ controlPlane: { audit: true } });
  ({ aws, cluster } = bed);
  await aws.put(WEST, 'prod/database', JSON.stringify(DATABASE), ACCOUNT);
  await aws.put(WEST, 'tenant-a/db', '{"password":"a"}', ACCOUNT);
  await aws.put(WEST, 'prod/app', '{"a":"1","b":{"c":2}}', ACCOUNT);
});
after(() => bed.stop());

const seeds = (...files: readonly string[]): Manifest[] => files.flatMap((file) => readSeed(file, bed));

/** As a user: kubectl with strict validation, which must not say a word beside what it did. */
async function apply(...manifests: readonly Manifest[]): Promise<void> {
  const { code, stderr } = await applyManifests(bed.cp, manifests);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
}

const ready = (
  kind: 'SecretStore' | 'ClusterSecretStore',
  where: string | undefined,
  name: string,
  timeout = WITHIN_MS,
) =>
  eventually(
    async () => {
      const condition = await cluster.ready(kind, where, name);
      assert.equal(condition?.status, 'True', condition?.message ?? 'no condition');
      return condition;
    },
    { timeout, what: `${kind} ${name} Ready=True` },
  );

/** Tokens that were exchanged for roles, as `subject -> role (audiences)`. */
const exchanges = (): string[] =>
  aws.proxy.calls
    .filter(({ action }) => action === 'AssumeRoleWithWebIdentity')
    .map(({ claims, parameters }) => {
      const audiences = [claims?.['aud']].flat().join();
      return `${String(claims?.['sub'])} -> ${String(parameters['RoleArn'])} (${audiences})`;
    });

const ARTICLE = {
  accounts: 'seed001-fixture-serviceaccounts.yaml',
  store: 'seed001-secretstore-aws.as-printed.yaml',
  global: 'seed001-clustersecretstore-global-aws.as-printed.yaml',
  tenant: 'seed001-secretstore-tenant-a.as-printed.yaml',
  tenants: 'seed001-fixture-tenant-externalsecrets.yaml',
  database: 'seed001-externalsecret-database-credentials.yaml',
  config: 'seed001-externalsecret-config.intended.yaml',
  configAsPrinted: 'seed001-externalsecret-config.as-printed.yaml',
  rotating: 'seed001-externalsecret-rotating.intended.yaml',
};

describe('the AWS article', () => {
  test('S39 everything in reverse order is Ready within a minute, without a second apply', async () => {
    for (const name of ['tenant-a', 'tenant-b']) await cluster.create(namespace(name));
    const early = await applyManifests(bed.cp, seeds(ARTICLE.tenants, ARTICLE.rotating, ARTICLE.database));
    assert.equal(early.code, 0);
    assert.match(early.stderr, /^(Warning: Secret \S+ is not made yet, retrying: .*\n){4}$/);
    await cluster.failing('default', 'database-credentials', /"aws-secrets-manager"/);
    const stores = await applyManifests(bed.cp, seeds(ARTICLE.tenant, ARTICLE.global, ARTICLE.store));
    assert.equal(stores.code, 0);
    assert.match(
      stores.stderr,
      /^(Warning: spec\.provider\.aws\.auth\.\S+: ServiceAccount \S+ not found\n){3}$/,
    );
    await eventually(
      async () => (await cluster.ready('SecretStore', 'default', 'aws-secrets-manager'))?.status === 'False',
    );
    const began = performance.now();
    await apply(...seeds(ARTICLE.accounts));
    for (const [where, name] of [
      ['default', 'database-credentials'],
      ['default', 'rotating-secret'],
      ['tenant-a', 'own'],
    ] as const) {
      await cluster.synced(where, name, 60_000);
    }
    await ready('ClusterSecretStore', undefined, 'global-aws-secrets', 60_000);
    assert.ok(performance.now() - began < 60_000);
    await cluster.failing('tenant-b', 'stolen', /not found in namespace tenant-b/);

    for (const name of ['database-credentials', 'rotating-secret'])
      await cluster.remove('ExternalSecret', 'default', name);
    await cluster.remove('SecretStore', 'default', 'aws-secrets-manager');
    await cluster.remove('ClusterSecretStore', undefined, 'global-aws-secrets');
  });

  test('S39 taken away again, its Secrets go with it', needsGarbageCollection(), async () => {
    for (const name of ['db-credentials', 'app-secret']) {
      await eventually(async () => (await cluster.find('Secret', 'default', name)) === undefined, {
        timeout: 40_000,
      });
    }
  });

  test("S17 as printed: a token of the store's ServiceAccount for AWS, and the role of its annotation", async () => {
    const before = exchanges().length;
    const since = new Date();
    await apply(...seeds(ARTICLE.store));
    await ready('SecretStore', 'default', 'aws-secrets-manager');
    // The login of S39 is still good, so nothing is asked for again.
    assert.deepEqual(exchanges().slice(before), []);
    assert.ok(
      exchanges().includes(
        'system:serviceaccount:default:external-secrets-sa -> arn:aws:iam::111122223333:role/external-secrets (sts.amazonaws.com)',
      ),
      exchanges().join('\n'),
    );
    const tokens = bed.cp
      .auditEvents()
      .filter(
        ({ objectRef }) => objectRef?.subresource === 'token' && objectRef.name === 'external-secrets-sa',
      );
    assert.ok(tokens.some(({ objectRef }) => objectRef?.namespace === 'default'));
    assert.ok(tokens.every(({ requestReceivedTimestamp }) => new Date(requestReceivedTimestamp) < since));
  });

  test('S19 the Secret is there when the create returns, owned, from one GetSecretValue a program', async () => {
    const before = aws.proxy.count('GetSecretValue', 'prod/database');
    await apply(...seeds(ARTICLE.database));
    assert.deepEqual(await cluster.values('default', 'db-credentials'), DATABASE);
    await cluster.synced('default', 'database-credentials', WITHIN_MS);
    const [owner] = (await cluster.get('Secret', 'default', 'db-credentials')).metadata.ownerReferences ?? [];
    assert.deepEqual([owner?.name, owner?.controller], ['database-credentials', true]);
    // Two items, one call of the webhook, and at most one of the poller when it takes over.
    const calls = aws.proxy.count('GetSecretValue', 'prod/database') - before;
    assert.ok(calls === 1 || calls === 2, `${calls} calls`);
  });

  test('S18 the canonical spelling has the same effect; both and different are refused by their path', async () => {
    await cluster.remove('SecretStore', 'default', 'aws-secrets-manager');
    await apply(...seeds('seed001-secretstore-aws.canonical.yaml'));
    await ready('SecretStore', 'default', 'aws-secrets-manager');
    const [store] = seeds(ARTICLE.store) as [{ spec: { provider: { aws: { auth: object } } } } & Manifest];
    store.spec.provider.aws.auth = {
      serviceAccount: { name: 'one' },
      jwt: { serviceAccountRef: { name: 'two' } },
    };
    const { code, stderr } = await applyManifests(bed.cp, [store]);
    assert.equal(code, 1);
    assert.match(stderr, /spec\.provider\.aws\.auth\.serviceAccount: .*another spelling/);
  });

  test('S22 a ClusterSecretStore serves two namespaces with the token of the account that it names', async () => {
    await apply(...seeds(ARTICLE.global));
    await ready('ClusterSecretStore', undefined, 'global-aws-secrets');
    const before = exchanges().length;
    for (const where of ['global-a', 'global-b']) {
      await cluster.create(namespace(where));
      const secretStoreRef = { kind: 'ClusterSecretStore', name: 'global-aws-secrets' };
      await cluster.create(
        externalSecret(where, 'db', {
          secretStoreRef,
          dataFrom: [{ extract: { key: 'prod/database' } }],
          data: [],
        }),
      );
      assert.deepEqual(await cluster.values(where, 'db'), DATABASE);
      await cluster.synced(where, 'db', WITHIN_MS);
    }
    const subject = 'system:serviceaccount:external-secrets-system:external-secrets-sa';
    const role = 'arn:aws:iam::111122223333:role/external-secrets-global';
    for (const exchange of exchanges().slice(before)) {
      assert.equal(exchange, `${subject} -> ${role} (sts.amazonaws.com)`);
    }
    assert.ok(exchanges().some((exchange) => exchange.startsWith(subject)));
  });

  test('S24 all members of a secret become keys', async () => {
    await apply(...seeds(ARTICLE.rotating));
    assert.deepEqual(await cluster.values('default', 'app-secret'), { a: '1', b: '{"c":2}' });
    await cluster.synced('default', 'rotating-secret', WITHIN_MS);
  });

  test('S25 deleted in AWS: the Secret is kept, the condition names the key', async () => {
    const { metadata } = await cluster.get('Secret', 'default', 'app-secret');
    await cluster.patch('ExternalSecret', 'default', 'rotating-secret', { spec: { refreshInterval: '1s' } });
    await aws.call('DeleteSecret', { SecretId: 'prod/app', RecoveryWindowInDays: 7 }, WEST, ACCOUNT);
    await cluster.failing(
      'default',
      'rotating-secret',
      /prod\/app: the secret is marked for deletion/,
      WITHIN_MS,
    );
    await aws.call('RestoreSecret', { SecretId: 'prod/app' }, WEST, ACCOUNT);
    await cluster.synced('default', 'rotating-secret', 2 * WITHIN_MS);
    await aws.remove(WEST, 'prod/app', ACCOUNT);
    await cluster.failing('default', 'rotating-secret', /prod\/app: no such secret/, WITHIN_MS);
    const kept = await cluster.get('Secret', 'default', 'app-secret');
    assert.equal(kept.metadata.uid, metadata.uid);
    assert.deepEqual(await cluster.values('default', 'app-secret'), { a: '1', b: '{"c":2}' });
    await cluster.remove('ExternalSecret', 'default', 'rotating-secret');
  });

  test('S26 as printed the template asks for more than is fetched, and no store is named: both are said', async () => {
    const { code, stderr } = await applyManifests(bed.cp, seeds(ARTICLE.configAsPrinted));
    assert.equal(code, 1);
    assert.match(stderr, /spec\.secretStoreRef\.name: no store is named/);
    for (const key of ['username', 'password'])
      assert.match(stderr, new RegExp(`no key "${key}" is fetched; there is \\.host, \\.port`));
    assert.equal(await cluster.find('Secret', 'default', 'app-config'), undefined);
  });

  test('S27 S28 as intended: one key with the rendered lines, byte for byte, also of awkward values', async () => {
    const password = 'p"ä€\n: {}';
    const values = { ...DATABASE, host: 'db.example', port: '5432', password };
    await aws.put(WEST, 'prod/database', JSON.stringify(values), ACCOUNT);
    await apply(...seeds(ARTICLE.config));
    const { data, type } = await cluster.get('Secret', 'default', 'app-config');
    assert.equal(type, 'Opaque');
    assert.deepEqual(Object.keys(data ?? {}), ['config.yaml']);
    const text = `database:\n  host: db.example\n  port: 5432\n  username: u\n  password: ${password}\n`;
    assert.equal(data?.['config.yaml'], Buffer.from(text).toString('base64'));
    await cluster.synced('default', 'config-secret', WITHIN_MS);
    await cluster.remove('ExternalSecret', 'default', 'config-secret');
    await aws.put(WEST, 'prod/database', JSON.stringify(DATABASE), ACCOUNT);
  });

  test('S21 a changed value comes with the interval, not before', async () => {
    await prepareAws(cluster, 'interval', WEST);
    await aws.put(WEST, 'interval', '{"password":"one"}');
    const data = [{ secretKey: 'password', remoteRef: { key: 'interval', property: 'password' } }];
    await cluster.create(fromAws('interval', 'app', { refreshInterval: '4s', data }));
    await cluster.synced('interval', 'app', WITHIN_MS);
    const reads = (): number[] =>
      aws.proxy.calls.filter(({ parameters }) => parameters['SecretId'] === 'interval').map(({ at }) => at);
    // The first ones are of the create and of the poller taking over; from then on they keep time.
    const count = reads().length;
    await eventually(() => reads().length >= count + 2, { timeout: 10_000 });
    await aws.put(WEST, 'interval', '{"password":"two"}');
    assert.deepEqual(await cluster.values('interval', 'app'), { password: 'one' });
    await cluster.holds('interval', 'app', { password: 'two' }, 6_000);
    const [last = 0, next = 0] = reads().slice(-2);
    assert.ok(Math.abs(next - last - 4_000) < 500, `${next - last} ms between two reads`);
  });
});

describe('the InfoQ article', () => {
  const keys = 'seed004-fixture-awssm-secret.yaml';
  const store = 'seed004-secretstore-sample.yaml';

  test('S79 requests are signed with the key of the Secret, for the region of the store', async () => {
    await apply(
      ...seeds(keys).map((one) => ({ ...one, metadata: { ...one.metadata, namespace: 'default' } })),
    );
    await apply(...seeds(store));
    await ready('SecretStore', 'default', 'secretstore-sample');
  });

  test('S80 a property at a stage and a version id, and all members; of a clash data wins', async () => {
    const { versionId } = await aws.put(EAST, 'provider-key', '{"provider-key-property":"old"}');
    await aws.put(EAST, 'provider-key', '{"provider-key-property":"new"}');
    const stage = { VersionStage: 'provider-key-version', MoveToVersionId: versionId };
    await aws.call('UpdateSecretVersionStage', { SecretId: 'provider-key', ...stage }, EAST);
    const members = { other: 'x', 'secret-key-to-be-managed': 'from dataFrom' };
    await aws.put(EAST, 'remote-key-in-the-provider', JSON.stringify(members));
    await apply(...seeds('seed004-externalsecret-example.yaml'));
    assert.deepEqual(await cluster.values('default', 'secret-to-be-created'), {
      other: 'x',
      'secret-key-to-be-managed': 'old',
    });
    await cluster.synced('default', 'example', WITHIN_MS);

    const call = aws.proxy.calls.find(({ parameters }) => parameters['SecretId'] === 'provider-key');
    assert.deepEqual(
      [call?.accessKeyId, call?.region, call?.hasSessionToken, call?.parameters['VersionStage']],
      ['AKIAEXAMPLE', EAST, false, 'provider-key-version'],
    );
    const byId = { key: 'provider-key', version: `uuid/${versionId}`, property: 'provider-key-property' };
    await cluster.create(
      externalSecret('default', 'by-id', {
        secretStoreRef: { name: 'secretstore-sample' },
        data: [{ secretKey: 'password', remoteRef: byId }],
      }),
    );
    assert.deepEqual(await cluster.values('default', 'by-id'), { password: 'old' });
    await cluster.remove('ExternalSecret', 'default', 'by-id');
  });

  test('S81 members of what is not JSON: Ready=False, nothing is written', async () => {
    await prepareAws(cluster, 'not-json', EAST);
    await aws.put(EAST, 'plain', 'SENTINEL-plain text');
    const spec = { data: [], dataFrom: [{ extract: { key: 'plain' } }] };
    const created = await cluster.attempt(fromAws('not-json', 'app', spec));
    assert.equal(created.status, 201);
    const message = await cluster.failing(
      'not-json',
      'app',
      /plain: the value is not a JSON object/,
      WITHIN_MS,
    );
    assert.doesNotMatch(message + created.warnings.join(), /SENTINEL/);
    assert.equal(await cluster.find('Secret', 'not-json', 'app'), undefined);
  });
});

test('S12 from Vault to AWS and back: never a moment without the Secret', async () => {
  const account = { name: 'external-secrets', namespace: 'external-secrets-system' };
  await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account });
  await enableKubernetesAuth(bed, cluster, [
    { name: 'external-secrets', serviceAccount: account.name, namespace: account.namespace },
  ]);
  await cluster.create(namespace('datadog'));
  await bed.openBao.write('datadog', { DD_API_KEY: 'vault-a', DD_APP_KEY: 'vault-b' });
  await aws.put(WEST, 'datadog', '{"DD_API_KEY":"aws-a","DD_APP_KEY":"aws-b"}');
  const [keys] = seeds('seed004-fixture-awssm-secret.yaml');
  assert.ok(keys !== undefined);
  await apply({ ...keys, metadata: { ...keys.metadata, namespace: 'external-secrets-system' } });
  const vault = seeds('seed000-fixture-clustersecretstore-vault.yaml', 'seed000-externalsecret-datadog.yaml');

  await apply(...vault);
  await cluster.holds('datadog', 'datadog-secret', { 'api-key': 'vault-a', 'app-key': 'vault-b' });
  await cluster.synced('datadog', 'datadog-secret');
  const { uid } = (await cluster.get('Secret', 'datadog', 'datadog-secret')).metadata;
  let swapping = true;
  let looks = 0;
  const watching = (async () => {
    while (swapping) {
      const secret = await cluster.get('Secret', 'datadog', 'datadog-secret');
      assert.equal(secret.metadata.uid, uid);
      assert.deepEqual(Object.keys(secret.data ?? {}).sort(), ['api-key', 'app-key']);
      looks += 1;
    }
  })();
  await apply(...seeds('seed000-variant-provider-swap-aws.yaml'));
  await cluster.holds('datadog', 'datadog-secret', { 'api-key': 'aws-a', 'app-key': 'aws-b' });
  await cluster.synced('datadog', 'datadog-secret');
  await apply(...vault);
  await cluster.holds('datadog', 'datadog-secret', { 'api-key': 'vault-a', 'app-key': 'vault-b' });
  await cluster.synced('datadog', 'datadog-secret');
  swapping = false;
  await watching;
  assert.ok(looks > 20, `${looks} looks`);
});

test('S38 two clusters on one AWS secret hold the same data within an interval of a change', async (t) => {
  const other = await startControlPlane();
  t.after(() => other.stop());
  // The poller alone: the second one costs enough as it is.
  const alone = { webhooks: 0, configurations: false, conversion: false };
  const product = await startProduct(other, { ...alone, env: { AWS_ENDPOINT_URL: aws.endpoint } });
  t.after(() => product.stop());
  const clusters = [cluster, new Cluster(other)];
  await aws.put(WEST, 'common', '{"password":"one"}');
  const spec = { refreshInterval: '2s', data: [], dataFrom: [{ extract: { key: 'common' } }] };
  for (const one of clusters) {
    await prepareAws(one, 'common', WEST);
    await one.create(fromAws('common', 'app', spec));
    await one.holds('common', 'app', { password: 'one' }, WITHIN_MS);
    await one.synced('common', 'app', WITHIN_MS);
  }
  await aws.put(WEST, 'common', '{"password":"two","user":"u"}');
  for (const one of clusters)
    await one.holds('common', 'app', { password: 'two', user: 'u' }, 2_000 + WITHIN_MS);
  const [first, second] = await Promise.all(clusters.map((one) => one.get('Secret', 'common', 'app')));
  assert.notEqual(first?.metadata.uid, second?.metadata.uid);
  // What ESO calls the hash of the data says the same in both.
  const hashes = [first, second].map((secret) => secret?.metadata.annotations?.[ANNOTATION_DATA_HASH]);
  assert.ok(hashes[0] !== undefined && hashes[0] === hashes[1]);
});

test('S16 all of that with GetSecretValue and DescribeSecret', () => assertLeastPrivilege(aws));
