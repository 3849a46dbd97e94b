/**
 * The CRDs as deployed, on a real API server: kubectl shows and takes what users of External Secrets Operator
 * know, and the manifests of the articles apply as they are.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ANNOTATION_CONVERSION,
  GROUP,
  SERVED_VERSIONS,
  type ServedVersion,
} from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { kubectlExplains } from './kinds/explain.ts';
import { kubectlGets } from './kinds/get.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { applySeedNamespaces, assertApplies, isRefused, SEED_FILES } from './support/seeds.ts';
import {
  applyManifests,
  clusterSecretStore,
  enableKubernetesAuth,
  externalSecret,
  namespace,
  prepare,
  readSeed,
  secretStore,
  vaultProvider,
} from './support/vault.ts';
import { inVersion, MERGE_PATCH, PLURALS, pathOf, Versions } from './support/versions.ts';

let bed: Bed;
let cluster: Cluster;
let versions: Versions;

before(async () => {
  bed = await startBed({ product: { poller: false } });
  cluster = new Cluster(bed.cp);
  versions = new Versions(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
});
after(() => bed.stop());

/** Applies with kubectl's strict validation; nothing may be said against it. */
async function applyQuietly(manifests: readonly Manifest[]): Promise<string> {
  const { code, stdout, stderr } = await applyManifests(bed.cp, manifests);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  return stdout;
}

