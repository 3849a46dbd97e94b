/**
 * ClusterExternalSecret: one ExternalSecret in each namespace that is selected, kept so whatever happens to either;
 * the rows of External Secrets Operator's own suite (eso.md 9.3 #54), and what it leaves behind.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import {
  ANNOTATION_FORCE_SYNC,
  FINALIZER_ESO_CLUSTER,
  FINALIZER_ESO_NAMESPACE,
  GROUP,
} from '../../api/external-secrets/names.ts';
import type { ClusterExternalSecretStatus } from '../../api/external-secrets/v1/index.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { requestsOf, writesOf } from './support/audit.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { warningsIn } from './support/kubectl.ts';
import { applyManifests, clusterSecretStore, namespace } from './support/vault.ts';

const PASSWORD = { password: 'hunter2' };
/** For what the poller does at once, on a busy machine. */
const SOON = { timeout: 20_000 };
/** The garbage collector takes its time. */
const COLLECTED = { timeout: 60_000 };
const MANY = 200;

let bed: Bed;
let cluster: Cluster;

const embedded = (change: object = {}): object => ({
  secretStoreRef: { name: 'fake', kind: 'ClusterSecretStore' },
  data: [{ secretKey: 'password', remoteRef: { key: 'app' } }],
  ...change,
});
const ces = (name: string, spec: object, metadata: object = {}): Manifest => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'ClusterExternalSecret',
  metadata: { name, ...metadata },
  spec: { externalSecretSpec: embedded(), ...spec },
});
const labelled = (team: string): object => ({ namespaceSelectors: [{ matchLabels: { team } }] });

/** Waits for a status. */
async function status(name: string, expected: ClusterExternalSecretStatus, options = SOON): Promise<void> {
  await eventually(
    async () => {
      assert.deepEqual((await cluster.get('ClusterExternalSecret', undefined, name)).status, expected);
      return true;
    },
    { ...options, what: `the status of ClusterExternalSecret ${name}` },
  );
}

const provisioned = (name: string, ...namespaces: string[]): ClusterExternalSecretStatus => ({
  externalSecretName: name,
  ...(namespaces.length === 0 ? {} : { provisionedNamespaces: namespaces }),
  conditions: [{ type: 'Ready', status: 'True' }],
});

const gone = (kind: 'ExternalSecret' | 'Secret' | 'Namespace', where: string | undefined, name: string) =>
  eventually(async () => (await cluster.find(kind, where, name)) === undefined, {
    ...COLLECTED,
    what: `${kind} ${where ?? ''}/${name} gone`,
  });

const there = (where: string, name: string) =>
  eventually(() => cluster.find('ExternalSecret', where, name), {
    ...SOON,
    what: `ExternalSecret ${where}/${name}`,
  });

/** Labels a namespace; null takes a label away. */
const label = (name: string, labels: Readonly<Record<string, string | null>>) =>
  cluster.patch('Namespace', undefined, name, { metadata: { labels } });

before(async () => {
  bed = await startBed({ controlPlane: { audit: true } });
  cluster = new Cluster(bed.cp);
  await cluster.create(
    clusterSecretStore('fake', { provider: { fake: { data: [{ key: 'app', value: 'hunter2' }] } } }),
  );
});
after(() => bed.stop());

