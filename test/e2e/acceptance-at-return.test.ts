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

interface StoredPod {
  readonly metadata: { readonly creationTimestamp: string };
  readonly spec: Pick<typeof POD.spec, 'containers'> & {
    readonly volumes: readonly Partial<(typeof POD.spec.volumes)[number]>[];
  };
}

/** What the kubelet would need of a Secret to start the Pod: it waits in CreateContainerConfigError for what is missing. */
function secretKeysOf(pod: StoredPod): [name: string, key: string | undefined][] {
  const [container] = pod.spec.containers;
  return [
    ...container.envFrom.map(({ secretRef }): [string, undefined] => [secretRef.name, undefined]),
    ...container.env.map(({ valueFrom: { secretKeyRef } }): [string, string] => [
      secretKeyRef.name,
      secretKeyRef.key,
    ]),
    // The API server adds one for the token of the ServiceAccount, which is no Secret.
    ...pod.spec.volumes.flatMap(({ secret }) =>
      (secret?.items ?? []).map(({ key }): [string, string] => [secret?.secretName ?? '', key]),
    ),
  ];
}

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'consumer', namespace: NAMESPACE },
  spec: {
    containers: [
      {
        name: 'app',
        image: 'app:1',
        envFrom: [{ secretRef: { name: 'consumed' } }],
        env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'consumed', key: 'password' } } }],
        volumeMounts: [{ name: 'secret', mountPath: '/etc/app' }],
      },
    ] as const,
    volumes: [
      { name: 'secret', secret: { secretName: 'consumed', items: [{ key: 'password', path: 'p' }] } },
    ],
  },
};

test('S76 a Pod in the same apply has its Secret, by envFrom, secretKeyRef and volume', async () => {
  const items = [externalSecret(NAMESPACE, 'consumed', { refreshInterval: '8760h' }), POD];
  const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin });
  const stored = await bed.cp.kubectlOutput(['get', 'pod', 'consumer', '-n', NAMESPACE, '-o', 'json']);
  const pod = JSON.parse(stored) as StoredPod;
  for (const [name, key] of secretKeysOf(pod)) {
    const secret = await cluster.get('Secret', NAMESPACE, name);
    assert.ok((secret.metadata.creationTimestamp ?? 'never') <= pod.metadata.creationTimestamp);
    if (key !== undefined) assert.equal(secret.data?.[key], VALUE);
  }
  await cluster.remove('ExternalSecret', NAMESPACE, 'consumed');
  await cluster.remove('Secret', NAMESPACE, 'consumed');
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
