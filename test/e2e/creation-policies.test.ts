/**
 * creationPolicy, deletionPolicy and immutable, as External Secrets Operator has them: the rows of its controller
 * tests, by their number, and the matrix of its guide on ownership.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ANNOTATION_DATA_HASH, LABEL_CREATED_BY, LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import type { CreationPolicy } from '../../api/external-secrets/v1/index.ts';
import { dataHash, fieldManager } from '../../api/go-hash.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { decodeData } from '../../sync/secret-data.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import type { OpenBao } from '../harness/openbao.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { administer, externalSecret, passwordOf, prepare, requestsTo } from './support/vault.ts';

const WHERE = 'policies';
/** Long enough for an interval of one second and the poller's own work on a busy machine. */
const WITHIN_MS = 8_000;
/** As long as a test watches that nothing happens: two intervals and some. */
const QUIET_MS = 2_500;

let bed: Bed;
let cluster: Cluster;
let openBao: OpenBao;

before(async () => {
  bed = await startBed({ openBao: { audit: true } });
  cluster = new Cluster(bed.cp);
  openBao = bed.openBao;
  await prepare(cluster, openBao, WHERE);
});
after(() => bed.stop());

const secretOf = (name: string): Promise<SecretObject> => cluster.get('Secret', WHERE, name);
const valuesOf = (name: string): Promise<Record<string, string> | undefined> => cluster.values(WHERE, name);
const holds = (name: string, values: Record<string, string>): Promise<void> =>
  cluster.holds(WHERE, name, values, WITHIN_MS);
const vanishes = (name: string): Promise<unknown> =>
  eventually(async () => (await valuesOf(name)) === undefined, {
    timeout: WITHIN_MS,
    what: `Secret ${name} gone`,
  });
const readsOf = (name: string): number => requestsTo(openBao, 'read', `secret/data/${name}`);
/** Versions and metadata: to OpenBao it never was. */
const forget = (name: string): Promise<unknown> => administer(openBao, 'DELETE', `secret/metadata/${name}`);

/** A Secret that somebody made by hand. */
const handMade = (name: string, stringData: Record<string, string>, metadata: object = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: WHERE, ...metadata },
  stringData,
});

interface MakeOptions {
  readonly target?: object;
  readonly spec?: object;
  readonly metadata?: object;
}

/** An ExternalSecret with a remote object of its own name, whose property `password` is `first`. */
async function make(
  name: string,
  { target = {}, spec = {}, metadata = {} }: MakeOptions = {},
): Promise<void> {
  await openBao.write(name, { password: 'first' });
  const manifest = externalSecret(WHERE, name, { ...passwordOf(name), target, ...spec }, metadata);
  const { status, body } = await cluster.attempt(manifest);
  assert.equal(status, 201, body.message ?? '');
}

async function made(name: string, options: MakeOptions = {}): Promise<void> {
  await make(name, options);
  await cluster.synced(WHERE, name, WITHIN_MS);
}

const reasonIs = (name: string, reason: string, message: string): Promise<unknown> =>
  eventually(
    async () => {
      const ready = await cluster.ready('ExternalSecret', WHERE, name);
      assert.deepEqual([ready?.status, ready?.reason, ready?.message], ['True', reason, message]);
      return true;
    },
    { timeout: WITHIN_MS, what: `${name} ${reason}` },
  );

const events = async (name: string): Promise<string[]> =>
  (await cluster.events(WHERE))
    .filter(({ involvedObject }) => involvedObject.kind === 'ExternalSecret' && involvedObject.name === name)
    .map(({ type, reason, message }) => `${type} ${reason} ${message}`);

const managersOf = (secret: SecretObject, key: string): string[] =>
  (secret.metadata.managedFields ?? [])
    .filter(({ fieldsV1 }) =>
      Object.hasOwn((fieldsV1?.['f:data'] as Record<string, unknown> | undefined) ?? {}, `f:${key}`),
    )
    .map(({ manager = '' }) => manager);

