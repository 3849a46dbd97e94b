/** Generators: values that nobody keeps, in Secrets that are there when the create returns. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ANNOTATION_KEEP_GENERATED,
  ANNOTATION_PENDING,
  ANNOTATION_REQUIRE_SYNC,
  GROUP,
} from '../../api/external-secrets/names.ts';
import { GENERATOR_GROUP, type GeneratorRefKind, generatorResource } from '../../api/generators/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import { warningsIn } from './support/kubectl.ts';
import { applyManifests, prepare, readSeed } from './support/vault.ts';

const WHERE = 'generators';
/** Two refreshes of a second and some. */
const QUIET_MS = 2_500;
const KEEP = { annotations: { [ANNOTATION_KEEP_GENERATED]: 'true' } };
const POLICIES = 'admissionregistration.k8s.io/v1';

let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed({ openBao: { audit: true } });
  cluster = new Cluster(bed.cp);
  await bed.openBao.write('app', { password: 'hunter2' });
  await prepare(cluster, bed.openBao, WHERE);
  await cluster.create(generator('Password', 'password', {}));
  await cluster.create(generator('Fake', 'fake', { data: { user: 'me', host: 'here' } }));
});
after(() => bed.stop());

function generator(kind: GeneratorRefKind, name: string, spec: object): Manifest {
  const { group, version, namespaced } = generatorResource(kind);
  return {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name, ...(namespaced ? { namespace: WHERE } : {}) },
    spec,
  };
}

const from = (kind: GeneratorRefKind, name: string, more: object = {}): object => {
  const { group, version } = generatorResource(kind);
  return { sourceRef: { generatorRef: { apiVersion: `${group}/${version}`, kind, name } }, ...more };
};

/** Refreshed each second; it names no store. */
const generated = (name: string, dataFrom: readonly object[], spec: object = {}, metadata: object = {}) => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'ExternalSecret',
  metadata: { name, namespace: WHERE, ...metadata },
  spec: { refreshInterval: '1s', dataFrom, ...spec },
});

const values = (name: string): Promise<Record<string, string> | undefined> => cluster.values(WHERE, name);

async function keyOf(name: string, key = 'password'): Promise<string> {
  const value = (await values(name))?.[key];
  assert.ok(value, `Secret ${name} has no ${key}`);
  return value;
}

const stays = (name: string, expected: string, key = 'password'): Promise<unknown> =>
  always(async () => assert.equal(await keyOf(name, key), expected), { duration: QUIET_MS, interval: 250 });

const changes = (name: string, before: string, key = 'password'): Promise<unknown> =>
  eventually(async () => (await keyOf(name, key)) !== before, { timeout: 8_000, what: `another ${key}` });

