/**
 * The poller on its own time: what it notices within a second, what it tells, and what it costs when many objects
 * are in sync. Acceptance cases by their number.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { Cluster, type Manifest } from './support/cluster.ts';
import {
  externalSecret,
  passwordOf,
  prepare,
  requestsTo,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

const WHERE = 'scale';
/** Beside what is asked for ("within a second") there is room for a machine that does much else. */
const WITHIN_MS = 10_000;
const QUIET_MS = 2_500;

let bed: Bed;
let cluster: Cluster;
let openBao: OpenBao;

before(async () => {
  bed = await startBed({ openBao: { audit: true }, controlPlane: { audit: true } });
  cluster = new Cluster(bed.cp);
  openBao = bed.openBao;
  await prepare(cluster, openBao, WHERE);
  await openBao.write('app', { password: 'hunter2' });
});
after(() => bed.stop());

const readsOf = (key: string): number => requestsTo(openBao, 'read', `secret/data/${key}`);

const configMap = (name: string, data: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: WHERE },
  data,
});

/** Created without a refusal. @returns the warnings */
async function create(manifest: Manifest): Promise<readonly string[]> {
  const { status, body, warnings } = await cluster.attempt(manifest);
  assert.equal(status, 201, body.message ?? '');
  return warnings;
}

