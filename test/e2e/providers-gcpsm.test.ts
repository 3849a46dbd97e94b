import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type {
  Connection,
  FindRequest,
  ProviderError,
  RemoteRef,
  StoreContext,
} from '../../providers/contract.ts';
import { gcpsmConfigSchema } from '../../providers/gcpsm/config.ts';
import { takeGcpEnvironment } from '../../providers/gcpsm/environment.ts';
import { forgetGcpSessions, gcpsmProvider } from '../../providers/gcpsm/provider.ts';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { providers } from '../../providers/registry.ts';
import { MemoryCluster } from '../../providers/testing/cluster.ts';
import { providerConformance } from '../conformance/provider-kit.ts';
import { type GcpCall, GcpFake } from '../gcp/fake.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';

const PROJECT = 'projects/shop-1';
const store: StoreContext = {
  kind: 'SecretStore',
  name: 'gcp',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};
const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const keyFile = (more: object = {}): string =>
  JSON.stringify({
    type: 'service_account',
    project_id: 'shop-1',
    private_key_id: 'k1',
    private_key: privateKey,
    client_email: 'reader@shop-1.iam.gserviceaccount.com',
    // Whoever may write a Secret must not choose where the assertion is sent.
    token_uri: 'http://127.0.0.1:9/stolen',
    ...more,
  });
const withKey = { secretRef: { secretAccessKeySecretRef: { name: 'gcp', key: 'key.json' } } };
const block = (more: object = {}): Record<string, unknown> => ({
  projectID: 'shop-1',
  auth: withKey,
  ...more,
});
const PRIVATE = privateKey.split('\n')[1] ?? '';

const endpoints = (url: string, secrets: string = url): NodeJS.ProcessEnv => ({
  CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER: secrets,
  CLOUDSDK_AUTH_TOKEN_HOST: `${url}/token`,
  CLOUDSDK_API_ENDPOINT_OVERRIDES_STS: url,
  CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS: url,
});

async function startFake(): Promise<GcpFake> {
  configureOutbound({ allowLoopback: true, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 });
  const fake = await GcpFake.start();
  fake.publicKey = publicKey;
  takeGcpEnvironment({ ambient: false }, endpoints(fake.url));
  return fake;
}

after(() => takeGcpEnvironment({ ambient: false }, {}));

providerConformance('gcpsm', async () => {
  const fake = await startFake();
  const cluster = new MemoryCluster().set('Secret', 'team/gcp', { 'key.json': keyFile() });
  const provider = providers.get('gcpsm');
  if (provider === undefined) throw new Error('provider gcpsm is not registered');
  return {
    provider,
    store,
    ports: cluster.ports,
    traits: {
      find: ['name', 'tags', 'path'],
      metadata: { team: 'labels.team' },
      keys: 'names',
      bigBytes: 64 * 1024,
    },
    keyOf: (name) => name.replaceAll(/[^A-Za-z0-9_-]/g, '-'),
    async prepare(secrets) {
      for (const [key, text] of Object.entries(secrets)) fake.put(PROJECT, key, text);
      return block();
    },
    async prepareBytes(bytes) {
      fake.put(PROJECT, 'bytes', bytes);
      return { key: 'bytes' };
    },
    async tag(key, tags) {
      const stored = fake.secrets.get(`${PROJECT}/secrets/${key}`);
      if (stored !== undefined) stored.labels = { ...tags };
    },
    refused: [
      { block: block({ projectID: '' }), path: ['projectID'] },
      { block: block({ location: 'eu/evil.example.com' }), path: ['location'] },
      { block: block({ auth: undefined }), path: ['auth'] },
      { block: block({ auth: { secretRef: {} } }), path: ['auth', 'secretRef', 'secretAccessKeySecretRef'] },
      {
        block: block({
          auth: { workloadIdentity: { serviceAccountRef: { name: 'x', namespace: 'other' } } },
        }),
        path: ['auth', 'workloadIdentity', 'serviceAccountRef', 'namespace'],
      },
    ],
    missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND',
    hang: () => {
      fake.pause();
      return () => fake.resume();
    },
    at(url, ca) {
      if (ca !== undefined) return undefined;
      takeGcpEnvironment({ ambient: false }, endpoints(fake.url, url));
      return block();
    },
    sentinels: [PRIVATE, 'ya29.'],
    close: () => fake.stop(),
  };
});

