/**
 * The poller on its own time: what it notices within a second, what it tells, and what it costs when many objects
 * are in sync. Acceptance cases by their number.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { requestsOf, writesOf } from './support/audit.ts';
import { Cluster, type Manifest, valuesOf } from './support/cluster.ts';
import { histogram, phasesOf, readsIn } from './support/timing.ts';
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
const STEADY = 'steady';
/** Beside what is asked for ("within a second") there is room for a machine that does much else. */
const WITHIN_MS = 20_000;
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
    await eventually(async () => !(await message()).endsWith('not found'), { what: 'another reason' });
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

  test('S14 a refresh of one, then of all of a namespace, without an edit of a spec', async () => {
    const [where, names] = ['by-hand', ['by-hand-1', 'by-hand-2']];
    await prepare(cluster, openBao, where);
    for (const name of names) {
      await openBao.write(name, { password: 'one' });
      await create(externalSecret(where, name, { ...HOUR, ...passwordOf(name) }));
      await cluster.synced(where, name, WITHIN_MS);
      await openBao.write(name, { password: 'two' });
    }
    const annotate = (...what: string[]): Promise<string> =>
      bed.cp.kubectlOutput(['annotate', '-n', where, 'externalsecrets.external-secrets.io', ...what]);
    const [first = '', second = ''] = names;
    const reads = readsOf(second);
    await annotate(first, 'force-sync=1');
    await cluster.holds(where, first, { password: 'two' }, WITHIN_MS);
    assert.equal(readsOf(second), reads);
    await openBao.write(first, { password: 'three' });
    await annotate('--all', '--overwrite', 'force-sync=2');
    await cluster.holds(where, first, { password: 'three' }, WITHIN_MS);
    await cluster.holds(where, second, { password: 'two' }, WITHIN_MS);
    for (const name of names)
      assert.equal((await cluster.get('ExternalSecret', where, name)).metadata.generation, 1);
  });
});

interface AuditLine {
  readonly program: string;
  readonly name: string;
  readonly secret: string;
  readonly action: string;
  readonly time: string;
  readonly keys?: readonly string[];
  readonly user?: string;
  readonly missing?: readonly string[];
  readonly sources?: readonly unknown[];
}

