/** Acceptance 1: the Secret is there when kubectl apply returns, and is adopted without being written again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ANNOTATION_PENDING } from '../../api/external-secrets/names.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

const COUNT = 200;
const LANES = 4;
const NAMESPACE = 'now';
const VALUE = Buffer.from('hunter2').toString('base64');
let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed({ openBao: { audit: true }, product: { poller: false } });
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, NAMESPACE);
});
after(() => bed.stop());

test('kubectl get finds it, 200 times out of 200', async () => {
  let found = 0;
  const lane = async (first: number): Promise<void> => {
    for (let index = first; index < COUNT; index += LANES) {
      const name = `app-${index}`;
      const stdin = JSON.stringify(externalSecret(NAMESPACE, name, { refreshInterval: '8760h' }));
      await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin });
      const get = ['get', 'secret', name, '-n', NAMESPACE, '-o', 'jsonpath={.data.password}'];
      const { code, stdout } = await bed.cp.kubectl(get);
      if (code === 0 && stdout === VALUE) found += 1;
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
  assert.equal(found, COUNT);
});

test('then the poller adopts all of them and writes no data', async () => {
  const path = `/api/v1/namespaces/${NAMESPACE}/secrets?labelSelector=reconcile.external-secrets.io/managed=true`;
  const list = async (): Promise<readonly SecretObject[]> =>
    (await bed.cp.request<{ items: SecretObject[] }>('GET', path)).body.items;
  const earlier = new Map((await list()).map((secret) => [secret.metadata.name, secret]));
  assert.equal(earlier.size, COUNT);
  const reads = bed.openBao.auditCounts()['read secret/data/app'];
  const poller = await bed.product.startPoller();
  const adopted = await eventually(
    async () => {
      const secrets = await list();
      return secrets.every(({ metadata }) => metadata.ownerReferences?.[0]?.controller === true) && secrets;
    },
    { timeout: 60_000, interval: 200, what: 'the adoption of all' },
  );
  for (const secret of adopted) {
    const { name = '', uid, annotations, ownerReferences } = secret.metadata;
    assert.equal(uid, earlier.get(name)?.metadata.uid);
    assert.deepEqual(secret.data, earlier.get(name)?.data);
    assert.equal(annotations?.[ANNOTATION_PENDING], undefined);
    const owner = await cluster.get('ExternalSecret', NAMESPACE, name);
    assert.equal(ownerReferences?.[0]?.uid, owner.metadata.uid);
  }
  await eventually(async () => (await poller.metric('esa_status_writes_total')) >= COUNT, {
    timeout: 20_000,
    what: 'all statuses',
  });
  assert.equal(await poller.metric('esa_secret_writes_total', { verb: 'adopted' }), COUNT);
  assert.equal(await poller.metric('esa_secret_writes_total'), COUNT);
  // Who does not read the value again cannot have written it again.
  assert.equal(bed.openBao.auditCounts()['read secret/data/app'], reads);
  await cluster.synced(NAMESPACE, 'app-0');
});
