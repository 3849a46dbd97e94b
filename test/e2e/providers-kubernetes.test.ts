import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../api/clock.ts';
import { KubeClient } from '../../kube/client.ts';
import type {
  Connection,
  ProviderError,
  ProviderPorts,
  ServerGuard,
  StoreContext,
} from '../../providers/contract.ts';
import { closeOutbound, configureOutbound } from '../../providers/http.ts';
import { kubernetesConfigSchema } from '../../providers/kubernetes/config.ts';
import { kubernetesProvider } from '../../providers/kubernetes/provider.ts';
import { providers } from '../../providers/registry.ts';
import { selfSigned } from '../../providers/testing/self-signed.ts';
import { LiveCluster } from '../../sync/live.ts';
import { providerConformance, textsOf } from '../conformance/provider-kit.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';

const store: StoreContext = {
  kind: 'SecretStore',
  name: 'other',
  namespace: 'team',
  uid: 'u',
  generation: 1,
  callerNamespace: 'team',
};
const soon = (): AbortSignal => AbortSignal.timeout(20_000);

interface Bed {
  readonly cp: ControlPlane;
  readonly ports: ProviderPorts;
  /** A client certificate of somebody with the rights of `reader`. */
  readonly certificate: { readonly cert: string; readonly key: string };
  create(path: string, body: object): Promise<void>;
  secret(name: string, data: Record<string, string>, metadata?: object): Promise<void>;
  stop(): Promise<void>;
}

/** ServiceAccounts of namespace team by the rules that they have in namespace remote. */
const ACCOUNTS: Readonly<Record<string, readonly object[]>> = {
  reader: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] }],
  'one-secret': [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['only'], verbs: ['get'] }],
  nobody: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
};