describe('what an object refers to is followed: nothing below is due within the hour', {
  concurrency: 8,
}, () => {
  const HOUR = { refreshInterval: '1h' };
  const from = (kind: 'configMap' | 'secret', name: string, key = 'text'): object => ({
    target: { template: { templateFrom: [{ [kind]: { name, items: [{ key, templateAs: 'Values' }] } }] } },
  });
  const requestsFor = (resource: string): number =>
    bed.cp
      .auditEvents()
      .filter(
        ({ user, objectRef, verb }) =>
          user.username.endsWith('-poller') &&
          objectRef?.resource === resource &&
          (verb === 'list' || verb === 'watch'),
      ).length;

  test('templateFrom: a ConfigMap that changes, goes and comes back', async () => {
    assert.equal(requestsFor('configmaps'), 0, 'nothing has named a ConfigMap yet');
    await cluster.create(configMap('texts', { text: 'one {{ .password }}' }));
    await create(externalSecret(WHERE, 'from-map', { ...HOUR, ...from('configMap', 'texts') }));
    await cluster.holds(WHERE, 'from-map', { text: 'one hunter2' }, WITHIN_MS);
    await cluster.synced(WHERE, 'from-map', WITHIN_MS);
    await cluster.patch('ConfigMap', WHERE, 'texts', { data: { text: 'two {{ .password }}' } });
    await cluster.holds(WHERE, 'from-map', { text: 'two hunter2' }, WITHIN_MS);
    await cluster.remove('ConfigMap', WHERE, 'texts');
    await cluster.failing(WHERE, 'from-map', /configmaps "texts" not found/, WITHIN_MS);
    await cluster.create(configMap('texts', { text: 'three {{ .password }}' }));
    await cluster.holds(WHERE, 'from-map', { text: 'three hunter2' }, WITHIN_MS);
    await cluster.synced(WHERE, 'from-map', WITHIN_MS);
  });

  test('templateFrom: a Secret that changes', async () => {
    const parts = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'parts', namespace: WHERE } };
    await cluster.create({ ...parts, stringData: { text: 'one {{ .password }}' } });
    await create(externalSecret(WHERE, 'from-secret', { ...HOUR, ...from('secret', 'parts') }));
    await cluster.holds(WHERE, 'from-secret', { text: 'one hunter2' }, WITHIN_MS);
    await cluster.synced(WHERE, 'from-secret', WITHIN_MS);
    await cluster.patch('Secret', WHERE, 'parts', { stringData: { text: 'two {{ .password }}' } });
    await cluster.holds(WHERE, 'from-secret', { text: 'two hunter2' }, WITHIN_MS);
  });

  test('objects that read once are left as they are, unless they failed', async () => {
    await cluster.create(configMap('once', { text: 'one {{ .password }}' }));
    const once = { refreshInterval: '0s' };
    await create(externalSecret(WHERE, 'once', { ...once, ...from('configMap', 'once') }));
    await cluster.synced(WHERE, 'once', WITHIN_MS);
    await create(externalSecret(WHERE, 'once-waits', { ...once, ...from('configMap', 'once', 'later') }));
    await cluster.failing(WHERE, 'once-waits', /missing key later/, WITHIN_MS);
    await cluster.patch('ConfigMap', WHERE, 'once', {
      data: { text: 'two', later: 'there {{ .password }}' },
    });
    await cluster.holds(WHERE, 'once-waits', { later: 'there hunter2' }, WITHIN_MS);
    await always(async () => assert.deepEqual(await cluster.values(WHERE, 'once'), { text: 'one hunter2' }), {
      duration: QUIET_MS,
      interval: 250,
    });
  });

  test('a generator: what failed without it, and what its spec says now; a label says nothing', async () => {
    const path = `/apis/generators.external-secrets.io/v1alpha1/namespaces/${WHERE}/fakes/answers`;
    const patch = async (body: object): Promise<void> => {
      const headers = { 'content-type': 'application/merge-patch+json' };
      assert.equal((await bed.cp.request('PATCH', path, body, headers)).status, 200);
    };
    const reference = { kind: 'Fake', name: 'answers' };
    const spec = { ...HOUR, data: undefined, dataFrom: [{ sourceRef: { generatorRef: reference } }] };
    await create(externalSecret(WHERE, 'generated', spec));
    await cluster.failing(WHERE, 'generated', /"answers" not found/, WITHIN_MS);
    await create({
      apiVersion: 'generators.external-secrets.io/v1alpha1',
      kind: 'Fake',
      metadata: { name: 'answers', namespace: WHERE },
      spec: { data: { user: 'one' } },
    });
    await cluster.holds(WHERE, 'generated', { user: 'one' }, WITHIN_MS);
    await cluster.synced(WHERE, 'generated', WITHIN_MS);
    const calls = (): Promise<number> =>
      bed.product.poller.metric('externalsecret_sync_calls_total', { namespace: WHERE, name: 'generated' });
    // For ten seconds after its creation an object keeps what it was given.
    await eventually(
      async () => {
        const { metadata } = await cluster.get('ExternalSecret', WHERE, 'generated');
        return Date.now() - Date.parse(String(metadata.creationTimestamp)) > 11_000;
      },
      { timeout: 20_000, interval: 500 },
    );
    const before = await calls();
    await patch({ metadata: { labels: { team: 'x' } } });
    await always(async () => assert.equal(await calls(), before), { duration: QUIET_MS, interval: 250 });
    await patch({ spec: { data: { user: 'two' } } });
    await cluster.holds(WHERE, 'generated', { user: 'two' }, WITHIN_MS);
  });

  test('caProvider: a ConfigMap with another CA is used at once, and heals what failed', async (t) => {
    const secure = await startOpenBao({ tls: true });
    t.after(() => secure.stop());
    await secure.write('app', { password: 'over-tls' });
    await cluster.create(tokenSecret(WHERE, secure.token, 'secure-token'));
    const ca = { caProvider: { type: 'ConfigMap', name: 'trust', key: 'ca.crt' } };
    const auth = { tokenSecretRef: { name: 'secure-token', key: 'token' } };
    const provider = vaultProvider(secure.address, { ...ca, auth });
    await cluster.create(secretStore(WHERE, 'secure', { refreshInterval: 3600, provider }));
    await create(externalSecret(WHERE, 'secure', { ...HOUR, secretStoreRef: { name: 'secure' } }));
    await cluster.failing(WHERE, 'secure', /configmap "trust" from namespace "scale": not found/, WITHIN_MS);
    await cluster.create(configMap('trust', { 'ca.crt': bed.cp.ca }));
    await cluster.failing(WHERE, 'secure', /certificate of the server is not trusted/, WITHIN_MS);
    await cluster.patch('ConfigMap', WHERE, 'trust', { data: { 'ca.crt': secure.ca ?? '' } });
    await cluster.holds(WHERE, 'secure', { password: 'over-tls' }, WITHIN_MS);
    await eventually(async () => (await cluster.ready('SecretStore', WHERE, 'secure'))?.status === 'True');
    // In sync and not due: the store alone tells that its trust is gone again.
    await cluster.patch('ConfigMap', WHERE, 'trust', { data: { 'ca.crt': bed.cp.ca } });
    await eventually(async () => (await cluster.ready('SecretStore', WHERE, 'secure'))?.status === 'False');
    assert.deepEqual(await cluster.values(WHERE, 'secure'), { password: 'over-tls' });
  });

  test('a ServiceAccount that a store names: it is watched from then on, and found when it comes', async () => {
    const kubernetes = { role: 'nobody', serviceAccountRef: { name: 'late' } };
    const provider = vaultProvider(openBao.address, { auth: { kubernetes } });
    await cluster.create(secretStore(WHERE, 'account', { refreshInterval: 3600, provider }));
    const message = async (): Promise<string> =>
      (await cluster.ready('SecretStore', WHERE, 'account'))?.message ?? '';
    await eventually(async () => /ServiceAccount scale\/late not found/.test(await message()));
    await eventually(() => requestsFor('serviceaccounts') > 0, { what: 'a list' });
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'late', namespace: WHERE },
    });
    // The login is refused, since nobody has set it up at OpenBao; but there is an account.
    await eventually(async () => !/not found$/.test(await message()), { what: 'another reason' });
  });

  test('S74 rotation with polling off: force-sync brings the new password, without an edit of the spec', async () => {
    await openBao.write('forced', { password: 'one' });
    const spec = { refreshPolicy: 'OnChange', refreshInterval: '0s', ...passwordOf('forced') };
    await create(externalSecret(WHERE, 'forced', spec));
    await cluster.synced(WHERE, 'forced', WITHIN_MS);
    await openBao.write('forced', { password: 'two' });
    const before = readsOf('forced');
    await always(() => assert.equal(readsOf('forced'), before), { duration: QUIET_MS, interval: 250 });
    const annotations = { 'force-sync': '2026-11-22' };
    await cluster.patch('ExternalSecret', WHERE, 'forced', { metadata: { annotations } });
    await cluster.holds(WHERE, 'forced', { password: 'two' }, WITHIN_MS);
    assert.equal(readsOf('forced'), before + 1);
  });
});
