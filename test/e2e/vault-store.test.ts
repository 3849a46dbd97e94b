/** What stores of provider vault promise, with the webhook and the poller on a real API server and OpenBao. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { Cluster } from './support/cluster.ts';
import {
  administer,
  applyManifests,
  clusterSecretStore,
  enableKubernetesAuth,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  readerToken,
  readSeed,
  requestsTo,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

/** Long enough for an interval of one second and the poller's own work on a busy machine. */
const WITHIN_MS = 4_000;
const LOGIN = 'auth/kubernetes/login';

let bed: Bed;
let cluster: Cluster;
let openBao: OpenBao;

before(async () => {
  bed = await startBed({ openBao: { audit: true } });
  cluster = new Cluster(bed.cp);
  openBao = bed.openBao;
  await enableKubernetesAuth(bed, cluster, [
    {
      name: 'my-app',
      serviceAccount: 'external-secrets',
      namespace: 'external-secrets-system',
      audience: 'vault',
    },
    { name: 'tenant-a', serviceAccount: 'tenant-a-sa', namespace: 'tenant-a' },
  ]);
  const account = { name: 'external-secrets', namespace: 'external-secrets-system' };
  await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account });
  await openBao.write('app', { password: 'hunter2' });
});
after(() => bed.stop());

const kubernetesAuth = (role: string, serviceAccountRef: object): object => ({
  auth: { kubernetes: { mountPath: 'kubernetes', role, serviceAccountRef } },
});

