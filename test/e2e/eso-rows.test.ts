/**
 * Rows of External Secrets Operator's controller tests, by their number, that no other file has: counters,
 * stores that cannot be used, conditions of ClusterSecretStores, what makes an object be read, and objects that
 * no admission has seen.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FINALIZER_ESO } from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import type { OpenBao } from '../harness/openbao.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import {
  clusterSecretStore,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  requestsTo,
  secretStore,
  vaultProvider,
} from './support/vault.ts';

const WHERE = 'rows';
const WITHIN_MS = 10_000;
/** As long as a test watches that nothing happens. */
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

const metric = (name: string, object: string, labels: Readonly<Record<string, string>> = {}) =>
  bed.product.poller.metric(name, { namespace: WHERE, name: object, ...labels });
const condition = (object: string, status: string): Promise<number> =>
  metric('externalsecret_status_condition', object, { condition: 'Ready', status });
const readsOf = (key: string): number => requestsTo(openBao, 'read', `secret/data/${key}`);

async function create(manifest: Manifest): Promise<void> {
  const { status, body } = await cluster.attempt(manifest);
  assert.equal(status, 201, body.message ?? '');
}

const fakeProvider = (data: Readonly<Record<string, string>>, block: object = {}): object => ({
  fake: { data: Object.entries(data).map(([key, value]) => ({ key, value })), ...block },
});

