/** Whose a Secret is, who may use a store, and what happens when somebody else has a say: owners, quotas, ESO. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ANNOTATION_ADOPT } from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import type { OpenBao } from '../harness/openbao.ts';
import { requestsOf, writesOf } from './support/audit.ts';
import { Cluster, type Manifest, valuesOf } from './support/cluster.ts';
import { syncedVersion } from './support/eso.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  requestsTo,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

/** Long enough for an interval of one second and the poller's own work on a busy machine. */
const WITHIN_MS = 4_000;
/** The garbage collector looks for new kinds each 30 s; until then it sees no deletion of an ExternalSecret. */
const GARBAGE_MS = 40_000;
const PASSWORD = { password: 'hunter2' };

let bed: Bed;
let cluster: Cluster;
let openBao: OpenBao;

before(async () => {
  bed = await startBed({ controlPlane: { audit: true }, openBao: { audit: true } });
  cluster = new Cluster(bed.cp);
  openBao = bed.openBao;
  await openBao.write('app', PASSWORD);
});
after(() => bed.stop());

/** A Secret that somebody made by hand. */
const ownSecret = (where: string, name: string, metadata: object = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: where, ...metadata },
  stringData: { precious: 'do not lose', password: 'mine' },
});
const OWN = { precious: 'do not lose', password: 'mine' };

/** Names of the ExternalSecrets that a Secret belongs to. */
const ownersOf = async (where: string, name: string): Promise<string[]> =>
  ((await cluster.get('Secret', where, name)).metadata.ownerReferences ?? []).map((owner) => owner.name);

describe('S49 the target exists and belongs to nobody', () => {
  before(() => prepare(cluster, openBao, 'unmanaged'));

  test('it is refused with a condition and left as it is, however often it is tried', async () => {
    await cluster.create(ownSecret('unmanaged', 'app'));
    const before = await cluster.get('Secret', 'unmanaged', 'app');
    const created = await cluster.attempt(externalSecret('unmanaged', 'app'));
    assert.equal(created.status, 201);
    assert.equal(created.warnings.length, 1);
    await cluster.failing(
      'unmanaged',
      'app',
      /^could not update secret: Secret unmanaged\/app .*belongs to nobody.*adopt: "true"/,
    );
    await always(
      async () => {
        const now = await cluster.get('Secret', 'unmanaged', 'app');
        assert.equal(now.metadata.resourceVersion, before.metadata.resourceVersion);
      },
      { duration: 2_200, interval: 200 },
    );
    const warnings = (await cluster.events('unmanaged')).filter(({ reason }) => reason === 'UpdateFailed');
    assert.equal(warnings.length, 1, 'one event, not one a try');
  });

  test('the adopt annotation lets it be taken over at once', async () => {
    const metadata = { annotations: { [ANNOTATION_ADOPT]: 'true' } };
    const { uid } = (await cluster.patch('Secret', 'unmanaged', 'app', { metadata })).metadata;
    await cluster.holds('unmanaged', 'app', PASSWORD, 2_000);
    await cluster.synced('unmanaged', 'app', WITHIN_MS);
    const secret = await cluster.get('Secret', 'unmanaged', 'app');
    assert.equal(secret.metadata.uid, uid);
    assert.equal(secret.metadata.annotations?.[ANNOTATION_ADOPT], 'true');
    assert.deepEqual(await ownersOf('unmanaged', 'app'), ['app']);
  });

  test('so does deleting it', async () => {
    await cluster.create(ownSecret('unmanaged', 'deleted'));
    await cluster.attempt(externalSecret('unmanaged', 'deleted', { refreshInterval: '1h' }));
    await cluster.failing('unmanaged', 'deleted', /belongs to nobody/);
    await cluster.remove('Secret', 'unmanaged', 'deleted');
    await cluster.holds('unmanaged', 'deleted', PASSWORD, 2_000);
    await cluster.synced('unmanaged', 'deleted', WITHIN_MS);
  });

  test('a poller that is told to adopt takes it over', async (t) => {
    await cluster.create(ownSecret('unmanaged', 'moved'));
    await cluster.attempt(externalSecret('unmanaged', 'moved'));
    await cluster.failing('unmanaged', 'moved', /belongs to nobody/);
    const before = bed.product.poller;
    await before.stop();
    await bed.product.startPoller(['--unmanaged-target=adopt']);
    t.after(async () => {
      await bed.product.poller.stop();
      await bed.product.startPoller();
    });
    await cluster.holds('unmanaged', 'moved', PASSWORD);
    await cluster.synced('unmanaged', 'moved', WITHIN_MS);
  });
});

