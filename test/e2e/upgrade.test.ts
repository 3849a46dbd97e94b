/**
 * From the oldest release of this repository to this one and back, as helm does it, while objects are created, changed
 * and read in all versions: no Secret is written, no review fails. On the way, webhook and poller of different releases
 * work together.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../../tools/setup/paths.mjs';
import { type Balancer, startBalancer } from '../harness/balancer.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { CHART, helmOutput } from '../harness/helm.ts';
import { type Kubelet, startKubelet } from '../harness/kubelet.ts';
import { sumSamples } from '../harness/metrics.ts';
import { type BuiltRelease, buildRelease, needsOldRelease, oldestRelease } from '../harness/old-release.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { programFile } from '../harness/product.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { prepareArticle } from './support/kes.ts';
import { clusterSecretStore, externalSecret, passwordOf, prepare, vaultProvider } from './support/vault.ts';
import { inVersion } from './support/versions.ts';

const RELEASE = 'external-secrets';
const NAMESPACE = 'external-secrets-system';
/** What is there from the beginning, and must not be written. */
const STAYS = 'stays';
/** Where objects come all the time. */
const LOAD = 'load';
const GENERATORS = 'generators.external-secrets.io/v1alpha1';
const COOL = { namespace: 'default', name: 'cool-secret' };
const LANES = 2;
const PAUSE_MS = 200;
const PATIENCE = { timeout: 120_000, interval: 300 };
/** Image tags, by which the stand-in for a node tells the releases apart. */
const OLD = 'old';
const NEW = 'new';

const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;

interface Pod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}

/** Arguments of the one command of docs/upgrading.md that begins so. */
function documented(beginning: string): readonly string[] {
  const page = readFileSync(join(ROOT, 'docs/upgrading.md'), 'utf8');
  const lines = page.split('\n').filter((line) => line.startsWith(`${beginning} `));
  assert.equal(lines.length, 1, beginning);
  const [, ...args] = (lines[0] ?? '').replaceAll("'", '').replace(' deploy/chart ', ` ${CHART} `).split(' ');
  return args;
}

const oldest = await oldestRelease();
// Without controllers nothing is made of a Deployment.
const skip = needsOldRelease(oldest).skip || needsGarbageCollection().skip;

