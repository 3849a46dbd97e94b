/** ExternalSecrets of kubernetes-external-secrets, from apply to Secret and status. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isKes } from '../../api/kubernetes-client/names.ts';
import type { KesStatus } from '../../api/kubernetes-client/v1/external-secret.ts';
import type { ObjectMeta } from '../../api/meta.ts';
import { type Aws, startAws } from '../harness/aws.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { always, eventually } from '../harness/eventually.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { type Product, startProduct } from '../harness/product.ts';
import { readTables } from '../rules/tables.ts';
import { describeCommands, describeRefresh, type Place } from './kes/commands.ts';
import { Cluster, type Manifest, valuesOf } from './support/cluster.ts';
import { testRuleTables } from './support/rule-tables.ts';
import { applySeedNamespaces, assertApplies, SEED_FILES } from './support/seeds.ts';
import {
  administer,
  applyManifests,
  enableKubernetesAuth,
  externalSecret,
  namespace,
  prepare,
  readSeed,
  requestsTo,
} from './support/vault.ts';

const API = 'kubernetes-client.io/v1';
/** Names of seed 003, the misspelt namespace too. */
const ACCOUNT = { namespace: 'external-secretes', name: 'external-secrets-kubernetes-external-secrets' };
const ROLE = 'kubernetes-external-secrets';
const VAULT = { backendType: 'vault', vaultMountPoint: 'kubernetes', vaultRole: ROLE };
const COOL = 'kubernetes/data/cool/secrets';
const ARGS = [
  '--kes',
  '--kes-service-account',
  `${ACCOUNT.namespace}/${ACCOUNT.name}`,
  '--kes-vault-audience',
  'vault',
];

interface KesRead {
  readonly metadata: ObjectMeta;
  readonly status?: KesStatus;
}

let cp: ControlPlane;
let openBao: OpenBao;
let aws: Aws;
let product: Product;
let cluster: Cluster;
/** Of the programs; what is changed here is there at the next start. */
const env: Record<string, string> = {};

const kes = (where: string, name: string, spec: object, metadata: object = {}): Manifest => ({
  apiVersion: API,
  kind: 'ExternalSecret',
  metadata: { name, namespace: where, ...metadata },
  spec,
});
const pathOf = (where: string, name: string): string =>
  `/apis/${API}/namespaces/${where}/externalsecrets/${name}`;
const read = async (where: string, name: string): Promise<KesRead> =>
  (await cp.request<KesRead>('GET', pathOf(where, name))).body;
const patch = async (where: string, name: string, body: object): Promise<void> => {
  const headers = { 'content-type': 'application/merge-patch+json' };
  const { status } = await cp.request('PATCH', pathOf(where, name), body, headers);
  assert.equal(status, 200);
};
const remove = async (where: string, name: string): Promise<void> => {
  assert.equal((await cp.request('DELETE', pathOf(where, name))).status, 200);
};
/** The Secret, waited for where a busy machine has left it to the poller; see the test of what is there at return. */
const secretOf = (where: string, name: string) =>
  eventually(() => cluster.get('Secret', where, name), { timeout: 30_000, what: `Secret ${where}/${name}` });
/** Waits for a status that matches. @returns it */
const reports = (where: string, name: string, status: RegExp): Promise<KesStatus> =>
  eventually(
    async () => {
      const object = await read(where, name);
      assert.match(object.status?.status ?? 'none yet', status);
      assert.equal(object.status?.observedGeneration, object.metadata.generation);
      return object.status ?? {};
    },
    { timeout: 20_000, what: `status ${status} of ${where}/${name}` },
  );
const cool = (name: string): object => ({ name, key: COOL, property: 'test' });
const writeCool = (test: string): Promise<unknown> => administer(openBao, 'POST', COOL, { data: { test } });

/** For the suites of other files. */
const place = (): Place => ({ cp, cluster, openBao, kes, patch, reports, vault: VAULT, account: ACCOUNT });

