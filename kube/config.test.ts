import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadClusterConfig } from './config.ts';

const directory = mkdtempSync(join(tmpdir(), 'esa-config-'));
after(() => rmSync(directory, { recursive: true }));

let files = 0;
function kubeconfig(user: object, cluster: object = {}, name = 'c'): string {
  const file = join(directory, `kubeconfig-${files++}`);
  const config = {
    'current-context': name,
    clusters: [{ name, cluster: { server: 'https://api.example:6443/', ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'shop' } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

const refusal = (options: Parameters<typeof loadClusterConfig>[0], message: RegExp): void => {
  assert.throws(() => loadClusterConfig(options), { code: 'CONFIGURATION', message });
};

describe('kubeconfig', () => {
  test('token, CA, names', () => {
    const ca = Buffer.from('PEM').toString('base64');
    const file = kubeconfig(
      { token: 't0' },
      { 'certificate-authority-data': ca, 'tls-server-name': 'kubernetes' },
    );
    assert.deepEqual(loadClusterConfig({ kubeconfig: file, env: {} }), {
      server: 'https://api.example:6443',
      ca: { value: 'PEM' },
      clientCertificate: undefined,
      token: { value: 't0' },
      tlsServerName: 'kubernetes',
      insecure: false,
      proxyUrl: undefined,
      namespace: 'shop',
    });
  });

  test('the usual place counts only where nothing else is named', () => {
    const [usual, named] = [kubeconfig({ token: 'usual' }), kubeconfig({ token: 'named' })];
    const tokenOf = (options: object): unknown =>
      loadClusterConfig({ env: {}, defaultKubeconfig: usual, ...options }).token;
    assert.deepEqual(tokenOf({}), { value: 'usual' });
    assert.deepEqual(tokenOf({ env: { KUBECONFIG: named } }), { value: 'named' });
    assert.deepEqual(tokenOf({ kubeconfig: named }), { value: 'named' });
    refusal({ env: {}, defaultKubeconfig: join(directory, 'none') }, /no cluster/);
  });

  test('files are relative to the kubeconfig; a token file outranks a token', () => {
    const file = kubeconfig(
      { tokenFile: 'token', token: 'old', 'client-certificate': 'a.crt', 'client-key': '/k/a.key' },
      { 'certificate-authority': 'ca.crt' },
    );
    const config = loadClusterConfig({ kubeconfig: file });
    assert.deepEqual(config.token, { file: join(directory, 'token') });
    assert.deepEqual(config.ca, { file: join(directory, 'ca.crt') });
    assert.deepEqual(config.clientCertificate, {
      cert: { file: join(directory, 'a.crt') },
      key: { file: '/k/a.key' },
    });
  });

  test('a context can be chosen; KUBECONFIG may list several files', () => {
    const one = kubeconfig({ token: 'one' }, {}, 'one');
    const two = kubeconfig({ token: 'two' }, { server: 'https://two.example' }, 'two');
    const env = { KUBECONFIG: `${one}:${join(directory, 'missing')}:${two}` };
    assert.deepEqual(loadClusterConfig({ env }).token, { value: 'one' });
    assert.equal(loadClusterConfig({ env, context: 'two' }).server, 'https://two.example');
    refusal({ env, context: 'three' }, /there is no context three/);
  });

  test('an explicit file outranks KUBECONFIG', () => {
    const one = kubeconfig({ token: 'one' });
    const two = kubeconfig({ token: 'two' });
    assert.deepEqual(loadClusterConfig({ kubeconfig: one, env: { KUBECONFIG: two } }).token, {
      value: 'one',
    });
  });

  const unsupported: [string, object, RegExp][] = [
    ['exec', { exec: { command: 'aws', apiVersion: 'client.authentication.k8s.io/v1' } }, /an exec plugin/],
    ['auth-provider', { 'auth-provider': { name: 'gcp' } }, /an auth-provider/],
    ['password', { username: 'u', password: 'p' }, /a password/],
    ['impersonation', { token: 't', as: 'admin' }, /impersonation/],
    [
      'half a certificate',
      { 'client-certificate': 'a.crt' },
      /only one of client-certificate and client-key/,
    ],
  ];
  for (const [name, user, message] of unsupported) {
    test(`${name} is refused by name`, () => refusal({ kubeconfig: kubeconfig(user) }, message));
  }

  test('what is no usable address is refused', () => {
    for (const server of ['http://api.example', 'ftp://x', 'https://u:p@api.example', 'api.example']) {
      refusal({ kubeconfig: kubeconfig({}, { server }) }, /server must/);
    }
    assert.equal(
      loadClusterConfig({ kubeconfig: kubeconfig({}, { server: 'http://127.0.0.1:8001' }) }).server,
      'http://127.0.0.1:8001',
    );
    refusal({ kubeconfig: kubeconfig({}, { 'proxy-url': 'socks5://x' }) }, /proxy-url/);
  });

  test('broken YAML is refused without quoting it', () => {
    const file = join(directory, 'broken');
    writeFileSync(file, 'users:\n- name: x\n  user:\n    token: "hunter2\n');
    assert.throws(
      () => loadClusterConfig({ kubeconfig: file }),
      (error: Error) => error.message.includes(file) && !error.message.includes('hunter2'),
    );
    refusal({ kubeconfig: join(directory, 'missing') }, /ENOENT/);
    refusal({ env: { KUBECONFIG: join(directory, 'missing') } }, /does not exist/);
  });
});

describe('in a Pod', () => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };

  test('the ServiceAccount is used, IPv6 in brackets', () => {
    for (const [name, text] of [
      ['token', 't'],
      ['ca.crt', 'PEM'],
      ['namespace', 'shop\n'],
    ] as const) {
      writeFileSync(join(directory, name), text);
    }
    assert.deepEqual(loadClusterConfig({ env, serviceAccountDirectory: directory }), {
      server: 'https://[fd00::1]:443',
      ca: { file: join(directory, 'ca.crt') },
      token: { file: join(directory, 'token') },
      namespace: 'shop',
    });
  });

  test('what is missing is named', () => {
    refusal({ env, serviceAccountDirectory: '/nowhere' }, /automountServiceAccountToken/);
    refusal({ env: {} }, /--kubeconfig/);
    refusal({ env: {}, context: 'x' }, /no kubeconfig/);
  });
});
