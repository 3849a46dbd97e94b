/** Acceptance 2a: without webhook configurations and conversion the poller alone converges. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
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