describe('generators', { concurrency: 8 }, () => {
  test('9.3 #20 generatorRef: the Secret is there at return, without a store', async () => {
    await cluster.create(generated('fake', [from('Fake', 'fake')]));
    assert.deepEqual(await values('fake'), { user: 'me', host: 'here' });
    await cluster.synced(WHERE, 'fake');
    assert.deepEqual(await values('fake'), { user: 'me', host: 'here' });
  });

  test('9.3 #20 cluster generator ref', async () => {
    const spec = { kind: 'Fake', generator: { fakeSpec: { data: { of: 'all' } } } };
    await cluster.create(generator('ClusterGenerator', 'for-all', spec));
    await cluster.create(generated('for-all', [from('ClusterGenerator', 'for-all')]));
    assert.deepEqual(await values('for-all'), { of: 'all' });
    await cluster.synced(WHERE, 'for-all');
  });

  test('9.3 #21 generator of another controller class: the whole ExternalSecret is ignored', async () => {
    const spec = { controller: 'somebody-else', data: { a: 'b' } };
    await cluster.create(generator('Fake', 'foreign', spec));
    const wrapped = { kind: 'Fake', generator: { fakeSpec: spec } };
    await cluster.create(generator('ClusterGenerator', 'foreign', wrapped));
    const answers = await Promise.all([
      cluster.attempt(generated('foreign', [from('Fake', 'fake'), from('Fake', 'foreign')])),
      cluster.attempt(generated('foreign-cluster', [from('ClusterGenerator', 'foreign')])),
    ]);
    for (const { status, warnings } of answers) assert.deepEqual([status, warnings], [201, []]);
    await always(
      async () => {
        for (const name of ['foreign', 'foreign-cluster']) {
          assert.equal(await values(name), undefined);
          assert.equal((await cluster.get('ExternalSecret', WHERE, name)).status?.conditions, undefined);
        }
      },
      { duration: QUIET_MS, interval: 250 },
    );
  });

  test('a refresh makes new values, and each object has its own', async () => {
    await cluster.create(generated('fresh', [from('Password', 'password')]));
    await cluster.create(generated('other', [from('Password', 'password')], { refreshInterval: '0' }));
    const [first, other] = [await keyOf('fresh'), await keyOf('other')];
    assert.notEqual(first, other);
    await changes('fresh', first);
    await cluster.synced(WHERE, 'other');
    await stays('other', other);
  });

  test('what was made at admission stays when it is adopted', async () => {
    await cluster.create(
      generated('adopted', [from('Password', 'password')], { refreshPolicy: 'CreatedOnce' }),
    );
    const made = await keyOf('adopted');
    await cluster.synced(WHERE, 'adopted');
    await stays('adopted', made);
    assert.equal((await cluster.get('Secret', WHERE, 'adopted')).metadata.ownerReferences?.length, 1);
  });

  test('keys are rewritten, a later entry wins, and a store may stand beside', async () => {
    const regexp = { source: '^', target: 'db-' };
    const dataFrom = [
      from('Password', 'password', { rewrite: [{ regexp }] }),
      from('Fake', 'fake', { rewrite: [{ transform: { template: '{{ .value | upper }}' } }] }),
    ];
    const data = [{ secretKey: 'HOST', remoteRef: { key: 'app', property: 'password' } }];
    await cluster.create(generated('mixed', dataFrom, { secretStoreRef: { name: 'vault' }, data }));
    const found = await values('mixed');
    assert.deepEqual(Object.keys(found ?? {}).sort(), ['HOST', 'USER', 'db-password']);
    assert.deepEqual([found?.['USER'], found?.['HOST']], ['me', 'hunter2']);
  });

  test('a template makes of generated values what it makes of others', async () => {
    await cluster.create(generator('UUID', 'uuid', {}));
    const template = { data: { id: 'urn:uuid:{{ .uuid }}' } };
    await cluster.create(generated('templated', [from('UUID', 'uuid')], { target: { template } }));
    assert.match(
      await keyOf('templated', 'id'),
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test('a generator that is missing is said, and found once it is there', async () => {
    const object = generated('early', [from('UUID', 'late')]);
    const { status, warnings } = await cluster.attempt(object);
    assert.equal(status, 201);
    assert.match(warnings.join(), /UUID\.generators\.external-secrets\.io "late" not found/);
    const words =
      /^could not get secret data from provider: error processing spec\.dataFrom\[0\]\.sourceRef\.generatorRef, err: error using generator: UUID\.generators\.external-secrets\.io "late" not found$/;
    await cluster.failing(WHERE, 'early', words);
    const demanding = { annotations: { [ANNOTATION_REQUIRE_SYNC]: 'true' } };
    const refused = await cluster.attempt(generated('demanding', [from('UUID', 'late')], {}, demanding));
    assert.equal(refused.status, 422);
    assert.match(refused.body.message ?? '', /spec\.dataFrom\[0\]\.sourceRef\.generatorRef: /);
    await cluster.create(generator('UUID', 'late', {}));
    await cluster.synced(WHERE, 'early');
    await keyOf('early', 'uuid');
  });

  test('a create that is tried again finds the value of the first try', async () => {
    await refuseLabelled();
    const template = { data: { line: 'password={{ .password }}' } };
    for (const [name, spec, key] of [
      ['again', {}, 'password'],
      ['again-templated', { target: { template } }, 'line'],
    ] as const) {
      const once = { refreshInterval: '0', ...spec };
      const labels = { refuse: 'yes' };
      const dataFrom = [from('Password', 'password')];
      const { status } = await cluster.attempt(generated(name, dataFrom, once, { labels }));
      assert.equal(status, 422);
      const first = await keyOf(name, key);
      await cluster.create(generated(name, dataFrom, once));
      assert.equal(await keyOf(name, key), first);
      assert.equal((await cluster.get('Secret', WHERE, name)).metadata.labels?.['refuse'], undefined);
      await cluster.synced(WHERE, name);
      assert.equal(await keyOf(name, key), first);
    }
  });
});

describe('keep-generated', { concurrency: 8 }, () => {
  test('a value that stands in the Secret stays over refreshes, edits and re-creation', async () => {
    const target = { creationPolicy: 'Orphan' };
    const object = generated('kept', [from('Password', 'password'), from('Fake', 'fake')], { target }, KEEP);
    await cluster.create(object);
    const made = await keyOf('kept');
    await cluster.synced(WHERE, 'kept');
    await stays('kept', made);
    await cluster.patch('ExternalSecret', WHERE, 'kept', { metadata: { labels: { edited: 'yes' } } });
    await stays('kept', made);
    await cluster.remove('ExternalSecret', WHERE, 'kept');
    assert.equal(await keyOf('kept'), made);
    await cluster.create(object);
    await cluster.synced(WHERE, 'kept');
    await stays('kept', made);
    // Only what is there is kept: what the generator gives beside is added.
    const more = { data: { user: 'you', port: '1' } };
    await cluster.create(generator('Fake', 'more', more));
    const dataFrom = [from('Password', 'password'), from('Fake', 'more')];
    await cluster.patch('ExternalSecret', WHERE, 'kept', { spec: { dataFrom } });
    await cluster.holds(WHERE, 'kept', { password: made, user: 'me', port: '1' });
  });

  test('with a Secret of others, only own keys are kept', async () => {
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'shared', namespace: WHERE },
      stringData: { theirs: 'x', password: 'theirs, too' },
    });
    const target = { creationPolicy: 'Merge' };
    await cluster.create(generated('shared', [from('Password', 'password')], { target }, KEEP));
    await cluster.synced(WHERE, 'shared');
    const made = await keyOf('shared');
    assert.notEqual(made, 'theirs, too');
    await stays('shared', made);
    assert.equal(await keyOf('shared', 'theirs'), 'x');
  });

  test('through a template that passes the key on, and with a word where none is', async () => {
    const through = { data: { password: '{{ .password }}', line: 'is {{ .password }}' } };
    const dataFrom = [from('Password', 'password')];
    await cluster.create(generated('passed', dataFrom, { target: { template: through } }, KEEP));
    const made = await keyOf('passed');
    await cluster.synced(WHERE, 'passed');
    await stays('passed', made);
    assert.equal(await keyOf('passed', 'line'), `is ${made}`);

    const changed = { data: { password: '{{ .password | b64enc }}' } };
    const object = generated('changed', dataFrom, { target: { template: changed } }, KEEP);
    const { status, warnings } = await cluster.attempt(object);
    assert.equal(status, 201);
    assert.match(warnings.join(), /keep-generated\]: the template passes no generated value on/);
    const first = await keyOf('changed');
    await changes('changed', first);
    assert.equal((await keyOf('changed')).length, first.length);
  });
});