before(async () => {
  [openBao, aws, cp] = await Promise.all([startOpenBao({ audit: true }), startAws(), startControlPlane()]);
  cluster = new Cluster(cp);
  Object.assign(env, {
    VAULT_ADDR: openBao.address,
    POLLER_INTERVAL_MILLISECONDS: '1000',
    AWS_REGION: 'us-west-2',
    AWS_ACCESS_KEY_ID: 'AKIATESTTESTTEST',
    AWS_SECRET_ACCESS_KEY: 'key',
    AWS_ENDPOINT_URL: aws.endpoint,
    INSTANCE_ID: '',
  });
  product = await startProduct(cp, { kes: true, env, webhookArgs: ARGS, pollerArgs: ARGS });
  await cluster.create(namespace(ACCOUNT.namespace));
  await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: ACCOUNT });
  await enableKubernetesAuth({ cp, openBao }, cluster, []);
  await administer(openBao, 'POST', 'sys/mounts/kubernetes', { type: 'kv', options: { version: '2' } });
  // S56: this policy, and not even the default one.
  await administer(openBao, 'PUT', 'sys/policies/acl/reader', {
    policy: 'path "kubernetes/data/*" { capabilities = ["read"] }',
  });
  for (const [name, ttl, longest] of [
    [ROLE, '1h', '2h'],
    ['short', '3s', '6s'],
    ['renewed', '6s', '1h'],
  ] as const) {
    await administer(openBao, 'POST', `auth/kubernetes/role/${name}`, {
      bound_service_account_names: [ACCOUNT.name],
      bound_service_account_namespaces: [ACCOUNT.namespace],
      audience: 'vault',
      token_policies: ['reader'],
      // Without it a token may not renew itself.
      token_no_default_policy: name !== 'renewed',
      token_ttl: ttl,
      token_max_ttl: longest,
    });
  }
  await writeCool('t0p');
  for (const name of ['shop', 'guarded', 'once']) await cluster.create(namespace(name));
});
after(async () => {
  await product?.stop();
  await Promise.all([cp?.stop(), openBao?.stop(), aws?.stop()]);
});

describe('what is installed', () => {
  test('K77 S72 the CRD, its short name and what kubectl explains', async () => {
    const { stdout } = await cp.kubectl(['api-resources', '--api-group=kubernetes-client.io']);
    assert.match(stdout, /externalsecrets\s+es\s+kubernetes-client\.io\/v1\s+true\s+ExternalSecret/);
    const explained = await cp.kubectl(['explain', 'externalsecrets.spec.template', `--api-version=${API}`]);
    assert.match(explained.stdout, /KIND:\s+ExternalSecret/);
    assert.match(
      explained.stdout.replaceAll(/\s+/g, ' '),
      /Template which will be deep merged without mutating any existing fields\. into generated secret, can be used to set for example annotations or type on the generated secret/,
    );
  });

  test('K78 a manifest without spec is refused in words that help', async () => {
    const { status, body } = await cluster.attempt({
      apiVersion: API,
      kind: 'ExternalSecret',
      metadata: { name: 'none', namespace: 'shop' },
    });
    assert.equal(status, 422);
    assert.match(body.message ?? '', /spec: Required value/);
  });
});

describe('the tables of rules (test/rules) on the real API server', () => {
  const cases = readTables().filter(({ judge, manifest }) => judge === 'object' && isKes(manifest));
  testRuleTables(() => cluster, cases);
});