describe('what a sync counts and says', { concurrency: 8 }, () => {
  test('9.3 #13 counters, condition and duration of an object that is in sync', async () => {
    await openBao.write('counted', { password: 'first' });
    await create(externalSecret(WHERE, 'counted', passwordOf('counted')));
    await cluster.synced(WHERE, 'counted', WITHIN_MS);
    await eventually(async () => (await metric('externalsecret_sync_calls_total', 'counted')) >= 2);
    assert.equal(await metric('externalsecret_sync_calls_error', 'counted'), 0);
    assert.deepEqual([await condition('counted', 'True'), await condition('counted', 'False')], [1, 0]);
    assert.ok((await metric('externalsecret_reconcile_duration', 'counted')) > 0);
    await cluster.remove('ExternalSecret', WHERE, 'counted');
    await eventually(async () => (await metric('externalsecret_sync_calls_total', 'counted')) === 0);
  });

  test('9.3 #29 a value that changes at the provider', async () => {
    await openBao.write('changing', { password: 'first' });
    await create(externalSecret(WHERE, 'changing', passwordOf('changing')));
    assert.deepEqual(await cluster.values(WHERE, 'changing'), { password: 'first' });
    await openBao.write('changing', { password: 'second' });
    await cluster.holds(WHERE, 'changing', { password: 'second' }, WITHIN_MS);
  });

  test('9.3 #34 errors of the provider are counted, and the object recovers', async () => {
    await create(externalSecret(WHERE, 'recovers', passwordOf('recovers')));
    await cluster.failing(WHERE, 'recovers', /^could not get secret data from provider: /, WITHIN_MS);
    await eventually(async () => (await metric('externalsecret_sync_calls_error', 'recovers')) >= 2);
    assert.deepEqual([await condition('recovers', 'True'), await condition('recovers', 'False')], [0, 1]);
    await openBao.write('recovers', { password: 'x' });
    await cluster.holds(WHERE, 'recovers', { password: 'x' }, WITHIN_MS);
    await cluster.synced(WHERE, 'recovers', WITHIN_MS);
    await eventually(async () => (await condition('recovers', 'True')) === 1);
    assert.equal(await condition('recovers', 'False'), 0);
  });

  test('9.3 #35 a store that does not exist', async () => {
    const { warnings } = await cluster.attempt(
      externalSecret(WHERE, 'storeless', { secretStoreRef: { name: 'absent' } }),
    );
    assert.equal(warnings.length, 1);
    const text = /^could not get secret data from provider: .*could not get SecretStore "absent"/;
    await cluster.failing(WHERE, 'storeless', text, WITHIN_MS);
    await eventually(async () => (await metric('externalsecret_sync_calls_error', 'storeless')) >= 1);
    assert.equal(await cluster.values(WHERE, 'storeless'), undefined);
  });

  test('9.3 #36 a provider that cannot be set up', async () => {
    const auth = { tokenSecretRef: { name: 'absent-token', key: 'token' } };
    const provider = vaultProvider(openBao.address, { auth });
    await cluster.create(secretStore(WHERE, 'tokenless', { provider }));
    await create(externalSecret(WHERE, 'tokenless', { secretStoreRef: { name: 'tokenless' } }));
    await cluster.failing(
      WHERE,
      'tokenless',
      /^could not get secret data from provider: .*absent-token/,
      WITHIN_MS,
    );
    await eventually(
      async () => {
        const ready = await cluster.ready('SecretStore', WHERE, 'tokenless');
        assert.deepEqual([ready?.status, ready?.reason], ['False', 'InvalidProviderConfig']);
        return true;
      },
      { timeout: WITHIN_MS },
    );
  });

  for (const [source, spec] of Object.entries({
    data: { data: [{ secretKey: 'bad', remoteRef: { key: 'nul/raw', nullBytePolicy: 'Fail' } }] },
    extract: { dataFrom: [{ extract: { key: 'nul/json', nullBytePolicy: 'Fail' } }] },
    find: { dataFrom: [{ find: { name: { regexp: '^nul/raw$' }, nullBytePolicy: 'Fail' } }] },
  })) {
    test(`9.3 #25 a NUL byte in ${source}: no Secret; without the policy it passes`, async () => {
      const name = `nul-${source}`;
      const provider = fakeProvider({ 'nul/raw': 'a\0b', 'nul/json': JSON.stringify({ bad: 'a\0b' }) });
      await cluster.create(secretStore(WHERE, name, { provider }));
      const common = { data: undefined, secretStoreRef: { name } };
      await create(externalSecret(WHERE, name, { ...common, ...spec }));
      const message = await cluster.failing(WHERE, name, /bad|nul_raw/, WITHIN_MS);
      assert.match(message, /^could not get secret data from provider: error processing spec\./);
      assert.equal(await cluster.values(WHERE, name), undefined);
      const lax = JSON.parse(JSON.stringify(spec).replaceAll('Fail', 'Ignore')) as object;
      await create(externalSecret(WHERE, `${name}-passes`, { ...common, ...lax }));
      assert.deepEqual(Object.values((await cluster.values(WHERE, `${name}-passes`)) ?? {}), ['a\0b']);
    });
  }

  test('3.1 an orphan that cannot be deleted: said in ESO’s words, and tried again', async () => {
    const denied = 'this one stays';
    const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['DELETE'], resources: ['secrets'] };
    const expression = '!oldObject.metadata.name.startsWith("kept-")';
    const api = 'admissionregistration.k8s.io/v1';
    const metadata = { name: 'rows-keep' };
    const resourceRules = [rule];
    for (const [kind, spec] of [
      [
        'ValidatingAdmissionPolicy',
        { matchConstraints: { resourceRules }, validations: [{ expression, message: denied }] },
      ],
      ['ValidatingAdmissionPolicyBinding', { policyName: 'rows-keep', validationActions: ['Deny'] }],
    ] as const)
      await bed.cp.kubectlOutput(['apply', '-f', '-'], {
        stdin: JSON.stringify({ apiVersion: api, kind, metadata, spec }),
      });
    await openBao.write('moves', { password: 'x' });
    const target = { name: 'kept-old' };
    await create(externalSecret(WHERE, 'moves', { ...passwordOf('moves'), target }));
    await cluster.synced(WHERE, 'moves', WITHIN_MS);
    const attempt = ['delete', 'secret', 'kept-old', '-n', WHERE, '--dry-run=server'];
    await eventually(async () => (await bed.cp.kubectl(attempt)).stderr.includes(denied), {
      timeout: 20_000,
    });
    await cluster.patch('ExternalSecret', WHERE, 'moves', { spec: { target: { name: 'kept-new' } } });
    const text = /^could not delete orphaned secrets: .*denied request$/;
    await cluster.failing(WHERE, 'moves', text, WITHIN_MS);
    assert.ok((await cluster.values(WHERE, 'kept-new')) !== undefined, 'the new one is there');
    await bed.cp.kubectlOutput(['delete', 'validatingadmissionpolicybinding', 'rows-keep']);
    await cluster.synced(WHERE, 'moves', 20_000);
    assert.equal(await cluster.values(WHERE, 'kept-old'), undefined);
  });

  test('9.3 #52 stores: valid with its capabilities, invalid with the reason', async () => {
    await cluster.create(secretStore(WHERE, 'sound', { provider: fakeProvider({ k: 'v' }) }));
    await cluster.create(
      secretStore(WHERE, 'unsound', { provider: fakeProvider({ k: 'v' }, { validationResult: 2 }) }),
    );
    const status = async (name: string): Promise<unknown> => {
      const store = await cluster.get('SecretStore', WHERE, name);
      const ready = store.status?.conditions?.find(({ type }) => type === 'Ready');
      return [ready?.status, ready?.reason, store.status?.capabilities];
    };
    await eventually(async () => {
      assert.deepEqual(await status('sound'), ['True', 'Valid', 'ReadWrite']);
      assert.deepEqual(await status('unsound'), ['False', 'InvalidProviderConfig', undefined]);
      return true;
    });
  });
});