describe('who may use a store', () => {
  test('9.3 #37 a store of another controller class: its objects get no Secret, no status, no event, no finalizer', async () => {
    await cluster.create(namespace('classes'));
    await cluster.create(tokenSecret('classes', openBao.token));
    const spec = { controller: 'another', provider: vaultProvider(openBao.address) };
    await cluster.create(secretStore('classes', 'vault', spec));
    const created = await cluster.attempt(externalSecret('classes', 'app'));
    assert.deepEqual([created.status, created.warnings], [201, []]);
    await always(
      async () => {
        const es = await cluster.get('ExternalSecret', 'classes', 'app');
        assert.deepEqual([es.status, es.metadata.finalizers], [undefined, undefined]);
        assert.equal((await cluster.get('SecretStore', 'classes', 'vault')).status, undefined);
        assert.equal(await cluster.values('classes', 'app'), undefined);
      },
      { duration: 2_200, interval: 200 },
    );
    assert.deepEqual(await cluster.events('classes'), []);

    // Given to this class, it works.
    await cluster.patch('SecretStore', 'classes', 'vault', { spec: { controller: null } });
    await cluster.synced('classes', 'app', WITHIN_MS);
    assert.deepEqual(await cluster.values('classes', 'app'), PASSWORD);
  });

  test('the conditions of a ClusterSecretStore hold for names, labels and patterns, and can be lifted', async () => {
    const provider = vaultProvider(openBao.address);
    const conditions = [
      { namespaces: ['offered-name'] },
      { namespaceSelector: { matchLabels: { vault: 'yes' } } },
      { namespaceRegexes: ['^offered-p[a-z]+$'] },
    ];
    await cluster.create(clusterSecretStore('conditional', { provider, conditions }));
    const store = { secretStoreRef: { kind: 'ClusterSecretStore', name: 'conditional' } };
    const names = {
      'offered-name': {},
      'offered-label': { vault: 'yes' },
      'offered-pattern': {},
      denied: {},
    };
    for (const [name, labels] of Object.entries(names)) {
      await cluster.create(namespace(name, labels));
      await cluster.create(tokenSecret(name, openBao.token));
      await cluster.attempt(externalSecret(name, 'app', { ...store, refreshInterval: '1h' }));
    }
    for (const name of ['offered-name', 'offered-label', 'offered-pattern']) {
      assert.deepEqual(await cluster.values(name, 'app'), PASSWORD, name);
      await cluster.synced(name, 'app', WITHIN_MS);
    }
    const text =
      'using cluster store "conditional" is not allowed from namespace "denied": denied by spec.condition';
    const message = await cluster.failing('denied', 'app', /denied by spec\.condition/);
    assert.ok(message.endsWith(text), message);
    assert.equal(await cluster.values('denied', 'app'), undefined);

    await cluster.patch('ClusterSecretStore', undefined, 'conditional', { spec: { conditions: null } });
    await cluster.synced('denied', 'app', 2_000);
    assert.deepEqual(await cluster.values('denied', 'app'), PASSWORD);
  });
});