describe('vault', () => {
  test('S52 S53 S54 S55 S56 K60 the article’s object: Secret at return, owner, status and columns', async () => {
    const before = Object.keys(openBao.auditCounts());
    const seed = readSeed('../kes/seed003-kes-cool-secret.yaml', { openBao });
    const [manifest] = seed;
    assert.ok(manifest);
    const applied = await applyManifests(cp, [
      { ...manifest, metadata: { ...manifest.metadata, namespace: 'shop' } },
    ]);
    assert.equal(applied.code, 0, applied.stderr);
    const secret = await secretOf('shop', 'cool-secret');
    assert.deepEqual(valuesOf(secret), { test: 't0p' });
    assert.equal(secret.type, 'Opaque');

    const { uid } = (await read('shop', 'cool-secret')).metadata;
    await eventually(async () => {
      const { metadata } = await cluster.get('Secret', 'shop', 'cool-secret');
      assert.deepEqual(metadata.ownerReferences, [
        { apiVersion: API, kind: 'ExternalSecret', name: 'cool-secret', uid, controller: true },
      ]);
      return true;
    });
    const status = await reports('shop', 'cool-secret', /^SUCCESS$/);
    assert.ok(Math.abs(Date.now() - Date.parse(status.lastSync ?? '')) < 60_000);
    const { stdout } = await cp.kubectl(['get', 'externalsecrets.kubernetes-client.io', '-n', 'shop']);
    assert.match(stdout, /NAME\s+LAST SYNC\s+STATUS\s+AGE\ncool-secret\s+\S+\s+SUCCESS\s+\S+/);
    // S56 No mounts, no lookups, no renewals: what the policy allows and the login.
    const asked = new Set(Object.keys(openBao.auditCounts()));
    for (const line of before) asked.delete(line);
    assert.deepEqual([...asked].sort(), [`read ${COOL}`, 'update auth/kubernetes/login']);
  });

  test('S59 K23 K68 a value that changes reaches the Secret, nothing is written otherwise, and the token is left alone', async () => {
    await writeCool('n3w');
    await cluster.holds('shop', 'cool-secret', { test: 'n3w' }, 20_000);
    const { resourceVersion } = (await cluster.get('Secret', 'shop', 'cool-secret')).metadata;
    const before = requestsTo(openBao, 'read', COOL);
    await eventually(() => requestsTo(openBao, 'read', COOL) > before + 2, { timeout: 20_000 });
    assert.equal(
      (await cluster.get('Secret', 'shop', 'cool-secret')).metadata.resourceVersion,
      resourceVersion,
    );
  });

  test('S70 S73 K25 a template is merged; labels of others stay, and what is no text becomes one', async () => {
    await cp.kubectlOutput(['label', 'secret', 'cool-secret', '-n', 'shop', 'foreign=yes']);
    const template = {
      metadata: {
        name: 'other',
        labels: { tier: 'gold' },
        annotations: { ts: '2021-09-25T16:13:32.00Z', 'commit-hash': 1234567, flag: true },
      },
    };
    await patch('shop', 'cool-secret', { spec: { template } });
    await eventually(
      async () => {
        const { metadata } = await cluster.get('Secret', 'shop', 'cool-secret');
        const { ts, 'commit-hash': hash, flag } = metadata.annotations ?? {};
        assert.deepEqual([ts, hash, flag], ['2021-09-25T16:13:32.00Z', '1234567', 'true']);
        assert.equal(metadata.labels?.['tier'], 'gold');
        assert.equal(metadata.labels?.['foreign'], 'yes');
        return true;
      },
      { timeout: 20_000 },
    );
    assert.equal(await cluster.find('Secret', 'shop', 'other'), undefined);
    await reports('shop', 'cool-secret', /^SUCCESS$/);
  });

  test('S57 K65 K66 K67 a token that ends and cannot be renewed is had anew, and no sync fails', async () => {
    const spec = { ...VAULT, vaultRole: 'short', data: [cool('test')] };
    await cluster.create(kes('shop', 'short', spec));
    const logins = (): number => requestsTo(openBao, 'update', 'auth/kubernetes/login');
    const before = logins();
    await eventually(() => logins() >= before + 3, { timeout: 60_000, what: 'three more logins' });
    assert.match((await read('shop', 'short')).status?.status ?? '', /^SUCCESS$/);
    await remove('shop', 'short');
  });

  test('K64 a token that may be renewed is', async () => {
    const renewals = (): number => requestsTo(openBao, 'update', 'auth/token/renew-self');
    const before = renewals();
    await cluster.create(kes('shop', 'renewed', { ...VAULT, vaultRole: 'renewed', data: [cool('test')] }));
    await reports('shop', 'renewed', /^SUCCESS$/);
    await eventually(() => renewals() >= before + 2, { timeout: 60_000, what: 'two renewals' });
    assert.match((await read('shop', 'renewed')).status?.status ?? '', /^SUCCESS$/);
    await remove('shop', 'renewed');
  });

  test('K38 a property that is missing: ERROR, and the Secret stays; K9 K12 one line', async () => {
    await cluster.create(kes('shop', 'lost', { ...VAULT, data: [cool('test')] }));
    await reports('shop', 'lost', /^SUCCESS$/);
    await patch('shop', 'lost', { spec: { data: [{ name: 'test', key: COOL, property: 'nobody' }] } });
    const { status } = await reports('shop', 'lost', /^ERROR, /);
    assert.equal(status, `ERROR, Could not find property nobody in ${COOL}`);
    assert.deepEqual(Object.keys((await cluster.values('shop', 'lost')) ?? {}), ['test']);
    await remove('shop', 'lost');
  });
});

