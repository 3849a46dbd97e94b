/**
 * Conversion through a real API server: what is written in one version is read in every other, and nothing is
 * lost or made up. The objects of S97 are older than our definitions: stored as v1alpha1 before they came.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { ANNOTATION_CONVERSION, GROUP, type ServedVersion } from '../../api/external-secrets/names.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { type Product, startProduct } from '../harness/product.ts';
import { Cluster } from './support/cluster.ts';
import { externalSecret, namespace, secretStore } from './support/vault.ts';
import { inVersion, type Kind, PLURALS, pathOf, Versions } from './support/versions.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const LEGACY = 'legacy';
const legacySecret = {
  secretStoreRef: { name: 'store', kind: 'SecretStore' },
  refreshInterval: '1h',
  target: { name: 'app', creationPolicy: 'Owner', template: { type: 'Opaque', engineVersion: 'v2' } },
  data: [{ secretKey: 'one', remoteRef: { key: 'app', property: 'one' } }],
  dataFrom: [{ key: 'app' }, { key: 'other', version: '3', conversionStrategy: 'Unicode' }],
};
const storeSpec = { provider: { fake: { data: [{ key: 'app', value: '{"password":"hunter2"}' }] } } };

let cp: ControlPlane;
let product: Product;
let cluster: Cluster;
let versions: Versions;

const definitionOf = (kind: Kind): string => `${DEFINITIONS}/${PLURALS[kind]}.${GROUP}`;
async function storedVersions(kind: Kind): Promise<string[]> {
  type Definition = { status: { storedVersions: string[] } };
  return (await versions.request<Definition>('GET', definitionOf(kind))).status.storedVersions;
}

/** The definitions as they once were: v1alpha1 alone, stored, and nothing to convert. */
async function installLegacyDefinitions(): Promise<void> {
  type Definition = { spec: { conversion: object; versions: { name: string; storage: boolean }[] } };
  for (const plural of Object.values(PLURALS)) {
    const file = join(import.meta.dirname, '../../deploy/crds', `${plural}.yaml`);
    const { spec, ...rest } = parse(readFileSync(file, 'utf8')) as Definition;
    const only = spec.versions.filter(({ name }) => name === 'v1alpha1');
    const old = {
      ...spec,
      conversion: { strategy: 'None' },
      versions: only.map((version) => ({ ...version, storage: true })),
    };
    await cp.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify({ ...rest, spec: old }) });
  }
  const names = Object.values(PLURALS).map((plural) => `crd/${plural}.${GROUP}`);
  await cp.kubectlOutput(['wait', '--for=condition=Established', '--timeout=30s', ...names]);
}

before(async () => {
  cp = await startControlPlane({ controllerManager: false });
  cluster = new Cluster(cp);
  versions = new Versions(cp);
  await installLegacyDefinitions();
  await cluster.create(namespace(LEGACY));
  await cluster.create(inVersion('v1alpha1', secretStore(LEGACY, 'store', storeSpec)));
  await cluster.create(inVersion('v1alpha1', { ...externalSecret(LEGACY, 'app'), spec: legacySecret }));
  assert.deepEqual(await storedVersions('ExternalSecret'), ['v1alpha1']);
  product = await startProduct(cp, { poller: false });
});
after(async () => {
  await product?.stop();
  await cp?.stop();
});

