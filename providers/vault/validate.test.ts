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
    { checkAndSet: { required: true }, readYourWrites: true, forwardInconsistent: true },
  ]) {
    test(JSON.stringify(more).slice(0, 90), () => assert.deepEqual(problems(more), []));
  }
});

describe('each mistake is named by its path', () => {
  const foreign = { name: 'x', key: 'k', namespace: 'b' };
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
    [
      { auth: { ldap: { username: 'u' } } },
      /^auth\.ldap: auth method ldap is not supported yet; supported: tokenSecretRef, kubernetes$/,
    ],
    [
      { auth: { appRole: { secretRef: { name: 'x' } } } },
      /^auth\.appRole: auth method appRole is not supported yet/,
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
