/** Acceptance 2b: with the configurations registered and the webhook killed. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FINALIZER_ESO } from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { Cluster } from './support/cluster.ts';
import { applyManifests, externalSecret, prepare } from './support/vault.ts';

let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed();
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
  for (const where of ['down', 'doomed']) {
    await prepare(cluster, bed.openBao, where);
    for (const name of ['app', 'leaving']) await cluster.create(externalSecret(where, name));
    await cluster.create(externalSecret(where, 'old', {}, { finalizers: [FINALIZER_ESO] }));
    for (const name of ['app', 'leaving', 'old']) await cluster.synced(where, name);
  }
  await bed.product.webhook.kill();
});
after(() => bed.stop());

test('S100 hazard 2.10 creates are refused by the API server, and so are changes of a spec', async () => {
  const create = await applyManifests(bed.cp, [externalSecret('down', 'new')]);
  assert.notEqual(create.code, 0);
  assert.match(create.stderr, /failed calling webhook "validate\.externalsecret\.external-secrets\.io"/);
  const change = { spec: { refreshInterval: '2s' } };
  await assert.rejects(cluster.patch('ExternalSecret', 'down', 'app', change), /failed calling webhook/);
  assert.equal(await cluster.find('ExternalSecret', 'down', 'new'), undefined);
  assert.equal(await cluster.find('Secret', 'down', 'new'), undefined);
});

test('hazard 2.10 labels, annotations, finalizers and status are written as ever', async () => {
  const metadata = {
    labels: { team: 'x' },
    annotations: { 'force-sync': '1' },
    finalizers: ['example.com/keep'],
  };
  await cluster.patch('ExternalSecret', 'down', 'app', { metadata });
  await eventually(
    async () => (await cluster.get('Secret', 'down', 'app')).metadata.labels?.['team'] === 'x',
  );
  await cluster.patch('ExternalSecret', 'down', 'app', { metadata: { finalizers: null } });
  const before = (await cluster.get('ExternalSecret', 'down', 'app')).status?.syncedResourceVersion;
  await cluster.patch('ExternalSecret', 'down', 'app', { metadata: { annotations: { 'force-sync': '2' } } });
  await eventually(
    async () => (await cluster.get('ExternalSecret', 'down', 'app')).status?.syncedResourceVersion !== before,
  );
});

test('S100 Pods, Secrets and everything else are written as ever', async () => {
  const own = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'own', namespace: 'down' } };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', namespace: 'down' },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'main', image: 'main' }] },
  };
  const { code, stderr } = await applyManifests(bed.cp, [own, pod]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  await cluster.patch('Secret', 'down', 'own', { stringData: { a: 'b' } });
  await cluster.remove('Secret', 'down', 'own');
});

test('refresh and drift repair go on', async () => {
  await bed.openBao.write('app', { password: 'rotated' });
  await cluster.holds('down', 'app', { password: 'rotated' });
  await cluster.patch('Secret', 'down', 'app', { stringData: { password: 'edited' } });
  await cluster.holds('down', 'app', { password: 'rotated' });
});

test(
  'objects and their Secrets are deleted, with the finalizer of ESO too',
  needsGarbageCollection(),
  async () => {
    for (const name of ['leaving', 'old']) {
      await bed.cp.kubectlOutput(['delete', 'externalsecret', name, '-n', 'down', '--timeout=10s']);
      await eventually(async () => (await cluster.find('Secret', 'down', name)) === undefined);
    }
  },
);

test('hazard 2.10 a namespace is deleted with all that is in it', needsGarbageCollection(), async () => {
  await bed.cp.kubectlOutput(['delete', 'namespace', 'doomed', '--timeout=30s']);
  assert.equal(await cluster.find('Namespace', undefined, 'doomed'), undefined);
});

test('back again, the webhook serves as before', async () => {
  await bed.product.webhook.start();
  const back = [externalSecret('down', 'back')];
  await eventually(async () => (await applyManifests(bed.cp, back)).code === 0, { what: 'a create' });
  assert.deepEqual(await cluster.values('down', 'back'), { password: 'rotated' });
});