describe('gcpsm on a stand-in', () => {
  let fake: GcpFake;
  let cluster: MemoryCluster;

  before(async () => {
    fake = await startFake();
  });
  beforeEach(() => {
    takeGcpEnvironment({ ambient: false }, endpoints(fake.url));
    cluster = new MemoryCluster().set('Secret', 'team/gcp', { 'key.json': keyFile() });
    cluster.objects.set('ServiceAccount team/app', { token: 'kubernetes-token' });
    cluster.objects.set('Annotations team/app', {});
  });
  afterEach(() => {
    fake.fault = undefined;
    fake.lifeSeconds = 3_600;
    forgetGcpSessions();
  });
  after(async () => {
    await closeOutbound();
    await fake.stop();
  });

  const soon = (): AbortSignal => AbortSignal.timeout(10_000);
  const clusterWide = { ...store, kind: 'ClusterSecretStore', namespace: undefined } as const;
  const connect = (more: object = {}, used: StoreContext = store): Promise<Connection> =>
    gcpsmProvider.connect(gcpsmConfigSchema.parse(block(more)), used, cluster.ports, soon());
  const object = async (ref: string | RemoteRef, more: object = {}) =>
    (await connect(more)).read(typeof ref === 'string' ? { key: ref } : ref, soon());
  const read = async (ref: string | RemoteRef, more: object = {}): Promise<string> =>
    (await object(ref, more)).get(undefined).revealText();
  const since = (from: number): GcpCall[] => fake.calls.slice(from);
  const federation = (more: object): object => ({
    auth: {
      workloadIdentityFederation: {
        audience:
          '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster',
        ...more,
      },
    },
  });

  describe('versions', () => {
    before(() => {
      for (const text of ['one', 'two', 'three']) fake.put(PROJECT, 'versions', text);
      const locked = fake.put(PROJECT, 'locked', 'old');
      for (const state of ['DISABLED', 'DESTROYED'] as const) {
        fake.put(PROJECT, 'locked', state);
        const last = locked.versions.at(-1);
        if (last !== undefined) last.state = state;
      }
    });

    test('the latest, or the one that is named; what was read says which it was', async () => {
      assert.equal(await read('versions'), 'three');
      assert.equal(await read({ key: 'versions', version: '2' }), 'two');
      assert.equal((await object('versions')).version, '3');
    });

    test('a version that is not there is not found; one that is locked is not gone', async () => {
      await assert.rejects(read({ key: 'versions', version: '9' }), { code: 'PROVIDER_NOT_FOUND' });
      await assert.rejects(read('locked'), {
        code: 'PROVIDER_DENIED',
        message: /read locked: the version cannot be read: .*DESTROYED state.*; enable it/,
      });
    });

    test('LatestOrFetch takes the latest that is enabled, unless a version is named', async () => {
      const policy = { secretVersionSelectionPolicy: 'LatestOrFetch' };
      assert.equal(await read('locked', policy), 'old');
      await assert.rejects(read({ key: 'locked', version: '2' }, policy), { code: 'PROVIDER_DENIED' });
      const stored = fake.put(PROJECT, 'all-locked', 'x');
      for (const version of stored.versions) version.state = 'DISABLED';
      await assert.rejects(read('all-locked', policy), { code: 'PROVIDER_DENIED' });
    });

    test('a secret without a version is not found', async () => {
      fake.secrets.set(`${PROJECT}/secrets/empty`, { labels: {}, annotations: {}, versions: [] });
      await assert.rejects(read('empty'), { code: 'PROVIDER_NOT_FOUND', message: /no versions/ });
    });
  });

  test('Fetch: labels and annotations, each by its name, dots and all', async () => {
    const stored = fake.put(PROJECT, 'described', 'x');
    stored.labels = { team: 'a' };
    stored.annotations = { 'example.com/owner': 'me' };
    const described = await object({ key: 'described', metadata: true });
    assert.equal(described.get('labels.team').revealText(), 'a');
    assert.equal(described.get('annotations.example\\.com/owner').revealText(), 'me');
    assert.equal(described.get('labels').revealText(), '{"team":"a"}');
    assert.deepEqual(JSON.parse(described.get(undefined).revealText()), {
      annotations: { 'example.com/owner': 'me' },
      labels: { team: 'a' },
    });
    assert.equal(described.getMap('annotations').get('example.com/owner')?.revealText(), 'me');
  });

  test('regional secrets are read from their region', async () => {
    fake.put(`${PROJECT}/locations/europe-west3`, 'regional', 'here');
    assert.equal(await read('regional', { location: 'europe-west3' }), 'here');
    await assert.rejects(read('regional'), { code: 'PROVIDER_NOT_FOUND' });
    takeGcpEnvironment({ ambient: false }, {});
    const config = gcpsmConfigSchema.parse(block({ location: 'europe-west3' }));
    assert.deepEqual(gcpsmProvider.servers(config).map(String), [
      'https://secretmanager.europe-west3.rep.googleapis.com/',
      'https://oauth2.googleapis.com/',
    ]);
    assert.equal(
      gcpsmProvider.canonicalKey(config, { key: 'a' }),
      'projects/shop-1/locations/europe-west3/secrets/a',
    );
  });

  describe('find', () => {
    const find = async (request: FindRequest): Promise<string[]> =>
      (await (await connect({ projectID: 'found' })).find(request, soon())).map(({ key }) => key);

    before(() => {
      for (let i = 0; i < 45; i++) {
        const stored = fake.put('projects/found', `app-${i}`, String(i));
        stored.labels = { parity: i % 2 === 0 ? 'even' : 'odd' };
      }
      fake.put('projects/found', 'other-app-1', 'x');
    });

    test('page by page; a path is how a name begins', async () => {
      assert.equal((await find({ nameRegexp: '.*' })).length, 46);
      assert.equal((await find({ nameRegexp: '1$', path: 'app' })).length, 5);
      assert.equal((await find({ tags: { parity: 'odd' } })).length, 22);
      assert.deepEqual(await find({ tags: { parity: 'odd' }, nameRegexp: '-4\\d$' }), ['app-41', 'app-43']);
    });

    test('what can be no label is refused, and nothing gets into the filter', async () => {
      await assert.rejects(find({ tags: { 'a OR name': 'x' } }), { code: 'PROVIDER_INVALID_CONFIG' });
      await assert.rejects(find({ tags: { a: 'x OR name:y' } }), { code: 'PROVIDER_INVALID_CONFIG' });
      await assert.rejects(find({}), /unexpected find operator/);
    });

    test('a version that is locked fails the find; a secret without one is left out', async () => {
      fake.secrets.set('projects/found/secrets/app-none', { labels: {}, annotations: {}, versions: [] });
      assert.deepEqual(await find({ nameRegexp: '^app-none$' }), []);
      const stored = fake.put('projects/found', 'app-off', 'x');
      for (const version of stored.versions) version.state = 'DISABLED';
      await assert.rejects(find({ nameRegexp: '^app-off$' }), { code: 'PROVIDER_DENIED' });
      fake.secrets.delete('projects/found/secrets/app-off');
    });
  });

  describe('credentials', () => {
    before(() => {
      fake.put(PROJECT, 'shared', 'x');
    });

    test('a key: one token for all who come together, and where it is asked for is not up to the key', async () => {
      const from = fake.calls.length;
      await Promise.all(Array.from({ length: 20 }, () => read('shared')));
      const tokens = since(from).filter(({ path }) => path === '/token');
      assert.equal(tokens.length, 1);
      const assertion = new URLSearchParams(tokens[0]?.body).get('assertion')?.split('.')[1] ?? '';
      const claims = JSON.parse(Buffer.from(assertion, 'base64url').toString()) as Record<string, unknown>;
      assert.equal(claims['iss'], 'reader@shop-1.iam.gserviceaccount.com');
      assert.equal(claims['scope'], 'https://www.googleapis.com/auth/cloud-platform');
    });

    test('a token that was refused is replaced once it is not new any more; a new one is not', async () => {
      const connection = await connect();
      const token = (): string => fake.calls.findLast(({ path }) => path.endsWith(':access'))?.token ?? '';
      await connection.read({ key: 'shared' }, soon());
      fake.revoked.add(token());
      const from = fake.calls.length;
      await assert.rejects(connection.read({ key: 'shared' }, soon()), { code: 'PROVIDER_UNAUTHENTICATED' });
      assert.equal(since(from).length, 1);
    });

    for (const [what, text, message] of [
      ['no JSON', 'SENTINEL', /key key.json of Secret team\/gcp is not the JSON key of a service account/],
      ['another type', keyFile({ type: 'authorized_user' }), /is not the JSON key of a service account/],
      ['half a key', keyFile({ private_key: 'SENTINEL' }), /private_key of the JSON key cannot sign/],
      ['another universe', keyFile({ universe_domain: 'evil.example.com' }), /another universe/],
    ] as const) {
      test(`a key that is ${what}`, async () => {
        cluster.set('Secret', 'team/gcp', { 'key.json': text });
        await assert.rejects(read('shared'), (error: ProviderError) => {
          assert.equal(error.code, 'PROVIDER_INVALID_CONFIG');
          assert.match(error.message, message);
          assert.doesNotMatch(inspect(error, { depth: 12, showHidden: true }), /SENTINEL/);
          return true;
        });
      });
    }

    test('a key that Google does not know', async () => {
      const other = generateKeyPairSync('rsa', {
        modulusLength: 2048,
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      });
      cluster.set('Secret', 'team/gcp', { 'key.json': keyFile({ private_key: other.privateKey }) });
      await assert.rejects(read('shared'), {
        code: 'PROVIDER_UNAUTHENTICATED',
        message:
          'GCP Secret Manager shop-1: get an access token: the login was refused (invalid_grant): Invalid JWT Signature.',
      });
    });

    const workload = {
      auth: {
        workloadIdentity: {
          serviceAccountRef: { name: 'app', audiences: ['more'] },
          clusterName: 'main',
          clusterLocation: 'europe-west3',
        },
      },
    };

    test('workload identity: the token of the ServiceAccount, STS, impersonation by its annotation', async () => {
      cluster.objects.set('Annotations team/app', {
        'iam.gke.io/gcp-service-account': 'app@shop-1.iam.gserviceaccount.com',
      });
      const from = fake.calls.length;
      assert.equal(await read('shared', workload), 'x');
      const [exchange, impersonation, access] = since(from);
      const form = new URLSearchParams(exchange?.body);
      assert.equal(form.get('subject_token'), 'kubernetes-token');
      assert.equal(
        form.get('audience'),
        'identitynamespace:shop-1.svc.id.goog:https://container.googleapis.com/v1/projects/shop-1/locations/europe-west3/clusters/main',
      );
      assert.equal(
        impersonation?.path,
        '/v1/projects/-/serviceAccounts/app@shop-1.iam.gserviceaccount.com:generateAccessToken',
      );
      assert.match(impersonation?.token ?? '', /^ya29\.federated/);
      assert.match(access?.token ?? '', /^ya29\.impersonated/);
      assert.ok(cluster.asked.includes('token team/app shop-1.svc.id.goog,more 600'), cluster.asked.join());
    });

    test('without the annotation the ServiceAccount itself is the identity', async () => {
      const from = fake.calls.length;
      await read('shared', workload);
      assert.deepEqual(
        since(from).map(({ path }) => path),
        ['/v1/token', '/v1/projects/shop-1/secrets/shared/versions/latest:access'],
      );
    });

    test('federation: the token is for the audience of the pool; the e-mail of the store outranks the annotation', async () => {
      cluster.objects.set('Annotations team/app', { 'iam.gke.io/gcp-service-account': 'not@this.one' });
      const from = fake.calls.length;
      await read(
        'shared',
        federation({
          serviceAccountRef: { name: 'app' },
          gcpServiceAccountEmail: 'own@shop-1.iam.gserviceaccount.com',
        }),
      );
      assert.ok(since(from)[1]?.path.includes('/own@shop-1.iam.gserviceaccount.com:'));
      assert.ok(
        cluster.asked.includes(
          'token team/app //iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster 600',
        ),
      );
    });

    test('federation with AWS credentials: a signed request is exchanged, and nobody at AWS is asked', async () => {
      cluster.set('Secret', 'team/aws', { aws_access_key_id: 'AKIAX', aws_secret_access_key: 'SENTINEL' });
      const aws = { region: 'eu-central-1', awsCredentialsSecretRef: { name: 'aws' } };
      const from = fake.calls.length;
      assert.equal(await read('shared', federation({ awsSecurityCredentials: aws })), 'x');
      const subject = decodeURIComponent(
        new URLSearchParams(since(from)[0]?.body).get('subject_token') ?? '',
      );
      assert.match(subject, /sts\.eu-central-1\.amazonaws\.com.*GetCallerIdentity/);
      assert.match(subject, /AWS4-HMAC-SHA256 Credential=AKIAX/);
      assert.doesNotMatch(subject, /SENTINEL/);
    });

    test('a refused exchange, and a refused impersonation; the token is in neither', async () => {
      cluster.objects.set('ServiceAccount team/app', { token: 'refused' });
      await assert.rejects(read('shared', workload), {
        code: 'PROVIDER_UNAUTHENTICATED',
        message:
          /with the token of ServiceAccount team\/app: the login was refused \(invalid_grant\): The subject token/,
      });
      cluster.objects.set('ServiceAccount team/app', { token: 'kubernetes-token' });
      cluster.objects.set('Annotations team/app', {
        'iam.gke.io/gcp-service-account': 'forbidden@shop-1.iam.gserviceaccount.com',
      });
      await assert.rejects(read('shared', workload), {
        code: 'PROVIDER_DENIED',
        message: /PERMISSION_DENIED.*getAccessToken.*roles\/iam.workloadIdentityUser/,
      });
    });

    test('those of the program are lent to a ClusterSecretStore only, and only if it was told so', async () => {
      const own = { auth: undefined };
      await assert.rejects(connect(own), { code: 'PROVIDER_INVALID_CONFIG', message: /brings its own/ });
      await assert.rejects(connect(own, clusterWide), /--gcp-ambient-credentials/);
      const file = join(temporaryDirectory('gcp'), 'key.json');
      const environment = { ...endpoints(fake.url), GOOGLE_APPLICATION_CREDENTIALS: file };
      takeGcpEnvironment({ ambient: true }, { ...environment });
      await assert.rejects(connect(own, clusterWide), /key\.json, cannot be read \(ENOENT\)/);
      writeFileSync(file, keyFile());
      await assert.rejects(connect(own), { code: 'PROVIDER_INVALID_CONFIG' });
      assert.equal((await (await connect(own, clusterWide)).read({ key: 'shared' }, soon())).version, '1');
    });

    test('an external account in the file of the program: its token file is read, and nobody but Google is asked', async () => {
      const directory = temporaryDirectory('gcp');
      const file = join(directory, 'account.json');
      const tokenFile = join(directory, 'token');
      writeFileSync(tokenFile, 'pod-token');
      const account = {
        type: 'external_account',
        audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        // Where tokens are exchanged is not up to the file.
        token_url: 'http://127.0.0.1:9/stolen',
        credential_source: { file: tokenFile },
      };
      takeGcpEnvironment({ ambient: true }, { ...endpoints(fake.url), GOOGLE_APPLICATION_CREDENTIALS: file });
      writeFileSync(file, JSON.stringify(account));
      const from = fake.calls.length;
      await connect({ auth: undefined }, clusterWide);
      assert.equal(new URLSearchParams(since(from)[0]?.body).get('subject_token'), 'pod-token');
      for (const source of [{ url: 'http://127.0.0.1:9/' }, { executable: { command: '/bin/true' } }]) {
        writeFileSync(file, JSON.stringify({ ...account, credential_source: source }));
        await assert.rejects(
          connect({ auth: undefined }, clusterWide),
          /needs audience.*credential_source\.file/,
        );
      }
    });

    test('the metadata service, where there is no file', async () => {
      const environment = { ...endpoints(fake.url), GCE_METADATA_HOST: new URL(fake.url).host };
      takeGcpEnvironment({ ambient: true }, { ...environment });
      const from = fake.calls.length;
      await (await connect({ auth: undefined }, clusterWide)).read({ key: 'shared' }, soon());
      const [metadata, access] = since(from);
      assert.equal(metadata?.path, '/computeMetadata/v1/instance/service-accounts/default/token');
      assert.match(access?.token ?? '', /^ya29\.metadata/);
      assert.equal(environment.GCE_METADATA_HOST, new URL(fake.url).host);
    });

    test('what is taken from the environment leaves it', () => {
      const environment: NodeJS.ProcessEnv = {
        GOOGLE_APPLICATION_CREDENTIALS: '/x',
        GOOGLE_CLOUD_PROJECT: 'p',
        GCLOUD_PROJECT: 'p',
        CLOUDSDK_CONFIG: '/y',
        GCE_METADATA_HOST: 'h',
        HOME: '/',
      };
      takeGcpEnvironment({ ambient: false }, environment);
      assert.deepEqual(environment, { HOME: '/' });
    });
  });

  describe('faults', () => {
    before(() => {
      fake.put(PROJECT, 'faulty', 'x');
    });
    const onAccess =
      (fault: NonNullable<ReturnType<NonNullable<GcpFake['fault']>>>) =>
      ({ path }: GcpCall) =>
        path.endsWith(':access') ? fault : undefined;

    for (const [code, status, kind, message] of [
      [403, 'PERMISSION_DENIED', 'PROVIDER_DENIED', /read faulty: PERMISSION_DENIED: no way/],
      [429, 'RESOURCE_EXHAUSTED', 'PROVIDER_THROTTLED', /too many requests: no way/],
      [503, 'UNAVAILABLE', 'PROVIDER_UNREACHABLE', /cannot serve now \(503\): no way/],
      [500, 'INTERNAL', 'PROVIDER_UNREACHABLE', /the service failed \(500\)/],
      [400, 'INVALID_ARGUMENT', 'PROVIDER_INVALID_CONFIG', /refused \(INVALID_ARGUMENT\): no way/],
      [400, 'FAILED_PRECONDITION', 'PROVIDER_INVALID_CONFIG', /refused \(FAILED_PRECONDITION\): no way/],
    ] as const) {
      test(`${code} ${status}`, async () => {
        const from = fake.calls.length;
        fake.fault = onAccess({ code, status, message: 'no way', retryAfter: 3 });
        await assert.rejects(read('faulty'), (error: ProviderError) => {
          assert.equal(error.code, kind);
          assert.match(error.message, message);
          assert.equal(error.retryAfterMs, code === 429 || code === 503 ? 3_000 : undefined);
          return true;
        });
        assert.equal(
          since(from).filter(({ path }) => path.endsWith(':access')).length,
          1,
          'nothing is retried',
        );
      });
    }

    test('a 404 that is not Google’s is no authority, nor one about the project', async () => {
      fake.fault = onAccess({
        code: 404,
        status: 'NOT_FOUND',
        message: 'Project "shop-1" not found or deleted.',
      });
      await assert.rejects(read('faulty'), { code: 'PROVIDER_INVALID_CONFIG', message: /no such project/ });
      fake.fault = onAccess({ code: 404, text: '<html>no such page</html>' });
      await assert.rejects(read('faulty'), { code: 'PROVIDER_INVALID_RESPONSE' });
    });

    test('the token service fails: as an error of the login, and asked once', async () => {
      for (const [code, kind] of [
        [429, 'PROVIDER_THROTTLED'],
        [503, 'PROVIDER_UNREACHABLE'],
        [404, 'PROVIDER_UNAUTHENTICATED'],
      ] as const) {
        const from = fake.calls.length;
        fake.fault = ({ path }) => (path === '/token' ? { code, retryAfter: 2 } : undefined);
        await assert.rejects(read('faulty'), { code: kind, message: /get an access token/ });
        assert.equal(since(from).length, 1);
      }
      fake.fault = ({ path }) => (path === '/token' ? { code: 200, text: '{}' } : undefined);
      await assert.rejects(read('faulty'), { code: 'PROVIDER_INVALID_RESPONSE', message: /holds no token/ });
    });

    test('an address that is never asked, by a token service or the secrets', async () => {
      const metadata = 'http://169.254.169.254';
      takeGcpEnvironment({ ambient: false }, endpoints(metadata, fake.url));
      await assert.rejects(read('faulty'), { code: 'PROVIDER_INVALID_CONFIG', message: /cloud metadata/ });
      takeGcpEnvironment({ ambient: false }, endpoints(fake.url, metadata));
      await assert.rejects(read('faulty'), { code: 'PROVIDER_INVALID_CONFIG', message: /cloud metadata/ });
    });

    test('what policies say is asked of the token services, too', async () => {
      const guard = {
        id: 'g',
        needsAddress: false,
        refusesServer: (url: URL) => (url.href.startsWith(fake.url) ? 'is not allowed here' : undefined),
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
      const ports = { ...cluster.ports, pace };
      const connection = await gcpsmProvider.connect(gcpsmConfigSchema.parse(block()), store, ports, soon());
      await connection.read({ key: 'faulty' }, soon());
      assert.equal(paced, 2);
    });
  });
});