describe('namespaces are selected', () => {
  before(async () => {
    for (const [name, labels] of Object.entries({
      'sel-a': { team: 'sel' },
      'sel-b': { env: 'sel-prod' },
      'sel-c': { tier: 'sel-x' },
      'sel-d': {},
      'sel-e': { team: 'other' },
    })) {
      await cluster.create(namespace(name, labels as Record<string, string>));
    }
  });

  test('by any selector, by the old selector and by name, and get the ExternalSecret and its Secret', async () => {
    await cluster.create(
      ces('sel', {
        namespaceSelectors: [
          { matchLabels: { team: 'sel' } },
          { matchExpressions: [{ key: 'env', operator: 'In', values: ['sel-prod'] }] },
        ],
        namespaceSelector: { matchLabels: { tier: 'sel-x' } },
        namespaces: ['sel-d', 'sel-missing'],
        externalSecretName: 'db',
        externalSecretMetadata: { labels: { team: 'a' }, annotations: { note: 'b' } },
      }),
    );
    await status('sel', provisioned('db', 'sel-a', 'sel-b', 'sel-c', 'sel-d'));
    const { metadata } = await cluster.get('ClusterExternalSecret', undefined, 'sel');
    assert.equal(metadata.finalizers, undefined);
    for (const where of ['sel-a', 'sel-b', 'sel-c', 'sel-d']) {
      const es = await cluster.get('ExternalSecret', where, 'db');
      assert.deepEqual(es.metadata.ownerReferences, [
        {
          apiVersion: `${GROUP}/v1`,
          kind: 'ClusterExternalSecret',
          name: 'sel',
          uid: metadata.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ]);
      assert.deepEqual([es.metadata.labels, es.metadata.annotations], [{ team: 'a' }, { note: 'b' }]);
      await cluster.holds(where, 'db', PASSWORD, 20_000);
    }
    assert.equal(await cluster.find('ExternalSecret', 'sel-e', 'db'), undefined);
    assert.equal((await cluster.get('Namespace', undefined, 'sel-a')).metadata.finalizers, undefined);
  });

  test('their Secrets are made at admission, as those of anybody', async () => {
    // On a machine that is busy with other things some may be left to the poller.
    assert.ok((await bed.product.webhook.metric('esa_materialize_total', { outcome: 'created' })) > 0);
  });

  test('kubectl get shows the columns, kubectl wait and describe work', async () => {
    const table = await bed.cp.kubectlOutput(['get', 'ces', 'sel']);
    assert.deepEqual(
      table
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/ {2,}/)),
      [
        ['NAME', 'STORE', 'REFRESH INTERVAL', 'READY'],
        ['sel', 'fake', 'True'],
      ],
    );
    await bed.cp.kubectlOutput(['wait', '--for=condition=Ready', 'ces/sel', '--timeout=5s']);
    await eventually(async () => {
      const text = await bed.cp.kubectlOutput(['describe', 'ces', 'sel']);
      return /Normal +Provisioned .*ExternalSecret db is in namespaces sel-a, sel-b, sel-c, sel-d/.test(text);
    }, SOON);
    assert.match(
      await bed.cp.kubectlOutput(['explain', 'ces.spec.namespaceSelectors']),
      /Namespaces by label/,
    );
  });

  test('when they come later, at once', async () => {
    await cluster.create(namespace('sel-late', { team: 'sel' }));
    await there('sel-late', 'db');
    await cluster.holds('sel-late', 'db', PASSWORD, 20_000);
    await label('sel-e', { team: 'sel' });
    await there('sel-e', 'db');
    await status('sel', provisioned('db', 'sel-a', 'sel-b', 'sel-c', 'sel-d', 'sel-e', 'sel-late'));
  });

  test('no more, and what was made goes, with its Secret', needsGarbageCollection(), async () => {
    await label('sel-e', { team: null });
    await gone('ExternalSecret', 'sel-e', 'db');
    await gone('Secret', 'sel-e', 'db');
    await status('sel', provisioned('db', 'sel-a', 'sel-b', 'sel-c', 'sel-d', 'sel-late'));
    assert.deepEqual(await cluster.values('sel-a', 'db'), PASSWORD);
  });

  test('a namespace that is deleted goes quietly', needsGarbageCollection(), async () => {
    const since = new Date();
    await cluster.remove('Namespace', undefined, 'sel-late');
    await gone('Namespace', undefined, 'sel-late');
    await status('sel', provisioned('db', 'sel-a', 'sel-b', 'sel-c', 'sel-d'));
    const writes = writesOf(bed, 'poller', since).filter((write) => / externalsecrets /.test(write));
    assert.deepEqual(writes, []);
    assert.deepEqual(
      (await cluster.events('default')).filter(
        ({ type, involvedObject }) => type === 'Warning' && involvedObject.name === 'sel',
      ),
      [],
    );
  });

  test('an edit of what was made is undone, and what is deleted is made anew', async () => {
    const merge = { spec: { refreshInterval: '9h' }, metadata: { labels: { mine: 'x' } } };
    const { uid } = (await cluster.patch('ExternalSecret', 'sel-a', 'db', merge)).metadata;
    await eventually(async () => {
      const { metadata, spec } = await cluster.get('ExternalSecret', 'sel-a', 'db');
      assert.equal(metadata.uid, uid);
      assert.deepEqual(metadata.labels, { team: 'a' });
      return spec.refreshInterval === '1h0m0s';
    }, SOON);
    await cluster.remove('ExternalSecret', 'sel-a', 'db');
    await eventually(async () => {
      const es = await cluster.find('ExternalSecret', 'sel-a', 'db');
      return es !== undefined && es.metadata.uid !== uid;
    }, SOON);
  });

  test('a changed spec, changed metadata and force-sync reach every one of them', async () => {
    const annotations = { [ANNOTATION_FORCE_SYNC]: '1' };
    await cluster.patch('ClusterExternalSecret', undefined, 'sel', {
      metadata: { annotations },
      spec: {
        externalSecretSpec: { data: [{ secretKey: 'word', remoteRef: { key: 'app' } }] },
        externalSecretMetadata: { labels: { team: null, tier: 'z' } },
      },
    });
    for (const where of ['sel-a', 'sel-b', 'sel-c', 'sel-d']) {
      await cluster.holds(where, 'db', { word: 'hunter2' }, 20_000);
      const { metadata } = await cluster.get('ExternalSecret', where, 'db');
      assert.deepEqual(metadata.labels, { tier: 'z' });
      assert.deepEqual(metadata.annotations, { note: 'b', ...annotations });
    }
  });

  test('a new name: the old ones go when the new ones are there', needsGarbageCollection(), async () => {
    await cluster.patch('ClusterExternalSecret', undefined, 'sel', { spec: { externalSecretName: 'db2' } });
    await status('sel', provisioned('db2', 'sel-a', 'sel-b', 'sel-c', 'sel-d'));
    for (const where of ['sel-a', 'sel-b', 'sel-c', 'sel-d']) {
      await cluster.holds(where, 'db2', { word: 'hunter2' }, 20_000);
      await gone('ExternalSecret', where, 'db');
      await gone('Secret', where, 'db');
    }
  });
});