describe('9.3 #46 #47 what makes an object be read', { concurrency: 8 }, () => {
  /** In sync, not due for an hour, with another value at the provider since. */
  async function stale(name: string, spec: object = {}, metadata: object = {}): Promise<() => number> {
    await openBao.write(name, { password: 'first' });
    await create(
      externalSecret(WHERE, name, { refreshInterval: '1h', ...passwordOf(name), ...spec }, metadata),
    );
    await cluster.synced(WHERE, name, WITHIN_MS);
    await openBao.write(name, { password: 'second' });
    return () => readsOf(name);
  }
  const second = { password: 'second' };

  test('status alone does not', async () => {
    const reads = await stale('status-only');
    const before = reads();
    const { status } = await cluster.get('ExternalSecret', WHERE, 'status-only');
    const written = { status: { ...status, binding: { name: 'somewhere' } } };
    await cluster.patch('ExternalSecret', WHERE, 'status-only', written, { subresource: 'status' });
    await always(() => assert.equal(reads(), before), { duration: QUIET_MS, interval: 250 });
    assert.deepEqual(await cluster.values(WHERE, 'status-only'), { password: 'first' });
  });

  test('a finalizer does not; a deletion ends it, with ESO’s finalizer and that of another', async () => {
    const finalizers = [FINALIZER_ESO, 'example.com/theirs'];
    const reads = await stale('finalized', {}, { finalizers });
    const before = reads();
    await cluster.remove('ExternalSecret', WHERE, 'finalized');
    await eventually(async () => {
      const { metadata } = await cluster.get('ExternalSecret', WHERE, 'finalized');
      assert.deepEqual(metadata.finalizers, ['example.com/theirs']);
      return true;
    });
    await cluster.patch('ExternalSecret', WHERE, 'finalized', { metadata: { labels: { a: 'b' } } });
    await always(() => assert.equal(reads(), before), { duration: QUIET_MS, interval: 250 });
    await cluster.patch('ExternalSecret', WHERE, 'finalized', { metadata: { finalizers: null } });
    await eventually(async () => (await cluster.find('ExternalSecret', WHERE, 'finalized')) === undefined);
  });

  for (const [what, patch] of [
    ['a label', { metadata: { labels: { force: 'sync' } } }],
    ['an annotation', { metadata: { annotations: { force: 'sync' } } }],
    ['the spec', { spec: { refreshInterval: '2h' } }],
  ] as const) {
    const name = `edited-${what.split(' ')[1]}`;
    test(`${what} does, with Periodic and OnChange`, async () => {
      for (const refreshPolicy of ['Periodic', 'OnChange'])
        await stale(`${name}-${refreshPolicy.toLowerCase()}`, { refreshPolicy });
      for (const refreshPolicy of ['periodic', 'onchange'])
        await cluster.patch('ExternalSecret', WHERE, `${name}-${refreshPolicy}`, patch);
      for (const refreshPolicy of ['periodic', 'onchange'])
        await cluster.holds(WHERE, `${name}-${refreshPolicy}`, second, WITHIN_MS);
    });
  }
});

describe('9.3 #43 conditions of a ClusterSecretStore', { concurrency: 8 }, () => {
  const IN = 'rows-conditions';
  const labels = { app: 'web', tier: 'gold' };
  before(() => cluster.create(namespace(IN, labels)));

  const selector = (matchLabels: Readonly<Record<string, string>>): object => ({
    namespaceSelector: { matchLabels },
  });
  const CASES: readonly [name: string, conditions: readonly object[] | undefined, served: boolean][] = [
    ['none', undefined, true],
    ['another name', [{ namespaces: ['rows-other'] }], false],
    ['its name among several', [{ namespaces: ['rows-other', IN] }], true],
    ['its name in the second condition', [{ namespaces: ['rows-other'] }, { namespaces: [IN] }], true],
    ['a label that it does not have', [selector({ app: 'db' })], false],
    ['a label that it has', [selector({ app: 'web' })], true],
    ['all its labels', [selector(labels)], true],
    ['labels of which it has some', [selector({ app: 'web', tier: 'silver' })], false],
    ['labels, one selector of two', [selector({ app: 'db' }), selector({ tier: 'gold' })], true],
    ['labels and names, none of them its', [selector({ app: 'db' }), { namespaces: ['rows-other'] }], false],
    ['a pattern of names', [{ namespaceRegexes: ['^other-.*', '^rows-con'] }], true],
  ];
  for (const [index, [name, conditions, served]] of CASES.entries()) {
    test(`${name}: ${served ? 'served' : 'denied'}`, async () => {
      const store = `rows-conditions-${index}`;
      const provider = fakeProvider({ k: 'v' });
      await cluster.create(
        clusterSecretStore(store, { provider, ...(conditions === undefined ? {} : { conditions }) }),
      );
      const spec = {
        secretStoreRef: { kind: 'ClusterSecretStore', name: store },
        data: [{ secretKey: 'k', remoteRef: { key: 'k' } }],
      };
      await create(externalSecret(IN, `es-${index}`, spec));
      if (served) {
        assert.deepEqual(await cluster.values(IN, `es-${index}`), { k: 'v' });
        await cluster.synced(IN, `es-${index}`, WITHIN_MS);
        return;
      }
      await cluster.failing(IN, `es-${index}`, /denied by spec\.condition$/, WITHIN_MS);
      assert.equal(await cluster.values(IN, `es-${index}`), undefined);
    });
  }
});

