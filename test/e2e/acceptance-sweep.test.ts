/** Acceptance 3: what admission made for objects that never came to be is swept, and nothing else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ANNOTATION_PENDING } from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, prepare } from './support/vault.ts';

const POLICIES = 'admissionregistration.k8s.io/v1';
const WHERE = 'left';
let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed({ product: { poller: false } });
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, WHERE);
});
after(() => bed.stop());

/** Somebody else's policy, later in the chain than our mutating hook. */
async function refuseByPolicy(): Promise<void> {
  const policy = {
    apiVersion: POLICIES,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'no-refused' },
    spec: {
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ['external-secrets.io'],
            apiVersions: ['*'],
            resources: ['externalsecrets'],
            operations: ['CREATE'],
          },
        ],
      },
      validations: [{ expression: '!object.metadata.name.startsWith("refused")', message: 'not this one' }],
    },
  };
  const binding = {
    apiVersion: POLICIES,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: 'no-refused' },
    spec: { policyName: 'no-refused', validationActions: ['Deny'] },
  };
  for (const object of [policy, binding]) {
    await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
  }
  const probe = JSON.stringify(externalSecret(WHERE, 'refused-probe'));
  await eventually(async () => {
    const { stderr } = await bed.cp.kubectl(['apply', '--dry-run=server', '-f', '-'], { stdin: probe });
    return /not this one/.test(stderr);
  });
  assert.equal(await cluster.find('Secret', WHERE, 'refused-probe'), undefined);
}

test('hazard 2.1 leftovers go after their time, everything else stays', { timeout: 120_000 }, async () => {
  await refuseByPolicy();
  assert.match((await cluster.attempt(externalSecret(WHERE, 'refused'))).body.message ?? '', /not this one/);
  const refused = await cluster.get('Secret', WHERE, 'refused');

  // Deleted before anybody adopted its Secret.
  await cluster.create(externalSecret(WHERE, 'brief'));
  await cluster.remove('ExternalSecret', WHERE, 'brief');
  // Deleted and made again at once: the second object takes the Secret of the first.
  await cluster.create(externalSecret(WHERE, 'twice'));
  await cluster.remove('ExternalSecret', WHERE, 'twice');
  await cluster.create(externalSecret(WHERE, 'twice'));
  // A create that ends in 409 leaves the live Secret as it is.
  await cluster.create(externalSecret(WHERE, 'present'));
  const live = await cluster.get('Secret', WHERE, 'present');
  const other = { data: [{ secretKey: 'other', remoteRef: { key: 'app', property: 'password' } }] };
  assert.equal((await cluster.attempt(externalSecret(WHERE, 'present', other))).status, 409);
  assert.equal(
    (await cluster.get('Secret', WHERE, 'present')).metadata.resourceVersion,
    live.metadata.resourceVersion,
  );
  // Somebody's own Secret with a marker that was signed for another one.
  const annotations = { [ANNOTATION_PENDING]: refused.metadata.annotations?.[ANNOTATION_PENDING] ?? '' };
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'mine', namespace: WHERE, annotations },
    stringData: { keep: 'me' },
  });

  // Changed before it was adopted, to something that cannot be read: what it has is still its own.
  await cluster.create(externalSecret(WHERE, 'kept'));
  const absent = { data: [{ secretKey: 'password', remoteRef: { key: 'app', property: 'absent' } }] };
  await cluster.patch('ExternalSecret', WHERE, 'kept', { spec: absent });

  const poller = await bed.product.startPoller();
  await cluster.synced(WHERE, 'twice');
  for (const name of ['refused', 'brief']) {
    assert.ok(await cluster.find('Secret', WHERE, name), `${name} is swept too early`);
  }
  await eventually(async () => (await poller.metric('esa_sweeps_total')) === 2, {
    timeout: 60_000,
    interval: 500,
    what: 'the sweep',
  });
  for (const name of ['refused', 'brief']) assert.equal(await cluster.find('Secret', WHERE, name), undefined);
  await always(
    async () => {
      for (const name of ['twice', 'present', 'mine', 'kept']) {
        assert.ok(await cluster.find('Secret', WHERE, name), `${name} is gone`);
      }
    },
    { duration: 2_000, interval: 250 },
  );
  assert.equal(await poller.metric('esa_sweeps_total'), 2);
});