describe('changes of an object', () => {
  before(() => prepare(cluster, openBao, 'changes'));
  /** Its own remote object, so that reads can be counted, and no refresh that comes to help. */
  async function make(name: string, spec: object = {}): Promise<() => number> {
    await openBao.write(`changes/${name}`, { password: 'first', user: 'u' });
    await cluster.create(
      externalSecret('changes', name, { refreshInterval: '1h', ...passwordOf(`changes/${name}`), ...spec }),
    );
    await cluster.synced('changes', name, WITHIN_MS);
    return () => requestsTo(openBao, 'read', `secret/data/changes/${name}`);
  }

  test('9.3 #4 a renamed target: the new Secret comes, the old one goes, other Secrets stay', async () => {
    await make('renamed', { target: { name: 'old-name' } });
    await cluster.create(ownSecret('changes', 'bystander'));
    await cluster.patch('ExternalSecret', 'changes', 'renamed', { spec: { target: { name: 'new-name' } } });
    await cluster.holds('changes', 'new-name', { password: 'first' }, 2_000);
    await eventually(async () => (await cluster.values('changes', 'old-name')) === undefined);
    assert.deepEqual(await cluster.values('changes', 'bystander'), OWN);
    await eventually(async () => {
      const { status } = await cluster.get('ExternalSecret', 'changes', 'renamed');
      return status?.binding?.name === 'new-name';
    });
    // Events are written behind the work.
    await eventually(async () =>
      (await cluster.events('changes')).some(
        ({ involvedObject, message }) =>
          involvedObject.name === 'renamed' && message === 'secret deleted because it was orphaned',
      ),
    );
  });

  test('a label or annotation syncs at once (force-sync)', async () => {
    await make('forced');
    await openBao.write('changes/forced', { password: 'second' });
    await cluster.patch('ExternalSecret', 'changes', 'forced', {
      metadata: { annotations: { 'force-sync': 'a' } },
    });
    await cluster.holds('changes', 'forced', { password: 'second' }, 2_000);
    await openBao.write('changes/forced', { password: 'third' });
    await cluster.patch('ExternalSecret', 'changes', 'forced', { metadata: { labels: { again: 'b' } } });
    await cluster.holds('changes', 'forced', { password: 'third' }, 2_000);
    await eventually(async () => {
      const { metadata, status } = await cluster.get('ExternalSecret', 'changes', 'forced');
      return status?.syncedResourceVersion === syncedVersion(metadata);
    });
  });

  test('a new key in the spec is there at once, a dropped one gone', async () => {
    await make('spec');
    const entry = (secretKey: string, property: string): object => ({
      secretKey,
      remoteRef: { key: 'changes/spec', property },
    });
    const patch = (data: object[]): Promise<unknown> =>
      cluster.patch('ExternalSecret', 'changes', 'spec', { spec: { data } });
    await patch([entry('password', 'password'), entry('user', 'user')]);
    await cluster.holds('changes', 'spec', { password: 'first', user: 'u' }, 2_000);
    await patch([entry('user', 'user')]);
    await cluster.holds('changes', 'spec', { user: 'u' }, 2_000);
  });

  test('9.3 #31 refreshInterval 0: read once; edits ask nothing of Vault, a lost Secret does', async () => {
    const reads = await make('once', { refreshInterval: '0' });
    const before = reads();
    await openBao.write('changes/once', { password: 'second' });
    const { metadata } = await cluster.get('Secret', 'changes', 'once');
    await cluster.patch('ExternalSecret', 'changes', 'once', {
      metadata: { annotations: { 'force-sync': 'a' } },
    });
    const data = [{ secretKey: 'more', remoteRef: { key: 'changes/once', property: 'password' } }];
    await cluster.patch('ExternalSecret', 'changes', 'once', { spec: { data } });
    await always(
      async () => assert.deepEqual(await cluster.values('changes', 'once'), { password: 'first' }),
      {
        duration: 1_500,
        interval: 100,
      },
    );
    assert.equal(
      (await cluster.get('Secret', 'changes', 'once')).metadata.resourceVersion,
      metadata.resourceVersion,
    );
    assert.equal(reads(), before);

    await cluster.patch('Secret', 'changes', 'once', { stringData: { password: 'edited' } });
    await cluster.holds('changes', 'once', { more: 'second' }, 2_000);
    await cluster.remove('Secret', 'changes', 'once');
    await cluster.holds('changes', 'once', { more: 'second' }, 2_000);
    // So does the Secret of another name.
    await cluster.patch('ExternalSecret', 'changes', 'once', { spec: { target: { name: 'once-more' } } });
    await cluster.holds('changes', 'once-more', { more: 'second' }, 2_000);
    await eventually(async () => (await cluster.values('changes', 'once')) === undefined);
  });

  test('refreshInterval that becomes 0 ends the polling, also the turn that was due', async () => {
    const reads = await make('stops', { refreshInterval: '2s' });
    await cluster.patch('ExternalSecret', 'changes', 'stops', { spec: { refreshInterval: '0' } });
    await openBao.write('changes/stops', { password: 'second' });
    const before = reads();
    await always(() => assert.equal(reads(), before), { duration: 3_000, interval: 500 });
    await cluster.patch('ExternalSecret', 'changes', 'stops', { spec: { refreshInterval: '1s' } });
    await cluster.holds('changes', 'stops', { password: 'second' }, WITHIN_MS);
  });
});