describe('events of the object', () => {
  test('K33 K36 a change is read at once, a deletion ends it and takes the Secret along', async () => {
    await cluster.create(kes('shop', 'life', { ...VAULT, data: [cool('one')] }));
    await reports('shop', 'life', /^SUCCESS$/);
    await patch('shop', 'life', { spec: { data: [cool('two')] } });
    await eventually(async () => {
      assert.deepEqual(Object.keys((await cluster.values('shop', 'life')) ?? {}), ['two']);
      return true;
    });
    await remove('shop', 'life');
    await eventually(async () => (await cluster.find('Secret', 'shop', 'life')) === undefined, {
      timeout: 30_000,
    });
  });

  test('K34 K35 an object of another controllerId is left alone, and is let go when it gets one', async () => {
    const spec = { ...VAULT, data: [cool('test')] };
    await cluster.create(kes('shop', 'foreign', { ...spec, controllerId: 'other' }));
    await cluster.create(kes('shop', 'own', spec));
    await reports('shop', 'own', /^SUCCESS$/);
    assert.equal(await cluster.find('Secret', 'shop', 'foreign'), undefined);
    assert.equal((await read('shop', 'foreign')).status, undefined);
    await patch('shop', 'own', { spec: { controllerId: 'other', data: [cool('changed')] } });
    const { generation = 0 } = (await read('shop', 'own')).metadata;
    await cluster.create(kes('shop', 'later', spec));
    await reports('shop', 'later', /^SUCCESS$/);
    assert.ok(((await read('shop', 'own')).status?.observedGeneration ?? 0) < generation);
    for (const name of ['foreign', 'own', 'later']) await remove('shop', name);
  });
});

describe('the same name for two', () => {
  test('S98 whoever is second is told so, and nobody writes over the other', async () => {
    await openBao.write('app', { password: 'hunter2' });
    await prepare(cluster, openBao, 'both');
    await cluster.create(kes('both', 'first-kes', { ...VAULT, data: [cool('test')] }));
    await reports('both', 'first-kes', /^SUCCESS$/);
    await cluster.create(externalSecret('both', 'first-kes'));
    await cluster.failing(
      'both',
      'first-kes',
      /target is owned by another ExternalSecret: .*kubernetes-client\.io\/first-kes/,
    );

    await cluster.create(externalSecret('both', 'first-eso'));
    await cluster.synced('both', 'first-eso');
    const second = await cluster.attempt(kes('both', 'first-eso', { ...VAULT, data: [cool('test')] }));
    assert.equal(second.status, 201);
    await reports('both', 'first-eso', /^ERROR, Secret both\/first-eso belongs to ExternalSecret first-eso/);
    const versions = async (): Promise<unknown[]> => {
      const secrets = ['first-kes', 'first-eso'].map((name) => cluster.get('Secret', 'both', name));
      return (await Promise.all(secrets)).map(({ metadata }) => metadata.resourceVersion);
    };
    const before = await versions();
    const reads = requestsTo(openBao, 'read', COOL);
    await eventually(() => requestsTo(openBao, 'read', COOL) > reads + 3, { timeout: 20_000 });
    assert.deepEqual(await versions(), before);
    await remove('both', 'first-eso');
  });
});

