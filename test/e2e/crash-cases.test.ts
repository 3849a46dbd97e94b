/** What may happen to objects around a create, each with its outcome (design: ours, pending, adopted, swept). */

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import { selfSigned } from '../../providers/testing/self-signed.ts';
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

test('racing creates of one name with different specs: one wins, and the Secret is the winner’s', async () => {
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

/** A mutating webhook of somebody else, called after ours, that makes every object read `two`. */
async function startOther(): Promise<Server> {
  const { key, cert } = selfSigned('127.0.0.1');
  const server = createServer({ key, cert }, (request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      const { request: review } = JSON.parse(text) as { request: { uid: string } };
      const patch = [{ op: 'replace', path: '/spec/data/0/remoteRef/key', value: 'two' }];
      const answer = {
        uid: review.uid,
        allowed: true,
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      };
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'zzz-somebody-else' },
    webhooks: [
      {
        name: 'other.example.com',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: {
          url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
          caBundle: Buffer.from(cert).toString('base64'),
        },
        rules: [
          {
            apiGroups: ['external-secrets.io'],
            apiVersions: ['*'],
            resources: ['externalsecrets'],
            operations: ['CREATE'],
          },
        ],
        objectSelector: { matchLabels: { other: 'yes' } },
      },
    ],
  };
  await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify(configuration) });
  return server;
}

test('somebody else’s webhook changes the spec after ours ran: the poller reads what is stored', async () => {
  const server = await startOther();
  try {
    const labels = { other: 'yes' };
    await eventually(async () => {
      const name = `changed-${Date.now()}`;
      await cluster.create(
        externalSecret(WHERE, name, { refreshInterval: '1h', ...passwordOf('one') }, { labels }),
      );
      const { spec } = await cluster.get('ExternalSecret', WHERE, name);
      if (spec.data?.[0]?.remoteRef.key !== 'two') return false;
      await cluster.holds(WHERE, name, { password: 'value-of-two' });
      await cluster.synced(WHERE, name);
      return true;
    });
  } finally {
    await bed.cp.kubectlOutput(['delete', 'mutatingwebhookconfiguration', 'zzz-somebody-else']);
    server.closeAllConnections();
    server.close();
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
