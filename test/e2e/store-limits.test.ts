/** What a provider is asked, and how often: limits of a store, pauses that it asks for, logins. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OUR_GROUP } from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { Cluster } from './support/cluster.ts';
import {
  clusterSecretStore,
  enableKubernetesAuth,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  requestsTo,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

const NAMESPACE = 'limits';
const OBJECTS = 40;
/** For waits of a machine on which much else goes on. */
const PATIENCE_MS = 60_000;

let bed: Bed;
let cluster: Cluster;

before(async () => {
  bed = await startBed({ openBao: { audit: true } });
  cluster = new Cluster(bed.cp);
  await cluster.create(namespace(NAMESPACE));
  await cluster.create(tokenSecret(NAMESPACE, bed.openBao.token));
});
after(() => bed.stop());

const names = (prefix: string): string[] =>
  Array.from({ length: OBJECTS }, (_, index) => `${prefix}-${index}`);

/** So many ExternalSecrets of a store, each with a remote secret of its own, each second. */
async function createAll(prefix: string, store: object): Promise<void> {
  for (const name of names(prefix)) {
    await bed.openBao.write(name, { password: 'hunter2' });
    await cluster.create(externalSecret(NAMESPACE, name, { secretStoreRef: store, ...passwordOf(name) }));
  }
  for (const name of names(prefix)) await cluster.synced(NAMESPACE, name, PATIENCE_MS);
}

async function removeAll(prefix: string): Promise<void> {
  for (const name of names(prefix)) await cluster.remove('ExternalSecret', NAMESPACE, name);
}

/** When OpenBao was asked for each of these secrets since a moment, milliseconds since the epoch, in order. */
function readsSince(prefix: string, since: number): { readonly key: string; readonly at: number }[] {
  return bed.openBao
    .auditLines()
    .filter(({ type, request }) => type === 'request' && request.path.startsWith(`secret/data/${prefix}-`))
    .map(({ request, time }) => ({ key: request.path, at: Date.parse(time) }))
    .filter(({ at }) => at >= since)
    .toSorted((a, b) => a.at - b.at);
}

/** The most of these moments that lie within one second. */
function peak(moments: readonly number[]): number {
  return Math.max(
    0,
    ...moments.map((from) => moments.filter((at) => at >= from && at < from + 1_000).length),
  );
}

/**
 * All in all there are no more than the rate allows. Within one second there may be more of them at the server, where a
 * busy machine lets it, or the network, lag behind and catch up.
 */
function assertPaced(moments: readonly number[], rate: number): void {
  const seconds = ((moments.at(-1) ?? 0) - (moments[0] ?? 0)) / 1_000;
  assert.ok(moments.length <= rate * (seconds + 0.5) + 1, `${moments.length} in ${seconds} s`);
  assert.ok(peak(moments) <= rate * 1.5, `${peak(moments)} in a second`);
}

const limits = (annotations: Readonly<Record<string, string | null>>): object => ({
  metadata: {
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, value]) => [`${OUR_GROUP}/${name}`, value]),
    ),
  },
});

describe('the rate of a store', () => {
  const RATE = 10;
  const waiting = (): Promise<number> =>
    bed.product.poller.metric('esa_store_waiting', {
      kind: 'SecretStore',
      namespace: NAMESPACE,
      name: 'vault',
    });

  /** Of another store, which has no limit. */
  const free = 'free-0';

  before(async () => {
    await prepare(cluster, bed.openBao, 'limits-free');
    await bed.openBao.write(free, { password: 'hunter2' });
    await cluster.create(externalSecret('limits-free', 'app', passwordOf(free)));
    await cluster.create(secretStore(NAMESPACE, 'vault', { provider: vaultProvider(bed.openBao.address) }));
    await createAll('rate', { name: 'vault' });
  });
  after(() => removeAll('rate'));

  test('S64 an annotation holds at once, is never exceeded, and nobody starves', async () => {
    await cluster.patch('SecretStore', NAMESPACE, 'vault', limits({ 'rate-limit': String(RATE) }));
    await eventually(async () => (await waiting()) > 0, { what: 'requests that wait' });
    const since = Date.now();
    const turn = (OBJECTS / RATE) * 1_000;
    await eventually(() => readsSince('rate', since).length >= 3 * OBJECTS, {
      timeout: PATIENCE_MS,
      what: 'three turns',
    });
    const reads = readsSince('rate', since);
    // The others notice nothing of it.
    const seconds = ((reads.at(-1)?.at ?? since) - since) / 1_000;
    const others = readsSince('free', since).length;
    assert.ok(others >= seconds / 2, `${others} refreshes of another store in ${seconds} s`);
    assertPaced(
      reads.map(({ at }) => at),
      RATE,
    );
    const byKey = Map.groupBy(reads, ({ key }) => key);
    assert.equal(byKey.size, OBJECTS);
    const last = reads.at(-1)?.at ?? 0;
    for (const [key, own] of byKey) {
      const moments = [since, ...own.map(({ at }) => at), last];
      const gaps = moments.slice(1).map((at, index) => at - (moments[index] ?? at));
      // An interval, a turn, and a moment for a busy machine.
      assert.ok(Math.max(...gaps) <= turn + 4_000, `${key}: ${Math.max(...gaps)} ms without a read`);
    }
    assert.equal((await cluster.ready('SecretStore', NAMESPACE, 'vault'))?.status, 'True');
    for (const name of names('rate')) {
      assert.equal((await cluster.ready('ExternalSecret', NAMESPACE, name))?.status, 'True');
    }
  });

  test('without it, all are read each second again, and the metric has no series', async () => {
    await cluster.patch('SecretStore', NAMESPACE, 'vault', limits({ 'rate-limit': null }));
    await eventually(() => peak(readsSince('rate', Date.now() - 3_000).map(({ at }) => at)) > 2 * RATE, {
      timeout: PATIENCE_MS,
      what: 'more reads than were allowed',
    });
    await eventually(async () => (await waiting()) === 0);
  });

  test('a change that makes no sense is refused, and of other annotations nobody is asked', async () => {
    const path = `/apis/external-secrets.io/v1/namespaces/${NAMESPACE}/secretstores/vault`;
    const patch = (body: object) =>
      bed.cp.request<{ message?: string }>('PATCH', path, body, {
        'content-type': 'application/merge-patch+json',
      });
    const reviews = () => bed.product.webhook.metric('esa_admission_reviews_total', { hook: 'validate' });
    const { status, body } = await patch(limits({ 'rate-limit': 'fast' }));
    assert.equal(status, 422);
    assert.match(
      body.message ?? '',
      /annotations\[external-secrets-admission\.io\/rate-limit\]: "fast" is not/,
    );
    const before = await reviews();
    assert.equal((await patch({ metadata: { annotations: { note: 'x' } } })).status, 200);
    assert.equal(await reviews(), before);
  });
});

