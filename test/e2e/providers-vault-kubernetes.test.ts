import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { SecretValue } from '../../api/secret-value.ts';
import type { Connection, ProviderError, ProviderPorts, StoreContext } from '../../providers/contract.ts';
import { closeOutbound } from '../../providers/http.ts';
import { vaultConfigSchema } from '../../providers/vault/config.ts';
import { forgetVaultSessions, vaultProvider } from '../../providers/vault/provider.ts';
import { soon, startVaultBed, store, type VaultBed } from '../conformance/vault-bed.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';

const READER = 'path "secret/data/app" { capabilities = ["read"] }';
/** Of each role: what it adds to service account `app` of namespace `team`. */
const ROLES = {
  app: { audience: 'vault', token_no_default_policy: true, token_ttl: '1h' },
  any: { token_ttl: '1h' },
  short: { audience: 'vault', token_no_default_policy: true, token_ttl: '3s', token_max_ttl: '3s' },
  renewable: { audience: 'vault', token_ttl: '3s', token_max_ttl: '60s' },
};

describe('vault: kubernetes auth against a real API server', () => {
  let cluster: ControlPlane;
  let bed: VaultBed;
  let ports: ProviderPorts;

  const role = (name: string, more: object = {}): object => ({
    auth: { kubernetes: { role: name, serviceAccountRef: { name: 'app', audiences: ['vault'] }, ...more } },
  });
  const connect = (more: object, context: StoreContext = store): Promise<Connection> =>
    vaultProvider.connect(vaultConfigSchema.parse(bed.block(more)), context, ports, soon());
  const read = async (connection: Connection): Promise<string> =>
    (await connection.read({ key: 'app' }, soon())).get('k').revealText();
  const count = (operation: string): number => bed.bao.auditCounts()[operation] ?? 0;
  const logins = (): number => count('update auth/kubernetes/login');

  const create = async (path: string, body: unknown): Promise<void> => {
    const { status } = await cluster.request('POST', path, body);
    assert.ok(status < 300, `${path}: ${status}`);
  };
  const bindDelegator = (account: string): Promise<void> =>
    create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: account },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace: 'team' }],
    });
  const reviewer = (): Promise<string> => cluster.serviceAccountToken('team', 'reviewer');

  before(async () => {
    [cluster, bed] = await Promise.all([
      startControlPlane({ controllerManager: false }),
      startVaultBed({ audit: true }),
    ]);
    for (const name of ['team', 'other']) await create('/api/v1/namespaces', { metadata: { name } });
    for (const account of ['team/app', 'team/reviewer', 'team/stranger', 'other/app']) {
      const [namespace, name] = account.split('/');
      await create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
    }
    await bindDelegator('reviewer');
    await bed.bao.write('app', { k: 'v' });
    await bed.admin('PUT', 'sys/policies/acl/reader', { policy: READER });
    await bed.admin('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
    await bed.admin('POST', 'auth/kubernetes/config', {
      kubernetes_host: cluster.server,
      kubernetes_ca_cert: cluster.ca,
      token_reviewer_jwt: await reviewer(),
      disable_local_ca_jwt: true,
    });
    for (const [name, more] of Object.entries(ROLES)) {
      await bed.admin('POST', `auth/kubernetes/role/${name}`, {
        bound_service_account_names: ['app'],
        bound_service_account_namespaces: ['team'],
        token_policies: ['reader'],
        ...more,
      });
    }
    ports = {
      ...bed.cluster.ports,
      serviceAccountToken: async ({ namespace, name, audiences, expirationSeconds }) => ({
        token: SecretValue.fromText(
          await cluster.serviceAccountToken(namespace, name, {
            ...(audiences.length === 0 ? {} : { audiences }),
            expirationSeconds,
          }),
        ),
        expiresAt: Date.now() + expirationSeconds * 1000,
      }),
    };
  });
  after(async () => {
    await closeOutbound();
    await Promise.all([cluster.stop(), bed.bao.stop()]);
  });
  afterEach(() => forgetVaultSessions());

  const refused = (message: RegExp) => (error: ProviderError) => {
    assert.equal(error.code, 'PROVIDER_UNAUTHENTICATED', error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(`${inspect(error, { depth: 12 })}${JSON.stringify(error)}`, /eyJ/);
    return true;
  };

  test("logs in with the requested token of the store's account and audience (S47)", async () => {
    const connection = await connect(role('app'));
    await connection.validate(soon());
    assert.equal(await read(connection), 'v');
  });

  test('without audiences the token has those of the API server, which a role with an audience refuses (S55)', async () => {
    const account = { serviceAccountRef: { name: 'app' } };
    assert.equal(await read(await connect(role('any', account))), 'v');
    await assert.rejects(
      connect(role('app', account)),
      refused(/login at auth\/kubernetes\/login as role app: .*audience/),
    );
  });

  test('S77 nothing but auth method, role and policy: with and without system:auth-delegator for the account', async () => {
    assert.equal(await read(await connect(role('app'))), 'v');
    forgetVaultSessions();
    await bindDelegator('app');
    // Then Vault needs no account of its own: it asks with the token that it is shown.
    const own = {
      kubernetes_host: cluster.server,
      kubernetes_ca_cert: cluster.ca,
      disable_local_ca_jwt: true,
    };
    await bed.admin('POST', 'auth/kubernetes/config', { ...own, token_reviewer_jwt: '' });
    try {
      assert.equal(await read(await connect(role('any', { serviceAccountRef: { name: 'app' } }))), 'v');
    } finally {
      await bed.admin('POST', 'auth/kubernetes/config', { ...own, token_reviewer_jwt: await reviewer() });
    }
  });

  test('the token of a Secret, under the key `token` unless it says otherwise', async () => {
    const token = await cluster.serviceAccountToken('team', 'app', { audiences: ['vault'] });
    bed.cluster.set('Secret', 'team/jwt', { token: `${token}\n`, other: 'x' });
    const stored = (secretRef: object): object => ({ auth: { kubernetes: { role: 'app', secretRef } } });
    assert.equal(await read(await connect(stored({ name: 'jwt' }))), 'v');
    await assert.rejects(connect(stored({ name: 'jwt', key: 'other' })), refused(/login was refused/));
  });

  test('who is not bound to the role is refused, and told why', async () => {
    const stranger = { serviceAccountRef: { name: 'stranger', audiences: ['vault'] } };
    await assert.rejects(connect(role('app', stranger)), refused(/service account name not authorized/));
    const elsewhere = { ...store, namespace: 'other', callerNamespace: 'other' };
    await assert.rejects(connect(role('app'), elsewhere), refused(/namespace not authorized/));
    await assert.rejects(connect(role('nope')), refused(/invalid role name/));
  });

  test('a hundred uses of one identity by several stores and namespaces log in once (S48)', async () => {
    const before = logins();
    const account = { serviceAccountRef: { name: 'app', namespace: 'team', audiences: ['vault'] } };
    const stores = ['one', 'two', 'three'].map(
      (caller): StoreContext => ({
        ...store,
        kind: 'ClusterSecretStore',
        name: caller,
        uid: caller,
        namespace: undefined,
        callerNamespace: caller,
      }),
    );
    const uses = Array.from({ length: 99 }, (_, i) => stores[i % stores.length] ?? store);
    const values = await Promise.all(
      uses.map(async (context) => read(await connect(role('app', account), context))),
    );
    assert.deepEqual(new Set(values), new Set(['v']));
    assert.equal(logins() - before, 1);
  });

  test('a token that is revoked is replaced by one login, for all who notice at once', async () => {
    const connection = await connect(role('app'));
    await read(connection);
    const before = logins();
    await bed.admin('POST', 'sys/leases/revoke-prefix/auth/kubernetes/login');
    const values = await Promise.all(Array.from({ length: 30 }, () => read(connection)));
    assert.deepEqual(new Set(values), new Set(['v']));
    assert.equal(logins() - before, 1);
  });

  test('a path that the policy denies costs one login, not one a read', async () => {
    const connection = await connect(role('app'));
    const before = logins();
    for (let i = 0; i < 10; i++) {
      await assert.rejects(connection.read({ key: 'denied' }, soon()), { code: 'PROVIDER_DENIED' });
      assert.equal(await read(connection), 'v');
    }
    assert.equal(logins() - before, 1);
  });

  test('S57 a token of 3 s that may not renew itself: 6 s of reads without a failure, a login each 3 s', async () => {
    const connection = await connect(role('short'));
    const before = logins();
    const end = performance.now() + 6_000;
    while (performance.now() < end) {
      assert.equal(await read(connection), 'v');
      await sleep(100);
    }
    const made = logins() - before;
    assert.ok(made >= 2 && made <= 3, `${made} logins`);
  });

  test('a token that may renew itself is renewed instead', async () => {
    const connection = await connect(role('renewable'));
    const [before, renewals] = [logins(), count('update auth/token/renew-self')];
    const end = performance.now() + 5_000;
    while (performance.now() < end) {
      assert.equal(await read(connection), 'v');
      await sleep(100);
    }
    assert.equal(logins() - before, 0);
    const made = count('update auth/token/renew-self') - renewals;
    assert.ok(made >= 2 && made <= 5, `${made} renewals`);
  });

  test('a sealed server is unreachable, not a refusal of the credentials', async () => {
    await bed.bao.seal();
    try {
      await assert.rejects(connect(role('app')), {
        code: 'PROVIDER_UNREACHABLE',
        message: /login.*Vault is sealed$/,
      });
    } finally {
      await bed.bao.unseal();
    }
  });
});