describe('custom resource definitions', () => {
  test('are structural and established, store v1 only, and serve three versions', async () => {
    for (const plural of Object.values(PLURALS)) {
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${GROUP}`;
      const { body } = await bed.cp.request<{
        spec: { versions: { name: string; served: boolean; storage: boolean }[] };
        status: { conditions: { type: string; status: string }[]; storedVersions: string[] };
      }>('GET', path);
      const holds = body.status.conditions.filter(({ status }) => status === 'True').map(({ type }) => type);
      assert.deepEqual(holds.toSorted(), ['Established', 'NamesAccepted']);
      assert.deepEqual(body.status.storedVersions, ['v1']);
      assert.deepEqual(
        body.spec.versions.map(({ name, served, storage }) => [name, served, storage]),
        SERVED_VERSIONS.map((version) => [version, true, version === 'v1']),
      );
    }
  });

  test('have short names and a category', async () => {
    const list = ['api-resources', `--api-group=${GROUP}`, '--no-headers', '-o', 'wide'];
    const rows = await bed.cp.kubectlOutput(list);
    assert.deepEqual(
      rows
        .trim()
        .split('\n')
        .map((row) => row.trim().split(/\s+/))
        // SecretGenerator has one old version, and no short name.
        .filter(([, , version]) => version === `${GROUP}/v1`)
        .map(([plural, short, version, namespaced, , , category]) => [
          plural,
          short,
          version,
          namespaced,
          category,
        ]),
      [
        ['clusterexternalsecrets', 'ces', `${GROUP}/v1`, 'false', 'external-secrets'],
        ['clustersecretstores', 'css', `${GROUP}/v1`, 'false', 'external-secrets'],
        ['externalsecrets', 'es', `${GROUP}/v1`, 'true', 'external-secrets'],
        ['secretstores', 'ss', `${GROUP}/v1`, 'true', 'external-secrets'],
      ],
    );
  });

  test('are explained by kubectl in every version', async () => {
    const explain = (field: string, version: ServedVersion): Promise<string> =>
      bed.cp.kubectlOutput(['explain', field, `--api-version=${GROUP}/${version}`]);
    for (const version of SERVED_VERSIONS) {
      assert.match(
        await explain('externalsecrets.spec.data.remoteRef.key', version),
        /DESCRIPTION:\n +Name or path/,
      );
      assert.match(
        await explain('secretstores.spec.provider.vault.server', version),
        /DESCRIPTION:\n +URL of the/,
      );
    }
    const policy = await explain('externalsecrets.spec.target.creationPolicy', 'v1');
    assert.match(policy, /ENUM:\n +Owner\n +Orphan\n +Merge\n +None\n +CreateOrMerge\n/);
    assert.match(policy, /Owner: make the Secret and own it/);
  });
});

kubectlExplains(() => bed);
kubectlGets(() => bed);

describe('status', () => {
  const WHERE = 'status';
  before(() => prepare(cluster, bed.openBao, WHERE));

  test('is a subresource: it is not created, and each side leaves the other alone', async () => {
    const forged = { refreshTime: '2020-01-01T00:00:00Z' };
    await cluster.create({ ...externalSecret(WHERE, 'app'), status: forged });
    assert.equal((await versions.read('ExternalSecret', 'v1', WHERE, 'app')).status, undefined);
    const path = `${pathOf('ExternalSecret', 'v1', WHERE, 'app')}/status`;
    const patch = { status: forged, spec: { refreshInterval: '2h' } };
    assert.equal((await bed.cp.request('PATCH', path, patch, MERGE_PATCH)).status, 200);
    const after = await versions.patch('ExternalSecret', 'v1', WHERE, 'app', {
      status: { refreshTime: null },
      spec: { refreshInterval: '3h' },
    });
    assert.deepEqual(after.status, forged);
    assert.equal(after.spec['refreshInterval'], '3h');
    assert.equal(after.metadata.generation, 2);
  });

  test('written in an old version it is whole in the new one', async () => {
    const status = {
      binding: { name: 'app' },
      refreshTime: '2026-11-22T00:00:00Z',
      syncedResourceVersion: '1-abc',
      conditions: [{ type: 'Ready', status: 'True', reason: 'SecretSynced', message: 'secret synced' }],
    };
    const path = `${pathOf('ExternalSecret', 'v1alpha1', WHERE, 'app')}/status`;
    assert.equal((await bed.cp.request('PATCH', path, { status }, MERGE_PATCH)).status, 200);
    for (const version of SERVED_VERSIONS) {
      assert.deepEqual((await versions.read('ExternalSecret', version, WHERE, 'app')).status, status);
    }
  });
});

describe('defaults', () => {
  const WHERE = 'defaults';
  before(() => prepare(cluster, bed.openBao, WHERE));
  const data = [{ secretKey: 'password', remoteRef: { key: 'app', property: 'password' } }];
  const dataFrom = [{ extract: { key: 'app' } }];
  const secretStoreRef = { name: 'vault' };

  test('9.3 #51 are those of External Secrets Operator, and the four strategies have none', async () => {
    await applyQuietly([
      {
        apiVersion: `${GROUP}/v1`,
        kind: 'ExternalSecret',
        metadata: { name: 'new', namespace: WHERE },
        spec: { secretStoreRef, data, dataFrom },
      },
      {
        apiVersion: `${GROUP}/v1alpha1`,
        kind: 'ExternalSecret',
        metadata: { name: 'old', namespace: WHERE },
        spec: { secretStoreRef, target: {}, data, dataFrom: [{ key: 'app' }] },
      },
    ]);
    const common = { secretStoreRef, data, dataFrom };
    const target = { creationPolicy: 'Owner', deletionPolicy: 'Retain' };
    assert.deepEqual((await versions.read('ExternalSecret', 'v1', WHERE, 'new')).spec, {
      ...common,
      refreshInterval: '1h0m0s',
      target,
    });
    assert.deepEqual((await versions.read('ExternalSecret', 'v1beta1', WHERE, 'new')).spec, {
      ...common,
      refreshInterval: '1h0m0s',
      target,
    });
    assert.deepEqual((await versions.read('ExternalSecret', 'v1', WHERE, 'old')).spec, {
      ...common,
      refreshInterval: '1h',
      target,
    });
    const old = await versions.read('ExternalSecret', 'v1alpha1', WHERE, 'old');
    assert.deepEqual(old.spec, {
      secretStoreRef,
      data,
      dataFrom: [{ key: 'app' }],
      refreshInterval: '1h',
      target: { creationPolicy: 'Owner' },
    });
    assert.equal(old.metadata.annotations?.[ANNOTATION_CONVERSION], undefined);
  });

  test('of a store are few', async () => {
    const vault = {
      server: bed.openBao.address,
      auth: { kubernetes: { role: 'app', serviceAccountRef: { name: 'app' } } },
    };
    await cluster.create(secretStore(WHERE, 'plain', { provider: { vault } }));
    for (const version of SERVED_VERSIONS) {
      assert.deepEqual((await versions.read('SecretStore', version, WHERE, 'plain')).spec, {
        provider: {
          vault: {
            ...vault,
            version: 'v2',
            auth: { kubernetes: { ...vault.auth.kubernetes, mountPath: 'kubernetes' } },
          },
        },
      });
    }
  });
});

test('S2 the v1alpha1 manifests of an article apply strictly and read back as written in every version', async () => {
  await cluster.create({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'external-secrets', namespace: bed.product.namespace },
  });
  await enableKubernetesAuth(bed, cluster, [
    { name: 'external-secrets', serviceAccount: 'external-secrets', namespace: bed.product.namespace },
  ]);
  await bed.openBao.write('datadog', { DD_API_KEY: 'a', DD_APP_KEY: 'b' });
  await cluster.create(namespace('datadog'));
  const stores = readSeed('seed000-fixture-clustersecretstore-vault.yaml', bed);
  const secrets = readSeed('seed000-externalsecret-datadog.yaml', bed);
  assert.equal(await applyQuietly(stores), `clustersecretstore.${GROUP}/vault-secrets-backend created\n`);
  assert.equal(await applyQuietly(secrets), `externalsecret.${GROUP}/datadog-secret created\n`);
  assert.deepEqual(await cluster.values('datadog', 'datadog-secret'), { 'api-key': 'a', 'app-key': 'b' });

  const written = secrets[0]?.['spec'] as Record<string, unknown>;
  const target = { name: 'datadog-secret', creationPolicy: 'Owner' };
  for (const version of SERVED_VERSIONS) {
    const { spec, metadata } = await versions.read('ExternalSecret', version, 'datadog', 'datadog-secret');
    const defaults = version === 'v1alpha1' ? {} : { deletionPolicy: 'Retain' };
    assert.deepEqual(spec, { ...written, target: { ...target, ...defaults } });
    assert.deepEqual(Object.keys(metadata.annotations ?? {}), [
      'kubectl.kubernetes.io/last-applied-configuration',
    ]);
    const store = await versions.read('ClusterSecretStore', version, undefined, 'vault-secrets-backend');
    assert.deepEqual(store.spec, stores[0]?.['spec']);
  }
});

describe('S13 applied again nothing changes, and kubectl diff is empty', () => {
  const WHERE = 'again';
  const data = [{ secretKey: 'password', remoteRef: { key: 'app', property: 'password' } }];
  before(() => prepare(cluster, bed.openBao, WHERE));

  for (const version of SERVED_VERSIONS) {
    test(version, async () => {
      const provider = vaultProvider(bed.openBao.address);
      const dataFrom = version === 'v1alpha1' ? [{ key: 'app' }] : [{ extract: { key: 'app' } }];
      const es = externalSecret(WHERE, `es-${version}`, {
        data,
        dataFrom,
        target: { name: `es-${version}` },
      });
      const { refreshInterval: _default, ...plain } = es['spec'] as Record<string, unknown>;
      const manifests = [
        secretStore(WHERE, `ss-${version}`, { provider }),
        clusterSecretStore(`css-${version}`, {
          provider: vaultProvider(bed.openBao.address, { version: 'v1' }),
        }),
        { ...es, spec: plain },
        externalSecret(WHERE, `minimal-${version}`, { target: { name: `minimal-${version}` } }),
      ].map((manifest) => inVersion(version, manifest));
      await applyQuietly(manifests);
      const again = (await applyQuietly(manifests)).trim().split('\n');
      assert.equal(again.length, manifests.length);
      for (const line of again) assert.match(line, / unchanged$/);
      const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests });
      assert.deepEqual(await bed.cp.kubectl(['diff', '-f', '-'], { stdin }), {
        code: 0,
        stdout: '',
        stderr: '',
      });
    });
  }
});

describe('S96 the manifests of the articles', () => {
  before(() => applySeedNamespaces(bed.cp));

  for (const file of SEED_FILES)
    test(`${file} ${isRefused(file) ? 'is refused' : 'applies strictly'}`, () =>
      assertApplies(bed.cp, bed.openBao, file));
});

// The last one: afterwards the CRDs lead to a webhook that this bed does not have.
describe('the CRD files as they are', () => {
  const FOLDERS = ['-f', 'deploy/crds', '-f', 'deploy/kes'];
  /** Bytes that annotations of an object may have together. */
  const LIMIT = 262_144;

  test('apply on the client’s side, and what kubectl keeps of them fits into the annotation', async () => {
    const output = await bed.cp.kubectlOutput(['apply', ...FOLDERS]);
    assert.match(output, /externalsecrets\.kubernetes-client\.io created/);
    assert.doesNotMatch(output, /unchanged|error/i);
    const { body } = await bed.cp.request<{
      items: { metadata: { name: string; annotations?: Record<string, string> } }[];
    }>('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
    for (const { metadata } of body.items) {
      const kept = metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'] ?? '';
      assert.ok(kept.length > 0 && kept.length < LIMIT, `${metadata.name}: ${kept.length}`);
    }
  });

  test('apply on the server’s side, over that and again', async () => {
    for (const flags of [['--force-conflicts'], []]) {
      const output = await bed.cp.kubectlOutput(['apply', '--server-side', ...flags, ...FOLDERS]);
      assert.equal(output.match(/ serverside-applied$/gm)?.length, output.trim().split('\n').length);
    }
  });
});