describe('secretsManager', () => {
  const tls = (name: string) => ({ key: 'tls', name, property: name.replace('.', '-') });

  test('K79 two properties at return, and the new values later', async () => {
    await aws.put('us-west-2', 'db', '{"username":"u","password":"p"}');
    const data = ['username', 'password'].map((property) => ({ key: 'db', name: property, property }));
    await cluster.create(kes('shop', 'db', { backendType: 'secretsManager', data }));
    await cluster.holds('shop', 'db', { username: 'u', password: 'p' }, 30_000);
    await reports('shop', 'db', /^SUCCESS$/);
    await aws.put('us-west-2', 'db', '{"username":"u2","password":"p2"}');
    await cluster.holds('shop', 'db', { username: 'u2', password: 'p2' }, 20_000);
  });

  test('K80 a label out of a value', async () => {
    await aws.put('us-west-2', 'tier', 'gold');
    const template = { metadata: { labels: { tier: '<%= data.tier %>' } } };
    const data = [{ key: 'tier', name: 'tier' }];
    await cluster.create(kes('shop', 'labelled', { backendType: 'secretsManager', template, data }));
    assert.equal((await secretOf('shop', 'labelled')).metadata.labels?.['tier'], 'gold');
  });

  test('K81 K82 a TLS Secret by spec.type and by template.type', async () => {
    await aws.put('us-west-2', 'tls', '{"tls-crt":"c","tls-key":"k"}');
    const data = [tls('tls.crt'), tls('tls.key')];
    const type = 'kubernetes.io/tls';
    await cluster.create(kes('shop', 'tls1', { backendType: 'secretsManager', type, data }));
    await cluster.create(kes('shop', 'tls2', { backendType: 'secretsManager', template: { type }, data }));
    for (const name of ['tls1', 'tls2']) {
      const secret = await secretOf('shop', name);
      assert.equal(secret.type, type);
      assert.deepEqual(valuesOf(secret), { 'tls.crt': 'c', 'tls.key': 'k' });
    }
  });

  test('K83 another region, with its updates', async () => {
    await aws.put('eu-central-1', 'far', 'one');
    const spec = {
      backendType: 'secretsManager',
      region: 'eu-central-1',
      data: [{ key: 'far', name: 'far' }],
    };
    await cluster.create(kes('shop', 'far', spec));
    await cluster.holds('shop', 'far', { far: 'one' }, 30_000);
    await aws.put('eu-central-1', 'far', 'two');
    await cluster.holds('shop', 'far', { far: 'two' }, 20_000);
  });
});