describe('creationPolicy Owner', { concurrency: 8 }, () => {
  test('9.3 #1 a deleted Secret is made anew at once, whatever the interval', async () => {
    await made('recreated', { spec: { refreshInterval: '1h' } });
    const { metadata } = await secretOf('recreated');
    await cluster.remove('Secret', WHERE, 'recreated');
    await holds('recreated', { password: 'first' });
    assert.notEqual((await secretOf('recreated')).metadata.uid, metadata.uid);
  });

  test('9.3 #2 #6 #8 the hash annotation, the name and the binding', async () => {
    await made('plain');
    const secret = await secretOf('plain');
    assert.equal(secret.metadata.annotations?.[ANNOTATION_DATA_HASH], dataHash(decodeData(secret)));
    assert.equal((await cluster.get('ExternalSecret', WHERE, 'plain')).status?.binding?.name, 'plain');
  });

  test('9.3 #5 data or hash that somebody edits is put right, without waiting for the interval', async () => {
    await made('edited', { spec: { refreshInterval: '1h' } });
    await cluster.patch('Secret', WHERE, 'edited', { stringData: { password: 'x', more: 'y' } });
    await holds('edited', { password: 'first' });
    const { metadata } = await secretOf('edited');
    await cluster.patch('Secret', WHERE, 'edited', {
      metadata: { annotations: { [ANNOTATION_DATA_HASH]: 'nonsense' } },
    });
    await eventually(async () => {
      const { annotations } = (await secretOf('edited')).metadata;
      return annotations?.[ANNOTATION_DATA_HASH] === metadata.annotations?.[ANNOTATION_DATA_HASH];
    });
  });

  test('9.3 #7 names beyond 63 characters', async () => {
    const name = `long-${'n'.repeat(120)}`;
    await made(name);
    const secret = await secretOf(name);
    assert.deepEqual(managersOf(secret, 'password'), [fieldManager(name)]);
    await cluster.patch('ExternalSecret', WHERE, name, { metadata: { labels: { once: 'yes' } } });
    await eventually(async () => (await secretOf(name)).metadata.labels?.['once'] === 'yes');
    await cluster.patch('ExternalSecret', WHERE, name, { metadata: { labels: { once: null } } });
    // ESO misses these for names of 28 to 63 characters and more.
    await eventually(async () => (await secretOf(name)).metadata.labels?.['once'] === undefined);
  });

  test('9.3 #10 #12 labels and annotations of the object, and those of others', async () => {
    await made('labelled', { metadata: { labels: { a: '1', b: '2' }, annotations: { c: '3' } } });
    await cluster.patch('Secret', WHERE, 'labelled', { metadata: { labels: { foreign: 'x' } } });
    await cluster.patch('ExternalSecret', WHERE, 'labelled', {
      metadata: { labels: { a: null }, annotations: { c: null, d: '4' } },
    });
    await eventually(
      async () => {
        const { labels = {}, annotations = {} } = (await secretOf('labelled')).metadata;
        assert.deepEqual([labels['a'], labels['b'], labels['foreign']], [undefined, '2', 'x']);
        assert.deepEqual([annotations['c'], annotations['d']], [undefined, '4']);
        return true;
      },
      { timeout: WITHIN_MS },
    );
  });
});