describe('conversion through the API server', () => {
  const WHERE = 'conversion';
  const rich = {
    refreshPolicy: 'Periodic',
    secretStoreRef: { name: 'store' },
    target: { name: 'rich' },
    data: [
      {
        secretKey: 'password',
        remoteRef: { key: 'app', property: 'password', decodingStrategy: 'None', metadataPolicy: 'None' },
      },
    ],
    dataFrom: [
      { extract: { key: 'app', nullBytePolicy: 'Ignore' } },
      { extract: { key: 'app', conversionStrategy: 'Unicode' } },
    ],
  };
  const read = (version: ServedVersion) => versions.read('ExternalSecret', version, WHERE, 'rich');

  before(async () => {
    await cluster.create(namespace(WHERE));
    await cluster.create(secretStore(WHERE, 'store', storeSpec));
    await cluster.create(externalSecret(WHERE, 'rich', rich));
  });

  test('what v1alpha1 cannot say is parked there and nowhere else', async () => {
    const old = await read('v1alpha1');
    assert.deepEqual(old.spec['dataFrom'], [{ key: 'app' }, { key: 'app', conversionStrategy: 'Unicode' }]);
    assert.equal('refreshPolicy' in old.spec, false);
    assert.deepEqual(JSON.parse(old.metadata.annotations?.[ANNOTATION_CONVERSION] ?? ''), {
      refreshPolicy: 'Periodic',
      data: [[0, rich.data[0]]],
      dataFrom: [[0, rich.dataFrom[0]]],
    });
    for (const version of ['v1', 'v1beta1'] as const) {
      const { spec, metadata } = await read(version);
      assert.deepEqual(spec['dataFrom'], rich.dataFrom);
      assert.equal(metadata.annotations, undefined);
    }
  });

  test('a create in v1alpha1 that brings parked facts along keeps them, and copies them nowhere', async () => {
    const old = await read('v1alpha1');
    const { annotations } = old.metadata;
    const spec = { ...old.spec, target: { name: 'copy', creationPolicy: 'Owner' } };
    const manifest = externalSecret(WHERE, 'copy', spec, { annotations });
    await cluster.create(inVersion('v1alpha1', manifest));
    const copy = await versions.read('ExternalSecret', 'v1', WHERE, 'copy');
    assert.deepEqual(copy.spec['dataFrom'], rich.dataFrom);
    const secret = await cluster.get('Secret', WHERE, 'copy');
    assert.equal(secret.metadata.annotations?.[ANNOTATION_CONVERSION], undefined);
  });

  test('an edit through v1alpha1 keeps what that version cannot say', async () => {
    const before = await read('v1');
    await versions.patch('ExternalSecret', 'v1alpha1', WHERE, 'rich', { spec: { refreshInterval: '90s' } });
    const edited = await read('v1');
    assert.deepEqual(edited.spec, { ...before.spec, refreshInterval: '90s' });
    assert.equal(edited.metadata.annotations, undefined);
    await cp.kubectlOutput(['label', `externalsecrets.v1alpha1.${GROUP}/rich`, 'team=shop', '-n', WHERE]);
    assert.deepEqual((await read('v1')).spec, edited.spec);
  });

  test('reading in v1alpha1 and writing it all back changes nothing', async () => {
    const before = await read('v1');
    await versions.request(
      'PUT',
      pathOf('ExternalSecret', 'v1alpha1', WHERE, 'rich'),
      await read('v1alpha1'),
    );
    const after = await read('v1');
    assert.deepEqual(after.spec, before.spec);
    assert.equal(after.metadata.resourceVersion, before.metadata.resourceVersion);
  });

  test('integers beyond 2^53 keep every digit, visible and parked', async () => {
    const BIG = '9007199254740993';
    const spec = { ...storeSpec, refreshInterval: 0, conditions: [{ namespaces: [WHERE] }] };
    const text = JSON.stringify(secretStore(WHERE, 'big', spec));
    const created = await cp.request(
      'POST',
      pathOf('SecretStore', 'v1', WHERE, '').slice(0, -1),
      text.replace('"refreshInterval":0', `"refreshInterval":${BIG}`),
      { 'content-type': 'application/json' },
    );
    assert.equal(created.status, 201, JSON.stringify(created.body));
    const raw = (version: ServedVersion): Promise<string> =>
      cp.kubectlOutput(['get', '--raw', pathOf('SecretStore', version, WHERE, 'big')]);
    assert.ok((await raw('v1')).includes(`"refreshInterval":${BIG}`));
    assert.ok((await raw('v1beta1')).includes(`"refreshInterval":${BIG}`));
    assert.ok((await raw('v1alpha1')).includes(`{\\"refreshInterval\\":${BIG},`));
    await versions.patch('SecretStore', 'v1alpha1', WHERE, 'big', { spec: { controller: 'other' } });
    const edited = await raw('v1');
    assert.ok(edited.includes(`"refreshInterval":${BIG}`) && edited.includes('"other"'), edited);
  });

  test('a duration of a store is whole seconds in v1beta1, and itself again in v1', async () => {
    const interval = async (version: ServedVersion): Promise<unknown> =>
      (await versions.read('SecretStore', version, WHERE, 'minutes')).spec['refreshInterval'];
    const patch = (spec: object) => versions.patch('SecretStore', 'v1beta1', WHERE, 'minutes', { spec });
    await cluster.create(secretStore(WHERE, 'minutes', { ...storeSpec, refreshInterval: '90500ms' }));
    assert.equal(await interval('v1beta1'), 91);
    await patch({ controller: 'other' });
    assert.equal(await interval('v1'), '90500ms');
    await patch({ refreshInterval: 30 });
    assert.equal(await interval('v1'), 30);
  });

  test('a list in an old version shows every object', async () => {
    const list = ['get', `secretstores.v1alpha1.${GROUP}`, '-n', WHERE, '-o', 'name'];
    assert.equal((await cp.kubectlOutput(list)).trim().split('\n').length, 3);
  });
});