describe('what is told', { concurrency: 8 }, () => {
  /** The audit lines about one object, of both programs, in order. */
  const auditOf = (name: string): readonly AuditLine[] =>
    [bed.product.webhook.log, bed.product.poller.log]
      .flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'))
      .filter((line) => line.includes('"Secret written"'))
      .map((line) => JSON.parse(line) as AuditLine)
      .filter((line) => line.name === name)
      .toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));

  test('S29 kubectl get shows store, interval, status and readiness', async () => {
    await create(externalSecret(WHERE, 'columns', { refreshInterval: '1h' }));
    await cluster.synced(WHERE, 'columns', WITHIN_MS);
    const get = ['get', 'externalsecret.external-secrets.io', '-A', '--field-selector=metadata.name=columns'];
    const [header = '', row = ''] = (await bed.cp.kubectlOutput(get)).split('\n');
    assert.match(header, /^NAMESPACE +NAME +STORETYPE +STORE +REFRESH INTERVAL +STATUS +READY +LAST SYNC *$/);
    assert.match(row, /^scale +columns +(SecretStore +)?vault +1h +SecretSynced +True +\d+s *$/);
    await create(externalSecret(WHERE, 'columns-failing', passwordOf('nowhere')));
    await cluster.failing(WHERE, 'columns-failing', /could not get secret data/, WITHIN_MS);
    const all = await bed.cp.kubectlOutput(get.slice(0, 3));
    assert.match(all, /columns-failing .* SecretSyncedError +False/);
  });

  test('S30 events: one of the create, one of the update, one of failures in a row; none of a refresh', async () => {
    await openBao.write('eventful', { password: 'one' });
    const spec = { ...passwordOf('eventful'), target: { deletionPolicy: 'Retain' } };
    await create(externalSecret(WHERE, 'eventful', spec));
    const refreshes = async (count: number): Promise<void> => {
      const before = readsOf('eventful');
      await eventually(() => readsOf('eventful') >= before + count, { timeout: 30_000 });
    };
    await refreshes(4);
    await openBao.write('eventful', { password: 'two' });
    await cluster.holds(WHERE, 'eventful', { password: 'two' }, WITHIN_MS);
    await refreshes(4);
    await openBao.request('DELETE', 'secret/metadata/eventful');
    await cluster.failing(WHERE, 'eventful', /could not get secret data/, WITHIN_MS);
    await refreshes(3);
    const expected = [
      ['Normal', 'Created', 'secret created', 1],
      ['Normal', 'Updated', 'secret updated', 1],
      ['Warning', 'UpdateFailed', 1],
    ];
    const events = async (): Promise<unknown[]> =>
      (await cluster.events(WHERE))
        .filter(({ involvedObject }) => involvedObject.name === 'eventful')
        .map(({ type, reason, message, count }) =>
          type === 'Warning' ? [type, reason, count] : [type, reason, message, count],
        );
    await eventually(async () => (await events()).length >= 3);
    assert.deepEqual(await events(), expected);
    const described = await bed.cp.kubectlOutput(['describe', 'externalsecret', 'eventful', '-n', WHERE]);
    assert.match(
      described,
      /Events:(.|\n)*Created .*secret created\n.*Updated .*secret updated\n.*UpdateFailed /,
    );
  });

  test('S40 an audit line for each change: who, what in which version, where to; never a value', async () => {
    await openBao.write('audited', { password: 'SENTINEL-audit-1' });
    const spec = { ...passwordOf('audited'), target: { deletionPolicy: 'Delete' } };
    await create(externalSecret(WHERE, 'audited', spec));
    await eventually(() => auditOf('audited').some(({ action }) => action === 'adopted'));
    await openBao.write('audited', { password: 'SENTINEL-audit-2' });
    await cluster.holds(WHERE, 'audited', { password: 'SENTINEL-audit-2' }, WITHIN_MS);
    await openBao.request('DELETE', 'secret/metadata/audited');
    await eventually(async () => (await cluster.values(WHERE, 'audited')) === undefined);
    await eventually(() => auditOf('audited').length >= 4);
    const said = auditOf('audited');
    assert.deepEqual(
      said.map(({ program, action, secret, keys }) => [program, action, secret, keys]),
      [
        ['webhook', 'created', 'audited', ['password']],
        ['poller', 'adopted', 'audited', ['password']],
        ['poller', 'updated', 'audited', ['password']],
        ['poller', 'deleted', 'audited', []],
      ],
    );
    const source = (version: string): object => ({
      store: 'SecretStore scale/vault',
      provider: 'vault',
      server: openBao.address,
      credentials: ['Secret scale/vault-token'],
      objects: [{ key: 'secret/data/audited', version }],
    });
    const [created, adopted, updated, deleted] = said;
    assert.deepEqual(
      [created?.sources, adopted?.sources, updated?.sources],
      [[source('1')], [], [source('2')]],
    );
    assert.ok(created?.user, 'who has created the object');
    assert.deepEqual(deleted?.missing, ['spec.data[0] (key=audited)']);
    assert.ok((await bed.product.poller.metric('esa_adoption_lag_seconds_count')) >= 1);
    for (const { log } of [bed.product.webhook, bed.product.poller])
      assert.doesNotMatch(readFileSync(log, 'utf8'), /SENTINEL-audit/);
  });

  test('S95 values stand in the target Secret and nowhere else in the cluster, and in no file', async () => {
    const value = 'SENTINEL-nowhere-else-5f3c';
    await openBao.write('confined', { password: value });
    const template = { data: { url: 'x://{{ .password }}' }, mergePolicy: 'Merge' };
    await create(externalSecret(WHERE, 'confined', { ...passwordOf('confined'), target: { template } }));
    await cluster.synced(WHERE, 'confined', WITHIN_MS);
    const coded = Buffer.from(value).toString('base64');
    interface Listed {
      readonly items?: readonly { readonly metadata: { readonly name: string } }[];
    }
    const kinds = (await bed.cp.kubectlOutput(['api-resources', '--verbs=list', '-o', 'name']))
      .trim()
      .split('\n');
    assert.ok(kinds.includes('configmaps') && kinds.includes('externalsecrets.external-secrets.io'));
    const dump = await bed.cp.kubectlOutput([
      'get',
      kinds.join(),
      '-A',
      '-o',
      'json',
      '--show-managed-fields',
    ]);
    const holding = ((JSON.parse(dump) as Listed).items ?? []).filter((one) => {
      const text = JSON.stringify(one);
      return text.includes(value) || text.includes(coded);
    });
    assert.deepEqual(
      holding.map((one) => `${(one as unknown as Manifest).kind} ${one.metadata.name}`),
      ['Secret confined'],
    );
    for (const { pid, log } of [bed.product.webhook, bed.product.poller]) {
      const files = readdirSync(`/proc/${pid}/fd`)
        .map((fd) => {
          try {
            return readlinkSync(`/proc/${pid}/fd/${fd}`);
          } catch {
            return '';
          }
        })
        .filter(
          (target) => target.startsWith('/') && !target.startsWith('/dev/') && !target.startsWith('/proc/'),
        );
      assert.deepEqual(
        files.filter((file) => file !== log),
        [],
        'files that are open',
      );
    }
  });
});