describe('the primer of Vault and ESO, as printed', () => {
  test('S41 the ClusterSecretStore is accepted; that its token is only known to users is no error', async () => {
    const applied = await applyManifests(
      bed.cp,
      readSeed('seed002-clustersecretstore-vault-backend.yaml', bed),
    );
    assert.deepEqual(applied, {
      code: 0,
      stdout: 'clustersecretstore.external-secrets.io/vault-backend created\n',
      stderr: '',
    });
    const ready = await eventually(() => cluster.ready('ClusterSecretStore', undefined, 'vault-backend'));
    assert.equal(`${ready.status} ${ready.reason}: ${ready.message}`, 'True Valid: store validated');
    const columns = await bed.cp.kubectlOutput(['get', 'clustersecretstore', 'vault-backend']);
    assert.match(
      columns,
      /^NAME +AGE +STATUS +CAPABILITIES +READY\nvault-backend +\S+ +Valid +ReadWrite +True\n$/,
    );
  });

  test('S42 without a property the key holds the whole map as JSON, and the Secret has its owner', async () => {
    await openBao.write('my-app/api-key', { value: 'xyz' });
    const manifests = ['seed002-fixture-vault-token.yaml', 'seed002-externalsecret-my-app.yaml'];
    const { code, stderr } = await applyManifests(
      bed.cp,
      manifests.flatMap((file) => readSeed(file, bed)),
    );
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.deepEqual(await cluster.values('default', 'my-app-k8s-secret'), { 'api-key': '{"value":"xyz"}' });
    await cluster.synced('default', 'my-app-secret', WITHIN_MS);
    const { metadata } = await cluster.get('ExternalSecret', 'default', 'my-app-secret');
    const secret = await cluster.get('Secret', 'default', 'my-app-k8s-secret');
    assert.deepEqual(secret.metadata.ownerReferences, [
      {
        apiVersion: 'external-secrets.io/v1',
        kind: 'ExternalSecret',
        name: 'my-app-secret',
        uid: metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
    assert.equal(secret.type, 'Opaque');
  });

  test('S43 a namespace without the token Secret: it is named, others go on, and it heals when it comes', async () => {
    await cluster.create(namespace('no-token'));
    const store = { secretStoreRef: { kind: 'ClusterSecretStore', name: 'vault-backend' } };
    const created = await cluster.attempt(externalSecret('no-token', 'app', store));
    assert.equal(created.status, 201);
    assert.equal(created.warnings.length, 1);
    assert.match(created.warnings[0] ?? '', /^Secret no-token\/app is not /);
    await cluster.failing(
      'no-token',
      'app',
      /Kubernetes secret "vault-token" from namespace "no-token": not found/,
    );
    const other = await cluster.ready('ExternalSecret', 'default', 'my-app-secret');
    assert.equal(other?.status, 'True');

    await cluster.create(tokenSecret('no-token', openBao.token));
    await cluster.synced('no-token', 'app', WITHIN_MS);
    assert.deepEqual(await cluster.values('no-token', 'app'), { password: 'hunter2' });
  });

  test('S44 the same as a SecretStore, which serves its own namespace only', async () => {
    const [store] = readSeed('seed002-variant-secretstore-and-k8s-auth.yaml', bed);
    assert.ok(store?.kind === 'SecretStore');
    assert.equal((await applyManifests(bed.cp, [store])).code, 0);
    const spec = {
      secretStoreRef: { name: 'vault-backend' },
      data: [{ secretKey: 'api-key', remoteRef: { key: 'my-app/api-key' } }],
    };
    await cluster.create(externalSecret('default', 'namespaced', spec));
    assert.deepEqual(await cluster.values('default', 'namespaced'), { 'api-key': '{"value":"xyz"}' });
    await cluster.synced('default', 'namespaced', WITHIN_MS);

    await cluster.create(externalSecret('no-token', 'elsewhere', spec));
    await cluster.failing(
      'no-token',
      'elsewhere',
      /could not get SecretStore "vault-backend".* not found in namespace no-token/,
    );
    assert.equal(await cluster.values('no-token', 'elsewhere'), undefined);
  });

  test("S47 kubernetes auth logs in with the ServiceAccount's token for audience vault", async () => {
    const [, store] = readSeed('seed002-variant-secretstore-and-k8s-auth.yaml', bed);
    assert.ok(store?.kind === 'ClusterSecretStore');
    assert.equal((await applyManifests(bed.cp, [store])).code, 0);
    await cluster.create(namespace('logged-in'));
    const reference = { kind: 'ClusterSecretStore', name: 'vault-backend-k8s-auth' };
    await cluster.create(externalSecret('logged-in', 'app', { secretStoreRef: reference }));
    assert.deepEqual(await cluster.values('logged-in', 'app'), { password: 'hunter2' });
    await cluster.synced('logged-in', 'app', WITHIN_MS);
    const ready = await cluster.ready('ClusterSecretStore', undefined, 'vault-backend-k8s-auth');
    assert.equal(ready?.status, 'True');

    // The role wants audience vault: a token for the API server itself is refused.
    const account = { name: 'external-secrets', namespace: 'external-secrets-system' };
    const provider = vaultProvider(openBao.address, kubernetesAuth('my-app', account));
    await cluster.create(clusterSecretStore('no-audience', { provider }));
    const refused = await eventually(async () => {
      const condition = await cluster.ready('ClusterSecretStore', undefined, 'no-audience');
      return condition?.status === 'False' && condition;
    });
    assert.equal(refused.reason, 'InvalidProviderConfig');
    assert.match(refused.message ?? '', /login at auth\/kubernetes\/login as role my-app: .*audience/);
  });

  test('S48 ten ExternalSecrets in three namespaces on one store: one login a process, whatever they refresh', async () => {
    const account = { name: 'external-secrets', namespace: 'external-secrets-system', audiences: ['vault'] };
    // A mount of its own spelling, so that the login of S47 cannot serve it.
    const block = { ...kubernetesAuth('my-app', account), headers: { 'x-test': 'S48' } };
    const logins = requestsTo(openBao, 'update', LOGIN);
    const provider = vaultProvider(openBao.address, block);
    await cluster.create(clusterSecretStore('shared', { provider }));
    const objects = Array.from({ length: 10 }, (_, index) => ({
      where: `shared-${index % 3}`,
      name: `app-${index}`,
    }));
    for (const index of [0, 1, 2]) await cluster.create(namespace(`shared-${index}`));
    const secretStoreRef = { kind: 'ClusterSecretStore', name: 'shared' };
    await Promise.all(
      objects.map(({ where, name }) => cluster.create(externalSecret(where, name, { secretStoreRef }))),
    );
    for (const { where, name } of objects) {
      assert.deepEqual(await cluster.values(where, name), { password: 'hunter2' });
      await cluster.synced(where, name, WITHIN_MS);
    }
    const before = requestsTo(openBao, 'read', 'secret/data/app');
    await eventually(() => requestsTo(openBao, 'read', 'secret/data/app') >= before + 3);
    // One of the webhook, one of the poller.
    assert.equal(requestsTo(openBao, 'update', LOGIN) - logins, 2);
    for (const { where, name } of objects) await cluster.remove('ExternalSecret', where, name);
  });
});

describe('tokens', () => {
  /** A namespace whose store has a token of its own that may be revoked. */
  async function withToken(name: string): Promise<string> {
    const token = await readerToken(openBao);
    await cluster.create(namespace(name));
    await cluster.create(tokenSecret(name, token));
    await cluster.create(secretStore(name, 'vault', { provider: vaultProvider(openBao.address) }));
    await openBao.write(`${name}/app`, { password: 'kept' });
    await cluster.create(externalSecret(name, 'app', passwordOf(`${name}/app`)));
    await cluster.synced(name, 'app', WITHIN_MS);
    return token;
  }
  const replaceToken = (where: string, token: string): Promise<unknown> =>
    cluster.patch('Secret', where, 'vault-token', { stringData: { token } });
  const revoke = (token: string): Promise<unknown> =>
    administer(openBao, 'POST', 'auth/token/revoke', { token });

  test('S45 a new token in the Secret is used by the next sync', async () => {
    const first = await withToken('new-token');
    const second = await readerToken(openBao);
    await replaceToken('new-token', second);
    const before = requestsTo(openBao, 'read', 'secret/data/new-token/app');
    await eventually(() => requestsTo(openBao, 'read', 'secret/data/new-token/app') >= before + 2);
    await revoke(first);
    await always(
      async () => {
        const ready = await cluster.ready('ExternalSecret', 'new-token', 'app');
        assert.equal(ready?.status, 'True', ready?.message ?? '');
      },
      { duration: 2_500 },
    );
  });

  test('S46 a revoked token: store and object say so, the Secret stays, a new token heals both', async () => {
    const token = await withToken('revoked');
    const { metadata, data } = await cluster.get('Secret', 'revoked', 'app');
    await revoke(token);
    await cluster.failing(
      'revoked',
      'app',
      /could not get secret data from provider: .*permission denied/,
      WITHIN_MS,
    );
    await eventually(
      async () => {
        const ready = await cluster.ready('SecretStore', 'revoked', 'vault');
        return (
          ready?.status === 'False' &&
          /unable to validate store: .*permission denied/.test(ready.message ?? '')
        );
      },
      { timeout: WITHIN_MS, what: 'the store Ready=False' },
    );
    const kept = await cluster.get('Secret', 'revoked', 'app');
    assert.deepEqual(kept.data, data);
    assert.equal(kept.metadata.resourceVersion, metadata.resourceVersion);

    await replaceToken('revoked', await readerToken(openBao));
    await cluster.synced('revoked', 'app', WITHIN_MS);
    await eventually(async () => (await cluster.ready('SecretStore', 'revoked', 'vault'))?.status === 'True');
    assert.equal(
      (await cluster.get('Secret', 'revoked', 'app')).metadata.resourceVersion,
      metadata.resourceVersion,
    );
  });
});

describe('tenants', () => {
  test('S34 a SecretStore is of no use to another namespace, and Vault is not asked', async () => {
    for (const name of ['tenant-a', 'tenant-b']) await cluster.create(namespace(name));
    const metadata = { name: 'tenant-a-sa', namespace: 'tenant-a' };
    await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    const provider = vaultProvider(openBao.address, kubernetesAuth('tenant-a', { name: 'tenant-a-sa' }));
    await cluster.create(secretStore('tenant-a', 'tenant-a-secrets', { provider }));
    await openBao.write('tenant-a/db', { password: 'only-for-a' });
    const [own, stolen] = readSeed('seed001-fixture-tenant-externalsecrets.yaml', bed);
    assert.ok(own !== undefined && stolen !== undefined);

    await cluster.create(own);
    assert.deepEqual(await cluster.values('tenant-a', 'own'), { password: 'only-for-a' });
    await cluster.synced('tenant-a', 'own', WITHIN_MS);
    const asked = (): readonly number[] => [
      requestsTo(openBao, 'read', 'secret/data/tenant-a/db'),
      requestsTo(openBao, 'update', LOGIN),
    ];
    const before = asked();
    const created = await cluster.attempt(stolen);
    assert.equal(created.status, 201);
    await cluster.failing(
      'tenant-b',
      'stolen',
      /SecretStore.*"tenant-a-secrets" not found in namespace tenant-b/,
    );
    assert.equal(await cluster.values('tenant-b', 'stolen'), undefined);
    assert.deepEqual(asked(), before);
  });

  test('S35 a SecretStore that names a Secret or ServiceAccount of another namespace is refused', async () => {
    await cluster.create(namespace('foreign'));
    const tokenSecretRef = { name: 'vault-token', key: 'token', namespace: 'default' };
    const account = { name: 'external-secrets', namespace: 'external-secrets-system' };
    const blocks = [
      { block: { auth: { tokenSecretRef } }, path: 'auth.tokenSecretRef.namespace' },
      { block: kubernetesAuth('my-app', account), path: 'auth.kubernetes.serviceAccountRef.namespace' },
      {
        block: { caProvider: { type: 'Secret', name: 'ca', key: 'ca.crt', namespace: 'default' } },
        path: 'caProvider.namespace',
      },
    ];
    for (const { block, path } of blocks) {
      const store = secretStore('foreign', 'reaching', { provider: vaultProvider(openBao.address, block) });
      const { code, stderr } = await applyManifests(bed.cp, [store]);
      assert.equal(code, 1);
      assert.match(stderr, /SecretStore "reaching" is invalid/);
      assert.ok(stderr.includes(`spec.provider.vault.${path}: `), stderr);
      assert.equal(await cluster.find('SecretStore', 'foreign', 'reaching'), undefined);
    }
  });

  test('S82 a store without kind is a SecretStore; one that comes later heals its objects within 2 s', async () => {
    await cluster.create(namespace('late-store'));
    await cluster.create(tokenSecret('late-store', openBao.token));
    await cluster.create(externalSecret('late-store', 'app', { refreshInterval: '1h' }));
    await cluster.failing('late-store', 'app', /could not get SecretStore "vault"/);
    // With the backoff of an interval of an hour it would take longer each time.
    await always(async () => assert.equal(await cluster.values('late-store', 'app'), undefined), {
      duration: 1_500,
    });
    await cluster.create(secretStore('late-store', 'vault', { provider: vaultProvider(openBao.address) }));
    await cluster.synced('late-store', 'app', 2_000);
    assert.deepEqual(await cluster.values('late-store', 'app'), { password: 'hunter2' });
  });
});

describe('trust and versions', () => {
  test('S50 behind a private CA: caBundle and caProvider work, without them the certificate is named', async (t) => {
    const secure = await startOpenBao({ tls: true });
    t.after(() => secure.stop());
    await secure.write('app', { password: 'over-tls' });
    const ca = secure.ca ?? '';
    await cluster.create(namespace('tls'));
    await cluster.create(tokenSecret('tls', secure.token));
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'ca', namespace: 'tls' },
      // Of the API server's CA first: a wrong one that is a certificate all the same.
      stringData: { 'ca.crt': bed.cp.ca },
    });
    const metadata = { name: 'ca', namespace: 'tls' };
    await cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'ca.crt': ca } });
    const caProvider = (type: string): object => ({ caProvider: { type, name: 'ca', key: 'ca.crt' } });
    const stores = {
      bundle: { caBundle: Buffer.from(ca).toString('base64') },
      secret: caProvider('Secret'),
      configmap: caProvider('ConfigMap'),
      none: {},
    };
    for (const [name, block] of Object.entries(stores)) {
      await cluster.create(secretStore('tls', name, { provider: vaultProvider(secure.address, block) }));
      await cluster.attempt(externalSecret('tls', name, { secretStoreRef: { name } }));
    }
    for (const name of ['bundle', 'configmap']) {
      await cluster.synced('tls', name, WITHIN_MS);
      assert.deepEqual(await cluster.values('tls', name), { password: 'over-tls' });
    }
    const untrusted = /TLS: the certificate of the server is not trusted .*caBundle or caProvider/;
    for (const name of ['none', 'secret']) {
      await cluster.failing('tls', name, untrusted);
      assert.equal(await cluster.values('tls', name), undefined);
      const store = await eventually(() => cluster.ready('SecretStore', 'tls', name));
      assert.equal(store.status, 'False');
      assert.match(store.message ?? '', untrusted);
    }
    await cluster.patch('Secret', 'tls', 'ca', { stringData: { 'ca.crt': ca } });
    await cluster.synced('tls', 'secret', WITHIN_MS);
    assert.deepEqual(await cluster.values('tls', 'secret'), { password: 'over-tls' });
  });

  test('S51 a store of the wrong KV version is told so, in both directions', async () => {
    await administer(openBao, 'POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
    await administer(openBao, 'PUT', 'kv1/app', { password: 'one' });
    await prepare(cluster, openBao, 'kv-version');
    const mounts = { right: ['kv1', 'v1'], 'says-v2': ['kv1', 'v2'], 'says-v1': ['secret', 'v1'] } as const;
    for (const [name, [path, version]] of Object.entries(mounts)) {
      const provider = vaultProvider(openBao.address, { path, version });
      await cluster.create(secretStore('kv-version', name, { provider }));
      await cluster.attempt(externalSecret('kv-version', name, { secretStoreRef: { name } }));
    }
    await cluster.synced('kv-version', 'right', WITHIN_MS);
    assert.deepEqual(await cluster.values('kv-version', 'right'), { password: 'one' });
    await cluster.failing('kv-version', 'says-v2', /mount kv1 is KV version 1, the store says v2/);
    await cluster.failing('kv-version', 'says-v1', /mount secret is KV version 2, the store says v1/);
  });
});

