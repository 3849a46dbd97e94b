/**
 * The mutating hook on a real API server, with the poller off: when a Secret is made, when it is not, and
 * what is left alone. The last test looks for values wherever they must not be.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ANNOTATION_DATA_HASH,
  ANNOTATION_PENDING,
  ANNOTATION_REQUIRE_SYNC,
  GROUP,
  LABEL_CREATED_BY,
  LABEL_MANAGED,
  SERVED_VERSIONS,
} from '../../api/external-secrets/names.ts';
import { createdByHash, dataHash, fieldManager } from '../../api/go-hash.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { parseMarker, specHash } from '../../sync/marker.ts';
import { ownerReference } from '../../sync/ownership.ts';
import { decodeData } from '../../sync/secret-data.ts';
import type { Bed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import type { Cluster, Manifest } from './support/cluster.ts';
import { type Recorder, SENTINEL, startRecorder } from './support/recorder.ts';
import { externalSecret, prepare } from './support/vault.ts';
import { inVersion } from './support/versions.ts';

const REQUIRE_SYNC = { annotations: { [ANNOTATION_REQUIRE_SYNC]: 'true' } };

let recorder: Recorder;
let bed: Bed;
let cluster: Cluster;

before(async () => {
  recorder = await startRecorder();
  ({ bed, cluster } = recorder);
});
after(() => bed.stop());

const secretOf = (where: string, name: string): Promise<SecretObject | undefined> =>
  cluster.find('Secret', where, name);

describe('a create', () => {
  const WHERE = 'made';
  const ROUNDS = 20;
  before(() => prepare(cluster, bed.openBao, WHERE));

  for (const version of SERVED_VERSIONS) {
    test(`in ${version}: the Secret is readable when kubectl apply has returned, ${ROUNDS} times of ${ROUNDS}`, async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const name = `${version}-${round}`;
        const { code, stderr } = await recorder.apply(
          inVersion(version, externalSecret(WHERE, name, { target: { name } })),
        );
        assert.equal(stderr, '');
        assert.equal(code, 0);
        assert.equal(await recorder.password(WHERE, name), SENTINEL, name);
      }
    });

    test(`in ${version}: the Secret has our marker, the labels and annotations of ESO, and no owner yet`, async () => {
      const name = `whole-${version}`;
      const labels = { team: 'shop' };
      const annotations = { note: 'copied', [ANNOTATION_REQUIRE_SYNC]: 'true' };
      const spec = { target: { name } };
      await recorder.create(inVersion(version, externalSecret(WHERE, name, spec, { labels, annotations })));
      const { metadata, type, data, ...rest } = await cluster.get('Secret', WHERE, name);
      const { [ANNOTATION_PENDING]: pending = '', ...copied } = metadata.annotations ?? {};
      assert.deepEqual(rest, { apiVersion: 'v1', kind: 'Secret' });
      assert.equal(type, 'Opaque');
      assert.deepEqual(data, { password: Buffer.from(SENTINEL).toString('base64') });
      assert.deepEqual(metadata.labels, {
        ...labels,
        [LABEL_MANAGED]: 'true',
        [LABEL_CREATED_BY]: createdByHash(WHERE, name),
      });
      assert.deepEqual(copied, { note: 'copied', [ANNOTATION_DATA_HASH]: dataHash(decodeData({ data })) });
      assert.equal(metadata.ownerReferences, undefined);
      assert.equal(metadata.finalizers, undefined);
      assert.deepEqual(
        metadata.managedFields?.map(({ manager }) => manager),
        [fieldManager(name)],
      );
      // The spec as it is stored, not as it was sent: otherwise the poller would have to sync again.
      const stored = await cluster.get('ExternalSecret', WHERE, name);
      assert.equal(parseMarker(pending)?.specHash, specHash(stored.spec));
      assert.equal(parseMarker(pending)?.externalSecret, name);
    });
  }
});

describe('a request that creates nothing', () => {
  const WHERE = 'unmade';
  before(() => prepare(cluster, bed.openBao, WHERE));

  test('hazard 2.2 a dry run makes no Secret and asks no provider', async () => {
    const before = recorder.reads();
    const manifest = externalSecret(WHERE, 'dry');
    assert.equal((await recorder.apply(manifest, '--dry-run=server')).code, 0);
    const dryCreate = ['create', '--dry-run=server', '-f', '-'];
    assert.equal((await recorder.kubectl(dryCreate, { stdin: JSON.stringify(manifest) })).code, 0);
    const diff = await recorder.kubectl(['diff', '-f', '-'], { stdin: JSON.stringify(manifest) });
    assert.equal(diff.code, 1);
    assert.match(diff.stdout, /^\+ {2}name: dry$/m);
    assert.equal(await secretOf(WHERE, 'dry'), undefined);
    assert.equal(recorder.reads(), before);
  });

  test('hazard 2.1 a create that ends in 409 leaves the Secret as it is', async () => {
    await recorder.create(externalSecret(WHERE, 'present'));
    const before = await cluster.get('Secret', WHERE, 'present');
    const other = externalSecret(WHERE, 'present', { data: [{ secretKey: 'x', remoteRef: { key: 'app' } }] });
    const { code, stderr } = await recorder.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(other) });
    assert.equal(code, 1);
    assert.match(stderr, /already exists/);
    assert.deepEqual(await cluster.get('Secret', WHERE, 'present'), before);
  });

  test('hazard 2.1 a create that a later policy refuses leaves a Secret that is marked pending for the sweep', async () => {
    const policy = 'no-forbidden-label';
    const api = '/apis/admissionregistration.k8s.io/v1';
    const resources = ['externalsecrets'];
    const rule = { apiGroups: [GROUP], apiVersions: ['*'], operations: ['CREATE'], resources };
    await bed.cp.request('POST', `${api}/validatingadmissionpolicies`, {
      metadata: { name: policy },
      spec: {
        matchConstraints: { resourceRules: [rule] },
        validations: [{ expression: '!("forbidden" in object.metadata.?labels.orValue({}))' }],
      },
    });
    await bed.cp.request('POST', `${api}/validatingadmissionpolicybindings`, {
      metadata: { name: policy },
      spec: { policyName: policy, validationActions: ['Deny'] },
    });
    const labels = { forbidden: 'yes' };
    const manifest = externalSecret(WHERE, 'refused-later', {}, { labels });
    await eventually(async () =>
      (await recorder.apply(manifest, '--dry-run=server')).stderr.includes(policy),
    );
    assert.equal(await secretOf(WHERE, 'refused-later'), undefined);
    const { code, stderr } = await recorder.apply(manifest);
    assert.equal(code, 1);
    assert.match(stderr, /ValidatingAdmissionPolicy 'no-forbidden-label'/);
    assert.equal(await cluster.find('ExternalSecret', WHERE, 'refused-later'), undefined);
    const secret = await cluster.get('Secret', WHERE, 'refused-later');
    const marker = parseMarker(secret.metadata.annotations?.[ANNOTATION_PENDING] ?? '');
    assert.equal(marker?.externalSecret, 'refused-later');
    // The object itself, once it is let in, takes that Secret over.
    await recorder.create(externalSecret(WHERE, 'refused-later', {}, { labels: { team: 'shop' } }));
    const taken = await cluster.get('Secret', WHERE, 'refused-later');
    assert.equal(taken.metadata.uid, secret.metadata.uid);
    assert.equal(taken.metadata.labels?.['forbidden'], undefined);
    assert.equal(taken.metadata.labels?.['team'], 'shop');
  });

  test('hazard 2.1 with generateName the name is not known yet, and nothing is done', async () => {
    const before = recorder.reads();
    const { metadata, ...manifest } = externalSecret(WHERE, '');
    const generated = {
      ...manifest,
      metadata: { namespace: metadata.namespace, generateName: 'generated-' },
    };
    const { code, stdout, stderr } = await recorder.kubectl(['create', '-f', '-'], {
      stdin: JSON.stringify(generated),
    });
    assert.equal(code, 0);
    assert.equal(stderr, '');
    const name = /externalsecret\.\S+\/(generated-\S+) created/.exec(stdout)?.[1] ?? '';
    assert.notEqual(name, '');
    assert.equal(await secretOf(WHERE, name), undefined);
    assert.equal(recorder.reads(), before);
  });
});

test('hazard 2.4 deleted and made again at once, an object keeps its Secret whatever the garbage collector does', async () => {
  const WHERE = 'again';
  await prepare(cluster, bed.openBao, WHERE);
  for (let round = 0; round < 5; round += 1) {
    const name = `app-${round}`;
    await recorder.create(externalSecret(WHERE, name));
    const uid = (await cluster.get('ExternalSecret', WHERE, name)).metadata.uid ?? '';
    // What the poller does to adopt it.
    const ownerReferences = [ownerReference({ name, uid })];
    const annotations = { [ANNOTATION_PENDING]: null };
    await cluster.patch('Secret', WHERE, name, { metadata: { ownerReferences, annotations } });
    await cluster.remove('ExternalSecret', WHERE, name);
    await recorder.create(externalSecret(WHERE, name));
    const made = await cluster.get('Secret', WHERE, name);
    assert.equal(made.metadata.ownerReferences, undefined);
    assert.ok(made.metadata.annotations?.[ANNOTATION_PENDING]);
    if (round === 4) {
      const still = (): Promise<void> =>
        cluster
          .get('Secret', WHERE, name)
          .then(({ metadata }) => assert.equal(metadata.uid, made.metadata.uid));
      await always(still, { duration: 2_000, interval: 200 });
    }
  }
  for (let round = 0; round < 5; round += 1)
    assert.equal(await recorder.password(WHERE, `app-${round}`), SENTINEL);
});

describe('the caller', () => {
  const WHERE = 'callers';
  const grant = async (user: string, verbs: readonly string[]): Promise<void> => {
    const rules = [{ apiGroups: [GROUP], resources: ['externalsecrets'], verbs }];
    const base = `/apis/rbac.authorization.k8s.io/v1/namespaces/${WHERE}`;
    await bed.cp.request('POST', `${base}/roles`, { metadata: { name: user }, rules });
    await bed.cp.request('POST', `${base}/rolebindings`, {
      metadata: { name: user },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: user },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    });
  };
  before(async () => {
    await prepare(cluster, bed.openBao, WHERE);
    await grant('creator', ['create']);
    await grant('patcher', ['get', 'patch']);
  });

  test('who may create ExternalSecrets and nothing else gets the Secret made', async () => {
    const stdin = JSON.stringify(externalSecret(WHERE, 'created'));
    const { code, stderr } = await recorder.kubectl(['create', '-f', '-'], { stdin, as: 'creator' });
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    assert.equal(await recorder.password(WHERE, 'created'), SENTINEL);
  });

  test('hazard 2.6 who may only patch cannot make a Secret by a server-side apply that is then refused', async () => {
    const stdin = JSON.stringify(externalSecret(WHERE, 'patched'));
    const reviews = (): Promise<number> =>
      bed.product.webhook.metric('esa_admission_reviews_total', { hook: 'mutate' });
    const asked = await reviews();
    const { code, stderr } = await recorder.kubectl(['apply', '--server-side', '-f', '-'], {
      stdin,
      as: 'patcher',
    });
    assert.equal(code, 1);
    assert.match(stderr, /User "patcher" cannot create resource "externalsecrets"/);
    assert.equal(await reviews(), asked + 1, 'the hook was asked before the API server refused');
    assert.equal(await secretOf(WHERE, 'patched'), undefined);
  });
});

describe('hazard 2.5 a target that exists', () => {
  const WHERE = 'taken';
  const refusedFor = async (name: string, target: string, cause: RegExp): Promise<void> => {
    const before = await cluster.get('Secret', WHERE, target);
    const warnings = await recorder.create(externalSecret(WHERE, name, { target: { name: target } }));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', cause);
    assert.deepEqual(await cluster.get('Secret', WHERE, target), before);
    const strict = externalSecret(WHERE, `${name}-strict`, { target: { name: target } }, REQUIRE_SYNC);
    const { code, stderr } = await recorder.apply(strict);
    assert.equal(code, 1);
    assert.match(stderr, /^The ExternalSecret "\S+" is invalid: spec\.target\.name: Secret taken\//);
    assert.deepEqual(await cluster.get('Secret', WHERE, target), before);
  };
  const ownSecret = (name: string, annotations: object = {}): Manifest => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: WHERE, annotations },
    stringData: { keep: 'me' },
  });
  before(() => prepare(cluster, bed.openBao, WHERE));

  test('and belongs to nobody is left alone, with a warning', async () => {
    await cluster.create(ownSecret('unmanaged'));
    await refusedFor(
      'wants-unmanaged',
      'unmanaged',
      /^Secret taken\/unmanaged exists and belongs to nobody; /,
    );
  });

  test('and is pending for another ExternalSecret is left alone, with a warning', async () => {
    await recorder.create(externalSecret(WHERE, 'first'));
    await refusedFor(
      'second',
      'first',
      /^Secret taken\/first belongs to ExternalSecret first; choose another/,
    );
  });

  test('and has a forged marker is left alone, with a warning', async () => {
    await recorder.create(externalSecret(WHERE, 'real'));
    const { metadata } = await cluster.get('Secret', WHERE, 'real');
    const marker = metadata.annotations?.[ANNOTATION_PENDING] ?? '';
    const forgeries = [
      marker,
      marker.replace(/real$/, 'wants-forged-1'),
      'v1.0.0.0.wants-forged-2',
      'nonsense',
    ];
    for (const [index, forgery] of forgeries.entries()) {
      const name = `forged-${index}`;
      await cluster.create(ownSecret(name, { [ANNOTATION_PENDING]: forgery }));
      await refusedFor(`wants-${name}`, name, /^Secret taken\/forged-\d exists and belongs to nobody; /);
    }
  });

  test('and that ESO or the poller keeps for this object is theirs: no word, no write', async () => {
    const labels = { [LABEL_MANAGED]: 'true', [LABEL_CREATED_BY]: createdByHash(WHERE, 'restored') };
    await cluster.create({
      ...ownSecret('restored'),
      metadata: { name: 'restored', namespace: WHERE, labels },
    });
    const before = await cluster.get('Secret', WHERE, 'restored');
    assert.deepEqual(await recorder.create(externalSecret(WHERE, 'restored')), []);
    assert.deepEqual(await cluster.get('Secret', WHERE, 'restored'), before);
  });
});

test('hazard 2.8 no value stands in a log, a warning, a refusal, an event, an object or the audit log', () =>
  recorder.assertNothingLeaked());