describe('creationPolicy Orphan', { concurrency: 8 }, () => {
  test('is there at once, belongs to nobody, and 9.3 #19 outlives its object', async () => {
    await make('orphan', { target: { creationPolicy: 'Orphan' } });
    assert.deepEqual(await valuesOf('orphan'), { password: 'first' });
    await cluster.synced(WHERE, 'orphan', WITHIN_MS);
    const { metadata } = await secretOf('orphan');
    assert.equal(metadata.ownerReferences, undefined);
    assert.equal(metadata.labels?.[LABEL_MANAGED], 'true');
    assert.equal(metadata.labels?.[LABEL_CREATED_BY], undefined);
    await openBao.write('orphan', { password: 'second' });
    await holds('orphan', { password: 'second' });
    await cluster.remove('ExternalSecret', WHERE, 'orphan');
    await always(async () => assert.deepEqual(await valuesOf('orphan'), { password: 'second' }), {
      duration: QUIET_MS,
    });
  });

  test('drifts until its next refresh', async () => {
    await made('drifting', { target: { creationPolicy: 'Orphan' }, spec: { refreshInterval: '1h' } });
    await cluster.patch('Secret', WHERE, 'drifting', { stringData: { password: 'x' } });
    await always(async () => assert.deepEqual(await valuesOf('drifting'), { password: 'x' }), {
      duration: QUIET_MS,
    });
    await cluster.patch('ExternalSecret', WHERE, 'drifting', { metadata: { annotations: { a: 'b' } } });
    await holds('drifting', { password: 'first' });
  });

  test('a Secret that belongs to nobody is not wiped', async () => {
    await cluster.create(handMade('precious', { precious: 'yes' }));
    await make('precious', { target: { creationPolicy: 'Orphan' } });
    await cluster.failing(WHERE, 'precious', /belongs to nobody/, WITHIN_MS);
    assert.deepEqual(await valuesOf('precious'), { precious: 'yes' });
  });

  test('from Owner to Orphan the Secret loses owner and label, and stays when the object goes', async () => {
    await made('released');
    await cluster.patch('ExternalSecret', WHERE, 'released', {
      spec: { target: { creationPolicy: 'Orphan' } },
    });
    await eventually(async () => {
      const { ownerReferences, labels } = (await secretOf('released')).metadata;
      return ownerReferences === undefined && labels?.[LABEL_CREATED_BY] === undefined;
    });
    await cluster.remove('ExternalSecret', WHERE, 'released');
    await always(async () => assert.notEqual(await valuesOf('released'), undefined), { duration: QUIET_MS });
  });
});

