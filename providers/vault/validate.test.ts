import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { formatFieldPath, formatProblem } from '../../api/problem.ts';
import type { StoreContext } from '../contract.ts';
import { type VaultConfig, vaultConfigSchema } from './config.ts';
import { vaultProvider } from './provider.ts';

const server = 'https://vault.example.com:8200';
const tokenSecretRef = { name: 't', key: 'token' };
const parse = (more: object): VaultConfig =>
  vaultConfigSchema.parse({ server, path: 'secret', auth: { tokenSecretRef }, ...more });
const namespaced: StoreContext = {
  kind: 'SecretStore',
  name: 's',
  namespace: 'a',
  uid: 'u',
  generation: 1,
  callerNamespace: 'a',
};
const cluster: StoreContext = {
  ...namespaced,
  kind: 'ClusterSecretStore',
  namespace: undefined,
  callerNamespace: undefined,
};
const problems = (more: object, store = namespaced): string[] =>
  vaultProvider.validateConfig(parse(more), store).map(formatProblem);

describe('a sound block has no problems', () => {
  for (const more of [
    {},
    { path: undefined, version: 'v1' },
    { server: 'http://vault.vault.svc.cluster.local:8200' },
    { server: 'https://proxy.example.com/vault/' },
    { server: 'https://10.0.0.7:8200' },
    { namespace: 'team/a', headers: { 'X-Custom': 'yes' } },
    { auth: { kubernetes: { role: 'r', serviceAccountRef: { name: 'sa', audiences: ['vault'] } } } },
    { auth: { kubernetes: { role: 'r', secretRef: { name: 'x' } } } },
    { caBundle: Buffer.from(rootCertificates[0] ?? '').toString('base64') },
    { caProvider: { type: 'ConfigMap', name: 'ca', key: 'ca.crt' } },
    { tls: { certSecretRef: { name: 'c' }, keySecretRef: { name: 'c' } } },
    { auth: { appRole: { roleId: 'r', secretRef: { name: 's', key: 'k' } } } },
    { auth: { userPass: { username: 'a b@c', secretRef: { name: 's', key: 'k' } } } },
    { auth: { jwt: { kubernetesServiceAccountToken: { serviceAccountRef: { name: 'sa' } } } } },
    { auth: { cert: { clientCert: { name: 'c', key: 'k' }, secretRef: { name: 'c', key: 'k' } } } },
    {
      auth: {
        iam: {
          vaultRole: 'r',
          role: 'arn:aws:iam::123456789012:role/x',
          jwt: { serviceAccountRef: { name: 'sa' } },
        },
      },
    },
    { checkAndSet: { required: true }, readYourWrites: true, forwardInconsistent: true },
  ]) {
    test(JSON.stringify(more).slice(0, 90), () => assert.deepEqual(problems(more), []));
  }
});

