/** Acceptance 2a: without webhook configurations and conversion the poller alone converges. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fetch } from 'undici';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type Bed, startBed } from '../harness/bed.ts';
import { runCommand } from '../harness/command.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { startProcess } from '../harness/process.ts';
import { Cluster } from './support/cluster.ts';
import {
  applyManifests,
  externalSecret,
  namespace,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

let bed: Bed;
let cluster: Cluster;

before(async () => {
  const pollerArgs = ['--status-refresh-time', 'always'];
  bed = await startBed({ product: { webhooks: 0, configurations: false, conversion: false, pollerArgs } });
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
});
after(() => bed.stop());

test('v1 manifests in the wrong order are synced, refreshed and repaired', async () => {
  const { code } = await applyManifests(bed.cp, [namespace('alone'), externalSecret('alone', 'app')]);
  assert.equal(code, 0);
  await cluster.failing('alone', 'app', /could not get SecretStore "vault"/);
  await cluster.create(secretStore('alone', 'vault', { provider: vaultProvider(bed.openBao.address) }));
  await cluster.failing('alone', 'app', /"vault-token"/);
  await cluster.create(tokenSecret('alone', bed.openBao.token));
  await cluster.holds('alone', 'app', { password: 'hunter2' });
  await cluster.synced('alone', 'app');
  const { metadata } = await cluster.get('Secret', 'alone', 'app');
  assert.equal(metadata.ownerReferences?.[0]?.name, 'app');

  await bed.openBao.write('app', { password: 'rotated' });
  await cluster.holds('alone', 'app', { password: 'rotated' });
  await cluster.remove('Secret', 'alone', 'app');
  const again = await eventually(() => cluster.find('Secret', 'alone', 'app'));
  assert.notEqual(again.metadata.uid, metadata.uid);
  await cluster.synced('alone', 'app');
});

test('--status-refresh-time=always: each refresh is in the status, and nothing else of it moves', async () => {
  const status = async () => (await cluster.get('ExternalSecret', 'alone', 'app')).status;
  const { refreshTime: first, ...rest } = (await status()) ?? {};
  const later = (than: string): Promise<string> =>
    eventually(async () => {
      const { refreshTime, ...now } = (await status()) ?? {};
      assert.deepEqual(now, rest);
      return refreshTime && refreshTime > than ? refreshTime : undefined;
    });
  await later(await later(first ?? ''));
});

test('S93 one command installs the CRDs, one runs the poller from a checkout against a kubeconfig', async () => {
  await bed.product.poller.stop();
  const page = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');
  const [, install = '', program = ''] =
    /^### From a checkout.*?```sh\n([^\n]+)\n([^\n]+)\n```/ms.exec(page) ?? [];
  const PATH = `${dirname(bed.cp.kubectlBinary)}:${process.env['PATH']}`;
  const env = { PATH, KUBECONFIG: bed.cp.kubeconfig, HOME: bed.cp.directory };
  const installed = await runCommand('bash', ['-euc', `${install} --force-conflicts`], { cwd: ROOT, env });
  assert.equal(installed.code, 0, installed.stderr);

  const port = await freePort();
  const poller = await startProcess({
    name: 'poller-of-a-checkout',
    command: 'bash',
    // Everything here is on loopback, and other tests have the port.
    args: ['-euc', `exec ${program} --allow-loopback --metrics-port ${port}`],
    cwd: ROOT,
    env,
    ready: async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).ok,
  });
  try {
    await bed.openBao.write('app', { password: 'from a checkout' });
    await cluster.holds('alone', 'app', { password: 'from a checkout' });
    await cluster.create(externalSecret('alone', 'another'));
    await cluster.holds('alone', 'another', { password: 'from a checkout' });
    await cluster.synced('alone', 'another');
  } finally {
    await poller.stop();
  }
});