describe('a poller that starts anew', () => {
  test('goes on from a sync whose end it could not report', async () => {
    await cluster.create(generated('cut-off', [from('Password', 'password')], { refreshInterval: '0' }));
    const made = await keyOf('cut-off');
    await cluster.synced(WHERE, 'cut-off');
    await bed.product.poller.stop();
    const status = { conditions: null, refreshTime: null, syncedResourceVersion: null };
    await cluster.patch('ExternalSecret', WHERE, 'cut-off', { status }, { subresource: 'status' });
    await bed.product.poller.start();
    await cluster.synced(WHERE, 'cut-off');
    assert.equal(await keyOf('cut-off'), made);
  });
});

describe('leases of VaultDynamicSecret', () => {
  const SECONDS = 8;
  /** A token of Vault, which lives for SECONDS. */
  const token = (more: object = {}): object => ({
    path: 'auth/token/create',
    method: 'POST',
    resultType: 'Auth',
    parameters: { ttl: `${SECONDS}s`, policies: ['default'] },
    provider: {
      server: bed.openBao.address,
      auth: { tokenSecretRef: { name: 'vault-token', key: 'token' } },
    },
    ...more,
  });
  const works = async (value: string): Promise<boolean> => {
    const headers = { 'x-vault-token': value };
    return (await bed.openBao.request('GET', 'auth/token/lookup-self', undefined, headers)).status === 200;
  };
  const givenBack = (): number => bed.openBao.auditCounts()['update auth/token/revoke-accessor'] ?? 0;
  const leasesOf = async (name: string) =>
    (await cluster.get('ExternalSecret', WHERE, name)).status?.leases ?? [];
  const made = async (name: string): Promise<string> => {
    await cluster.synced(WHERE, name);
    return keyOf(name, 'client_token');
  };

  test('the poller makes them, makes them anew before they end, and gives them back when the object goes', async () => {
    await cluster.create(generator('VaultDynamicSecret', 'token', token()));
    const { warnings } = await cluster.attempt(
      generated('leased', [from('VaultDynamicSecret', 'token')], { refreshInterval: '0' }),
    );
    assert.deepEqual(warnings, []);
    const before = givenBack();
    const first = await made('leased');
    const [lease] = await leasesOf('leased');
    assert.deepEqual(lease?.generator, { kind: 'VaultDynamicSecret', name: 'token' });
    const text = JSON.stringify(await cluster.get('ExternalSecret', WHERE, 'leased'));
    assert.ok(!text.includes(first), 'the value is in the status');

    // Also by a poller that did not make them.
    await bed.product.poller.stop();
    await bed.product.poller.start();
    await eventually(async () => (await keyOf('leased', 'client_token')) !== first, { timeout: 30_000 });
    await eventually(async () => (await leasesOf('leased')).length === 2);
    assert.equal(givenBack(), before, 'the value before is not taken away from who still uses it');
    const second = await keyOf('leased', 'client_token');

    await cluster.remove('ExternalSecret', WHERE, 'leased');
    await eventually(() => givenBack() === before + 2, { timeout: 30_000, what: 'both to be given back' });
    assert.deepEqual([await works(first), await works(second)], [false, false]);
  });

  test('a wrapper is seen through, a sync that fails gives back at once, and an edit that needs none, too', async () => {
    const spec = { vaultDynamicSecretSpec: token({ parameters: { ttl: '1h', policies: ['default'] } }) };
    await cluster.create(
      generator('ClusterGenerator', 'token', { kind: 'VaultDynamicSecret', generator: spec }),
    );
    const leased = generated('wrapped', [from('ClusterGenerator', 'token')], { refreshInterval: '1h' });
    const { warnings } = await cluster.attempt(leased);
    assert.deepEqual(warnings, []);
    const value = await made('wrapped');
    const before = givenBack();
    const target = { template: { data: { x: '{{ fail "no" }}' } } };
    await cluster.patch('ExternalSecret', WHERE, 'wrapped', { spec: { target } });
    await cluster.failing(WHERE, 'wrapped', /template/, 20_000);
    await eventually(() => givenBack() > before);
    assert.ok(await works(value));
    await cluster.patch('ExternalSecret', WHERE, 'wrapped', {
      spec: { target: { template: null }, dataFrom: [from('Fake', 'fake')] },
    });
    await eventually(async () => !(await works(value)));
    await eventually(async () => (await leasesOf('wrapped')).length === 0);
  });
});

