/** Where the programs of the control plane come from. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { controlPlaneDirectory, kubernetesVersion } from '../../tools/setup/paths.mjs';
import { runCommand } from '../harness/command.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { runScript } from './support/dev.ts';

const PROGRAMS = ['etcd', 'kube-apiserver', 'kubectl'];
const { KUBEBUILDER_ASSETS: _, ENVTEST_INDEX: __, ...rest } = process.env;
async function goEnvironment(...names: string[]): Promise<string[]> {
  const env = { HOME: homedir(), ...(process.env['GOCACHE'] ? { GOCACHE: process.env['GOCACHE'] } : {}) };
  const { stdout } = await runCommand('go', ['env', ...names], { env });
  return stdout.trim().split('\n');
}

/** An empty cache of ours; that of Go stays. */
async function emptyCache(): Promise<{ readonly cache: string; readonly env: NodeJS.ProcessEnv }> {
  const cache = temporaryDirectory('cache');
  const [goCache] = await goEnvironment('GOCACHE');
  return { cache, env: { ...rest, GOCACHE: goCache, XDG_CACHE_HOME: cache } };
}
const setUp = (env: NodeJS.ProcessEnv) => runScript(['tools/setup.mjs', 'control-plane'], env);

test('KUBEBUILDER_ASSETS is taken as it is, and named where a program is missing', async () => {
  const assets = temporaryDirectory('assets');
  const { cache, env: base } = await emptyCache();
  const env = { ...base, KUBEBUILDER_ASSETS: assets };
  for (const program of PROGRAMS) {
    const { code, output } = await setUp(env);
    assert.equal(code, 1);
    assert.ok(
      output.startsWith(`set-up failed: control plane: KUBEBUILDER_ASSETS=${assets} has no program`),
      output,
    );
    symlinkSync(join(controlPlaneDirectory(), program), join(assets, program));
  }
  assert.deepEqual(await setUp(env), { code: 0, output: '' });
  assert.deepEqual(readdirSync(cache), [], 'nothing was fetched or built');
});

test('else setup-envtest downloads it, from whatever index it is told', async () => {
  // The real tool and an archive in its layout; what the programs do is not looked at here.
  const directory = temporaryDirectory('mirror');
  const platform = (await goEnvironment('GOOS', 'GOARCH')).join('-');
  const name = `envtest-v${kubernetesVersion()}-${platform}.tar.gz`;
  const folder = 'controller-tools/envtest';
  mkdirSync(join(directory, folder), { recursive: true });
  for (const program of PROGRAMS)
    writeFileSync(join(directory, folder, program), '#!/bin/sh\n', { mode: 0o755 });
  execFileSync('tar', ['-czf', name, folder], { cwd: directory });
  const archive = readFileSync(join(directory, name));

  const server = createServer((request, response) => {
    if (request.url === `/${name}`) {
      response.setHeader('content-type', 'application/octet-stream').end(archive);
      return;
    }
    const hash = createHash('sha512').update(archive).digest('hex');
    const selfLink = `http://${request.headers.host}/${name}`;
    response.end(
      JSON.stringify({ releases: { [`v${kubernetesVersion()}`]: { [name]: { hash, selfLink } } } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { cache, env: base } = await emptyCache();
  const env = { ...base, ENVTEST_INDEX: `http://127.0.0.1:${port}/index.yaml` };
  const { code, output } = await setUp(env);
  server.closeAllConnections();
  server.close();
  assert.equal(code, 0, output);
  const made = join(cache, 'external-secrets-admission');
  assert.deepEqual(readdirSync(made), ['envtest']);
  const [version = ''] = readdirSync(join(made, 'envtest'));
  assert.deepEqual(readdirSync(join(made, 'envtest', version)).toSorted(), PROGRAMS);
  assert.ok(!existsSync(join(made, 'control-plane')));

  // The second time it is there.
  assert.deepEqual(await setUp(env), { code: 0, output: '' });
});