describe('a namespace that cannot have it', () => {
  const reason = (name: string, where: string) =>
    eventually(async () => {
      const { status: found } = await cluster.get('ClusterExternalSecret', undefined, name);
      const failure = found?.failedNamespaces?.find((one) => one.namespace === where);
      return failure === undefined ? undefined : { ...failure, conditions: found?.conditions };
    }, SOON);

  before(async () => {
    await cluster.create(namespace('own-a', { team: 'own' }));
    await cluster.create(namespace('own-b', { team: 'own' }));
  });

  test('because somebody has an ExternalSecret of that name: it is left alone, and told', async () => {
    const foreign = await cluster.create({
      apiVersion: `${GROUP}/v1`,
      kind: 'ExternalSecret',
      metadata: { name: 'own', namespace: 'own-a' },
      spec: embedded({ refreshInterval: '9h' }),
    });
    await cluster.create(ces('own', labelled('own')));
    await status('own', {
      externalSecretName: 'own',
      provisionedNamespaces: ['own-b'],
      failedNamespaces: [
        {
          namespace: 'own-a',
          reason:
            'external secret already exists in namespace: it was not made by this ClusterExternalSecret and is left as it is',
        },
      ],
      conditions: [{ type: 'Ready', status: 'False', message: 'one or more namespaces failed: 1 of 2' }],
    });
    const now = await cluster.get('ExternalSecret', 'own-a', 'own');
    assert.equal(now.metadata.uid, foreign.metadata.uid);
    assert.equal(now.spec.refreshInterval, '9h');
    assert.equal(
      await bed.product.poller.metric('clusterexternalsecret_status_condition', {
        name: 'own',
        condition: 'Ready',
        status: 'False',
      }),
      1,
    );
  });

  test('until that is gone', async () => {
    await cluster.remove('ExternalSecret', 'own-a', 'own');
    await status('own', provisioned('own', 'own-a', 'own-b'));
  });

  test('because another ClusterExternalSecret has made one of that name', async () => {
    await cluster.create(ces('own-too', { ...labelled('own'), externalSecretName: 'own' }));
    assert.match(
      (await reason('own-too', 'own-b')).reason ?? '',
      /it belongs to ClusterExternalSecret own and/,
    );
    await status('own', provisioned('own', 'own-a', 'own-b'));
  });

  test('because a policy says so, until it does not', async () => {
    const policy = {
      apiVersion: 'external-secrets-admission.io/v1alpha1',
      kind: 'ClusterSecretPolicy',
      metadata: { name: 'no-fake' },
      spec: { namespaceSelector: { matchLabels: { policy: 'strict' } }, providers: ['vault'] },
    };
    const path = '/apis/external-secrets-admission.io/v1alpha1/clustersecretpolicies';
    assert.equal((await bed.cp.request('POST', path, policy)).status, 201);
    await cluster.create(namespace('policy-a', { team: 'policy', policy: 'strict' }));
    await cluster.create(namespace('policy-b', { team: 'policy' }));
    await cluster.create(ces('policy', labelled('policy')));
    const failure = await reason('policy', 'policy-a');
    assert.match(
      failure.reason ?? '',
      /denied the request: .*provider fake; allowed: vault.*policy "no-fake"/,
    );
    assert.equal(await cluster.find('Secret', 'policy-a', 'policy'), undefined);
    await bed.cp.request('DELETE', `${path}/no-fake`);
    await status('policy', provisioned('policy', 'policy-a', 'policy-b'), { timeout: 40_000 });
  });
});