describe('limits of the cluster', () => {
  test(
    'a quota on Secrets: the condition says so, nothing else stops, and it heals when it is raised',
    needsGarbageCollection(),
    async () => {
      await prepare(cluster, openBao, 'quota');
      const quota = {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'secrets', namespace: 'quota' },
        spec: { hard: { secrets: '1' } },
      };
      await cluster.create(quota);
      await eventually(
        async () =>
          (await cluster.get('ResourceQuota', 'quota', 'secrets')).status?.used?.['secrets'] === '1',
      );
      const created = await cluster.attempt(externalSecret('quota', 'app'));
      assert.equal(created.status, 201);
      assert.equal(created.warnings.length, 1);
      const message = await cluster.failing(
        'quota',
        'app',
        /^could not update secret: .*exceeded quota: secrets/,
      );
      assert.doesNotMatch(message, /hunter2/);
      assert.equal(await cluster.values('quota', 'app'), undefined);
      await cluster.patch('ResourceQuota', 'quota', 'secrets', { spec: { hard: { secrets: '5' } } });
      await cluster.synced('quota', 'app', WITHIN_MS);
      assert.deepEqual(await cluster.values('quota', 'app'), PASSWORD);
    },
  );

  test('a namespace that is deleted goes, quietly', needsGarbageCollection(), async () => {
    await prepare(cluster, openBao, 'leaving');
    const names = Array.from({ length: 5 }, (_, index) => `app-${index}`);
    await Promise.all(names.map((name) => cluster.create(externalSecret('leaving', name))));
    for (const name of names) await cluster.synced('leaving', name, WITHIN_MS);
    const since = new Date();
    await cluster.remove('Namespace', undefined, 'leaving');
    await eventually(async () => (await cluster.find('Namespace', undefined, 'leaving')) === undefined, {
      timeout: 30_000,
      what: 'the end of the namespace',
    });
    // Its parts go in any order, so an object may find its store gone first; it says so once and to nobody.
    const events = requestsOf(bed, 'poller', since).filter(
      ({ objectRef }) => objectRef?.resource === 'events' && objectRef.namespace === 'leaving',
    );
    assert.ok(events.length <= names.length, `${events.length} events in a namespace on its way out`);
    assert.deepEqual(
      events.filter(({ responseStatus }) => responseStatus?.code !== 403),
      [],
    );
    const attempts = writesOf(bed, 'poller', since).filter((write) =>
      write.startsWith('create secrets leaving/'),
    );
    assert.ok(
      attempts.length <= 2 * names.length,
      `${attempts.length} creates in a namespace on its way out`,
    );
    assert.ok(bed.product.poller.isRunning());
  });
});

describe('the target belongs to another', () => {
  before(() => prepare(cluster, openBao, 'owned'));

  test(
    "S98 to another ExternalSecret: ESO's words, no write war, and its turn when the other is gone",
    needsGarbageCollection(),
    async () => {
      await openBao.write('second', { password: 'other' });
      const target = { target: { name: 'shared' } };
      await cluster.create(externalSecret('owned', 'first', target));
      await cluster.synced('owned', 'first', WITHIN_MS);
      const second = await cluster.attempt(
        externalSecret('owned', 'second', { ...target, ...passwordOf('second') }),
      );
      assert.equal(second.status, 201);
      assert.match(second.warnings.join('\n'), /^Secret owned\/shared .*ExternalSecret first/);
      await cluster.failing(
        'owned',
        'second',
        /^target is owned by another ExternalSecret: .*ExternalSecret first/,
      );
      const before = await cluster.get('Secret', 'owned', 'shared');
      assert.deepEqual(valuesOf(before), PASSWORD);
      await always(
        async () => {
          const now = await cluster.get('Secret', 'owned', 'shared');
          assert.equal(now.metadata.resourceVersion, before.metadata.resourceVersion);
          assert.equal((await cluster.ready('ExternalSecret', 'owned', 'first'))?.status, 'True');
        },
        { duration: 2_200, interval: 200 },
      );
      await cluster.remove('ExternalSecret', 'owned', 'first');
      await cluster.holds('owned', 'shared', { password: 'other' }, GARBAGE_MS);
      await cluster.synced('owned', 'second', WITHIN_MS);
      assert.deepEqual(await ownersOf('owned', 'shared'), ['second']);
    },
  );

  test('two that are created at once: one has it, the other is told so', async () => {
    const target = { target: { name: 'raced' } };
    const names = ['left', 'right'];
    await Promise.all(names.map((name) => cluster.attempt(externalSecret('owned', name, target))));
    const [owner = ''] = await eventually(async () => {
      const owners = await ownersOf('owned', 'raced');
      return owners.length > 0 && owners;
    });
    const other = names.find((name) => name !== owner) ?? '';
    await cluster.synced('owned', owner, WITHIN_MS);
    await cluster.failing(
      'owned',
      other,
      new RegExp(`^target is owned by another ExternalSecret: .*ExternalSecret ${owner}`),
    );
    assert.deepEqual(await ownersOf('owned', 'raced'), [owner]);
  });

  test('to another controller: it is left to it', async () => {
    const metadata = { name: 'controller', namespace: 'owned' };
    const { metadata: controller } = await cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata });
    const owner = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'controller',
      uid: controller.uid,
      controller: true,
    };
    await cluster.create(ownSecret('owned', 'controlled', { ownerReferences: [owner] }));
    await cluster.attempt(externalSecret('owned', 'controlled'));
    await cluster.failing(
      'owned',
      'controlled',
      /^failed to take ownership of target secret: .*ConfigMap controller/,
    );
    assert.deepEqual(await cluster.values('owned', 'controlled'), OWN);
  });
});