describe('creationPolicy Merge', { concurrency: 8 }, () => {
  const MERGE = { creationPolicy: 'Merge' };

  test('9.3 #3 #11 #14 adds its keys to those that are there, and its labels', async () => {
    await cluster.create(handMade('merged', { existing: 'a' }, { labels: { theirs: 'x' } }));
    await made('merged', { target: MERGE, metadata: { labels: { ours: 'y' } } });
    await holds('merged', { existing: 'a', password: 'first' });
    const secret = await secretOf('merged');
    assert.equal(secret.metadata.ownerReferences, undefined);
    assert.equal(secret.metadata.labels?.['theirs'], 'x');
    assert.equal(secret.metadata.labels?.['ours'], 'y');
    assert.deepEqual(managersOf(secret, 'password'), [fieldManager('merged')]);
    assert.ok(!managersOf(secret, 'existing').includes(fieldManager('merged')));
    assert.equal(secret.metadata.annotations?.[ANNOTATION_DATA_HASH], dataHash(decodeData(secret)));
  });

  test('9.3 #15 its key is put back at once, and keys of others are no business of its', async () => {
    await cluster.create(handMade('put-back', { existing: 'a' }));
    await made('put-back', { target: MERGE, spec: { refreshInterval: '1h' } });
    await cluster.patch('Secret', WHERE, 'put-back', { data: { password: null } });
    await holds('put-back', { existing: 'a', password: 'first' });
    const before = readsOf('put-back');
    await cluster.patch('Secret', WHERE, 'put-back', { stringData: { existing: 'b', another: 'c' } });
    await always(
      async () =>
        assert.deepEqual(await valuesOf('put-back'), { existing: 'b', another: 'c', password: 'first' }),
      { duration: QUIET_MS },
    );
    assert.equal(readsOf('put-back'), before, 'asked Vault about a key of somebody else');
  });

  test('9.3 #16 without a Secret it says so, is no error, and merges when one comes', async () => {
    await make('absent', { target: MERGE, spec: { refreshInterval: '1h' } });
    await reasonIs('absent', 'SecretMissing', 'secret will not be created due to CreationPolicy=Merge');
    assert.equal(
      await bed.product.poller.metric('externalsecret_sync_calls_error', {
        name: 'absent',
        namespace: WHERE,
      }),
      0,
    );
    await cluster.create(handMade('absent', { existing: 'a' }));
    await holds('absent', { existing: 'a', password: 'first' });
    await reasonIs('absent', 'SecretSynced', 'secret synced');
  });

  test('9.3 #17 #18 its value wins once; what is equal is not written again', async () => {
    await cluster.create(handMade('conflict', { password: 'theirs' }));
    await made('conflict', { target: MERGE });
    await holds('conflict', { password: 'first' });
    const { metadata } = await secretOf('conflict');
    const managers = new Set(metadata.managedFields?.map(({ manager }) => manager));
    assert.ok(managers.size === 2 && managers.has(fieldManager('conflict')), [...managers].join());
    await always(
      async () =>
        assert.equal((await secretOf('conflict')).metadata.resourceVersion, metadata.resourceVersion),
      { duration: QUIET_MS, interval: 250 },
    );
  });

  test('a key that is dropped from the spec goes, also if ESO wrote it', async () => {
    await cluster.create(handMade('dropped', { existing: 'a' }));
    await made('dropped', { target: MERGE });
    const data = [{ secretKey: 'renamed', remoteRef: { key: 'dropped', property: 'password' } }];
    await cluster.patch('ExternalSecret', WHERE, 'dropped', { spec: { data } });
    await holds('dropped', { existing: 'a', renamed: 'first' });
  });

  test('two objects share a Secret; when one goes its keys stay', async () => {
    await cluster.create(handMade('pair', { existing: 'a' }));
    for (const name of ['left', 'right']) {
      await openBao.write(name, { password: name });
      const data = [{ secretKey: name, remoteRef: { key: name, property: 'password' } }];
      await cluster.create(externalSecret(WHERE, name, { target: { name: 'pair', ...MERGE }, data }));
    }
    await holds('pair', { existing: 'a', left: 'left', right: 'right' });
    await cluster.remove('ExternalSecret', WHERE, 'left');
    await always(
      async () => assert.deepEqual(await valuesOf('pair'), { existing: 'a', left: 'left', right: 'right' }),
      { duration: QUIET_MS },
    );
    // The label that a merge leaves does not make the Secret somebody's own.
    await openBao.write('usurper', { password: 'x' });
    await cluster.create(
      externalSecret(WHERE, 'usurper', { ...passwordOf('usurper'), target: { name: 'pair' } }),
    );
    await cluster.failing(WHERE, 'usurper', /target is owned by another ExternalSecret/, WITHIN_MS);
    assert.deepEqual(await valuesOf('pair'), { existing: 'a', left: 'left', right: 'right' });
  });

  test('the Secret of another ExternalSecret is not merged into', async () => {
    await made('whole');
    await openBao.write('intruder', { password: 'x' });
    await cluster.create(
      externalSecret(WHERE, 'intruder', { ...passwordOf('intruder'), target: { name: 'whole', ...MERGE } }),
    );
    await cluster.failing(WHERE, 'intruder', /^target is owned by another ExternalSecret/, WITHIN_MS);
    await always(async () => assert.deepEqual(await valuesOf('whole'), { password: 'first' }), {
      duration: QUIET_MS,
    });
  });
});

