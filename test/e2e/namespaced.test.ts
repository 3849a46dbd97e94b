/**
 * Two releases of the chart side by side, as docs/namespaced.md installs them, each for one namespace, under service
 * accounts that hold Roles there and no right on anybody else's Secrets. The first has the CRDs and stands in a namespace
 * of its own; the second one stands in the namespace that it serves, and serves the kinds of the cluster, too.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ANNOTATION_REQUIRE_SYNC } from '../../api/external-secrets/names.ts';
import type { FindingId } from '../../cli/doctor/catalogue.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { always, eventually } from '../harness/eventually.ts';
import { httpRequest } from '../harness/http.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import type { Product } from '../harness/product.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { examine } from './support/doctor.ts';
import { type NamespacedRelease, programName, startRelease } from './support/namespaced-release.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  prepare,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';
import { inVersion } from './support/versions.ts';

const FIRST: NamespacedRelease = { name: 'esa-a', own: 'team-a-operator', scope: 'team-a' };
const SECOND: NamespacedRelease = { name: 'esa-b', own: 'team-b', scope: 'team-b' };
const NOBODYS = 'team-c';
const SERVED = [FIRST.scope, SECOND.scope];
const PATIENCE = { timeout: 60_000, interval: 200 };
const PASSWORD = { password: 'hunter2' };

let cp: ControlPlane;
let cluster: Cluster;
let openBao: OpenBao;
let first: Product;
let second: Product;

before(async () => {
  // One by one, so that what has started is ended if the next does not.
  openBao = await startOpenBao();
  cp = await startControlPlane({ audit: true });
  cluster = new Cluster(cp);
  await openBao.write('app', PASSWORD);
  for (const name of SERVED) await cluster.create(namespace(name, { team: name }));
  first = await startRelease(cp, FIRST);
  second = await startRelease(cp, SECOND);
  for (const name of SERVED) await cluster.create(tokenSecret(name, openBao.token));
  for (const name of SERVED) {
    await cluster.create(secretStore(name, 'vault', { provider: vaultProvider(openBao.address) }));
  }
  await prepare(cluster, openBao, NOBODYS);
});
after(async () => {
  // What did not start is not there.
  await Promise.all([first?.stop(), second?.stop()]);
  await Promise.all([cp?.stop(), openBao?.stop()]);
});

const GENERATORS = 'generators.external-secrets.io/v1alpha1';
const generatedBy = (kind: string): object => ({
  refreshInterval: '1h',
  data: [],
  dataFrom: [{ sourceRef: { generatorRef: { apiVersion: GENERATORS, kind, name: 'password' } } }],
});
const throughCluster = { secretStoreRef: { kind: 'ClusterSecretStore', name: 'shared' } };
/** What no schema finds, and our rules do. */
const senseless = { target: { template: { data: { a: '{{ .b | nonsense }}' } } } };

/** Creates an object that is admitted. @returns its warnings */
async function admitted(manifest: Manifest): Promise<readonly string[]> {
  const { status, body, warnings } = await cluster.attempt(manifest);
  assert.equal(status, 201, body.message ?? '');
  return warnings;
}