describe('each mistake is named by its path', () => {
  const foreign = { name: 'x', key: 'k', namespace: 'b' };
  const ref = { name: 'x', key: 'k' };
  const ref2 = { name: 'x' };
  const google = { secretAccessKeySecretRef: ref };
  for (const [more, expected] of [
    [{ server: 'vault.example.com' }, /^server: must be a URL/],
    [{ server: 'vault.example.com:8200' }, /^server: must start with https/],
    [{ server: 'ftp://x' }, /^server: must start with https/],
    [{ server: 'https://user:pw@x' }, /^server: must not hold a user name/],
    [{ server: 'https://@x' }, /^server: must not hold a user name/],
    [{ server: 'https://x?a=b' }, /^server: must not have a query/],
    [{ server: 'https://x/?' }, /^server: must not have a query/],
    [{ server: 'https://x/#' }, /^server: must not have a query/],
    [{ server: 'https://' }, /^server: must be a URL/],
    [{ server: 'https:///x' }, /^server: .* the name of a host/],
    [{ server: 'https:x' }, /^server: .* the name of a host/],
    [{ server: 'https://a\\b' }, /^server: .* without white space or backslashes/],
    [{ server: ' https://x' }, /^server: .* the name of a host/],
    [{ server: 'https://x/a b' }, /^server: .* without white space/],
    [{ server: 'https://x:0' }, /^server: must have a port from 1/],
    [{ server: 'https://x:' }, /^server: must have a port from 1/],
    [{ server: 'https://x:65536' }, /^server: must be a URL/],
    [{ server: 'http://169.254.169.254' }, /^server: .*cloud metadata/],
    [{ server: 'http://0xa9fea9fe/' }, /^server: .*cloud metadata/],
    [{ path: 'a/../b' }, /^path: must not have/],
    [{ namespace: 'a/../b' }, /^namespace: must not have/],
    [{ namespace: 'ä' }, /^namespace: must be printable ASCII/],
    [{ auth: undefined }, /^auth: set one auth method/],
    [{ auth: { namespace: 'x' } }, /^auth: set one auth method/],
    [
      { auth: { tokenSecretRef, kubernetes: { role: 'r', secretRef: { name: 'x' } } } },
      /^auth: set exactly one auth method, found 2/,
    ],
    [{ auth: { ldap: { username: 'u' } } }, /^auth\.ldap\.secretRef: name the Secret/],
    [{ auth: { ldap: { username: 'a/b', secretRef: ref } } }, /^auth\.ldap\.username: name the user/],
    [{ auth: { userPass: { username: '..', secretRef: ref } } }, /^auth\.userPass\.username: name the user/],
    [{ auth: { userPass: { username: ' ', secretRef: ref } } }, /^auth\.userPass\.username: name the user/],
    [
      { auth: { userPass: { username: 'u', secretRef: { name: 'x' } } } },
      /^auth\.userPass\.secretRef\.key: /,
    ],
    [
      { auth: { userPass: { username: 'u', path: '..', secretRef: ref } } },
      /^auth\.userPass\.path: must not/,
    ],
    [{ auth: { appRole: { secretRef: ref } } }, /^auth\.appRole: set roleId or roleRef$/],
    [{ auth: { appRole: { roleId: 'r', secretRef: foreign } } }, /^auth\.appRole\.secretRef\.namespace: /],
    [{ auth: { appRole: { roleRef: foreign, secretRef: ref } } }, /^auth\.appRole\.roleRef\.namespace: /],
    [{ auth: { jwt: { role: 'r' } } }, /^auth\.jwt: set secretRef or kubernetesServiceAccountToken$/],
    [
      {
        auth: { jwt: { kubernetesServiceAccountToken: { serviceAccountRef: ref2, expirationSeconds: 60 } } },
      },
      /^auth\.jwt\.kubernetesServiceAccountToken\.expirationSeconds: the API server gives/,
    ],
    [
      {
        auth: { jwt: { kubernetesServiceAccountToken: { serviceAccountRef: { ...ref2, namespace: 'b' } } } },
      },
      /^auth\.jwt\.kubernetesServiceAccountToken\.serviceAccountRef\.namespace: /,
    ],
    [{ auth: { cert: { clientCert: ref } } }, /^auth\.cert\.secretRef: a login by certificate needs both/],
    [{ auth: { cert: { secretRef: ref } } }, /^auth\.cert\.clientCert: a login by certificate needs both/],
    [
      { server: 'http://vault', auth: { cert: { clientCert: ref, secretRef: ref } } },
      /^auth\.cert: a login by certificate needs a server with https$/,
    ],
    [{ auth: { iam: { vaultRole: 'r' } } }, /^auth\.iam: a SecretStore brings its own credentials/],
    [{ auth: { iam: { vaultRole: '', jwt: { serviceAccountRef: ref2 } } } }, /^auth\.iam\.vaultRole: name/],
    [
      { auth: { iam: { vaultRole: 'r', role: 'admin', jwt: { serviceAccountRef: ref2 } } } },
      /^auth\.iam\.role: must be the ARN of a role/,
    ],
    [
      { auth: { iam: { vaultRole: 'r', region: 'x.evil.test/', jwt: { serviceAccountRef: ref2 } } } },
      /^auth\.iam\.region: name an AWS region/,
    ],
    [
      { auth: { iam: { vaultRole: 'r', vaultAwsIamServerID: 'a\nb', jwt: { serviceAccountRef: ref2 } } } },
      /^auth\.iam\.vaultAwsIamServerID: must be printable/,
    ],
    [
      { auth: { iam: { vaultRole: 'r', secretRef: { accessKeyIDSecretRef: ref } } } },
      /^auth\.iam\.secretRef\.secretAccessKeySecretRef: static credentials need both/,
    ],
    [{ auth: { gcp: { role: 'r' } } }, /^auth\.gcp\.secretRef: set secretRef\.secretAccessKeySecretRef/],
    [
      { auth: { gcp: { role: 'r', secretRef: google, workloadIdentity: { serviceAccountRef: ref2 } } } },
      /^auth\.gcp\.workloadIdentity: workloadIdentity is not supported yet; set secretRef/,
    ],
    [{ auth: { kubernetes: { role: 'r' } } }, /^auth\.kubernetes: set serviceAccountRef or secretRef/],
    [
      { auth: { kubernetes: { role: '', secretRef: { name: 'x' } } } },
      /^auth\.kubernetes\.role: name the role/,
    ],
    [
      { auth: { kubernetes: { role: 'r', mountPath: '../x', secretRef: { name: 'x' } } } },
      /^auth\.kubernetes\.mountPath: must not/,
    ],
    [{ auth: { tokenSecretRef: { name: 't' } } }, /^auth\.tokenSecretRef\.key: name the key/],
    [{ auth: { tokenSecretRef: { key: 't' } } }, /^auth\.tokenSecretRef\.name: name the object/],
    [{ auth: { tokenSecretRef: foreign } }, /^auth\.tokenSecretRef\.namespace: namespace should either/],
    [
      { auth: { kubernetes: { role: 'r', serviceAccountRef: { name: 'x', namespace: 'b' } } } },
      /^auth\.kubernetes\.serviceAccountRef\.namespace: /,
    ],
    [
      { auth: { kubernetes: { role: 'r', secretRef: foreign } } },
      /^auth\.kubernetes\.secretRef\.namespace: /,
    ],
    [
      { auth: { kubernetes: { role: 'r', secretRef: foreign, serviceAccountRef: { name: 'x' } } } },
      /^auth\.kubernetes\.secretRef\.namespace: /,
    ],
    [{ caProvider: { type: 'Secret', ...foreign } }, /^caProvider\.namespace: namespace should either/],
    [{ caProvider: { type: 'ConfigMap', ...foreign } }, /^caProvider\.namespace: namespace should either/],
    [{ caProvider: { type: 'ConfigMap', name: 'x' } }, /^caProvider\.key: name the key of the ConfigMap/],
    [{ caBundle: 'nonsense' }, /^caBundle: must hold X\.509/],
    [{ tls: { certSecretRef: { name: 'c' } } }, /^tls\.keySecretRef: a client certificate needs both/],
    [{ tls: { certSecretRef: foreign, keySecretRef: { name: 'c' } } }, /^tls\.certSecretRef\.namespace: /],
    [{ headers: { 'x-vault-token': 'x' } }, /^headers\.x-vault-token: .*auth\.tokenSecretRef/],
    [{ headers: { 'X-Vault-Namespace': 'x' } }, /^headers\.X-Vault-Namespace: .*namespace/],
    [{ headers: { 'a b': 'x' } }, /^headers\[a b\]: must be a valid HTTP header/],
    [{ headers: { a: 'x\r\ny' } }, /^headers\.a: must be a valid HTTP header/],
    [{ version: 'v1', checkAndSet: { required: true } }, /^checkAndSet\.required: check-and-set needs/],
  ] as const) {
    test(JSON.stringify(more).slice(0, 100), () => {
      const found = problems(more);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', expected);
    });
  }

  test('iam without credentials is for a ClusterSecretStore; fields that change nothing are warned of', () => {
    assert.deepEqual(problems({ auth: { iam: { vaultRole: 'r' } } }, cluster), []);
    const gcp = parse({ auth: { gcp: { role: 'r', secretRef: google, projectID: 'p' } } });
    assert.deepEqual(vaultProvider.validateConfig(gcp, namespaced), []);
    assert.match(vaultProvider.warnConfig?.(gcp).map(formatProblem).join() ?? '', /^auth\.gcp\.projectID: /);
  });

  test('a ClusterSecretStore has to name the namespace of its CA, and may leave out that of its token', () => {
    assert.deepEqual(problems({}, cluster), []);
    const ca = { caProvider: { type: 'ConfigMap', name: 'ca', key: 'k' } };
    assert.deepEqual(problems(ca, cluster), [
      'caProvider.namespace: a ClusterSecretStore has to name the namespace here',
    ]);
  });
});

