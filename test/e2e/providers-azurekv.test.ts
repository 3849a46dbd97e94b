import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { azurekvConfigSchema } from '../../providers/azurekv/config.ts';
import { takeAzureEnvironment } from '../../providers/azurekv/environment.ts';
import { azurekvProvider, forgetAzureSessions } from '../../providers/azurekv/provider.ts';
import type {
  Connection,
  FindRequest,
  ProviderError,
  RemoteRef,
  StoreContext,
} from '../../providers/contract.ts';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { providers } from '../../providers/registry.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { selfSigned } from '../../providers/testing/self-signed.ts';
import { type AzureCall, AzureFake, type AzureFault, TENANT } from '../azure/fake.ts';
import { providerConformance } from '../conformance/provider-kit.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';

const store: StoreContext = {
  kind: 'SecretStore',
  name: 'azure',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};
const SECRET = 'SENTINEL-client-secret';
const principal = {
  tenantId: TENANT,
  authSecretRef: {
    clientId: { name: 'azure', key: 'id' },
    clientSecret: { name: 'azure', key: 'secret' },
  },
};

async function startFake(): Promise<AzureFake> {
  configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
  const fake = await AzureFake.start();
  fake.secret = SECRET;
  takeAzureEnvironment({ ambient: false }, { AZURE_AUTHORITY_HOST: fake.url });
  return fake;
}

after(() => takeAzureEnvironment({ ambient: false }, {}));

providerConformance('azurekv', async () => {
  const fake = await startFake();
  const cluster = new MemoryCluster().set('Secret', 'team/azure', { id: 'client', secret: `${SECRET}\n` });
  const provider = providers.get('azurekv');
  if (provider === undefined) throw new Error('provider azurekv is not registered');
  const block = (more: object = {}): Record<string, unknown> => ({
    vaultUrl: fake.url,
    ...principal,
    ...more,
  });
  return {
    provider,
    store,
    ports: cluster.ports,
    traits: {
      find: ['name', 'tags'],
      metadata: { team: 'team' },
      keys: 'names',
      bigBytes: 24 * 1024,
    },
    keyOf: (name) => name.replaceAll(/[^A-Za-z0-9-]/g, '-'),
    async prepare(secrets) {
      for (const [key, text] of Object.entries(secrets)) fake.put(key, text);
      return block();
    },
    async prepareBytes(bytes) {
      fake.put('bytes', { cer: Buffer.from(bytes).toString('base64') }, 'certificates');
      return { key: 'cert/bytes' };
    },
    async tag(key, tags) {
      fake.stored(key).tags = { ...tags };
    },
    refused: [
      { block: block({ vaultUrl: 'http://my-vault.vault.azure.net' }), path: ['vaultUrl'] },
      { block: block({ vaultUrl: 'https://169.254.169.254' }), path: ['vaultUrl'] },
      { block: block({ tenantId: '' }), path: ['tenantId'] },
      { block: block({ authSecretRef: undefined }), path: ['authSecretRef', 'clientId'] },
      { block: block({ authType: 'ManagedIdentity' }), path: ['authType'] },
      {
        block: block({ authType: 'WorkloadIdentity', serviceAccountRef: { name: 'x', namespace: 'other' } }),
        path: ['serviceAccountRef', 'namespace'],
      },
    ],
    missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND',
    hang: () => {
      fake.pause();
      return () => fake.resume();
    },
    at: (url, ca) => (ca === undefined ? block({ vaultUrl: url }) : undefined),
    sentinels: [SECRET, 'eyJsecret'],
    close: () => fake.stop(),
  };
});