describe('what is read', () => {
  before(() => prepare(cluster, openBao, 'reading'));

  test('S32 a key that does not exist is named, in the condition and in an event', async () => {
    const created = await cluster.attempt(externalSecret('reading', 'absent', passwordOf('prod/database')));
    assert.equal(created.warnings.length, 1);
    const message = await cluster.failing(
      'reading',
      'absent',
      /secret\/data\/prod\/database: no such secret/,
    );
    assert.match(
      message,
      /^could not get secret data from provider: error processing spec\.data\[0\] \(key: prod\/database\), err: /,
    );
    const warnings = (await cluster.events('reading')).filter(
      ({ involvedObject }) => involvedObject.name === 'absent',
    );
    assert.deepEqual(
      warnings.map(({ type, reason, message: text }) => [
        type,
        reason,
        `could not get secret data from provider: ${text}`,
      ]),
      [['Warning', 'UpdateFailed', message]],
    );
    await openBao.write('prod/database', { password: 'there' });
    await cluster.synced('reading', 'absent', WITHIN_MS);
    assert.deepEqual(await cluster.values('reading', 'absent'), { password: 'there' });
  });

  test('a property that does not exist is named', async () => {
    const data = [{ secretKey: 'password', remoteRef: { key: 'app', property: 'pasword' } }];
    await cluster.attempt(externalSecret('reading', 'property', { data }));
    await cluster.failing(
      'reading',
      'property',
      /secret\/data\/app: cannot find secret data for key: "pasword"/,
    );
  });

  test('a version of a KV v2 secret', async () => {
    await openBao.write('versioned', { password: 'first' });
    await openBao.write('versioned', { password: 'second' });
    const at = (version: string): object => ({ key: 'versioned', property: 'password', version });
    const data = [
      { secretKey: 'first', remoteRef: at('1') },
      { secretKey: 'latest', remoteRef: { key: 'versioned', property: 'password' } },
    ];
    await cluster.create(externalSecret('reading', 'versioned', { data }));
    assert.deepEqual(await cluster.values('reading', 'versioned'), { first: 'first', latest: 'second' });
    await cluster.synced('reading', 'versioned', WITHIN_MS);

    await cluster.attempt(
      externalSecret('reading', 'no-version', { data: [{ secretKey: 'password', remoteRef: at('9') }] }),
    );
    await cluster.failing('reading', 'no-version', /no such secret, or not this version of it/);
    await administer(openBao, 'POST', 'secret/delete/versioned', { versions: ['1'] });
    await cluster.failing('reading', 'versioned', /version 1 is deleted/, WITHIN_MS);
    assert.deepEqual(await cluster.values('reading', 'versioned'), { first: 'first', latest: 'second' });
  });

  test('a property with dots: an exact key first, else a path into the object', async () => {
    await openBao.write('nested', {
      'tls.crt': 'exact',
      db: { host: 'h', ports: [5432, 5433] },
      tls: { crt: 'path' },
    });
    const properties = ['tls.crt', 'db.host', 'db.ports.1', 'db.ports', 'db'];
    const data = properties.map((property) => ({
      secretKey: property,
      remoteRef: { key: 'nested', property },
    }));
    await cluster.create(externalSecret('reading', 'nested', { data }));
    assert.deepEqual(await cluster.values('reading', 'nested'), {
      'tls.crt': 'exact',
      'db.host': 'h',
      'db.ports.1': '5433',
      'db.ports': '[5432,5433]',
      db: '{"host":"h","ports":[5432,5433]}',
    });
  });

  test('dataFrom.extract makes a key of each member, and data goes over it', async () => {
    await openBao.write('all', {
      user: 'u',
      password: 'p',
      'odd key': 'o',
      number: 42,
      flag: true,
      none: null,
    });
    const dataFrom = [{ extract: { key: 'all' } }];
    const data = [{ secretKey: 'password', remoteRef: { key: 'app', property: 'password' } }];
    await cluster.create(externalSecret('reading', 'all', { dataFrom, data }));
    const expected = { user: 'u', password: 'hunter2', odd_key: 'o', number: '42', flag: 'true', none: '' };
    assert.deepEqual(await cluster.values('reading', 'all'), expected);
    await cluster.synced('reading', 'all', WITHIN_MS);

    // A member that goes at Vault goes from the Secret.
    await openBao.write('all', { user: 'u', added: 'a' });
    await cluster.holds('reading', 'all', { user: 'u', added: 'a', password: 'hunter2' }, WITHIN_MS);
    const { metadata } = await cluster.get('Secret', 'reading', 'all');
    assert.equal(metadata.labels?.[LABEL_MANAGED], 'true');
  });

  test('S81 dataFrom.extract of what is no object writes no Secret', async () => {
    const dataFrom = [{ extract: { key: 'app', property: 'password' } }];
    const created = await cluster.attempt(externalSecret('reading', 'no-object', { data: [], dataFrom }));
    assert.equal(created.status, 201, created.body.message ?? '');
    const message = await cluster.failing(
      'reading',
      'no-object',
      /error processing spec\.dataFrom\[0\]\.extract, err: /,
    );
    assert.doesNotMatch(message, /hunter2/);
    assert.equal(await cluster.values('reading', 'no-object'), undefined);
    const { status }: ExternalSecret = await cluster.get('ExternalSecret', 'reading', 'no-object');
    assert.equal(status?.refreshTime ?? undefined, undefined);
  });
});
