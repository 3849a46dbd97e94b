import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { takeAwsEnvironment } from '../../providers/aws/environment.ts';
import type { ProviderError, StoreContext } from '../../providers/contract.ts';
import { closeOutbound } from '../../providers/http.ts';
import { closeProviders } from '../../providers/registry.ts';
import { selfSigned } from '../../providers/testing/self-signed.ts';
import { vaultConfigSchema } from '../../providers/vault/config.ts';
import { openBaoConfigSchema, openBaoProvider } from '../../providers/vault/openbao.ts';
import { forgetVaultSessions, vaultProvider } from '../../providers/vault/provider.ts';
import { soon, startVaultBed, store, type VaultBed } from '../conformance/vault-bed.ts';
import { enableLogins, jwtOf, type Logins } from '../conformance/vault-logins.ts';
import { type LoginPeer, startLoginPeer } from '../harness/login-peer.ts';

const PASSWORD = 'p w ä';
const AWS_SECRET = 'aws-secret-key-of-the-test';
const SENTINELS = [PASSWORD, AWS_SECRET, 'pw-of-userpass'];

describe('9.2 vault: every auth method', () => {
  let bed: VaultBed;
  let logins: Logins;
  let peer: LoginPeer;
  const client = selfSigned('127.0.0.1');
  const { privateKey: googleKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

  const set = (name: string, data: Record<string, string>): void =>
    void bed.cluster.set('Secret', `team/${name}`, data);
  const read = async (more: object, context: StoreContext = store): Promise<string> => {
    const config = vaultConfigSchema.parse(bed.block(more));
    assert.deepEqual(vaultProvider.validateConfig(config, context), []);
    const connection = await vaultProvider.connect(config, context, bed.cluster.ports, soon());
    await connection.validate(soon());
    const value = (await connection.read({ key: 'app' }, soon())).get('k').revealText();
    await connection.close();
    return value;
  };
  const refused = (message: RegExp) => (error: ProviderError) => {
    assert.equal(error.code, 'PROVIDER_UNAUTHENTICATED', error.message);
    assert.match(error.message, message);
    const printed = inspect(error, { depth: 12, showHidden: true });
    for (const sentinel of SENTINELS) assert.ok(!printed.includes(sentinel));
    return true;
  };
  const count = (operation: string): number => bed.bao.auditCounts()[operation] ?? 0;

  before(async () => {
    bed = await startVaultBed({ tls: true, audit: true, clientCa: client.cert });
    logins = await enableLogins(bed.bao, client);
    await bed.bao.write('app', { k: 'v' });
    const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    peer = await startLoginPeer(bed.bao, {
      policies: ['app'],
      users: { 'a user': PASSWORD },
      awsKeys: { AKIDTEST: AWS_SECRET, ASIATEST: AWS_SECRET },
      googleKeys: { k1: spki },
    });
    set('client', { 'tls.crt': client.cert, 'tls.key': client.key });
    set('aws', { id: 'AKIDTEST', key: AWS_SECRET, token: 'session' });
  });
  after(async () => {
    await peer.stop();
    await bed.bao.stop();
    await closeOutbound();
  });
  afterEach(() => forgetVaultSessions());

  test('tokenSecretRef', async () => assert.equal(await read({}), 'v'));

  const APP_ROLE = { secretRef: { name: 'role', key: 'secret' } };
  test('appRole with roleId, and with roleRef', async () => {
    set('role', { id: `${logins.roleId}\n`, secret: `${await logins.secretId()}\n` });
    assert.equal(await read({ auth: { appRole: { ...APP_ROLE, roleId: logins.roleId } } }), 'v');
    const roleRef = { name: 'role', key: 'id' };
    assert.equal(await read({ auth: { appRole: { ...APP_ROLE, roleRef } } }), 'v');
    // A role id in the open outranks the other.
    const wrong = { name: 'role', key: 'secret' };
    assert.equal(
      await read({ auth: { appRole: { ...APP_ROLE, roleId: logins.roleId, roleRef: wrong } } }),
      'v',
    );
    const auth = { appRole: { ...APP_ROLE, roleId: 'nobody' } };
    await assert.rejects(read({ auth }), refused(/login at auth\/approle\/login: .*refused \(400\)/));
  });

  test('appRole: one login for many reads, so that a secret id for one login is enough', async () => {
    set('role', { secret: await logins.secretId({ num_uses: 1 }) });
    const auth = { appRole: { ...APP_ROLE, roleId: logins.roleId } };
    for (let i = 0; i < 3; i++) assert.equal(await read({ auth }), 'v');
    // A new secret id is a new login.
    set('role', { secret: await logins.secretId() });
    assert.equal(await read({ auth }), 'v');
  });

  test('auth.namespace: a login in one namespace for secrets in another', async () => {
    const team = { 'x-vault-namespace': 'team' };
    await bed.admin('POST', 'sys/namespaces/team', {});
    await bed.admin('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, team);
    await bed.admin('PUT', 'secret/data/app', { data: { k: 'of the team' } }, team);
    const policy = 'path "team/secret/data/*" { capabilities = ["read"] }';
    await bed.admin('PUT', 'sys/policies/acl/of-team', { policy });
    await bed.admin('POST', 'auth/userpass/users/far', { password: 'pw', token_policies: ['of-team'] });
    set('user', { password: 'pw' });
    const userPass = { username: 'far', secretRef: { name: 'user', key: 'password' } };
    for (const namespace of ['root', '/'])
      assert.equal(await read({ namespace: 'team', auth: { namespace, userPass } }), 'of the team');
    // Without it the login is in the namespace of the secrets, where nobody knows the user.
    await assert.rejects(read({ namespace: 'team', auth: { userPass } }), /auth\/userpass\/login\/far: /);
  });

  test('userPass', async () => {
    set('user', { password: 'pw\n', wrong: 'pw-of-userpass' });
    const userPass = { username: 'app', secretRef: { name: 'user', key: 'password' } };
    assert.equal(await read({ auth: { userPass } }), 'v');
    const wrong = { ...userPass, secretRef: { name: 'user', key: 'wrong' } };
    await assert.rejects(
      read({ auth: { userPass: wrong } }),
      refused(/auth\/userpass\/login\/app: .*refused/),
    );
  });

  test('jwt from a Secret', async () => {
    set('jwt', { good: jwtOf(logins.issuer, 'vault'), bad: jwtOf(logins.issuer, 'other') });
    const jwt = (key: string) => ({ auth: { jwt: { role: 'app', secretRef: { name: 'jwt', key } } } });
    assert.equal(await read(jwt('good')), 'v');
    await assert.rejects(read(jwt('bad')), refused(/as role app: .*refused/));
  });

  test('jwt of a ServiceAccount: audience vault and 10 minutes unless it says otherwise', async () => {
    bed.cluster.objects.set('ServiceAccount team/app', { token: jwtOf(logins.issuer, 'vault') });
    const requested = { serviceAccountRef: { name: 'app' } };
    const auth = (more: object) => ({
      auth: { jwt: { role: 'app', kubernetesServiceAccountToken: { ...requested, ...more } } },
    });
    bed.cluster.asked.length = 0;
    assert.equal(await read(auth({})), 'v');
    assert.equal(await read(auth({ audiences: ['a', 'b'], expirationSeconds: 900 })), 'v');
    assert.deepEqual(
      bed.cluster.asked.filter((one) => one.startsWith('token')),
      ['token team/app vault 600', 'token team/app a,b 900'],
    );
  });

  test('cert: the certificate of the connection is the login', async () => {
    const cert = {
      clientCert: { name: 'client', key: 'tls.crt' },
      secretRef: { name: 'client', key: 'tls.key' },
      vaultRole: 'app',
    };
    assert.equal(await read({ auth: { cert } }), 'v');
    const stranger = selfSigned('127.0.0.1');
    set('stranger', { 'tls.crt': stranger.cert, 'tls.key': stranger.key });
    const wrong = {
      clientCert: { name: 'stranger', key: 'tls.crt' },
      secretRef: { name: 'stranger', key: 'tls.key' },
    };
    await assert.rejects(read({ auth: { cert: wrong } }), refused(/auth\/cert\/login: .*refused/));
    set('stranger', { 'tls.crt': 'nonsense', 'tls.key': stranger.key });
    await assert.rejects(read({ auth: { cert: wrong } }), { code: 'PROVIDER_INVALID_CONFIG' });
  });

  test('mTLS: a listener that asks for a certificate, and a store without one', async () => {
    const mutual = { server: bed.bao.mutualAddress, caBundle: bed.bao.mutualCa };
    const tls = { certSecretRef: { name: 'client' }, keySecretRef: { name: 'client' } };
    assert.equal(await read({ ...mutual, tls }), 'v');
    await assert.rejects(read(mutual), { code: 'PROVIDER_UNREACHABLE' });
  });

  describe('methods that stand in front of the server', () => {
    const at = (auth: object) => ({ server: peer.address, caBundle: undefined, auth });

    test('ldap', async () => {
      set('user', { password: PASSWORD });
      const ldap = { username: 'a user', secretRef: { name: 'user', key: 'password' } };
      assert.equal(await read(at({ ldap })), 'v');
      set('user', { password: 'other' });
      await assert.rejects(read(at({ ldap })), refused(/ldap operation failed/));
    });

    const secretRef = {
      accessKeyIDSecretRef: { name: 'aws', key: 'id' },
      secretAccessKeySecretRef: { name: 'aws', key: 'key' },
    };
    test('iam: STS is asked by the server, with a request that these credentials signed', async () => {
      for (const more of [
        {},
        { region: 'eu-central-1' },
        { vaultAwsIamServerID: 'vault.example.com' },
        { secretRef: { ...secretRef, sessionTokenSecretRef: { name: 'aws', key: 'token' } } },
      ]) {
        assert.equal(await read(at({ iam: { vaultRole: 'app', secretRef, ...more } })), 'v');
      }
      assert.ok(peer.logins.includes('AKIDTEST'));
      const key = { name: 'aws', key: 'token' };
      const wrong = { ...secretRef, secretAccessKeySecretRef: key };
      const iam = { vaultRole: 'app', secretRef: wrong };
      await assert.rejects(read(at({ iam })), refused(/as role app: .*signature$/));
    });

    test('iam: the credentials of this program are not lent unless it was told so', async () => {
      const context: StoreContext = { ...store, kind: 'ClusterSecretStore', namespace: undefined };
      await assert.rejects(read(at({ iam: { vaultRole: 'app' } }), context), {
        code: 'PROVIDER_INVALID_CONFIG',
        message: /--aws-ambient-credentials/,
      });
    });

    describe('iam with credentials that AWS gives', () => {
      const temporary = { AccessKeyId: 'ASIATEST', SecretAccessKey: AWS_SECRET, SessionToken: 'temporary' };
      const asked: URLSearchParams[] = [];
      let sts: Server;
      before(async () => {
        // Known credentials, so that the signature made with them can be checked.
        const answer = (text: string, response: ServerResponse): void => {
          const query = new URLSearchParams(text);
          asked.push(query);
          const action = query.get('Action') ?? '';
          const expires = new Date(Date.now() + 3_600_000).toISOString();
          const fields = Object.entries({ ...temporary, Expiration: expires });
          const xml = fields.map(([name, value]) => `<${name}>${value}</${name}>`).join('');
          response.setHeader('content-type', 'text/xml');
          response.end(
            `<${action}Response><${action}Result><Credentials>${xml}</Credentials></${action}Result></${action}Response>`,
          );
        };
        sts = createServer((request, response) => {
          void request.toArray().then((chunks) => answer(chunks.join(''), response));
        });
        sts.listen(0, '127.0.0.1');
        await once(sts, 'listening');
      });
      after(() => {
        takeAwsEnvironment({ ambient: false }, {});
        sts.closeAllConnections();
        sts.close();
      });
      const environment = (more: Record<string, string> = {}) => ({
        AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(sts.address() as AddressInfo).port}`,
        ...more,
      });

      test('a ServiceAccount that stands for a role, and a role after it', async () => {
        takeAwsEnvironment({ ambient: false }, environment());
        const arn = 'arn:aws:iam::111122223333:role/';
        bed.cluster.objects.set('Annotations team/app', { 'eks.amazonaws.com/role-arn': `${arn}first` });
        bed.cluster.objects.set('ServiceAccount team/app', { token: 'the-token-of-app' });
        const iam = {
          vaultRole: 'app',
          jwt: { serviceAccountRef: { name: 'app' } },
          role: `${arn}second`,
          externalID: 'x1',
        };
        assert.equal(await read(at({ iam })), 'v');
        assert.equal(peer.logins.at(-1), 'ASIATEST');
        const [exchange, assume] = asked;
        assert.deepEqual(
          ['Action', 'RoleArn', 'WebIdentityToken'].map((name) => exchange?.get(name)),
          ['AssumeRoleWithWebIdentity', `${arn}first`, 'the-token-of-app'],
        );
        assert.deepEqual(
          ['Action', 'RoleArn', 'ExternalId'].map((name) => assume?.get(name)),
          ['AssumeRole', `${arn}second`, 'x1'],
        );
      });

      test('the credentials of this program, for a ClusterSecretStore where they are lent', async () => {
        const keys = { AWS_ACCESS_KEY_ID: 'AKIDTEST', AWS_SECRET_ACCESS_KEY: AWS_SECRET };
        takeAwsEnvironment({ ambient: true }, environment(keys));
        const context: StoreContext = { ...store, kind: 'ClusterSecretStore', namespace: undefined };
        assert.equal(await read(at({ iam: { vaultRole: 'app' } }), context), 'v');
        assert.equal(peer.logins.at(-1), 'AKIDTEST');
      });
    });

    test('gcp with the key of a service account', async () => {
      const privateKey = googleKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const file = { client_email: 'app@project.test', private_key: privateKey, private_key_id: 'k1' };
      set('gcp', { good: JSON.stringify(file), none: '{"type":"authorized_user"}' });
      const auth = (key: string) =>
        at({ gcp: { role: 'app', secretRef: { secretAccessKeySecretRef: { name: 'gcp', key } } } });
      assert.equal(await read(auth('good')), 'v');
      assert.ok(peer.logins.includes('app@project.test'));
      await assert.rejects(read(auth('none')), {
        code: 'PROVIDER_INVALID_CONFIG',
        message: /key none of Secret team\/gcp holds no key of a Google service account/,
      });
    });
  });

  test('openBao: the same server under its own block', async () => {
    set('user', { password: 'pw' });
    set('role', { secret: await logins.secretId() });
    const base = { server: bed.bao.address, path: 'secret', caBundle: bed.bao.ca };
    for (const auth of [
      { tokenSecretRef: { name: 'vault-token', key: 'token' } },
      { userPass: { username: 'app', secretRef: { name: 'user', key: 'password' } } },
      { appRole: { ...APP_ROLE, roleId: logins.roleId } },
    ]) {
      const config = openBaoConfigSchema.parse({ ...base, auth });
      assert.deepEqual(openBaoProvider.validateConfig(config, store), []);
      const connection = await openBaoProvider.connect(config, store, bed.cluster.ports, soon());
      assert.equal((await connection.read({ key: 'app' }, soon())).get('k').revealText(), 'v');
    }
    const account = { kubernetes: { path: '../x', role: 'r', serviceAccountRef: { name: 'app' } } };
    const [problem] = openBaoProvider.validateConfig(
      openBaoConfigSchema.parse({ ...base, auth: account }),
      store,
    );
    assert.deepEqual(problem?.path, ['auth', 'kubernetes', 'path']);
  });

  describe('the life of a token', () => {
    const auth = () => ({ appRole: { ...APP_ROLE, roleId: logins.roleId } });
    const withRole = async (more: object): Promise<void> => {
      await bed.admin('POST', 'auth/approle/role/app', { token_policies: ['app'], token_ttl: '1h', ...more });
      set('role', { secret: await logins.secretId() });
    };
    const LOGIN = 'update auth/approle/login';
    const REVOKE = 'update auth/token/revoke-self';

    test('it is given back when the program ends', async () => {
      await withRole({});
      await read({ auth: auth() });
      const before = count(REVOKE);
      await closeProviders();
      assert.equal(count(REVOKE), before + 1);
      await closeProviders();
      assert.equal(count(REVOKE), before + 1);
    });

    test('a batch token works, and there is nothing to give back', async () => {
      await withRole({ token_type: 'batch' });
      const before = [count(LOGIN), count(REVOKE)];
      for (let i = 0; i < 3; i++) assert.equal(await read({ auth: auth() }), 'v');
      await closeProviders();
      assert.deepEqual([count(LOGIN), count(REVOKE)], [(before[0] ?? 0) + 1, before[1]]);
    });

    test('a token for three requests is replaced after them, without a refusal', async () => {
      await withRole({ token_type: 'default', token_num_uses: 3 });
      const config = vaultConfigSchema.parse(bed.block({ auth: auth() }));
      const connection = await vaultProvider.connect(config, store, bed.cluster.ports, soon());
      const before = count(LOGIN);
      for (let i = 0; i < 7; i++) await connection.read({ key: 'app' }, soon());
      // The connection itself took one turn without a request.
      assert.ok(count(LOGIN) - before <= 3, `${count(LOGIN) - before} logins`);
      const refusals = bed.bao
        .auditLines()
        .filter(({ error, request }) => error !== undefined && request.path === 'secret/data/app');
      assert.deepEqual(refusals, []);
    });

    test('without the default policy nothing but login and read is needed (S56)', async () => {
      await withRole({ token_num_uses: 0, token_no_default_policy: true });
      await bed.admin('PUT', 'sys/policies/acl/app', {
        policy: 'path "secret/data/*" { capabilities = ["read"] }',
      });
      const from = bed.bao.auditLines().length;
      assert.equal(await read({ auth: auth() }), 'v');
      const paths = bed.bao
        .auditLines()
        .slice(from)
        .filter(({ type }) => type === 'response')
        .map(({ request }) => `${request.operation} ${request.path}`);
      assert.deepEqual(paths, [LOGIN, 'read secret/data/app']);
    });
  });
});