describe('azurekv on a stand-in', () => {
  let fake: AzureFake;
  let cluster: MemoryCluster;

  before(async () => {
    fake = await startFake();
  });
  beforeEach(() => {
    takeAzureEnvironment({ ambient: false }, { AZURE_AUTHORITY_HOST: fake.url });
    cluster = new MemoryCluster().set('Secret', 'team/azure', { id: 'client', secret: SECRET });
    cluster.objects.set('ServiceAccount team/app', { token: 'kubernetes-token' });
    cluster.objects.set('Annotations team/app', {
      'azure.workload.identity/client-id': 'app-client',
      'azure.workload.identity/tenant-id': TENANT,
    });
    fake.federated.add('kubernetes-token');
  });
  afterEach(() => {
    fake.fault = undefined;
    fake.federated.clear();
    forgetAzureSessions();
  });
  after(async () => {
    await closeOutbound();
    await fake.stop();
  });

  const soon = (): AbortSignal => AbortSignal.timeout(10_000);
  const clusterWide = { ...store, kind: 'ClusterSecretStore', namespace: undefined } as const;
  const parse = (more: object) => azurekvConfigSchema.parse({ vaultUrl: fake.url, ...principal, ...more });
  const connect = (more: object = {}, used: StoreContext = store): Promise<Connection> =>
    azurekvProvider.connect(parse(more), used, cluster.ports, soon());
  const object = async (ref: string | RemoteRef, more: object = {}) =>
    (await connect(more)).read(typeof ref === 'string' ? { key: ref } : ref, soon());
  const read = async (ref: string | RemoteRef, more: object = {}): Promise<string> =>
    (await object(ref, more)).get(undefined).revealText();
  const since = (from: number): AzureCall[] => fake.calls.slice(from);
  const workload = {
    authType: 'WorkloadIdentity',
    serviceAccountRef: { name: 'app', audiences: ['more'] },
    tenantId: undefined,
    authSecretRef: undefined,
  };

  describe('objects', () => {
    const KEY = { kid: 'https://v/keys/signing/1', kty: 'RSA', n: 'abc', e: 'AQAB' };
    let versions: string[];

    before(() => {
      versions = ['one', 'two'].map((text) => fake.put('versions', text));
      fake.put('web', { cer: Buffer.from([48, 130, 0, 255]).toString('base64') }, 'certificates');
      fake.put('signing', { key: KEY }, 'keys');
      fake.put('off', 'x');
      fake.stored('off').attributes['enabled'] = false;
    });

    test('the latest version, or the one that is named; what was read says which it was', async () => {
      assert.equal(await read('versions'), 'two');
      assert.equal(await read('secret/versions'), 'two');
      assert.equal(await read({ key: 'versions', version: versions[0] }), 'one');
      assert.equal((await object('versions')).version, versions[1]);
      await assert.rejects(read({ key: 'versions', version: 'f'.repeat(32) }), {
        code: 'PROVIDER_NOT_FOUND',
      });
    });

    test('certificates are their bytes, keys their public half as JSON; neither has members', async () => {
      const web = await object('cert/web');
      assert.deepEqual(web.get(undefined).revealBytes(), Buffer.from([48, 130, 0, 255]));
      const signing = await object('key/signing');
      assert.deepEqual(JSON.parse(signing.get(undefined).revealText()), KEY);
      assert.equal(signing.get('n').revealText(), 'abc');
      for (const one of [web, signing])
        assert.throws(() => one.getMap(undefined), {
          code: 'PROVIDER_INVALID_RESPONSE',
          message: /no members/,
        });
      for (const key of ['cert/none', 'key/none', 'none'])
        await assert.rejects(read(key), { code: 'PROVIDER_NOT_FOUND' });
      await assert.rejects(read('vm/web'), { code: 'PROVIDER_INVALID_CONFIG' });
      assert.equal(
        azurekvProvider.canonicalKey(parse({}), { key: 'cert/web' }),
        `${new URL(fake.url).host}/certificates/web`,
      );
    });

    test('what can be no key or version is refused before it is tried', () => {
      const refusal = (ref: RemoteRef): string | undefined => azurekvProvider.validateRef?.(parse({}), ref);
      assert.match(refusal({ key: 'vm/web' }) ?? '', /write name, secret\/name, cert\/name or key\/name/);
      assert.match(refusal({ key: 'a_b' }) ?? '', /letters, digits/);
      assert.match(refusal({ key: 'a', version: '../b' }) ?? '', /is no id of a version/);
      for (const key of ['a', 'secret/a', 'cert/a-1', 'key/A']) assert.equal(refusal({ key }), undefined);
    });

    test('a disabled secret is not gone', async () => {
      await assert.rejects(read('off'), {
        code: 'PROVIDER_DENIED',
        message: /read secret off: the object is disabled: .*; enable it in the vault/,
      });
    });

    test('Fetch: tags and times, one by one, as a whole, and as keys of a Secret', async () => {
      fake.put('tagged', 'x');
      const stored = fake.stored('tagged');
      stored.tags = { team: 'a', 'dotted.tag': 'd', json: '{"a":"b","c":"d"}', mixed: '{"a":1}' };
      stored.attributes = { enabled: true, exp: 1_800_000_000 };
      const tagged = await object({ key: 'tagged', metadata: true });
      for (const [property, text] of [
        ['team', 'a'],
        ['dotted.tag', 'd'],
        ['json.a', 'b'],
        ['attribute.expires', '2027-01-15T08:00:00Z'],
      ] as const) {
        assert.equal(tagged.get(property).revealText(), text);
      }
      for (const property of ['none', 'json.none', 'team.x', '.'])
        assert.throws(() => tagged.get(property), { code: 'PROVIDER_PROPERTY_NOT_FOUND' });
      assert.deepEqual(JSON.parse(tagged.get(undefined).revealText()), {
        ...stored.tags,
        'attribute.expires': '2027-01-15T08:00:00Z',
      });
      const map = (property?: string) =>
        Object.fromEntries([...tagged.getMap(property)].map(([key, value]) => [key, value.revealText()]));
      assert.deepEqual(map(), {
        tagged_team: 'a',
        'tagged_dotted.tag': 'd',
        tagged_json_a: 'b',
        tagged_json_c: 'd',
        tagged_mixed: '{"a":1}',
        'tagged_attribute.expires': '2027-01-15T08:00:00Z',
      });
      assert.deepEqual(map('team'), { tagged_team: 'a' });
    });
  });

  describe('find', () => {
    const find = async (request: FindRequest): Promise<string[]> =>
      (await (await connect()).find(request, soon())).map(({ key }) => key);

    before(() => {
      for (let i = 0; i < 60; i++) {
        fake.put(`found-${i}`, String(i));
        const stored = fake.stored(`found-${i}`);
        stored.tags = { parity: i % 2 === 0 ? 'even' : 'odd' };
        if (i === 7) stored.attributes['enabled'] = false;
      }
    });

    test('page by page, enabled ones only; name and tags both count', async () => {
      assert.equal((await find({ nameRegexp: '^found-' })).length, 59);
      assert.equal((await find({ tags: { parity: 'odd' } })).length, 29);
      assert.deepEqual(await find({ tags: { parity: 'odd' }, nameRegexp: '^found-[1-7]$' }), [
        'found-1',
        'found-3',
        'found-5',
      ]);
      assert.ok((await find({})).length >= 59, 'without a criterion it is every secret');
      await assert.rejects(find({ path: 'found' }), /a vault has no folders/);
    });

    test('a next page somewhere else is not asked for, for the token would go there', async () => {
      fake.nextPages = 'http://127.0.0.1:9';
      try {
        await assert.rejects(find({ nameRegexp: '.' }), {
          code: 'PROVIDER_INVALID_RESPONSE',
          message: /the next page is at another server/,
        });
      } finally {
        fake.nextPages = fake.url;
      }
    });
  });

  describe('credentials', () => {
    before(() => {
      fake.put('shared', 'x');
    });

    test('a client secret: one login for all who come together, in one request', async () => {
      const from = fake.calls.length;
      await Promise.all(Array.from({ length: 20 }, () => read('shared')));
      const logins = since(from).filter(({ method }) => method === 'POST');
      assert.equal(logins.length, 1);
      assert.equal(since(from).length, 21);
      const form = new URLSearchParams(logins[0]?.body);
      assert.deepEqual(
        [logins[0]?.path, form.get('client_id'), form.get('scope'), form.get('grant_type')],
        [`/${TENANT}/oauth2/v2.0/token`, 'client', 'https://vault.azure.net/.default', 'client_credentials'],
      );
    });

    test('the tenant from the Secret, and the scope of another cloud', async () => {
      cluster.set('Secret', 'team/azure', { id: 'client', secret: SECRET, tenant: `${TENANT}\n` });
      const from = fake.calls.length;
      const authSecretRef = { ...principal.authSecretRef, tenantId: { name: 'azure', key: 'tenant' } };
      await connect({ tenantId: undefined, authSecretRef, environmentType: 'USGovernmentCloud' });
      const scope = new URLSearchParams(since(from)[0]?.body).get('scope');
      assert.equal(scope, 'https://vault.usgovcloudapi.net/.default');
      assert.equal(since(from)[0]?.path, `/${TENANT}/oauth2/v2.0/token`);
      takeAzureEnvironment({ ambient: false }, {});
      for (const [environmentType, host] of [
        ['PublicCloud', 'login.microsoftonline.com'],
        ['USGovernmentCloud', 'login.microsoftonline.us'],
        ['ChinaCloud', 'login.chinacloudapi.cn'],
        ['GermanCloud', 'login.microsoftonline.de'],
      ] as const) {
        assert.equal(azurekvProvider.servers(parse({ environmentType })).at(-1)?.host, host);
      }
    });

    describe('a client certificate', () => {
      const { key, cert } = selfSigned('127.0.0.1');
      const other = selfSigned('127.0.0.1');
      const clientCertificate = { name: 'azure', key: 'pem' };
      const authSecretRef = { clientId: principal.authSecretRef.clientId, clientCertificate };
      const withPem = (pem: string): Promise<string> => {
        cluster.set('Secret', 'team/azure', { id: 'client', pem });
        return read('shared', { authSecretRef });
      };

      before(() => {
        fake.certificate = new X509Certificate(cert);
      });

      test('signs the login; key and certificate may stand in any order', async () => {
        const from = fake.calls.length;
        assert.equal(await withPem(`${key}${cert}`), 'x');
        assert.equal(new URLSearchParams(since(from)[0]?.body).get('client_secret'), null);
        forgetAzureSessions();
        assert.equal(await withPem(`${cert}\n${key}`), 'x');
      });

      test('one that is not registered, half of one, and one that does not fit', async () => {
        await assert.rejects(withPem(`${other.cert}${other.key}`), {
          code: 'PROVIDER_UNAUTHENTICATED',
          message: /AADSTS700027.*; the client certificate is not registered with the application/,
        });
        for (const [pem, message] of [
          [cert, /has to hold a certificate and its private key/],
          [key, /has to hold a certificate and its private key/],
          [`${cert}${other.key}`, /the private key is not that of the certificate/],
          [`${cert}${key.replace(/\n\w{20}/, '\nAAAA')}`, /cannot be parsed/],
        ] as const) {
          await assert.rejects(withPem(pem), (error: ProviderError) => {
            assert.equal(error.code, 'PROVIDER_INVALID_CONFIG');
            assert.match(error.message, message);
            assert.ok(!inspect(error, { depth: 12, showHidden: true }).includes(key.split('\n')[1] ?? ''));
            return true;
          });
        }
      });
    });

    test('workload identity: the token of the ServiceAccount for client and tenant of its annotations', async () => {
      const from = fake.calls.length;
      assert.equal(await read('shared', workload), 'x');
      const form = new URLSearchParams(since(from)[0]?.body);
      assert.deepEqual(
        [form.get('client_id'), form.get('client_assertion')],
        ['app-client', 'kubernetes-token'],
      );
      assert.ok(
        cluster.asked.includes('token team/app api://AzureADTokenExchange,more 600'),
        cluster.asked.join(),
      );
    });

    test('client and tenant: the store or the annotation, not two different ones; the tenant of the program last', async () => {
      const authSecretRef = { clientId: { name: 'azure', key: 'id' } };
      await assert.rejects(connect({ ...workload, authSecretRef }), /multiple client ids found/);
      await assert.rejects(connect({ ...workload, tenantId: 'contoso.com' }), /multiple tenant ids found/);
      await connect({ ...workload, tenantId: TENANT });
      cluster.objects.set('Annotations team/app', {});
      await assert.rejects(connect(workload), /no annotation azure\.workload\.identity\/client-id/);
      cluster.objects.set('Annotations team/app', { 'azure.workload.identity/client-id': 'c' });
      await assert.rejects(connect(workload), /no annotation azure\.workload\.identity\/tenant-id/);
      takeAzureEnvironment({ ambient: false }, { AZURE_AUTHORITY_HOST: fake.url, AZURE_TENANT_ID: TENANT });
      await connect(workload);
    });

    for (const [what, change, code, message] of [
      [
        'wrong client secret',
        () => cluster.set('Secret', 'team/azure', { id: 'client', secret: 'no' }),
        'PROVIDER_UNAUTHENTICATED',
        /^Azure Key Vault 127\.0\.0\.1:\d+: get an access token: the login was refused \(invalid_client\): AADSTS7000215: Invalid client secret provided; the client secret is wrong/,
      ],
      [
        'empty client secret',
        () => cluster.set('Secret', 'team/azure', { id: 'client', secret: '\n' }),
        'PROVIDER_INVALID_CONFIG',
        /no clientSecret, or an empty one/,
      ],
    ] as const) {
      test(what, async () => {
        change();
        await assert.rejects(read('shared'), { code, message });
      });
    }

    test('a tenant that there is not, and a token without a federated credential; the token is in no error', async () => {
      await assert.rejects(read('shared', { tenantId: 'nowhere.example.com' }), {
        code: 'PROVIDER_UNAUTHENTICATED',
        message: /AADSTS90002.*there is no such tenant/,
      });
      const jwt = `eyJhbGciOiJub25lIn0.${Buffer.from('SENTINEL').toString('base64url')}.x`;
      cluster.objects.set('ServiceAccount team/app', { token: jwt });
      await assert.rejects(read('shared', workload), (error: ProviderError) => {
        assert.equal(error.code, 'PROVIDER_UNAUTHENTICATED');
        assert.match(
          error.message,
          /with the token of ServiceAccount team\/app: .*AADSTS70021.*no federated credential/,
        );
        assert.ok(!inspect(error, { depth: 12, showHidden: true }).includes(jwt));
        return true;
      });
    });

    test('those of the program are lent to a ClusterSecretStore only, and only if it was told so', async () => {
      const own = { ...workload, serviceAccountRef: undefined };
      const file = join(temporaryDirectory('azure'), 'token');
      const environment = {
        AZURE_AUTHORITY_HOST: fake.url,
        AZURE_CLIENT_ID: 'program',
        AZURE_TENANT_ID: TENANT,
        AZURE_FEDERATED_TOKEN_FILE: file,
      };
      await assert.rejects(connect(own, clusterWide), /--azure-ambient-credentials/);
      takeAzureEnvironment({ ambient: true }, { ...environment });
      await assert.rejects(connect(own), { code: 'PROVIDER_INVALID_CONFIG', message: /brings its own/ });
      await assert.rejects(connect(own, clusterWide), /token, cannot be read \(ENOENT\)/);
      writeFileSync(file, 'kubernetes-token\n');
      const from = fake.calls.length;
      await connect(own, clusterWide);
      assert.equal(new URLSearchParams(since(from)[0]?.body).get('client_id'), 'program');
      takeAzureEnvironment({ ambient: true }, { AZURE_AUTHORITY_HOST: fake.url });
      await assert.rejects(connect(own, clusterWide), /are not all set for this program/);
    });

    test('a managed identity: of the node, for a ClusterSecretStore, if the program was told so', async () => {
      const managed = { authType: 'ManagedIdentity', authSecretRef: undefined, tenantId: undefined };
      await assert.rejects(connect(managed, clusterWide), /--azure-ambient-credentials/);
      takeAzureEnvironment({ ambient: true }, { AZURE_POD_IDENTITY_AUTHORITY_HOST: fake.url });
      await assert.rejects(connect(managed), { code: 'PROVIDER_INVALID_CONFIG' });
      const from = fake.calls.length;
      const connection = await connect({ ...managed, identityId: 'mine' }, clusterWide);
      await connection.read({ key: 'shared' }, soon());
      const [metadata, secret] = since(from);
      assert.equal(metadata?.path, '/metadata/identity/oauth2/token');
      assert.deepEqual(
        [metadata?.query.get('client_id'), metadata?.query.get('resource')],
        ['mine', 'https://vault.azure.net'],
      );
      assert.match(secret?.token ?? '', /^eyJnode-mine/);
      await connect(managed, clusterWide);
      assert.equal(fake.calls.at(-1)?.query.get('client_id'), null);
      await assert.rejects(connect({ ...managed, identityId: 'unknown' }, clusterWide), {
        code: 'PROVIDER_UNAUTHENTICATED',
        message: /Identity not found/,
      });
    });

    test('what is taken from the environment leaves it', () => {
      const environment: NodeJS.ProcessEnv = {
        AZURE_CLIENT_ID: 'c',
        AZURE_CLIENT_SECRET: 's',
        IDENTITY_ENDPOINT: 'http://127.0.0.1',
        IDENTITY_HEADER: 'h',
        MSI_ENDPOINT: 'x',
        HOME: '/',
      };
      takeAzureEnvironment({ ambient: false }, environment);
      assert.deepEqual(environment, { HOME: '/' });
    });
  });

  describe('faults', () => {
    before(() => {
      fake.put('faulty', 'x');
    });
    const onRead = (fault: AzureFault) => (call: AzureCall) => (call.method === 'GET' ? fault : undefined);

    for (const [fault, code, message] of [
      [
        { code: 403, error: 'Forbidden', inner: 'ForbiddenByRbac', message: 'Caller is not authorized.' },
        'PROVIDER_DENIED',
        /denied \(ForbiddenByRbac\): Caller is not authorized\./,
      ],
      [
        { code: 429, error: 'Throttled', message: 'slow down', headers: { 'retry-after': '3' } },
        'PROVIDER_THROTTLED',
        /too many requests: slow down/,
      ],
      [
        { code: 503, error: 'Unavailable', message: 'down', headers: { 'retry-after': '3' } },
        'PROVIDER_UNREACHABLE',
        /cannot serve now \(503\): down/,
      ],
      [
        { code: 409, error: 'Conflict', message: 'is being deleted' },
        'PROVIDER_UNREACHABLE',
        /is being changed/,
      ],
      [
        { code: 400, error: 'BadParameter', message: 'no' },
        'PROVIDER_INVALID_CONFIG',
        /refused \(BadParameter\): no/,
      ],
      [{ code: 404, text: '<html>no such page</html>' }, 'PROVIDER_INVALID_RESPONSE', /status 404/],
      [{ code: 404, error: 'NotFound' }, 'PROVIDER_INVALID_RESPONSE', /status 404/],
      [{ code: 200, text: '{"value":1}' }, 'PROVIDER_INVALID_RESPONSE', /not what Key Vault says/],
      [
        {
          code: 401,
          headers: {
            'www-authenticate':
              'Bearer authorization="https://login.windows.net/99999999-2222-3333-4444-555555555555", resource="https://vault.azure.net"',
          },
        },
        'PROVIDER_UNAUTHENTICATED',
        /belongs to tenant 99999999-2222-3333-4444-555555555555, and the store uses tenant 11111111/,
      ],
      [
        {
          code: 401,
          headers: {
            'www-authenticate': `Bearer authorization="https://login.chinacloudapi.cn/${TENANT}", resource="https://vault.azure.cn"`,
          },
        },
        'PROVIDER_UNAUTHENTICATED',
        /wants a token for https:\/\/vault\.azure\.cn, and environmentType PublicCloud/,
      ],
    ] as const) {
      test(`${fault.code} ${'error' in fault ? fault.error : ''} becomes ${code}`, async () => {
        const from = fake.calls.length;
        fake.fault = onRead(fault);
        await assert.rejects(read('faulty'), (error: ProviderError) => {
          assert.equal(error.code, code);
          assert.match(error.message, message);
          assert.equal(
            error.retryAfterMs,
            'headers' in fault && 'retry-after' in fault.headers ? 3_000 : undefined,
          );
          return true;
        });
        assert.equal(since(from).filter(({ method }) => method === 'GET').length, 1, 'nothing is retried');
      });
    }

    test('Entra fails: as an error of the login, and asked once', async () => {
      for (const [code, kind] of [
        [429, 'PROVIDER_THROTTLED'],
        [503, 'PROVIDER_UNREACHABLE'],
        [500, 'PROVIDER_UNREACHABLE'],
        [404, 'PROVIDER_UNAUTHENTICATED'],
      ] as const) {
        const from = fake.calls.length;
        fake.fault = ({ method }) => (method === 'POST' ? { code } : undefined);
        await assert.rejects(read('faulty'), { code: kind, message: /get an access token/ });
        assert.equal(since(from).length, 1);
      }
      fake.fault = ({ method }) => (method === 'POST' ? { code: 200, text: '{}' } : undefined);
      await assert.rejects(read('faulty'), { code: 'PROVIDER_INVALID_RESPONSE', message: /holds no token/ });
    });

    test('an address that is never asked', async () => {
      takeAzureEnvironment({ ambient: false }, { AZURE_AUTHORITY_HOST: 'http://169.254.169.254' });
      await assert.rejects(read('faulty'), { code: 'PROVIDER_INVALID_CONFIG', message: /cloud metadata/ });
    });

    test('what policies say is asked of Entra, too', async () => {
      const guard = {
        id: 'g',
        needsAddress: false,
        refusesServer: () => 'is not allowed here',
        refusesAddress: () => undefined,
      };
      const from = fake.calls.length;
      await assert.rejects(connect({}, { ...store, guard }), { code: 'POLICY_DENIED' });
      assert.equal(since(from).length, 0);
    });

    test('the limit of the store is asked before each request, logins included', async () => {
      let paced = 0;
      const pace = (): undefined => {
        paced += 1;
      };
      const connection = await azurekvProvider.connect(parse({}), store, { ...cluster.ports, pace }, soon());
      await connection.read({ key: 'faulty' }, soon());
      assert.equal(paced, 2);
    });
  });
});