describe('systemManager', () => {
  const ssm = (name: string, spec: object): Promise<unknown> =>
    cluster.create(kes('shop', name, { backendType: 'systemManager', ...spec }));

  test('K86 K59 a parameter, and one that is missing', async () => {
    await aws.putParameter('us-west-2', '/kes/one', '1');
    await ssm('parameter', { data: [{ key: '/kes/one', name: 'one' }] });
    await cluster.holds('shop', 'parameter', { one: '1' }, 30_000);
    await ssm('missing', { data: [{ key: '/kes/none', name: 'one' }] });
    const { status } = await reports('shop', 'missing', /^ERROR, /);
    assert.match(status ?? '', /\/kes\/none/);
    assert.equal(await cluster.find('Secret', 'shop', 'missing'), undefined);
    await remove('shop', 'missing');
  });

  test('K87 all under a path, deeper ones where it is asked for; none is an empty Secret', async () => {
    await aws.putParameter('us-west-2', '/kes/names/name1', 'foo');
    await aws.putParameter('us-west-2', '/kes/names/name2', 'bar');
    await aws.putParameter('us-west-2', '/kes/names/deep/name3', 'deep');
    await ssm('names', { data: [{ path: '/kes/names' }] });
    await cluster.holds('shop', 'names', { name1: 'foo', name2: 'bar' }, 30_000);
    await ssm('deep', { data: [{ path: '/kes/names', recursive: true }] });
    await cluster.holds('shop', 'deep', { name1: 'foo', name2: 'bar', name3: 'deep' }, 30_000);
    await ssm('nothing', { data: [{ path: '/kes/nothing' }] });
    await cluster.holds('shop', 'nothing', {}, 30_000);
    await reports('shop', 'nothing', /^SUCCESS$/);
  });

  test('K88 another region', async () => {
    await aws.putParameter('eu-central-1', '/kes/far', 'far');
    await ssm('far-parameter', { region: 'eu-central-1', data: [{ key: '/kes/far', name: 'far' }] });
    await cluster.holds('shop', 'far-parameter', { far: 'far' }, 30_000);
  });
});

describe('permissions of the namespace', () => {
  const role = 'arn:aws:iam::123456789012:role/team';
  const byRole = { backendType: 'secretsManager', roleArn: role, data: [{ key: 'db', name: 'db' }] };
  const byName = { backendType: 'secretsManager', data: [{ key: 'db', name: 'db' }] };
  const annotate = (annotations: object): Promise<unknown> =>
    cluster.patch('Namespace', undefined, 'guarded', { metadata: { annotations } });
  const NAMING = 'externalsecrets.kubernetes-client.io/permitted-key-name';
  const PERMITTED = 'iam.amazonaws.com/permitted';

  test('K84 K85 what is not permitted is refused; what is stored already says so in its status', async () => {
    await cluster.create(kes('guarded', 'before', byName));
    await reports('guarded', 'before', /^SUCCESS$/);
    await annotate({ [PERMITTED]: 'arn:aws:iam::123456789012:role/other', [NAMING]: 'team-a/.*' });

    /** The refusal; a hook that a busy machine keeps waiting lets the object through. */
    const refusalOf = async (name: string, spec: object): Promise<string> =>
      eventually(async () => {
        const { status, body } = await cluster.attempt(kes('guarded', name, spec), { dryRun: 'All' });
        return status === 403 ? (body.message ?? '') : undefined;
      });
    assert.match(
      await refusalOf('role', byRole),
      /spec\.roleArn: not allowed to fetch secret: guarded\/role: namespace does not allow to assume role arn:/,
    );
    assert.match(
      await refusalOf('name', byName),
      /spec\.data\[0\]\.key: not allowed to fetch secret: guarded\/name: key name db does not match naming convention team-a\/\.\*/,
    );
    for (const name of ['role', 'name'])
      assert.equal(await cluster.find('Secret', 'guarded', name), undefined);
    await reports(
      'guarded',
      'before',
      /^ERROR, not allowed to fetch secret: guarded\/before: key name db does not match/,
    );
    assert.ok(await cluster.find('Secret', 'guarded', 'before'));

    await annotate({ [PERMITTED]: null, [NAMING]: null });
    await reports('guarded', 'before', /^SUCCESS$/);
  });

  test('a ClusterSecretPolicy holds for them, too', async () => {
    await cluster.create({
      apiVersion: 'external-secrets-admission.io/v1alpha1',
      kind: 'ClusterSecretPolicy',
      metadata: { name: 'only-app' },
      spec: {
        effect: 'Deny',
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'guarded' } },
        keys: [{ glob: 'us-west-2/app/**' }],
      },
    });
    const body = await eventually(async () => {
      const answer = await cluster.attempt(kes('guarded', 'policy', byName), { dryRun: 'All' });
      return answer.status === 403 ? answer.body : undefined;
    });
    assert.match(body.message ?? '', /spec\.data\[0\]\.key: .*"us-west-2\/db" may not be read/);
    await reports(
      'guarded',
      'before',
      /^ERROR, denied by policy "only-app", rule keys: spec\.data\[0\]\.key: /,
    );
  });
});