describe('creationPolicy CreateOrMerge', { concurrency: 8 }, () => {
  const POLICY = { creationPolicy: 'CreateOrMerge' };

  test('9.3 #45 makes the Secret if there is none, before the create returns', async () => {
    await make('made-or-merged', { target: POLICY });
    assert.deepEqual(await valuesOf('made-or-merged'), { password: 'first' });
    await cluster.synced(WHERE, 'made-or-merged', WITHIN_MS);
    assert.equal((await secretOf('made-or-merged')).metadata.ownerReferences, undefined);
  });

  test('9.3 #45 keeps keys of others', async () => {
    await cluster.create(handMade('both', { existing: 'a' }));
    await made('both', { target: POLICY });
    await holds('both', { existing: 'a', password: 'first' });
    await openBao.write('both', { password: 'second' });
    await holds('both', { existing: 'a', password: 'second' });
  });

  test('9.3 #45 frozen by immutable', async () => {
    await made('frozen', { target: { ...POLICY, immutable: true } });
    assert.equal((await secretOf('frozen')).immutable, true);
    await openBao.write('frozen', { password: 'second' });
    await always(
      async () => {
        assert.deepEqual(await valuesOf('frozen'), { password: 'first' });
        assert.equal((await cluster.ready('ExternalSecret', WHERE, 'frozen'))?.status, 'True');
      },
      { duration: QUIET_MS, interval: 250 },
    );
  });
});

test('9.3 #9 creationPolicy None: Vault is asked, no Secret, no binding', async () => {
  await made('none', { target: { creationPolicy: 'None' } });
  const before = readsOf('none');
  await eventually(() => readsOf('none') > before, { timeout: WITHIN_MS });
  assert.equal(await valuesOf('none'), undefined);
  const { status } = await cluster.get('ExternalSecret', WHERE, 'none');
  assert.equal(status?.binding?.name ?? '', '');
});

describe('9.3 #44 #45 refreshPolicy by creationPolicy (the matrix of the guide on ownership)', {
  concurrency: 8,
}, () => {
  const POLICIES = ['Owner', 'Orphan', 'Merge', 'CreateOrMerge'] as const;
  const nameOf = (creation: string, refresh: string): string => `${creation}-${refresh}`.toLowerCase();

  for (const refreshPolicy of ['Periodic', 'OnChange', 'CreatedOnce'] as const) {
    for (const creationPolicy of POLICIES) {
      test(`${creationPolicy}, ${refreshPolicy}`, async () => {
        const name = nameOf(creationPolicy, refreshPolicy);
        if (creationPolicy === 'Merge') await cluster.create(handMade(name, { existing: 'a' }));
        await made(name, {
          target: { creationPolicy },
          spec: { refreshPolicy, refreshInterval: refreshPolicy === 'Periodic' ? '1s' : '1h' },
        });
        const rest = creationPolicy === 'Merge' ? { existing: 'a' } : {};
        await holds(name, { ...rest, password: 'first' });

        // Changes of the source.
        await openBao.write(name, { password: 'second' });
        if (refreshPolicy === 'Periodic') await holds(name, { ...rest, password: 'second' });
        else await stays(name, { ...rest, password: 'first' });
        await cluster.patch('ExternalSecret', WHERE, name, { metadata: { annotations: { touched: 'y' } } });
        const now = refreshPolicy === 'CreatedOnce' ? 'first' : 'second';
        if (refreshPolicy === 'OnChange') await holds(name, { ...rest, password: 'second' });
        else await stays(name, { ...rest, password: now });

        // The Secret is deleted.
        await cluster.remove('Secret', WHERE, name);
        await afterDeletion(name, creationPolicy, refreshPolicy);
      });
    }
  }

  const stays = (name: string, values: Record<string, string> | undefined): Promise<void> =>
    always(async () => assert.deepEqual(await valuesOf(name), values), { duration: 1_500, interval: 100 });

  async function afterDeletion(name: string, creation: CreationPolicy, refresh: string): Promise<void> {
    // What is made anew is read anew, whatever the refreshPolicy.
    if (creation === 'Owner' || creation === 'CreateOrMerge') return holds(name, { password: 'second' });
    if (creation === 'Merge') {
      await stays(name, undefined);
      return;
    }
    if (refresh === 'Periodic') return holds(name, { password: 'second' });
    await stays(name, undefined);
    await cluster.patch('ExternalSecret', WHERE, name, { metadata: { annotations: { touched: 'z' } } });
    if (refresh === 'OnChange') await holds(name, { password: 'second' });
    else await stays(name, undefined);
  }

  test('9.3 #44 the object made anew overwrites what CreatedOnce fetched, unless it is immutable', async () => {
    for (const immutable of [false, true]) {
      const name = `anew-${immutable}`;
      const options = {
        target: { creationPolicy: 'Orphan', immutable },
        spec: { refreshPolicy: 'CreatedOnce' },
      };
      await made(name, options);
      await cluster.remove('ExternalSecret', WHERE, name);
      await openBao.write(name, { password: 'second' });
      await cluster.create(externalSecret(WHERE, name, { ...passwordOf(name), ...options.spec, ...options }));
      await cluster.synced(WHERE, name, WITHIN_MS);
      await holds(name, { password: immutable ? 'first' : 'second' });
    }
  });
});