for (const where of SERVED) {
  test(`in ${where} a create returns with its Secret, which is adopted, refreshed and repaired`, async () => {
    assert.deepEqual(await admitted(externalSecret(where, 'app')), []);
    assert.deepEqual(await cluster.values(where, 'app'), PASSWORD);
    const old = inVersion('v1alpha1', externalSecret(where, 'old', { target: {} }));
    assert.deepEqual(await admitted(old), []);
    assert.deepEqual(await cluster.values(where, 'old'), PASSWORD);
    await cluster.synced(where, 'app', PATIENCE.timeout);
    const { metadata } = await cluster.get('Secret', where, 'app');
    assert.deepEqual(
      metadata.ownerReferences?.map(({ name }) => name),
      ['app'],
    );
    await openBao.write('app', { password: `changed for ${where}` });
    await cluster.holds(where, 'app', { password: `changed for ${where}` }, PATIENCE.timeout);
    await cluster.patch('Secret', where, 'app', { data: { password: 'bm8=', more: 'bm8=' } });
    await cluster.holds(where, 'app', { password: `changed for ${where}` }, PATIENCE.timeout);
    await openBao.write('app', PASSWORD);
    await cluster.holds(where, 'app', PASSWORD, PATIENCE.timeout);
  });

  test(`in ${where} generators, rules and policies hold`, async () => {
    const password = { apiVersion: GENERATORS, kind: 'Password', spec: { length: 24 } };
    await cluster.create({ ...password, metadata: { name: 'password', namespace: where } });
    await admitted(externalSecret(where, 'generated', generatedBy('Password')));
    assert.equal((await cluster.values(where, 'generated'))?.['password']?.length, 24);
    const refused = await cluster.attempt(externalSecret(where, 'senseless', senseless));
    assert.equal(refused.status, 422, refused.body.message ?? '');

    // By a label, which has to be read of the one namespace.
    await cluster.create({
      apiVersion: 'external-secrets-admission.io/v1alpha1',
      kind: 'ClusterSecretPolicy',
      metadata: { name: where },
      spec: { namespaceSelector: { matchLabels: { team: where } }, creationPolicies: ['Owner'] },
    });
    const merging = externalSecret(where, 'app', { target: { creationPolicy: 'Merge' } });
    await eventually(async () => {
      const { status } = await cluster.attempt(merging, { dryRun: 'All' });
      // Once more with the same name, which a dry run refuses only when the hooks let it through.
      return status === 403;
    }, PATIENCE);
  });
}

test('namespaces that nobody serves are left alone: no rule, no Secret, no status, no repair', async () => {
  await admitted(externalSecret(NOBODYS, 'app'));
  await admitted(externalSecret(NOBODYS, 'senseless', senseless));
  await always(
    async () => {
      assert.equal(await cluster.values(NOBODYS, 'app'), undefined);
      const { status, metadata } = await cluster.get('ExternalSecret', NOBODYS, 'app');
      assert.deepEqual([status, metadata.finalizers], [undefined, undefined]);
      assert.equal((await cluster.get('SecretStore', NOBODYS, 'vault')).status, undefined);
    },
    { duration: 3_000, interval: 300 },
  );
  assert.deepEqual(await cluster.events(NOBODYS), []);
});

describe('kinds of the cluster', () => {
  before(async () => {
    await cluster.create(tokenSecret(SECOND.scope, openBao.token, 'shared-token'));
    const auth = {
      tokenSecretRef: { name: 'shared-token', namespace: SECOND.scope, key: 'token' },
    };
    const provider = vaultProvider(openBao.address, { auth });
    await cluster.create(clusterSecretStore('shared', { provider }));
    await cluster.create({
      apiVersion: GENERATORS,
      kind: 'ClusterGenerator',
      metadata: { name: 'password' },
      spec: { kind: 'Password', generator: { passwordSpec: { length: 20 } } },
    });
  });

  test('where they are not served a create says so, the condition says so, and nothing is asked', async () => {
    const where = FIRST.scope;
    const cause = 'could not get ClusterSecretStore "shared": no ClusterSecretStores are served here';
    const warnings = await admitted(externalSecret(where, 'through', throughCluster));
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0]?.endsWith('no ClusterSecretStores are served here'), warnings[0] ?? '');
    assert.ok(
      (await cluster.failing(where, 'through', /ClusterSecretStore/, PATIENCE.timeout)).includes(cause),
    );
    const strict = { annotations: { [ANNOTATION_REQUIRE_SYNC]: 'true' } };
    const refused = await cluster.attempt(externalSecret(where, 'strict', throughCluster, strict));
    assert.equal(refused.status, 422);
    assert.ok(refused.body.message?.includes(cause), refused.body.message ?? '');
    assert.deepEqual(
      refused.body.details?.causes?.map(({ field }) => field),
      ['spec.secretStoreRef.name'],
    );

    const said = await admitted(externalSecret(where, 'by-cluster', generatedBy('ClusterGenerator')));
    assert.ok(said[0]?.endsWith('no ClusterGenerators are served here'), said[0] ?? '');
    await cluster.failing(where, 'by-cluster', /no ClusterGenerators are served here/, PATIENCE.timeout);
  });

  test('where they are they are used, and not written to', async () => {
    const where = SECOND.scope;
    assert.deepEqual(await admitted(externalSecret(where, 'through', throughCluster)), []);
    assert.deepEqual(await cluster.values(where, 'through'), PASSWORD);
    await cluster.synced(where, 'through', PATIENCE.timeout);
    await admitted(externalSecret(where, 'by-cluster', generatedBy('ClusterGenerator')));
    assert.equal((await cluster.values(where, 'by-cluster'))?.['password']?.length, 20);
    await cluster.synced(where, 'by-cluster', PATIENCE.timeout);
    assert.equal((await cluster.get('ClusterSecretStore', undefined, 'shared')).status, undefined);
  });
});