test('S65 503 with Retry-After: nobody asks meanwhile, then by the limit, and nothing was lost', async (t) => {
  const RATE = 25;
  const proxy = await startFaultProxy(bed.openBao.address);
  t.after(() => proxy.stop());
  const metadata = limits({ 'rate-limit': String(RATE) });
  await cluster.create({
    ...secretStore(NAMESPACE, 'pauses', { provider: vaultProvider(proxy.address) }),
    metadata: { name: 'pauses', namespace: NAMESPACE, ...(metadata as { metadata: object }).metadata },
  });
  await createAll('pause', { name: 'pauses' });
  // Whoever creates has a share of his own.
  await sleep(1_000);
  const calls: { at: number; refused: boolean }[] = [];
  let down = true;
  proxy.fault = () => {
    calls.push({ at: performance.now(), refused: down });
    return down
      ? { kind: 'answer', status: 503, headers: { 'retry-after': '4' }, body: '{"errors":["maintenance"]}' }
      : undefined;
  };
  await eventually(() => calls.length > 0, { timeout: PATIENCE_MS, what: 'a request' });
  await sleep(3_000);
  // Those that were under way when the first was refused.
  assert.ok(calls.length <= 32, `${calls.length} requests in the pause`);
  down = false;
  await eventually(() => calls.filter(({ refused }) => !refused).length >= 3 * OBJECTS, {
    timeout: PATIENCE_MS,
    what: 'three turns after the pause',
  });
  const after = calls.filter(({ refused }) => !refused).map(({ at }) => at);
  assert.ok((after[0] ?? 0) - (calls[0]?.at ?? 0) >= 3_900, 'the pause was kept');
  assertPaced(after, RATE);
  for (const name of names('pause')) await cluster.synced(NAMESPACE, name, PATIENCE_MS);
  await removeAll('pause');
});

test('S63 S57 a poller that starts with many objects of one role logs in once, and again before the token ends', async () => {
  const LOGIN = 'auth/kubernetes/login';
  const account = { name: 'reader', namespace: NAMESPACE };
  await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account });
  await enableKubernetesAuth(bed, cluster, [
    { name: 'reader', serviceAccount: account.name, namespace: NAMESPACE, audience: 'vault' },
  ]);
  const serviceAccountRef = { ...account, audiences: ['vault'] };
  const auth = { kubernetes: { mountPath: 'kubernetes', role: 'reader', serviceAccountRef } };
  const provider = vaultProvider(bed.openBao.address, { auth });
  for (const name of ['one', 'two']) await cluster.create(clusterSecretStore(name, { provider }));
  await createAll('login', { kind: 'ClusterSecretStore', name: 'one' });
  await bed.product.poller.stop();
  const logins = () => requestsTo(bed.openBao, 'update', LOGIN);
  const before = logins();
  const since = Date.now();
  await bed.product.startPoller();
  await eventually(() => new Set(readsSince('login', since).map(({ key }) => key)).size === OBJECTS, {
    timeout: PATIENCE_MS,
    what: 'a read of each object',
  });
  for (const name of ['one', 'two']) {
    await eventually(
      async () => (await cluster.ready('ClusterSecretStore', undefined, name))?.status === 'True',
    );
  }
  assert.equal(logins() - before, 1);

  // A life of ten seconds, of which nine are used.
  await bed.openBao.request('POST', 'auth/kubernetes/role/reader', {
    bound_service_account_names: [account.name],
    bound_service_account_namespaces: [NAMESPACE],
    token_policies: ['reader'],
    token_ttl: '10s',
    token_max_ttl: '10s',
    audience: 'vault',
  });
  await bed.product.poller.stop();
  const early = logins();
  await bed.product.startPoller();
  const errors = () => bed.product.poller.metric('externalsecret_sync_calls_error');
  await eventually(() => logins() >= early + 3, { timeout: PATIENCE_MS, what: 'two logins more' });
  assert.equal(await errors(), 0);
  await removeAll('login');
});