describe('the generators of an article', () => {
  test('S36 S37 both spellings make the same password, and it stays', async () => {
    const files = [
      'seed001-externalsecret-from-generator.yaml',
      'seed001-password-generator.canonical.yaml',
      'seed001-secretgenerator-password.as-printed.yaml',
    ];
    // S39: what refers first, then what is referred to.
    const manifests = files.flatMap((file) => readSeed(file, bed));
    const { code, stderr } = await applyManifests(bed.cp, manifests);
    assert.equal(code, 0, stderr);
    const made: string[] = [];
    for (const name of ['generated-as-printed', 'generated-canonical']) {
      await cluster.synced('default', name);
      const { password = '', ...rest } = (await cluster.values('default', name)) ?? {};
      assert.deepEqual(rest, {});
      const count = (set: RegExp): number => password.match(set)?.length ?? 0;
      assert.deepEqual([password.length, count(/[0-9]/g), count(/[A-Za-z]/g)], [32, 5, 22]);
      assert.equal(count(/[~!@#$%^&*()_+`\-={}|[\]\\:"<>?,./]/g), 5);
      made.push(password);
    }
    await bed.product.poller.stop();
    await bed.product.poller.start();
    await always(
      async () => {
        for (const [index, name] of ['generated-as-printed', 'generated-canonical'].entries())
          assert.equal((await cluster.values('default', name))?.['password'], made[index]);
      },
      { duration: QUIET_MS, interval: 250 },
    );
  });
});

describe('at admission', () => {
  test('a kind that is not supported yet is stored with a word, and refused where it is used', async () => {
    const quay = generator('QuayAccessToken', 'later', { robotAccount: 'me', anything: { at: 'all' } });
    const { stderr, code } = await applyManifests(bed.cp, [quay]);
    assert.equal(code, 0, stderr);
    assert.match(warningsIn(stderr).join(), /generator kind QuayAccessToken is not supported yet/);
    const { status, body } = await cluster.attempt(generated('later', [from('QuayAccessToken', 'later')]));
    assert.equal(status, 422);
    assert.match(
      body.message ?? '',
      /spec\.dataFrom\[0\]\.sourceRef\.generatorRef\.kind: generator kind QuayAccessToken is not supported yet/,
    );
  });

  test('a generator that could never give a value is refused', async () => {
    for (const [kind, spec, words] of [
      [
        'Password',
        { length: 8, digits: 5, symbols: 4 },
        /spec\.length: number of digits and symbols must be less/,
      ],
      [
        'Password',
        { secretKeys: ['a', 'a'] },
        /spec\.secretKeys\[1\]: secretKeys must be non-empty and unique/,
      ],
      ['Password', { encoding: 'rot13' }, /spec\.encoding/],
      ['SecretGenerator', { kind: 'Password', spec: { lenght: 3 } }, /spec\.spec\.lenght: no such field/],
      [
        'ClusterGenerator',
        { kind: 'Password', generator: { fakeSpec: {} } },
        /spec\.generator\.passwordSpec: when kind is Password, passwordSpec must be set/,
      ],
    ] as const) {
      const { status, body } = await cluster.attempt(generator(kind, 'wrong', spec));
      assert.equal(status, 422, JSON.stringify(spec));
      assert.match(body.message ?? '', words);
    }
  });

  test('kinds and their groups have to fit', async () => {
    const sourceRef = { generatorRef: { kind: 'SecretGenerator', name: 'x' } };
    const { status, body } = await cluster.attempt(generated('misfit', [{ sourceRef }]));
    assert.equal(status, 422);
    assert.match(
      body.message ?? '',
      /SecretGenerator is a kind of external-secrets\.io\/v1alpha1; write that/,
    );
  });

  test('kubectl knows all kinds', async () => {
    const rows = await bed.cp.kubectlOutput([
      'api-resources',
      `--api-group=${GENERATOR_GROUP}`,
      '--no-headers',
    ]);
    assert.equal(rows.trim().split('\n').length, 18);
    const all = await bed.cp.kubectlOutput(['get', 'external-secrets-generators', '-n', WHERE, '-o', 'name']);
    assert.match(all, /^password\.generators\.external-secrets\.io\/password$/m);
  });
});

describe('a Secret whose owner is gone', () => {
  test('is taken at admission, with its value only where that is asked for', async () => {
    const names = ['dangling-kept', 'dangling'] as const;
    const create = (name: (typeof names)[number]): Promise<unknown> =>
      cluster.create(
        generated(
          name,
          [from('Password', 'password')],
          { refreshInterval: '0' },
          name === 'dangling' ? {} : KEEP,
        ),
      );
    await Promise.all(names.map(create));
    await Promise.all(names.map((name) => cluster.synced(WHERE, name)));
    const [kept, replaced] = await Promise.all(names.map((name) => keyOf(name)));
    // Nobody collects it, and the poller makes nothing.
    await bed.cp.kill('kube-controller-manager');
    await bed.product.poller.stop();
    for (const name of names) await cluster.remove('ExternalSecret', WHERE, name);
    for (const name of names) {
      await create(name);
      const { metadata } = await cluster.get('Secret', WHERE, name);
      assert.equal(metadata.ownerReferences, undefined);
      assert.ok(metadata.annotations?.[ANNOTATION_PENDING]);
    }
    assert.equal(await keyOf('dangling-kept'), kept);
    assert.notEqual(await keyOf('dangling'), replaced);
  });
});

/** Somebody else's policy, after our mutating hook: objects with the label `refuse` are not stored. */
async function refuseLabelled(): Promise<void> {
  const name = 'no-labelled';
  const rule = {
    apiGroups: [GROUP],
    apiVersions: ['*'],
    resources: ['externalsecrets'],
    operations: ['CREATE'],
  };
  const expression = '!has(object.metadata.labels) || !("refuse" in object.metadata.labels)';
  const policy = {
    apiVersion: POLICIES,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [rule] },
      validations: [{ expression, message: 'not this one' }],
    },
  };
  const binding = {
    apiVersion: POLICIES,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  };
  for (const object of [policy, binding])
    await bed.cp.kubectlOutput(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
  const probe = JSON.stringify(generated('probe', [from('Fake', 'fake')], {}, { labels: { refuse: 'yes' } }));
  await eventually(async () => {
    const { stderr } = await bed.cp.kubectl(['apply', '--dry-run=server', '-f', '-'], { stdin: probe });
    return /not this one/.test(stderr);
  });
}