test('S94 objects of three stores, one of which hangs: the others are Ready, and follow their provider', async (t) => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => silent.close());
  const { port } = silent.address() as { port: number };
  const timeouts = { provider: vaultProvider(`http://127.0.0.1:${port}`) };
  await cluster.create(secretStore(WHERE, 'hangs', timeouts));
  await cluster.create(secretStore(WHERE, 'second', { provider: vaultProvider(openBao.address) }));
  const stores = ['vault', 'second', 'hangs'];
  const objects = stores.flatMap((store) =>
    Array.from({ length: 20 }, (_, index) => ({ store, name: `many-${store}-${index}` })),
  );
  await openBao.write('shared', { password: 'one' });
  await Promise.all(
    objects.map(({ store, name }) =>
      create(externalSecret(WHERE, name, { secretStoreRef: { name: store }, ...passwordOf('shared') })),
    ),
  );
  const sound = objects.filter(({ store }) => store !== 'hangs');
  for (const { name } of sound) await cluster.synced(WHERE, name, 30_000);
  await cluster.failing(WHERE, 'many-hangs-0', /could not get secret data/, 30_000);
  // While the third hangs: a change arrives everywhere else, and a new object has its Secret at return.
  await openBao.write('shared', { password: 'two' });
  for (const { name } of sound) await cluster.holds(WHERE, name, { password: 'two' }, WITHIN_MS);
  await create(externalSecret(WHERE, 'many-new', passwordOf('shared')));
  assert.deepEqual(await cluster.values(WHERE, 'many-new'), { password: 'two' });
});

