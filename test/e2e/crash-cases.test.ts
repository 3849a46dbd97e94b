/** What may happen to objects around a create, each with its outcome (design: ours, pending, adopted, swept). */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, passwordOf, prepare } from './support/vault.ts';

const WHERE = 'cases';
let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed({ product: { webhooks: 2 } });
  cluster = new Cluster(bed.cp);
  for (const key of ['one', 'two']) await bed.openBao.write(key, { password: `value-of-${key}` });
  await prepare(cluster, bed.openBao, WHERE);
});
after(() => bed.stop());

test('hazard 2.3 racing creates of one name with different specs: one wins, and the Secret is the winner’s', async () => {
  for (let round = 0; round < 15; round += 1) {
    const name = `race-${round}`;
    const keys = ['one', 'two', 'one', 'two'];
    const answers = await Promise.all(
      keys.map((key) =>
        cluster.attempt(externalSecret(WHERE, name, { refreshInterval: '1h', ...passwordOf(key) })),
      ),
    );
    assert.deepEqual(answers.map(({ status }) => String(status)).toSorted(), ['201', '409', '409', '409']);
    const winner = keys[answers.findIndex(({ status }) => status === 201)];
    await cluster.holds(WHERE, name, { password: `value-of-${winner}` });
    await cluster.synced(WHERE, name);
    const [object, secret] = [
      await cluster.get('ExternalSecret', WHERE, name),
      await cluster.get('Secret', WHERE, name),
    ];
    assert.deepEqual(
      secret.metadata.ownerReferences?.map(({ uid }) => uid),
      [object.metadata.uid],
    );
  }
});

test(
  'a Secret restored from a backup without ownerReferences is taken back as it is',
  needsGarbageCollection(),
  async () => {
    const spec = { refreshInterval: '1h', ...passwordOf('one') };
    await cluster.create(externalSecret(WHERE, 'restored', spec));
    await cluster.synced(WHERE, 'restored');
    const { metadata, data } = await cluster.get('Secret', WHERE, 'restored');
    await cluster.remove('ExternalSecret', WHERE, 'restored');
    await eventually(async () => (await cluster.find('Secret', WHERE, 'restored')) === undefined);
    const { labels = {}, annotations = {} } = metadata;
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'restored', namespace: WHERE, labels, annotations },
      data,
    });
    const copy = await cluster.get('Secret', WHERE, 'restored');
    const { warnings } = await cluster.attempt(externalSecret(WHERE, 'restored', spec));
    assert.deepEqual(warnings, []);
    await cluster.synced(WHERE, 'restored');
    const taken = await cluster.get('Secret', WHERE, 'restored');
    assert.equal(taken.metadata.uid, copy.metadata.uid);
    assert.deepEqual(taken.data, data);
    assert.equal(taken.metadata.ownerReferences?.length, 1);
  },
);

test(
  '--cascade=orphan leaves the Secret, and nobody touches it afterwards',
  needsGarbageCollection(),
  async () => {
    await cluster.create(externalSecret(WHERE, 'orphan', passwordOf('one')));
    await cluster.synced(WHERE, 'orphan');
    await bed.cp.kubectlOutput(['delete', 'externalsecret', 'orphan', '-n', WHERE, '--cascade=orphan']);
    const left = await eventually(async () => {
      const secret = await cluster.get('Secret', WHERE, 'orphan');
      return (secret.metadata.ownerReferences ?? []).length === 0 && secret;
    });
    await bed.openBao.write('one', { password: 'later' });
    await always(
      async () => {
        const { resourceVersion } = (await cluster.get('Secret', WHERE, 'orphan')).metadata;
        assert.equal(resourceVersion, left.metadata.resourceVersion);
      },
      { duration: 3_000, interval: 200 },
    );
    await bed.openBao.write('one', { password: 'value-of-one' });
  },
);

test('a Secret above 1 MiB is never half there: a warning, then Ready=False, and it heals', async () => {
  await bed.openBao.write('large', { password: 'x'.repeat(1_100_000) });
  const { status, warnings } = await cluster.attempt(externalSecret(WHERE, 'large', passwordOf('large')));
  assert.equal(status, 201);
  assert.equal(warnings.length, 1);
  const message = await cluster.failing(
    WHERE,
    'large',
    /could not update secret: create Secret cases\/large: /,
  );
  assert.ok(message.length < 500 && !message.includes('xxxx'), message);
  assert.equal(await cluster.find('Secret', WHERE, 'large'), undefined);
  await bed.openBao.write('large', { password: 'small' });
  await cluster.holds(WHERE, 'large', { password: 'small' }, 20_000);
});

test(
  'in the end every Secret of ours belongs to an ExternalSecret, but for the orphan',
  needsGarbageCollection(),
  async () => {
    const path = `/api/v1/namespaces/${WHERE}/secrets?labelSelector=${LABEL_MANAGED}%3Dtrue`;
    const { body } = await bed.cp.request<{ items: { metadata: { name: string } }[] }>('GET', path);
    for (const { metadata } of body.items) {
      if (metadata.name === 'orphan') continue;
      assert.ok(await cluster.find('ExternalSecret', WHERE, metadata.name), metadata.name);
    }
  },
);