describe('remoteRef', () => {
  const check = (ref: object, more: object = {}) =>
    vaultProvider.validateRef?.(parse(more), { key: 'app', ...ref });
  test('what can work is not refused', () => {
    for (const ref of [{}, { version: '3' }, { property: 'a.#' }, { metadata: true }])
      assert.equal(check(ref), undefined);
    assert.equal(check({ version: 'x' }, { version: 'v1' }), undefined);
  });
  test('versions, keys and metadata that cannot', () => {
    for (const version of ['0', '-1', '1.5', 'latest', '01', ' 1'])
      assert.match(check({ version }) ?? '', /positive whole number/);
    assert.match(check({ key: 'a/../b' }) ?? '', /segments/);
    assert.match(check({ metadata: true }, { version: 'v1' }) ?? '', /needs KV version 2/);
  });
});

describe('canonicalKey', () => {
  const key = (name: string, more: object = {}): string =>
    vaultProvider.canonicalKey(parse(more), { key: name });
  test('one name for every spelling of one secret', () => {
    const spellings = [
      key('app'),
      key('secret/app'),
      key('secret/data/app'),
      key('/app/'),
      key('secret/app', { path: undefined }),
      key('secret/data/app', { path: undefined }),
      key('data/app', { version: 'v1' }),
      key('app', { namespace: 'root', path: '/secret/' }),
    ];
    assert.deepEqual(new Set(spellings), new Set(['secret/data/app']));
    const inTeam = [
      key('app', { namespace: 'team' }),
      key('app', { namespace: '/team/' }),
      key('app', { path: 'team/secret' }),
    ];
    assert.deepEqual(new Set(inTeam), new Set(['team/secret/data/app']));
  });
  test('different secrets differ', () => {
    const names = [
      key('a'),
      key('b'),
      key('a', { version: 'v1' }),
      key('a', { namespace: 'n' }),
      key('a/../b'),
    ];
    assert.equal(new Set(names).size, names.length);
  });
});

