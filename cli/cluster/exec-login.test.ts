import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { KubeClient } from '../../kube/client.ts';
import { loadClusterConfig } from '../../kube/config.ts';
import { execLogin } from './exec-login.ts';

const directory = mkdtempSync(join(tmpdir(), 'esa-exec-'));
after(() => rmSync(directory, { recursive: true }));

const API = 'client.authentication.k8s.io/v1';

/** A plugin beside the kubeconfig that runs this as a shell script. */
function kubeconfig(script: string, exec: object = {}, server = 'https://api.example:6443'): string {
  writeFileSync(join(directory, 'plugin'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(directory, 'plugin'), 0o755);
  const file = join(directory, 'config');
  const user = { exec: { apiVersion: API, command: './plugin', interactiveMode: 'Never', ...exec } };
  writeFileSync(
    file,
    JSON.stringify({
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  );
  return file;
}

const login = (script: string, exec?: object) =>
  loadClusterConfig({ kubeconfig: kubeconfig(script, exec), plugins: execLogin }).login?.();

const answer = (status: object, apiVersion = API): string =>
  `echo '${JSON.stringify({ apiVersion, kind: 'ExecCredential', status })}'`;

describe('a login plugin', () => {
  test('is told of its protocol and of the cluster, and gives a token', async () => {
    const script = `printf '{"apiVersion":"${API}","status":{"expirationTimestamp":"2026-01-02T03:04:05Z","token":"%s"}}' "$(echo "$KUBERNETES_EXEC_INFO $WHO $*" | base64 -w0)"`;
    const given = await login(script, {
      args: ['get', 'token'],
      env: [{ name: 'WHO', value: 'me' }],
      provideClusterInfo: true,
    });
    const told = Buffer.from(given?.token ?? '', 'base64').toString();
    assert.match(told, /"apiVersion":"client.authentication.k8s.io\/v1"/);
    assert.match(told, /"interactive":false/);
    assert.match(told, /"server":"https:\/\/api.example:6443"/);
    assert.match(told, / me get token\n$/);
    assert.equal(given?.expiresAt, Date.parse('2026-01-02T03:04:05Z'));
  });

  test('may give a certificate', async () => {
    const given = await login(answer({ clientCertificateData: 'CERT', clientKeyData: 'KEY' }));
    assert.deepEqual(given?.clientCertificate, { cert: 'CERT', key: 'KEY' });
  });

  const refusals: readonly (readonly [what: string, script: string, exec: object, message: RegExp])[] = [
    [
      'is not there',
      'exit 0',
      { command: 'no-such-plugin', installHint: 'Install it.' },
      /user u: the login plugin no-such-plugin is not installed. Install it.$/,
    ],
    ['fails', 'echo hunter2; exit 3', {}, /ended with exit code 3$/],
    ['prints no JSON', 'echo hunter2', {}, /not JSON$/],
    [
      'speaks another version',
      answer({ token: 't' }, 'client.authentication.k8s.io/v1beta1'),
      {},
      /another version/,
    ],
    ['gives nothing', answer({}), {}, /neither a token/],
    ['has to ask', 'exit 0', { interactiveMode: 'Always' }, /no terminal$/],
    [
      'is of an old protocol',
      'exit 0',
      { apiVersion: 'client.authentication.k8s.io/v1alpha1' },
      /must be client/,
    ],
  ];
  for (const [what, script, exec, message] of refusals) {
    test(`that ${what} is an error without what it printed`, async () => {
      await assert.rejects(
        async () => login(script, exec),
        (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /hunter2/);
          return true;
        },
      );
    });
  }

  test('is asked once, again when its credentials have ended, and not by programs', async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const counted = (expires: string): string =>
      `echo x >> ${directory}/calls; echo "{\\"apiVersion\\":\\"${API}\\",\\"status\\":{\\"token\\":\\"t$(wc -l < ${directory}/calls)\\"${expires}}}"`;
    const ask = async (expires: string): Promise<void> => {
      const file = kubeconfig(counted(expires), {}, `http://127.0.0.1:${port}`);
      const kube = new KubeClient(loadClusterConfig({ kubeconfig: file, plugins: execLogin }));
      await kube.request('GET', '/a');
      await kube.request('GET', '/b');
      await kube.close();
    };
    await ask('');
    assert.deepEqual(seen, ['Bearer t1', 'Bearer t1']);
    await ask(',\\"expirationTimestamp\\":\\"2020-01-01T00:00:00Z\\"');
    assert.deepEqual(seen.slice(2), ['Bearer t2', 'Bearer t3']);
    server.close();
    assert.throws(() => loadClusterConfig({ kubeconfig: kubeconfig('exit 0') }), /an exec plugin/);
  });
});