describe('objects that no admission has seen', { concurrency: 8 }, () => {
  /** The one namespace whose objects the hooks leave to the poller. */
  const UNSEEN = 'kube-system';
  before(async () => {
    await cluster.create(secretStore(UNSEEN, 'rows', { provider: fakeProvider({ k: 'v' }) }));
    await forgetRulesOfSchema();
  });

  /** As the kinds of External Secrets Operator are, or ours from before: without the rules that their schema holds now. */
  async function forgetRulesOfSchema(): Promise<void> {
    const path =
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/externalsecrets.external-secrets.io';
    await eventually(async () => {
      const { body } = await bed.cp.request<object>('GET', path);
      const plain = JSON.stringify(body, (key, value: unknown) =>
        key === 'x-kubernetes-validations' ? undefined : value,
      );
      return (await bed.cp.request('PUT', path, JSON.parse(plain))).status === 200;
    });
    const probe = manifest('probe', { type: 'bootstrap.kubernetes.io/token' });
    await eventually(async () => (await cluster.attempt(probe)).status === 201, { timeout: 30_000 });
    await cluster.remove('ExternalSecret', UNSEEN, 'probe');
  }

  const manifest = (name: string, template: object | undefined): Manifest =>
    externalSecret(UNSEEN, name, {
      secretStoreRef: { name: 'rows' },
      data: [{ secretKey: 'k', remoteRef: { key: 'k' } }],
      target: template === undefined ? {} : { template },
    });

  /** Neither made nor, where it is there, changed. */
  async function assertNotWritten(name: string, template: object, message: RegExp): Promise<void> {
    await create(manifest(`${name}-new`, template));
    await cluster.failing(UNSEEN, `${name}-new`, message, WITHIN_MS);
    assert.equal(await cluster.values(UNSEEN, `${name}-new`), undefined);

    await create(manifest(name, undefined));
    await cluster.holds(UNSEEN, name, { k: 'v' }, WITHIN_MS);
    await cluster.synced(UNSEEN, name, WITHIN_MS);
    const before = await cluster.get('Secret', UNSEEN, name);
    await cluster.patch('ExternalSecret', UNSEEN, name, { spec: { target: { template } } });
    await cluster.failing(UNSEEN, name, message, WITHIN_MS);
    assert.deepEqual(await cluster.get('Secret', UNSEEN, name), before);
  }

  for (const [index, target] of [
    'type',
    'metadata.annotations',
    'immutable',
    'metadata.ownerReferences',
  ].entries()) {
    test(`9.3 #49 templateFrom into ${target}: an error before anything is written`, () =>
      assertNotWritten(
        `path-${index}`,
        { templateFrom: [{ target, literal: 'a: b' }] },
        new RegExp(`templateFrom target=${target} is not allowed when targeting a Secret`),
      ));
  }

  for (const [name, template] of Object.entries({
    'token-annotation': {
      type: 'kubernetes.io/service-account-token',
      metadata: { annotations: { 'kubernetes.io/service-account.name': 'default' } },
    },
    'token-target': {
      type: 'kubernetes.io/service-account-token',
      templateFrom: [{ target: 'Annotations', literal: 'kubernetes.io/service-account.name: default' }],
    },
    bootstrap: { type: 'bootstrap.kubernetes.io/token' },
  })) {
    test(`9.3 #50 hazard 2.7 a privileged template, ${name}: no Secret`, () =>
      assertNotWritten(name, template, new RegExp(`template\\.type=${template.type} .*is not allowed`)));
  }
});