async function startBed(): Promise<Bed> {
  configureOutbound({ allowLoopback: true });
  // A certificate that is its own CA, and the name in it that of a user.
  const certificate = selfSigned('127.0.0.1');
  const clientCa = join(temporaryDirectory('client-ca'), 'ca.crt');
  writeFileSync(clientCa, certificate.cert);
  const cp = await startControlPlane({
    controllerManager: false,
    apiServerArgs: [`--client-ca-file=${clientCa}`],
  });
  const create = async (path: string, body: object): Promise<void> => {
    const { status } = await cp.request('POST', path, body);
    assert.ok(status < 300, `${path}: ${status}`);
  };
  for (const name of ['team', 'remote']) await create('/api/v1/namespaces', { metadata: { name } });
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/remote';
  for (const [name, rules] of Object.entries(ACCOUNTS)) {
    await create('/api/v1/namespaces/team/serviceaccounts', { metadata: { name } });
    await create(`${rbac}/roles`, { metadata: { name }, rules });
    await create(`${rbac}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [
        { kind: 'ServiceAccount', name, namespace: 'team' },
        ...(name === 'reader'
          ? [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: '127.0.0.1' }]
          : []),
      ],
    });
  }
  const kube = new KubeClient({
    server: cp.server,
    ca: { value: cp.ca },
    token: { value: cp.adminToken },
  });
  return {
    cp,
    certificate,
    ports: new LiveCluster(kube, systemClock).ports(() => systemClock.monotonic()),
    create,
    secret: (name, data, metadata = {}) =>
      create('/api/v1/namespaces/remote/secrets', { metadata: { name, ...metadata }, data }),
    async stop() {
      await closeOutbound();
      await kube.close();
      await cp.stop();
    },
  };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const encoded = (values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, base64(value)]));

providerConformance('kubernetes', async () => {
  const bed = await startBed();
  const { cp } = bed;
  const token = await cp.serviceAccountToken('team', 'reader');
  await bed.create('/api/v1/namespaces/team/secrets', {
    metadata: { name: 'token' },
    data: { token: base64(token) },
  });
  const provider = providers.get('kubernetes');
  assert.ok(provider);
  const auth = { token: { bearerToken: { name: 'token', key: 'token' } } };
  const block = (server: object, more: object = {}): object => ({
    server,
    auth,
    remoteNamespace: 'remote',
    ...more,
  });
  const own = { url: cp.server, caBundle: cp.ca };
  return {
    provider,
    store,
    ports: bed.ports,
    traits: {
      members: 'texts',
      property: 'key-gjson',
      find: ['name', 'tags'],
      metadata: { team: 'labels.team' },
      keys: 'names',
      bigBytes: 768 * 1024,
    },
    keyOf: (name) => name.replaceAll('/', '-'),
    async prepare(secrets) {
      for (const [name, text] of Object.entries(secrets))
        await bed.secret(name, encoded(textsOf(JSON.parse(text) as Record<string, unknown>)));
      return block(own);
    },
    async prepareBytes(bytes) {
      await bed.secret('bytes', { value: Buffer.from(bytes).toString('base64') });
      return { key: 'bytes', property: 'value' };
    },
    async tag(key, labels) {
      const { status } = await cp.request(
        'PATCH',
        `/api/v1/namespaces/remote/secrets/${key}`,
        { metadata: { labels } },
        { 'content-type': 'application/merge-patch+json' },
      );
      assert.equal(status, 200);
    },
    refused: [
      { block: { remoteNamespace: 'remote' }, path: ['auth'] },
      { block: block({ url: 'ftp://x' }), path: ['server', 'url'] },
      { block: block({ url: cp.server, caBundle: 'x' }), path: ['server', 'caBundle'] },
      { block: block(own, { authRef: { name: 'k', key: 'k' } }), path: ['auth'] },
      {
        block: block(own, { auth: { serviceAccount: { name: 'reader', namespace: 'other' } } }),
        path: ['auth', 'serviceAccount', 'namespace'],
      },
    ],
    missingProperty: 'PROVIDER_PROPERTY_NOT_FOUND',
    hang: () => {
      const apiServer = cp.processes['kube-apiserver'];
      apiServer?.signal('SIGSTOP');
      return () => apiServer?.signal('SIGCONT');
    },
    at: (url, ca) => block({ url, ...(ca === undefined ? {} : { caBundle: ca }) }),
    sentinels: [token],
    close: () => bed.stop(),
  };
});

describe('kubernetes against a real API server', () => {
  let bed: Bed;
  let counter = 0;
  const connect = (more: object, context: Partial<StoreContext> = {}): Promise<Connection> => {
    // Requested tokens are kept by store: each test has one of its own.
    const uid = `u${++counter}`;
    const config = kubernetesConfigSchema.parse({ remoteNamespace: 'remote', ...more });
    return kubernetesProvider.connect(config, { ...store, uid, ...context }, bed.ports, soon());
  };
  const account = (name: string): object => ({ auth: { serviceAccount: { name } } });
  const valueBy = async (more: object): Promise<string> =>
    (await (await connect(more)).read({ key: 'only' }, soon())).get('k').revealText();
  const fails = (code: string, message: RegExp) => (error: ProviderError) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };

  before(async () => {
    bed = await startBed();
    await bed.secret('only', encoded({ k: 'v', json: '{"a":"b","n":12345678901234567890,"t":"<&>"}' }), {
      labels: { 'app.kubernetes.io/name': 'shop' },
      annotations: { note: 'n' },
    });
    await bed.secret('other', encoded({ k: 'w' }), { labels: { 'app.kubernetes.io/name': 'shop' } });
  });
  after(() => bed.stop());

  test('without a server the store reads from its own cluster, with the CA that the program trusts', async () => {
    assert.equal(await valueBy(account('reader')), 'v');
    const named = { ...account('reader'), server: { url: 'https://kubernetes.default.svc' } };
    assert.equal(await valueBy(named), 'v');
  });

  test('policies know it by its name, and judge the address that it has here', async () => {
    const config = kubernetesConfigSchema.parse(account('reader'));
    assert.deepEqual(kubernetesProvider.servers(config).map(String), ['https://kubernetes.default/']);
    const only = (host: string): ServerGuard => ({
      id: host,
      needsAddress: false,
      refusesServer: (url) => (url.hostname === host ? undefined : 'is not allowed'),
      refusesAddress: () => undefined,
    });
    const connection = await connect(account('reader'), { guard: only('kubernetes.default') });
    assert.equal((await connection.read({ key: 'only' }, soon())).get('k').revealText(), 'v');
    const denied = await connect(account('reader'), { guard: only('127.0.0.1') });
    await assert.rejects(denied.read({ key: 'only' }, soon()), { code: 'POLICY_DENIED' });
  });

  test('a ServiceAccount: one token for all who come together, and its rights are those of that account', async () => {
    const before = counter;
    const reads = Array.from({ length: 10 }, async () => {
      const connection = await connect(account('one-secret'), { uid: `shared${before}` });
      return (await connection.read({ key: 'only' }, soon())).get('k').revealText();
    });
    assert.deepEqual(new Set(await Promise.all(reads)), new Set(['v']));
    const connection = await connect(account('one-secret'));
    await assert.rejects(
      connection.read({ key: 'other' }, soon()),
      fails('PROVIDER_DENIED', /get secret remote\/other: denied \(403\): secrets "other" is forbidden/),
    );
    await assert.rejects(connection.find({ nameRegexp: '.' }, soon()), { code: 'PROVIDER_DENIED' });
  });

  test('a token of a Secret, a client certificate, a kubeconfig', async () => {
    const token = await bed.cp.serviceAccountToken('team', 'reader');
    const kubeconfig = (user: object, cluster: object = {}): string =>
      JSON.stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
        clusters: [
          {
            name: 'k',
            cluster: { server: bed.cp.server, 'certificate-authority-data': base64(bed.cp.ca), ...cluster },
          },
        ],
        users: [{ name: 'u', user }],
      });
    await bed.create('/api/v1/namespaces/team/secrets', {
      metadata: { name: 'login' },
      data: encoded({
        token: `${token}\n`,
        wrong: 'eyJ.wrong.token',
        config: kubeconfig({ token }),
        exec: kubeconfig({ exec: { command: '/bin/sh' } }),
        'client-ca.crt': 'not PEM',
      }),
    });
    const server = { url: bed.cp.server, caBundle: bed.cp.ca };
    const by = (key: string): object => ({
      server,
      auth: { token: { bearerToken: { name: 'login', key } } },
    });
    assert.equal(await valueBy(by('token')), 'v');
    await assert.rejects(valueBy(by('wrong')), fails('PROVIDER_UNAUTHENTICATED', /\(401\)/));
    assert.equal(await valueBy({ authRef: { name: 'login', key: 'config' } }), 'v');
    await assert.rejects(
      valueBy({ authRef: { name: 'login', key: 'exec' } }),
      fails('PROVIDER_INVALID_CONFIG', /the kubeconfig of authRef uses exec/),
    );
    const wrong = { name: 'login', key: 'client-ca.crt' };
    await assert.rejects(
      valueBy({ server, auth: { cert: { clientCert: wrong, clientKey: wrong } } }),
      fails('PROVIDER_INVALID_CONFIG', /auth\.cert\.client(Cert|Key) holds no usable PEM/),
    );
  });

  test('a client certificate that the cluster has signed', async () => {
    const { cert, key } = bed.certificate;
    await bed.create('/api/v1/namespaces/team/secrets', {
      metadata: { name: 'certificate' },
      data: encoded({ cert, key }),
    });
    const reference = (which: string): object => ({ name: 'certificate', key: which });
    const auth = { cert: { clientCert: reference('cert'), clientKey: reference('key') } };
    assert.equal(await valueBy({ server: { url: bed.cp.server, caBundle: bed.cp.ca }, auth }), 'v');
  });

  test('the live check asks what the account may do: all Secrets, one, or none', async () => {
    await (await connect(account('reader'))).validate(soon());
    await (await connect(account('one-secret'))).validate(soon());
    await assert.rejects(
      (await connect(account('nobody'))).validate(soon()),
      fails('PROVIDER_DENIED', /client is not allowed to get secrets$/),
    );
  });

  test('what ESO reads, byte for byte', async () => {
    const secret = await (await connect(account('reader'))).read({ key: 'only' }, soon());
    assert.equal(
      secret.get(undefined).revealText(),
      '{"json":"{\\"a\\":\\"b\\",\\"n\\":12345678901234567890,\\"t\\":\\"<&>\\"}","k":"v"}',
    );
    assert.equal(secret.get('json.a').revealText(), 'b');
    const nested = [...secret.getMap('json')].map(([key, value]) => [key, value.revealText()]);
    assert.deepEqual(nested, [
      ['a', '"b"'],
      ['n', '12345678901234567890'],
      ['t', '"<&>"'],
    ]);
    assert.throws(() => secret.get('json.x'), {
      message: /property "json.x" does not exist in data of secret$/,
    });
    const metadata = await (await connect(account('reader'))).read({ key: 'only', metadata: true }, soon());
    assert.equal(metadata.get('labels.app\\.kubernetes\\.io/name').revealText(), 'shop');
    assert.equal(metadata.get('annotations.note').revealText(), 'n');
    assert.deepEqual([...metadata.getMap(undefined).keys()], ['labels', 'annotations']);
  });

  test('find: labels outrank a name, pages are followed, and what is no label is refused', async () => {
    const connection = await connect(account('reader'));
    const names = async (request: object): Promise<string[]> =>
      (await connection.find(request, soon())).map(({ canonicalKey }) => canonicalKey);
    const tags = { 'app.kubernetes.io/name': 'shop' };
    assert.deepEqual(await names({ tags }), ['remote/only', 'remote/other']);
    assert.deepEqual(await names({ tags, nameRegexp: '^only$' }), ['remote/only', 'remote/other']);
    assert.deepEqual(await names({ nameRegexp: '^only$' }), ['remote/only']);
    for (const request of [{}, { path: 'x', nameRegexp: '.' }, { tags: { a: 'b,c=d' } }])
      await assert.rejects(names(request), { code: 'PROVIDER_INVALID_CONFIG' });
  });

  test('a namespace without such a Secret: no such secret, in a map and for a value alike', async () => {
    await assert.rejects(
      (await connect({ ...account('reader') })).read({ key: 'absent' }, soon()),
      fails('PROVIDER_NOT_FOUND', /get secret remote\/absent: no such secret$/),
    );
  });
});