describe('identity, dependencies, canValidate', () => {
  test('changes with all that decides about server and credentials, and holds no secret', () => {
    const kubernetes = { role: 'r', serviceAccountRef: { name: 'sa' } };
    const identities = [
      [{}, namespaced],
      [{}, { ...namespaced, namespace: 'b' }],
      [{}, { ...cluster, callerNamespace: 'a2' }],
      [{ server: 'https://other' }, namespaced],
      [{ namespace: 'n' }, namespaced],
      [{ auth: { tokenSecretRef: { name: 't', key: 'other' } } }, namespaced],
      [{ auth: { kubernetes } }, namespaced],
      [{ auth: { kubernetes: { ...kubernetes, role: 'q' } } }, namespaced],
      [{ auth: { kubernetes: { ...kubernetes, mountPath: 'k2' } } }, namespaced],
      [
        { auth: { kubernetes: { ...kubernetes, serviceAccountRef: { name: 'sa', audiences: ['v'] } } } },
        namespaced,
      ],
      [{ headers: { a: 'SENTINEL' } }, namespaced],
      [{ caBundle: 'x' }, namespaced],
      [{ path: 'other' }, namespaced],
      [{ version: 'v1' }, namespaced],
    ].map(([more, store]) => vaultProvider.identity(parse(more as object), store as StoreContext));
    assert.equal(new Set(identities).size, identities.length);
    assert.doesNotMatch(identities.join(), /SENTINEL/);
  });

  test('two stores that mean the same are the same; the store itself does not count', () => {
    const other = { ...namespaced, name: 'z', uid: 'z', generation: 9 };
    assert.equal(
      vaultProvider.identity(parse({}), namespaced),
      vaultProvider.identity(parse({ server: `${server}/` }), other),
    );
  });

  test('a referent store depends on the namespace of its caller', () => {
    const served = { ...cluster, callerNamespace: 'team' };
    const more = { caProvider: { type: 'ConfigMap', name: 'ca', key: 'k', namespace: 'ops' } };
    assert.equal(vaultProvider.canValidate(parse(more), cluster), false);
    assert.equal(vaultProvider.canValidate(parse(more), served), true);
    const dependencies = (block: object, store: StoreContext) =>
      vaultProvider
        .dependencies(parse(block), store)
        .map(({ kind, namespace, name, key, path }) => [kind, namespace, name, key, formatFieldPath(path)]);
    const ca = ['ConfigMap', 'ops', 'ca', 'k', 'caProvider'];
    assert.deepEqual(dependencies(more, cluster), [ca]);
    assert.deepEqual(dependencies(more, served), [
      ['Secret', 'team', 't', 'token', 'auth.tokenSecretRef'],
      ca,
    ]);
    const account = {
      auth: { kubernetes: { role: 'r', serviceAccountRef: { name: 'sa', namespace: 'ops' } } },
    };
    const path = 'auth.kubernetes.serviceAccountRef';
    assert.deepEqual(dependencies(account, cluster), [['ServiceAccount', 'ops', 'sa', undefined, path]]);
    assert.equal(vaultProvider.canValidate(parse(account), cluster), true);
  });

  test('what makes sense over TLS alone is not followed over plain HTTP', () => {
    const tls = { certSecretRef: { name: 'c' }, keySecretRef: { name: 'c' } };
    const caProvider = { type: 'ConfigMap', name: 'ca', key: 'k' };
    const names = (block: object): string[] =>
      vaultProvider.dependencies(parse(block), namespaced).map(({ name }) => name);
    assert.deepEqual(names({ tls, caProvider }), ['t', 'ca', 'c', 'c']);
    assert.deepEqual(names({ tls, caProvider, server: 'http://vault.example.com' }), ['t']);
  });
});