describe('at admission', () => {
  test('v1beta1 is written and read, and is the same', async () => {
    const old = { ...ces('beta', labelled('nobody')), apiVersion: `${GROUP}/v1beta1` };
    const { code, stdout, stderr } = await applyManifests(bed.cp, [old]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /beta created/);
    const read = async (version: string) => {
      const path = `/apis/${GROUP}/${version}/clusterexternalsecrets/beta`;
      return (await bed.cp.request<{ apiVersion: string; spec: object }>('GET', path)).body;
    };
    const [v1, beta] = [await read('v1'), await read('v1beta1')];
    assert.deepEqual([v1.apiVersion, beta.apiVersion], [`${GROUP}/v1`, `${GROUP}/v1beta1`]);
    assert.deepEqual(v1.spec, beta.spec);
    await status('beta', provisioned('beta'));
  });

  test('one that selects nothing is admitted with a word', async () => {
    const { code, stderr } = await applyManifests(bed.cp, [ces('nothing', {})]);
    assert.equal(code, 0);
    assert.deepEqual(warningsIn(stderr), [
      'spec.namespaceSelectors: no namespace is selected, so nothing is made',
    ]);
  });

  test('an update to what cannot be is refused, labels never are', async () => {
    const { code, stderr } = await bed.cp.kubectl(
      ...[['patch', 'ces', 'nothing', '--type=merge', '-p', '{"spec":{"refreshTime":"daily"}}']],
    );
    assert.equal(code, 1);
    assert.match(stderr, /The ClusterExternalSecret "nothing" is invalid: spec\.refreshTime: "daily"/);
    await bed.cp.kubectlOutput(['label', 'ces', 'nothing', 'a=b']);
  });
});