describe('120 objects of five keys in sync', () => {
  const COUNT = 120;
  const INTERVAL_MS = 3_000;
  const PARTS = 3;
  const FOLDER = 'steady';
  const KEYS = ['a', 'b', 'c', 'd', 'e'];
  const names = Array.from({ length: COUNT }, (_, index) => `steady-${index}`);
  let phases: ReadonlyMap<string, number>;

  /** Three intervals and some from now on. */
  async function watched(): Promise<{
    since: Date;
    until: Date;
    reads: ReadonlyMap<string, readonly number[]>;
  }> {
    const since = new Date();
    const until = new Date(since.getTime() + 3 * INTERVAL_MS);
    await eventually(() => Date.now() >= until.getTime(), { timeout: 60_000, interval: 250 });
    return { since, until, reads: readsIn(openBao, FOLDER, since, until) };
  }

  /** S61 */
  function assertSpread(found: ReadonlyMap<string, number>): void {
    const parts = histogram(found.values(), INTERVAL_MS, PARTS);
    for (const part of parts) assert.ok(part <= (2 * COUNT) / PARTS, `reads by second: ${parts.join(', ')}`);
  }

  before(async () => {
    // Whatever the tests before have left behind would be heard.
    await bed.cp.kubectlOutput(['delete', 'externalsecrets,secretstores', '--all', '-n', WHERE]);
    await prepare(cluster, openBao, STEADY);
    await Promise.all(
      names.map((name) =>
        openBao.write(`${FOLDER}/${name}`, Object.fromEntries(KEYS.map((key) => [key, `${name}-${key}`]))),
      ),
    );
    const manifestOf = (name: string): Manifest => {
      const data = KEYS.map((key) => ({
        secretKey: key,
        remoteRef: { key: `${FOLDER}/${name}`, property: key },
      }));
      return externalSecret(STEADY, name, { refreshInterval: `${INTERVAL_MS / 1000}s`, data });
    };
    // A few at a time: how the API server takes a burst is measured elsewhere.
    const left = [...names];
    const maker = async (): Promise<void> => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) await create(manifestOf(name));
    };
    await Promise.all(Array.from({ length: 8 }, maker));
    for (const name of names) await cluster.synced(STEADY, name, 60_000);
    // The first refresh after an adoption compares the whole Secret once.
    const began = new Date();
    await eventually(
      () => {
        const reads = readsIn(openBao, FOLDER, began, new Date());
        return names.every((name) => (reads.get(name)?.length ?? 0) >= 2);
      },
      { timeout: 60_000, interval: 1_000 },
    );
  });

  test('S60 one read an object and interval, no login, no look at the token; none is forgotten', async () => {
    const { since, until, reads } = await watched();
    phases = phasesOf(reads, INTERVAL_MS);
    assert.equal(reads.size, COUNT);
    for (const [name, moments] of reads)
      assert.ok(moments.length >= 2 && moments.length <= 4, `${moments.length} reads of ${name}`);
    const sum = [...reads.values()].reduce((count, moments) => count + moments.length, 0);
    assert.ok(sum <= 3 * COUNT * 1.1, `${sum} reads in three intervals`);
    const others = openBao
      .auditLines()
      .filter(
        ({ type, time }) =>
          type === 'response' && Date.parse(time) >= since.getTime() && Date.parse(time) < until.getTime(),
      )
      .filter(({ request }) => request.path.startsWith('auth/'));
    assert.ok(others.length <= 1, others.map(({ request }) => request.path).join());
    assertSpread(phases);

    // S62, by the API server's own log.
    const requests = requestsOf(bed, 'poller', since).filter(
      ({ verb, objectRef, requestReceivedTimestamp: at }) =>
        verb !== 'watch' && objectRef?.resource !== 'leases' && new Date(at) < until,
    );
    assert.deepEqual(
      requests.map(({ verb, requestURI }) => `${verb} ${requestURI}`),
      [],
      'S62 no Secret, no status, no event, no read',
    );
  });

  test('S61 after a restart of the poller each object is read when it would have been, and not before', async () => {
    const restarted = new Date();
    // It gives its lease back, so the next one need not wait for that to run out.
    await bed.product.poller.stop();
    await bed.product.poller.start();
    const began = (): boolean => readsIn(openBao, FOLDER, restarted, new Date()).size === COUNT;
    await eventually(began, { timeout: 60_000, interval: 1_000 });
    const { reads } = await watched();
    const after = phasesOf(reads, INTERVAL_MS);
    assert.equal(reads.size, COUNT);
    assertSpread(after);
    const moved = names.filter((name) => {
      const distance = Math.abs((after.get(name) ?? 0) - (phases.get(name) ?? 0));
      return Math.min(distance, INTERVAL_MS - distance) > INTERVAL_MS / 8;
    });
    assert.ok(moved.length <= COUNT / 10, `${moved.length} objects are read at another moment`);
    const writes = writesOf(bed, 'poller', restarted).filter((write) =>
      / (secrets|externalsecrets\/status) .*steady-/.test(write),
    );
    assert.deepEqual(writes, [], 'S62 no write');
  });
});

test('S7 with provider, webhook and poller down, the Secret is there for every consumer as before', async () => {
  await create(externalSecret(WHERE, 'consumed', { secretStoreRef: { name: 'consumed' } }));
  await cluster.create(secretStore(WHERE, 'consumed', { provider: vaultProvider(openBao.address) }));
  await cluster.synced(WHERE, 'consumed', 30_000);
  const before = await cluster.get('Secret', WHERE, 'consumed');
  const { webhook, poller } = bed.product;
  await Promise.all([openBao.stop(), webhook.kill(), poller.kill()]);
  const pod = (name: string): Manifest => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: WHERE },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'main', envFrom: [{ secretRef: { name: 'consumed' } }] }],
    },
  });
  // Nothing runs Pods here; what one would be started from is what counts.
  await cluster.create(pod('consumer'));
  assert.deepEqual(valuesOf(await cluster.get('Secret', WHERE, 'consumed')), { password: 'hunter2' });
  await bed.cp.kubectlOutput(['delete', 'pod', 'consumer', '-n', WHERE, '--force']);
  await cluster.create(pod('consumer-again'));
  assert.deepEqual(await cluster.get('Secret', WHERE, 'consumed'), before);
});