describe('from the oldest release to this one and back', { skip }, () => {
  let old: BuiltRelease;
  let cp: ControlPlane;
  let cluster: Cluster;
  let openBao: OpenBao;
  let balancer: Balancer;
  let kubelet: Kubelet;
  let load: Load;
  /** resourceVersions of the Secrets that stay, by `namespace/name`. */
  let versions: ReadonlyMap<string, string>;
  let generation = 0;
  let lostBefore = 0;

  /** The programs' own values, and what leads the API server to the processes of this machine. */
  const values = (webhook: string, poller: string) => ({
    image: { tag: poller },
    kes: {
      enabled: true,
      env: { VAULT_ADDR: openBao.address },
      vaultAudience: 'vault',
      serviceAccount: {
        namespace: 'external-secretes',
        name: 'external-secrets-kubernetes-external-secrets',
      },
    },
    webhook: {
      image: { tag: webhook },
      service: { type: 'ExternalName', externalName: 'localhost', port: balancer.port },
      // Longer than any turn of the load: a connection that nobody uses meanwhile is cut at the end.
      lameDuck: '5s',
      // The machine may be busy with other tests.
      budget: '9s',
    },
  });
  const WAIT = ['-n', NAMESPACE, '--wait', '--timeout', '4m'];
  /** Images of these tags, by this chart. */
  const upgrade = (chart: string, webhook: string, poller: string): Promise<string> =>
    helmOutput(['upgrade', RELEASE, chart, '--install', '--create-namespace', ...WAIT], {
      cluster: cp,
      values: values(webhook, poller),
    });

  before(async () => {
    assert.ok(oldest);
    old = await buildRelease(oldest);
    // One by one, so that what has started is ended if the next does not.
    balancer = await startBalancer();
    openBao = await startOpenBao();
    cp = await startControlPlane({ controllers: ['deployment-controller', 'replicaset-controller'] });
    cluster = new Cluster(cp);
    kubelet = startKubelet({
      cluster: cp,
      namespace: NAMESPACE,
      balancer,
      fileOf: (image, program) =>
        image.endsWith(`:${OLD}`) ? join(old.programs, `${program}.mjs`) : programFile(program),
    });
    await openBao.write('app', { password: 'hunter2' });
    await openBao.write('probe', { password: '0' });
    await prepareArticle({ cp, openBao }, cluster, { test: 'cool' });
    await upgrade(old.chart, OLD, OLD);
    await cp.kindsChanged();
    for (const name of [STAYS, LOAD]) await prepare(cluster, openBao, name);
    for (const manifest of objects()) await cluster.create(manifest);
    versions = await eventually(() => adopted(), PATIENCE);
    lostBefore = await lostCalls();
    load = new Load(cluster);
  });
  after(async () => {
    await load?.stop();
    await kubelet?.stop();
    await balancer?.stop();
    await Promise.all([cp?.stop(), openBao?.stop()]);
  });

  /** One of each kind that matters, in each version that is served. */
  function objects(): readonly Manifest[] {
    const shared = { tokenSecretRef: { name: 'vault-token', namespace: STAYS, key: 'token' } };
    const slow = { refreshInterval: '1h' };
    const generatorRef = { apiVersion: GENERATORS, kind: 'Password', name: 'password' };
    return [
      clusterSecretStore('shared', { provider: vaultProvider(openBao.address, { auth: shared }) }),
      {
        apiVersion: GENERATORS,
        kind: 'Password',
        metadata: { name: 'password', namespace: STAYS },
        spec: { length: 24 },
      },
      externalSecret(STAYS, 'v1', { refreshInterval: '2s' }),
      inVersion('v1beta1', externalSecret(STAYS, 'v1beta1', { ...slow, target: {} })),
      inVersion('v1alpha1', externalSecret(STAYS, 'v1alpha1', { refreshInterval: '2s', target: {} })),
      externalSecret(STAYS, 'through', {
        ...slow,
        secretStoreRef: { kind: 'ClusterSecretStore', name: 'shared' },
      }),
      externalSecret(STAYS, 'templated', {
        ...slow,
        target: { template: { type: 'Opaque', data: { url: 'x://{{ .password | b64enc }}' } } },
      }),
      externalSecret(STAYS, 'whole', { ...slow, data: [], dataFrom: [{ extract: { key: 'app' } }] }),
      // Each refresh makes a new value, and an hour may be over at any moment.
      externalSecret(STAYS, 'generated', {
        refreshInterval: '0',
        data: [],
        dataFrom: [{ sourceRef: { generatorRef } }],
      }),
      externalSecret(STAYS, 'orphan', { ...slow, target: { creationPolicy: 'Orphan' } }),
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'merged', namespace: STAYS },
        stringData: { mine: 'stays' },
      },
      externalSecret(STAYS, 'merged', { ...slow, target: { creationPolicy: 'Merge' } }),
      externalSecret(STAYS, 'probe', passwordOf('probe')),
      {
        apiVersion: 'kubernetes-client.io/v1',
        kind: 'ExternalSecret',
        metadata: COOL,
        spec: {
          backendType: 'vault',
          vaultMountPoint: 'kubernetes',
          vaultRole: 'kubernetes-external-secrets',
          data: [{ name: 'test', key: 'kubernetes/data/cool/secrets', property: 'test' }],
        },
      },
    ];
  }

  /** resourceVersions, once all objects are synced and their Secrets as they stay; the one that is refreshed is left out. */
  async function adopted(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    const targets = objects().filter(
      ({ kind, metadata }) => kind === 'ExternalSecret' && metadata.name !== 'probe',
    );
    for (const { apiVersion, metadata } of targets) {
      const { namespace = 'default', name } = metadata;
      const { metadata: secret } = await cluster.get('Secret', namespace, name);
      assert.equal(secret.annotations?.['external-secrets-admission.io/pending'], undefined, name);
      const ofKes = apiVersion.startsWith('kubernetes-client.io');
      if (!ofKes)
        assert.equal((await cluster.ready('ExternalSecret', namespace, name))?.status, 'True', name);
      else assert.equal(secret.ownerReferences?.length, 1);
      found.set(`${namespace}/${name}`, secret.resourceVersion ?? '');
    }
    return found;
  }

  /** Calls of our hooks that the API server got no answer to. */
  async function lostCalls(): Promise<number> {
    const { body } = await cp.request<string>('GET', '/metrics');
    const rejected = { error_type: 'calling_webhook_error' };
    return (
      sumSamples(body, 'apiserver_admission_webhook_fail_open_count') +
      sumSamples(body, 'apiserver_admission_webhook_rejection_count', rejected)
    );
  }

  /** Both programs work, of whatever release they are, and nothing was written that stays. */
  async function works(): Promise<void> {
    generation += 1;
    const name = `made-${generation}`;
    const { status, warnings, body } = await cluster.attempt(externalSecret(STAYS, name));
    assert.deepEqual([status, warnings], [201, []], body.message ?? '');
    // At return, so made by the webhook.
    assert.equal((await cluster.values(STAYS, name))?.['password'], 'hunter2');
    await cluster.synced(STAYS, name, PATIENCE.timeout);
    const owners = (await cluster.get('Secret', STAYS, name)).metadata.ownerReferences ?? [];
    assert.deepEqual(
      owners.map((owner) => owner.name),
      [name],
    );
    await openBao.write('probe', { password: String(generation) });
    await cluster.holds(STAYS, 'probe', { password: String(generation) }, PATIENCE.timeout);
    assert.deepEqual(await adopted(), versions);
    assert.deepEqual(load.bad, []);
    assert.deepEqual(kubelet.failures, []);
  }

  /** Exactly these are there, and work. */
  async function running(webhook: string, poller: string): Promise<void> {
    // Pods that are ending may take a moment longer than the rollout.
    await eventually(async () => {
      const { body } = await cp.request<{ readonly items: readonly Pod[] }>('GET', PODS);
      const tags = body.items.map(({ spec }) => spec.containers[0]?.image.split(':').at(-1) ?? '');
      const programs = body.items.map(({ metadata }) => metadata.labels['app.kubernetes.io/component'] ?? '');
      const found = tags.map((tag, index) => `${programs[index]} ${tag}`).toSorted();
      assert.deepEqual(found, [`poller ${poller}`, `webhook ${webhook}`, `webhook ${webhook}`]);
      return true;
    }, PATIENCE);
    await works();
  }

  test('the oldest release makes, adopts and refreshes', () => running(OLD, OLD));

  test('helm upgrade brings everything to this release', async () => {
    const tags = ['--set', `image.tag=${NEW},webhook.image.tag=${NEW}`];
    await helmOutput([...documented('helm upgrade'), ...tags], { cluster: cp });
    await running(NEW, NEW);
    const revision = await helmOutput(['status', RELEASE, '-n', NAMESPACE, '-o', 'json'], { cluster: cp });
    assert.equal((JSON.parse(revision) as { readonly version: number }).version, 2);
  });

  test('helm rollback leads back', async () => {
    await helmOutput(documented('helm rollback'), { cluster: cp });
    await running(OLD, OLD);
  });

  test('a newer webhook works with an older poller', async () => {
    await upgrade(old.chart, NEW, OLD);
    await running(NEW, OLD);
  });

  test('an older webhook works with a newer poller', async () => {
    await upgrade(old.chart, OLD, NEW);
    await running(OLD, NEW);
  });

  test('all the while no review and no conversion has failed, and only v1 is stored', async () => {
    await load.stop();
    assert.deepEqual(load.bad, []);
    assert.ok(load.turns >= 50, `${load.turns} turns`);
    assert.equal(await lostCalls(), lostBefore);
    assert.equal(await cp.kubectlOutput(documented('kubectl get crd')), '["v1"]');
    for (const plural of ['externalsecrets', 'secretstores', 'clustersecretstores']) {
      const crd = await cp.request<{ readonly status: { readonly storedVersions: readonly string[] } }>(
        'GET',
        `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.external-secrets.io`,
      );
      assert.deepEqual(crd.body.status.storedVersions, ['v1'], plural);
    }
    assert.equal((await cluster.values(COOL.namespace, COOL.name))?.['test'], 'cool');
  });
});