describe('what External Secrets Operator left', () => {
  test('its finalizers: both it and its namespaces go', needsGarbageCollection(), async () => {
    const manifest = readFileSync(
      join(import.meta.dirname, '../../deploy/moving/namespace-finalizers.yaml'),
      'utf8',
    );
    const moving = parseAllDocuments(manifest).map((document) => document.toJS() as Manifest);
    await cluster.create({
      ...namespace('eso-a', { team: 'eso' }),
      metadata: { name: 'eso-a', labels: { team: 'eso' }, finalizers: [`${FINALIZER_ESO_NAMESPACE}eso`] },
    });
    await cluster.create(namespace('eso-b', { team: 'eso' }));
    await cluster.create(ces('eso', labelled('eso'), { finalizers: [FINALIZER_ESO_CLUSTER] }));
    await status('eso', provisioned('eso', 'eso-a', 'eso-b'));

    await cluster.remove('Namespace', undefined, 'eso-a');
    await eventually(
      async () => (await cluster.events('default')).find(({ reason }) => reason === 'FinalizerNotRemoved'),
      SOON,
    );
    assert.notEqual(await cluster.find('Namespace', undefined, 'eso-a'), undefined);
    assert.equal((await applyManifests(bed.cp, moving)).code, 0);
    // Any change of the namespace, if it is still there, brings another try before the five minutes are over.
    await label('eso-a', { again: 'yes' }).catch((error: unknown) => assert.match(String(error), / 404 /));
    await gone('Namespace', undefined, 'eso-a');

    await cluster.remove('ClusterExternalSecret', undefined, 'eso');
    await gone('ExternalSecret', 'eso-b', 'eso');
    await gone('Secret', 'eso-b', 'eso');
    assert.equal(await cluster.find('ClusterExternalSecret', undefined, 'eso'), undefined);
  });

  test('its objects are taken over without a write', async () => {
    const { poller } = bed.product;
    await poller.stop();
    await cluster.create(namespace('taken', { team: 'taken' }));
    const owner = await cluster.create(ces('taken', labelled('taken')));
    // As ESO of an older version wrote it.
    await cluster.create({
      apiVersion: `${GROUP}/v1`,
      kind: 'ExternalSecret',
      metadata: {
        name: 'taken',
        namespace: 'taken',
        ownerReferences: [
          {
            apiVersion: `${GROUP}/v1beta1`,
            kind: 'ClusterExternalSecret',
            name: 'taken',
            uid: owner.metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: embedded(),
    });
    const since = new Date();
    await poller.start();
    await status('taken', provisioned('taken', 'taken'));
    const writes = writesOf(bed, 'poller', since).filter((write) => /^\w+ externalsecrets taken/.test(write));
    assert.deepEqual(writes, []);
  });
});

describe(`${MANY} namespaces at once`, () => {
  const names = Array.from({ length: MANY }, (_, index) => `many-${String(index).padStart(3, '0')}`);
  const present = async (): Promise<number> => {
    const { body } = await bed.cp.request<{ items: { metadata: { name: string; namespace: string } }[] }>(
      'GET',
      `/apis/${GROUP}/v1/externalsecrets?limit=1000`,
    );
    return body.items.filter(({ metadata }) => metadata.name === 'many').length;
  };

  before(async () => {
    await Promise.all(names.map((name) => cluster.create(namespace(name, { team: 'many' }))));
  });

  test('a poller that is killed in the middle loses nothing', async () => {
    const { poller } = bed.product;
    // Read once, so that no refresh is due while requests are counted.
    const externalSecretSpec = embedded({ refreshPolicy: 'CreatedOnce' });
    await cluster.create(ces('many', { ...labelled('many'), externalSecretSpec, refreshTime: '10s' }));
    await eventually(async () => (await present()) > 20, { timeout: 60_000, interval: 20, what: 'a part' });
    await poller.kill();
    const part = await present();
    assert.ok(part < MANY, `${part} were there already`);
    await poller.start();
    await status('many', provisioned('many', ...names), { timeout: 120_000 });
    for (const name of names) await cluster.holds(name, 'many', PASSWORD, 60_000);
  });

  test('nothing changes: no request', async () => {
    // Adoption of the Secrets, and the statuses of the ExternalSecrets.
    await eventually(
      async () => {
        const ready = await Promise.all(names.map((name) => cluster.ready('ExternalSecret', name, 'many')));
        return ready.every((one) => one?.status === 'True');
      },
      { timeout: 120_000, interval: 1_000, what: 'all in sync' },
    );
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const since = new Date();
    // More than one refreshTime.
    await always(() => undefined, { duration: 12_000, interval: 1_000 });
    const asked = requestsOf(bed, 'poller', since)
      .filter(({ verb, objectRef }) => verb !== 'watch' && objectRef?.resource !== 'leases')
      .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
    assert.deepEqual(asked, []);
  });

  test('deleted: all of them go', needsGarbageCollection(), async () => {
    await cluster.remove('ClusterExternalSecret', undefined, 'many');
    await eventually(async () => (await present()) === 0, { timeout: 120_000, interval: 500 });
  });
});

test('--cluster-external-secrets=false leaves them alone', async () => {
  await bed.product.poller.stop();
  const poller = await bed.product.startPoller(['--cluster-external-secrets', 'false']);
  await cluster.create(namespace('off', { team: 'off' }));
  await cluster.create(ces('off', labelled('off')));
  await cluster.create(namespace('on'));
  await cluster.create({
    apiVersion: `${GROUP}/v1`,
    kind: 'ExternalSecret',
    metadata: { name: 'on', namespace: 'on' },
    spec: embedded(),
  });
  await cluster.synced('on', 'on', 20_000);
  assert.equal(await cluster.find('ExternalSecret', 'off', 'off'), undefined);
  assert.equal((await cluster.get('ClusterExternalSecret', undefined, 'off')).status, undefined);
  await poller.stop();
});