describe('S97 objects that an earlier version stored as v1alpha1', () => {
  const read = (version: ServedVersion) => versions.read('ExternalSecret', version, LEGACY, 'app');
  const inHub = legacySecret.dataFrom.map((extract) => ({ extract }));

  test('are read as v1 and back without loss', async () => {
    assert.deepEqual((await read('v1alpha1')).spec, legacySecret);
    for (const version of ['v1', 'v1beta1'] as const) {
      const { spec, metadata } = await read(version);
      // Defaults of v1 come with the next write; nothing that was not stored is made up.
      assert.deepEqual(spec, { ...legacySecret, dataFrom: inHub });
      assert.equal(metadata.generation, 1);
    }
    assert.deepEqual((await versions.read('SecretStore', 'v1', LEGACY, 'store')).spec, storeSpec);
  });

  test('take a change in v1 and in v1alpha1', async () => {
    await versions.patch('ExternalSecret', 'v1', LEGACY, 'app', { spec: { refreshPolicy: 'Periodic' } });
    await versions.patch('ExternalSecret', 'v1alpha1', LEGACY, 'app', { spec: { refreshInterval: '2h' } });
    const { target } = legacySecret;
    assert.deepEqual((await read('v1')).spec, {
      ...legacySecret,
      refreshPolicy: 'Periodic',
      refreshInterval: '2h',
      dataFrom: inHub,
      target: {
        ...target,
        deletionPolicy: 'Retain',
        template: { ...target.template, mergePolicy: 'Replace' },
      },
    });
  });

  test('once written again they are v1 in etcd, and v1alpha1 may go', async () => {
    const objects = [
      ['ExternalSecret', 'app'],
      ['SecretStore', 'store'],
    ] as const;
    for (const [kind, name] of objects) {
      assert.deepEqual(await storedVersions(kind), ['v1alpha1', 'v1']);
      // As a storage migration does: the object is written back as it is.
      const before = await versions.read(kind, 'v1', LEGACY, name);
      await versions.request('PUT', pathOf(kind, 'v1', LEGACY, name), before);
      await versions.request('PATCH', `${definitionOf(kind)}/status`, { status: { storedVersions: ['v1'] } });
      // A version that something is stored in could not be read any more; that this is, proves it.
      type Definition = { spec: { versions: { name: string }[] } };
      const { spec } = await versions.request<Definition>('GET', definitionOf(kind));
      const kept = spec.versions.filter((version) => version.name !== 'v1alpha1');
      await versions.request('PATCH', definitionOf(kind), { spec: { versions: kept } });
      assert.deepEqual((await versions.read(kind, 'v1', LEGACY, name)).spec, before.spec);
    }
  });
});