describeCommands(place, 'docs/kes.md');

test('the Secret is there when the create returns', async () => {
  // As long as the machine lets admission have its time.
  await eventually(
    async () => {
      const name = `at-return-${Math.random().toString(36).slice(2, 8)}`;
      await cluster.create(kes('shop', name, { ...VAULT, data: [cool('test')] }));
      const found = await cluster.find('Secret', 'shop', name);
      await remove('shop', name);
      return found !== undefined;
    },
    { timeout: 60_000, interval: 500 },
  );
});

describe('polling disabled', { concurrency: false }, () => {
  const spec = { ...VAULT, data: [cool('test')] };
  const reads = (): number => requestsTo(openBao, 'read', COOL);
  const restart = async (): Promise<void> => {
    await product.poller.stop();
    await product.startPoller();
  };

  test('S78 "false" does not disable it', async () => {
    env['DISABLE_POLLING'] = 'false';
    await restart();
    const before = reads();
    await eventually(() => reads() > before + 2, { timeout: 20_000, what: 'reads by time' });
  });

  test('S67 S68 one sync on creation; none by time, none after a restart', async () => {
    env['DISABLE_POLLING'] = 'true';
    await restart();
    for (const name of ['a', 'b']) await cluster.create(kes('once', name, spec));
    for (const name of ['a', 'b']) await reports('once', name, /^SUCCESS$/);
    await restart();
    await eventually(
      async () => (await product.poller.metric('esa_poller_queue_depth').catch(() => 0)) === 0,
    );
    const before = reads();
    await writeCool('later');
    await always(() => assert.equal(reads(), before), { duration: 3_000 });
    assert.notDeepEqual(await cluster.values('once', 'a'), { test: 'later' });
  });

  test('S69 S71 the trigger of the article syncs that one object, and no other', async () => {
    const before = reads();
    const [manifest] = readSeed('../kes/seed003-kes-cool-secret-trigger.yaml', { openBao });
    assert.ok(manifest);
    const { template } = manifest['spec'] as { template: object };
    await patch('once', 'a', { spec: { template } });
    await cluster.holds('once', 'a', { test: 'later' }, 20_000);
    const { annotations } = (await cluster.get('Secret', 'once', 'a')).metadata;
    assert.equal(annotations?.['ts'], '2021-09-25T16:13:32.00Z');
    assert.equal(annotations?.['commit-hash'], 'd4f0a2db0dde69771e65d66cad3d77227832bd76');
    await reports('once', 'a', /^SUCCESS$/);
    assert.equal(reads(), before + 1);
    assert.notDeepEqual(await cluster.values('once', 'b'), { test: 'later' });
  });

  test('S74 the annotation force-sync brings a rotated value in without an edit of the spec', async () => {
    await patch('once', 'b', { metadata: { annotations: { 'external-secrets.io/force-sync': '1' } } });
    await cluster.holds('once', 'b', { test: 'later' }, 20_000);
  });

  describeRefresh(place, 'once', {
    stopPoller: () => product.poller.stop(),
    startPoller: () => product.startPoller(),
  });
});

test('S96 where these kinds are served and used, the manifests of the other articles apply to the same cluster', async () => {
  await applySeedNamespaces(cp);
  for (const file of SEED_FILES) {
    try {
      await assertApplies(cp, openBao, file);
    } catch (error) {
      throw new Error(file, { cause: error });
    }
  }
});