describe('deletionPolicy', { concurrency: 8 }, () => {
  const GONE = 'secret deleted due to DeletionPolicy=Delete';

  test('S84 9.3 #39 Delete: the Secret goes with what is in Vault, and comes back with it', async () => {
    await made('deleted', { target: { deletionPolicy: 'Delete' } });
    await forget('deleted');
    await vanishes('deleted');
    await reasonIs('deleted', 'SecretDeleted', GONE);
    await eventually(async () => {
      const said = await events('deleted');
      assert.ok(said.includes(`Normal Deleted ${GONE}`), said.join('\n'));
      const missing =
        'Normal MissingProviderSecret secret does not exist at provider using spec.data[0] (key=deleted)';
      assert.ok(said.includes(missing), said.join('\n'));
      return true;
    });
    await openBao.write('deleted', { password: 'again' });
    await holds('deleted', { password: 'again' });
    await reasonIs('deleted', 'SecretSynced', 'secret synced');
  });

  test('Delete on a new object whose secrets never were: no Secret, no error', async () => {
    const target = { deletionPolicy: 'Delete' };
    const { status, warnings } = await cluster.attempt(
      externalSecret(WHERE, 'never', { ...passwordOf('never-there'), target }),
    );
    assert.deepEqual([status, warnings], [201, []]);
    await reasonIs('never', 'SecretDeleted', GONE);
    assert.equal(await valuesOf('never'), undefined);
  });

  test('Delete never takes a Secret of somebody else', async () => {
    await cluster.create(handMade('not-mine', { precious: 'yes' }));
    const target = { deletionPolicy: 'Delete', name: 'not-mine' };
    await cluster.create(externalSecret(WHERE, 'not-mine', { ...passwordOf('never-there'), target }));
    await cluster.failing(WHERE, 'not-mine', /^could not delete secret: /, WITHIN_MS);
    assert.deepEqual(await valuesOf('not-mine'), { precious: 'yes' });
  });

  test('Delete with Orphan is admitted with a warning, and fails when the day comes', async () => {
    await openBao.write('orphan-delete', { password: 'first' });
    const { status, warnings } = await cluster.attempt(
      externalSecret(WHERE, 'orphan-delete', {
        ...passwordOf('orphan-delete'),
        target: { creationPolicy: 'Orphan', deletionPolicy: 'Delete' },
      }),
    );
    assert.equal(status, 201);
    assert.match(warnings.join(), /^spec\.target\.deletionPolicy: Delete will fail/);
    await cluster.synced(WHERE, 'orphan-delete', WITHIN_MS);
    await forget('orphan-delete');
    await cluster.failing(WHERE, 'orphan-delete', /^could not delete secret: /, WITHIN_MS);
    assert.deepEqual(await valuesOf('orphan-delete'), { password: 'first' });
  });

  test('S84 9.3 #40 Retain: the Secret stays and the condition says what is missing', async () => {
    await made('retained');
    await forget('retained');
    await cluster.failing(WHERE, 'retained', /^could not get secret data from provider: /, WITHIN_MS);
    await always(async () => assert.deepEqual(await valuesOf('retained'), { password: 'first' }), {
      duration: QUIET_MS,
    });
  });

  test('S84 9.3 #42 Merge: only the keys of others remain', async () => {
    await cluster.create(handMade('emptied', { existing: 'a' }));
    await made('emptied', { target: { creationPolicy: 'Merge', deletionPolicy: 'Merge' } });
    await holds('emptied', { existing: 'a', password: 'first' });
    await forget('emptied');
    await holds('emptied', { existing: 'a' });
    await reasonIs('emptied', 'SecretSynced', 'secret synced');
  });

  test('Merge with Owner: the Secret stays, empty', async () => {
    await made('hollow', { target: { deletionPolicy: 'Merge' } });
    await forget('hollow');
    await holds('hollow', {});
  });

  for (const deletionPolicy of ['Delete', 'Merge'] as const) {
    test(`${deletionPolicy}: one of two secrets is gone, its key goes, the other is kept up`, async () => {
      const name = `half-${deletionPolicy.toLowerCase()}`;
      await openBao.write(`${name}-b`, { password: 'b' });
      const entry = (secretKey: string, key: string): object => ({
        secretKey,
        remoteRef: { key, property: 'password' },
      });
      await made(name, {
        target: { deletionPolicy },
        spec: { data: [entry('a', name), entry('b', `${name}-b`)] },
      });
      await holds(name, { a: 'first', b: 'b' });
      await forget(name);
      await holds(name, { b: 'b' });
    });
  }

  test('a property that is gone is an error under every policy: the secret is still there', async () => {
    await made('no-property', { target: { deletionPolicy: 'Delete' } });
    await openBao.write('no-property', { other: 'x' });
    await cluster.failing(WHERE, 'no-property', /could not get secret data from provider/, WITHIN_MS);
    assert.deepEqual(await valuesOf('no-property'), { password: 'first' });
  });
});