/** What each of the releases may touch outside of its two namespaces. */
const OF_THE_CLUSTER = {
  [FIRST.name]: [
    'clustersecretpolicies',
    'customresourcedefinitions',
    'mutatingwebhookconfigurations',
    'namespaces',
    'subjectaccessreviews',
    'validatingwebhookconfigurations',
  ],
  [SECOND.name]: [
    'clustergenerators',
    'clustersecretpolicies',
    'clustersecretstores',
    'mutatingwebhookconfigurations',
    'namespaces',
    'subjectaccessreviews',
    'validatingwebhookconfigurations',
  ],
};

for (const release of [FIRST, SECOND]) {
  test(`the programs of ${release.name} asked for nothing that they may not, and nothing of other namespaces`, () => {
    const accounts = ['webhook' as const, 'poller' as const].map(
      (program) => `system:serviceaccount:${release.own}:${programName(release, program)}`,
    );
    const requests = cp.auditEvents().filter(({ user }) => accounts.includes(user.username));
    assert.ok(requests.length > 50);
    // CRDs that are not there yet are a 404.
    const forbidden = requests.filter(({ responseStatus }) => responseStatus?.code === 403);
    assert.deepEqual(
      forbidden.map(({ verb, requestURI }) => `${verb} ${requestURI}`),
      [],
    );
    const outside = requests
      .filter(
        ({ objectRef: { namespace: where = '' } = {} }) => ![release.own, release.scope].includes(where),
      )
      .flatMap(({ objectRef }) => objectRef?.resource ?? []);
    assert.deepEqual([...new Set(outside)].toSorted(), OF_THE_CLUSTER[release.name]);
  });
}

for (const { name, own } of [FIRST, SECOND]) {
  test(`esa doctor finds nothing wrong with ${name}`, async () => {
    // There are no Pods, and objects of other tests fail as they are meant to.
    const others = new Set<FindingId>(['program-not-ready', 'objects-not-ready']);
    await eventually(async () => {
      const { findings } = await examine(cp.kubeconfig, ['-n', own]);
      assert.deepEqual(
        findings.filter(({ id }) => !others.has(id)),
        [],
      );
      return true;
    }, PATIENCE);
  });
}

test('without the right to see the policies nothing is synced, /readyz says which right is missing, and it heals', async () => {
  const { poller } = second;
  await poller.stop();
  const binding = JSON.parse(
    await cp.kubectlOutput(['get', 'clusterrolebinding', programName(SECOND, 'poller'), '-o', 'json']),
  ) as Manifest;
  await cp.kubectlOutput(['delete', 'clusterrolebinding', programName(SECOND, 'poller')]);
  const starting = poller.start();
  starting.catch(() => {});
  const readyUrl = poller.metricsUrl.replace(/metrics$/, 'readyz');
  await eventually(async () => {
    const { status, body } = await httpRequest<string>('GET', readyUrl);
    assert.equal(status, 503);
    assert.match(body, /not synced yet: list .*clustersecretpolicies.*: .*cannot list resource/);
    return true;
  }, PATIENCE);
  const at = { refreshInterval: '1s', target: { name: 'unseen' } };
  await cluster.patch('ExternalSecret', SECOND.scope, 'app', { spec: at });
  await always(async () => assert.equal(await cluster.values(SECOND.scope, 'unseen'), undefined), {
    duration: 2_000,
    interval: 200,
  });
  const { uid: _, resourceVersion: __, ...metadata } = binding.metadata as Record<string, unknown>;
  const again = JSON.stringify({ ...binding, metadata });
  await cp.kubectlOutput(['create', '-f', '-'], { stdin: again });
  await starting;
  await cluster.holds(SECOND.scope, 'unseen', PASSWORD, PATIENCE.timeout);
});