/** Objects that are created, changed and read in older versions, one after the other in a few lanes, until the end. */
class Load {
  readonly bad: string[] = [];
  readonly #cluster: Cluster;
  readonly #lanes: Promise<void>;
  turns = 0;
  #over = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#lanes = Promise.all(Array.from({ length: LANES }, (_, lane) => this.#lane(lane))).then(() => {});
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#lanes;
  }

  async #lane(lane: number): Promise<void> {
    for (let turn = 0; !this.#over; turn += 1) {
      await this.#turn(`app-${lane}-${turn}`).catch((error: unknown) => this.bad.push(String(error)));
      this.turns += 1;
      await sleep(PAUSE_MS);
    }
  }

  async #turn(name: string): Promise<void> {
    const { cp } = this.#cluster;
    const { status, warnings, body } = await this.#cluster.attempt(
      inVersion('v1beta1', externalSecret(LOAD, name, { refreshInterval: '1h', target: {} })),
    );
    // Where the machine is too busy for the budget the poller goes on: that is late, and no failure.
    const late = warnings.some((text) => text.includes('out of time'));
    if (status !== 201 || (warnings.length > 0 && !late))
      this.bad.push(`create ${name}: ${status} ${body.message ?? ''} ${warnings.join()}`);
    else if (!late && (await this.#cluster.values(LOAD, name))?.['password'] !== 'hunter2')
      this.bad.push(`${name} has no Secret`);
    await this.#cluster.patch('ExternalSecret', LOAD, name, { spec: { refreshInterval: '2h' } });
    const path = `/apis/external-secrets.io/v1alpha1/namespaces/${LOAD}/externalsecrets/${name}`;
    const read = await cp.request<{ readonly message?: string }>('GET', path);
    if (read.status !== 200)
      this.bad.push(`read ${name} as v1alpha1: ${read.status} ${read.body.message ?? ''}`);
    await this.#cluster.remove('ExternalSecret', LOAD, name);
  }
}