describe('immutable', { concurrency: 8 }, () => {
  test('is written once; later values are not, and that is no error', async () => {
    await made('once', { target: { immutable: true } });
    assert.equal((await secretOf('once')).immutable, true);
    await openBao.write('once', { password: 'second' });
    await always(
      async () => {
        assert.deepEqual(await valuesOf('once'), { password: 'first' });
        assert.equal((await cluster.ready('ExternalSecret', WHERE, 'once'))?.status, 'True');
      },
      { duration: QUIET_MS, interval: 250 },
    );
    await cluster.remove('Secret', WHERE, 'once');
    await holds('once', { password: 'second' });
  });

  test('a Secret that somebody froze: ESO’s words, and nothing is lost', async () => {
    await made('stuck');
    await cluster.patch('Secret', WHERE, 'stuck', { immutable: true });
    await openBao.write('stuck', { password: 'second' });
    await cluster.failing(WHERE, 'stuck', /^could not update secret, target is immutable/, WITHIN_MS);
    assert.deepEqual(await valuesOf('stuck'), { password: 'first' });
  });
});

// Not beside others: nobody is served while it is sealed.
test('S85 Delete and a provider that fails: the Secret is never deleted', async () => {
  await made('failing', { target: { deletionPolicy: 'Delete' } });
  await openBao.seal();
  try {
    await cluster.failing(WHERE, 'failing', /could not get secret data from provider/, 4 * WITHIN_MS);
    await always(async () => assert.deepEqual(await valuesOf('failing'), { password: 'first' }), {
      duration: QUIET_MS,
    });
  } finally {
    await openBao.unseal();
  }
  await cluster.synced(WHERE, 'failing', 4 * WITHIN_MS);
});
