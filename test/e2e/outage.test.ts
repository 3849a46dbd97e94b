/**
 * One object over its life: made, refreshed, rotated, kept through every kind of outage, repaired, and
 * collected; and what our programs wrote, said and logged meanwhile.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LABEL_MANAGED } from '../../api/external-secrets/names.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { always, eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import { scrape } from '../harness/metrics.ts';
import type { OpenBao } from '../harness/openbao.ts';
import { requestsOf, writesOf } from './support/audit.ts';
import { Cluster } from './support/cluster.ts';
import {
  applyManifests,
  clusterSecretStore,
  enableKubernetesAuth,
  externalSecret,
  namespace,
  passwordOf,
  prepare,
  readSeed,
  requestsTo,
  vaultProvider,
} from './support/vault.ts';

/** Every value in this file begins with it; the last test looks for it wherever it must not be. */
const SENTINEL = 'SENTINEL-';
/** Long enough for an interval of one second and the poller's own work on a busy machine. */
const WITHIN_MS = 4_000;

let bed: Bed;
let cluster: Cluster;
let openBao: OpenBao;
let pollerPid: number;

before(async () => {
  bed = await startBed({ controlPlane: { audit: true }, openBao: { audit: true } });
  cluster = new Cluster(bed.cp);
  openBao = bed.openBao;
  pollerPid = bed.product.poller.pid;
});
after(() => bed.stop());

const secretWrites = (since: Date): readonly string[] =>
  (['webhook', 'poller'] as const)
    .flatMap((program) => writesOf(bed, program, since))
    .filter((write) => write.split(' ')[1] === 'secrets');

describe('Datadog keys, as the article has them, refreshed each second', () => {
  const DATADOG = ['datadog', 'datadog-secret'] as const;
  const keys = (api: string): Record<string, string> => ({
    DD_API_KEY: `${SENTINEL}${api}`,
    DD_APP_KEY: `${SENTINEL}app`,
  });
  const expected = (api: string): Record<string, string> => ({
    'api-key': `${SENTINEL}${api}`,
    'app-key': `${SENTINEL}app`,
  });
  const reads = (): number => requestsTo(openBao, 'read', 'secret/data/datadog');
  let began: Date;

  /** The Secret stays what it is while `Ready=False` comes up with this cause. */
  async function keptWhileFailing(cause: RegExp, timeout: number): Promise<void> {
    const before = await cluster.get('Secret', ...DATADOG);
    await cluster.failing(...DATADOG, cause, timeout);
    const now = await cluster.get('Secret', ...DATADOG);
    assert.deepEqual([now.metadata.uid, now.data], [before.metadata.uid, before.data]);
    assert.ok(bed.product.poller.isRunning());
    assert.equal(bed.product.poller.pid, pollerPid);
  }

  test('S1 the Secret has exactly the two keys', async () => {
    began = new Date();
    const role = { serviceAccount: 'external-secrets', namespace: 'external-secrets-system' };
    await enableKubernetesAuth(bed, cluster, [{ name: 'external-secrets', ...role }]);
    const account = { name: role.serviceAccount, namespace: role.namespace };
    await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account });
    await cluster.create(namespace('datadog'));
    await openBao.write('datadog', keys('first'));
    const stores = readSeed('seed000-fixture-clustersecretstore-vault.yaml', bed);
    const objects = readSeed('seed000-externalsecret-datadog.yaml', bed).map((manifest) => ({
      ...manifest,
      spec: { ...(manifest['spec'] as object), refreshInterval: '1s' },
    }));
    assert.equal((await applyManifests(bed.cp, stores)).code, 0);
    const { code, stderr } = await applyManifests(bed.cp, objects);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.deepEqual(await cluster.values(...DATADOG), expected('first'));
    assert.equal((await cluster.get('Secret', ...DATADOG)).type, 'Opaque');
    await cluster.synced(...DATADOG, WITHIN_MS);
  });

  test('S3 nothing but the Secret is made: no workload is touched, none needs to refer to it', () => {
    const written = (program: 'webhook' | 'poller'): string[] => [
      ...new Set(writesOf(bed, program, began).map((write) => write.split(' ')[1] ?? '')),
    ];
    const allowed = {
      webhook: ['secrets', 'subjectaccessreviews', 'leases', 'serviceaccounts/token'],
      poller: [
        'secrets',
        'externalsecrets/status',
        'clustersecretstores/status',
        'events',
        'leases',
        'serviceaccounts/token',
      ],
    };
    for (const program of ['webhook', 'poller'] as const) {
      assert.deepEqual(
        written(program).filter((resource) => !allowed[program].includes(resource)),
        [],
      );
    }
  });

  test('S4 ten intervals in sync: ten reads at Vault, no write at the API server but the leases', async () => {
    // What follows an adoption is over: its event, and the first refresh, which compares the whole Secret once.
    await eventually(async () => (await cluster.events('datadog')).length > 0);
    const adopted = reads();
    await eventually(() => reads() >= adopted + 2);
    await sleep(300);
    const before = await cluster.get('Secret', ...DATADOG);
    const readsBefore = reads();
    const since = new Date();
    await sleep(10_000);
    const count = reads() - readsBefore;
    assert.ok(count >= 8 && count <= 12, `${count} reads in ten seconds`);
    for (const program of ['webhook', 'poller'] as const) {
      const notLeases = writesOf(bed, program, since).filter((write) => !/^\w+ leases /.test(write));
      assert.deepEqual(notLeases, [], program);
    }
    const looked = requestsOf(bed, 'poller', since).filter(
      ({ verb, objectRef }) => verb !== 'watch' && objectRef?.resource !== 'leases',
    );
    assert.deepEqual(
      looked.map(({ verb, requestURI }) => `${verb} ${requestURI}`),
      [],
    );
    const now = await cluster.get('Secret', ...DATADOG);
    assert.equal(now.metadata.resourceVersion, before.metadata.resourceVersion);
  });

  test('S5 one key changes at Vault: one write of the Secret, the other key as it was', async () => {
    const since = new Date();
    await openBao.write('datadog', keys('second'));
    await cluster.holds(...DATADOG, expected('second'), 3_000);
    const readsBefore = reads();
    await eventually(() => reads() >= readsBefore + 2);
    assert.deepEqual(secretWrites(since), ['patch secrets datadog/datadog-secret']);
  });

  test('S6 Vault sealed: the Secret stays, the condition says why, it goes on by itself', async () => {
    await openBao.seal();
    await keptWhileFailing(/could not get secret data from provider: .*Vault is sealed/, WITHIN_MS);
    await openBao.unseal();
    await cluster.synced(...DATADOG, WITHIN_MS);
  });

  test('S6 Vault hangs: the same', async (t) => {
    t.after(() => openBao.resume());
    openBao.pause();
    await keptWhileFailing(/could not get secret data from provider: .*no answer/, 25_000);
    openBao.resume();
    await cluster.synced(...DATADOG, WITHIN_MS);
  });

  test('S20 deleted, it takes its Secret with it', needsGarbageCollection(), async () => {
    await cluster.remove('ExternalSecret', ...DATADOG);
    await eventually(async () => (await cluster.values(...DATADOG)) === undefined, {
      // It looks for new kinds each 30 s; until then it sees no deletion of an ExternalSecret.
      timeout: 40_000,
      what: 'garbage collection',
    });
  });
});

describe('drift', () => {
  const APP = ['drift', 'app'] as const;
  const expected = { password: `${SENTINEL}drift` };
  const reads = (): number => requestsTo(openBao, 'read', 'secret/data/drift');
  /** No refresh comes to help. */
  const interval = { refreshInterval: '1h' };

  before(async () => {
    await prepare(cluster, openBao, 'drift');
    await openBao.write('drift', expected);
    await cluster.create(externalSecret(...APP, { ...passwordOf('drift'), ...interval }));
    await cluster.synced(...APP);
  });

  test('a deleted Secret is made anew at once', async () => {
    const before = await cluster.get('Secret', ...APP);
    await cluster.remove('Secret', ...APP);
    await cluster.holds(...APP, expected, 2_000);
    const now = await cluster.get('Secret', ...APP);
    assert.notEqual(now.metadata.uid, before.metadata.uid);
    assert.equal(now.metadata.ownerReferences?.[0]?.name, 'app');
  });

  test('edited data is restored, a key that was added goes', async () => {
    const { metadata } = await cluster.get('Secret', ...APP);
    await cluster.patch('Secret', ...APP, {
      stringData: { password: `${SENTINEL}edited`, more: `${SENTINEL}x` },
    });
    await cluster.holds(...APP, expected, 2_000);
    assert.equal((await cluster.get('Secret', ...APP)).metadata.uid, metadata.uid);
  });

  test('the managed label and the ownerReference are restored', async () => {
    await cluster.patch('Secret', ...APP, { metadata: { labels: { [LABEL_MANAGED]: null } } });
    await eventually(
      async () => (await cluster.get('Secret', ...APP)).metadata.labels?.[LABEL_MANAGED] === 'true',
      { timeout: 2_000, what: 'the label' },
    );
    await cluster.patch('Secret', ...APP, { metadata: { ownerReferences: [] } });
    await eventually(
      async () => (await cluster.get('Secret', ...APP)).metadata.ownerReferences?.length === 1,
      {
        timeout: 2_000,
        what: 'the ownerReference',
      },
    );
  });

  test("somebody's own label stays, and Vault is not asked because of it", async () => {
    // What the repairs before left to be seen is over when nothing is asked for a while.
    await sleep(500);
    const before = reads();
    const since = new Date();
    const metadata = { labels: { team: 'payments' }, annotations: { note: 'mine' } };
    await cluster.patch('Secret', ...APP, { metadata });
    await always(
      async () => {
        const now = await cluster.get('Secret', ...APP);
        assert.equal(now.metadata.labels?.['team'], 'payments');
        assert.equal(now.metadata.annotations?.['note'], 'mine');
      },
      { duration: 1_500 },
    );
    assert.equal(reads(), before);
    assert.deepEqual(secretWrites(since), []);
    // A write of ours leaves it alone, too.
    await openBao.write('drift', { password: `${SENTINEL}new` });
    await cluster.patch('ExternalSecret', ...APP, { metadata: { annotations: { 'force-sync': '1' } } });
    await cluster.holds(...APP, { password: `${SENTINEL}new` }, 2_000);
    assert.equal((await cluster.get('Secret', ...APP)).metadata.labels?.['team'], 'payments');
  });
});

describe('what is copied from the ExternalSecret', () => {
  test('a copied label that somebody removed comes back with the next refresh', async () => {
    const metadata = { labels: { team: 'payments' }, annotations: { note: 'copied' } };
    await cluster.create(externalSecret('drift', 'labelled', passwordOf('drift'), metadata));
    await cluster.synced('drift', 'labelled');
    await cluster.patch('Secret', 'drift', 'labelled', {
      metadata: { labels: { team: null, other: 'x' }, annotations: { note: 'edited' } },
    });
    await eventually(
      async () => {
        const { labels, annotations } = (await cluster.get('Secret', 'drift', 'labelled')).metadata;
        assert.deepEqual(
          [labels?.['team'], annotations?.['note'], labels?.['other']],
          ['payments', 'copied', 'x'],
        );
        return true;
      },
      { timeout: WITHIN_MS, what: 'the copies' },
    );
  });

  test('one that is taken from the ExternalSecret goes from the Secret', async () => {
    const metadata = { labels: { team: null, shop: 'books' }, annotations: { note: null } };
    await cluster.patch('ExternalSecret', 'drift', 'labelled', { metadata });
    await eventually(
      async () => {
        const { labels, annotations } = (await cluster.get('Secret', 'drift', 'labelled')).metadata;
        const seen = [labels?.['team'], annotations?.['note'], labels?.['shop'], labels?.['other']];
        assert.deepEqual(seen, [undefined, undefined, 'books', 'x']);
        return true;
      },
      { timeout: WITHIN_MS, what: 'the copies' },
    );
  });
});

describe('Vault is gone', () => {
  const APP = ['outage', 'app'] as const;
  const expected = { password: `${SENTINEL}outage` };
  let secret: Awaited<ReturnType<typeof cluster.get<'Secret'>>>;
  const untouched = async (): Promise<void> => {
    const now = await cluster.get('Secret', ...APP);
    assert.deepEqual(
      [now.metadata.uid, now.metadata.resourceVersion, now.data],
      [secret.metadata.uid, secret.metadata.resourceVersion, secret.data],
    );
  };

  before(async () => {
    await prepare(cluster, openBao, 'outage');
    await openBao.write('outage', expected);
    await cluster.create(externalSecret(...APP, passwordOf('outage')));
    await cluster.synced(...APP);
    secret = await cluster.get('Secret', ...APP);
  });

  test('S6 connections are refused: the Secret stays; S9 it is tried once an interval', async () => {
    await openBao.stop();
    await cluster.failing(...APP, /could not get secret data from provider: .*connection refused/, WITHIN_MS);
    const labels = { namespace: 'outage', name: 'app' };
    const attempts = (): Promise<number> =>
      bed.product.poller.metric('externalsecret_sync_calls_total', labels);
    const before = await attempts();
    await always(untouched, { duration: 4_000, interval: 200 });
    const made = (await attempts()) - before;
    assert.ok(made >= 2 && made <= 5, `${made} attempts in four seconds`);
    assert.equal(bed.product.poller.pid, pollerPid);
    assert.ok(bed.product.poller.isRunning());
  });

  test('acceptance 4: a create succeeds with one warning, with require-sync it is refused', async () => {
    const created = await cluster.attempt(externalSecret('outage', 'during', passwordOf('outage')));
    assert.equal(created.status, 201);
    assert.equal(created.warnings.length, 1);
    assert.ok((created.warnings[0]?.length ?? 0) <= 120);
    assert.equal(await cluster.values('outage', 'during'), undefined);
    const annotations = { 'external-secrets-admission.io/require-sync': 'true' };
    const strict = externalSecret('outage', 'strict', passwordOf('outage'), { annotations });
    const refused = await cluster.attempt(strict);
    assert.equal(refused.status, 503);
    assert.match(refused.body.message ?? '', /Secret outage\/strict .*require-sync.*connection refused/);
    assert.equal(await cluster.find('ExternalSecret', 'outage', 'strict'), undefined);
  });

  test('S10 Vault comes back empty: the Secret stays, the path is named', async () => {
    await openBao.start();
    await cluster.failing(...APP, /read secret\/data\/outage: no such secret/, WITHIN_MS);
    await untouched();
  });

  test('S11 the values are put back from the Secret: Ready again, and no write of the Secret', async () => {
    const kept = await cluster.values(...APP);
    const since = new Date();
    await openBao.write('outage', kept ?? {});
    await cluster.synced(...APP, WITHIN_MS);
    await untouched();
    assert.deepEqual(
      secretWrites(since).filter((write) => write.endsWith('outage/app')),
      [],
    );
  });

  test('acceptance 4: the Secret of the create during the outage appears', async () => {
    await cluster.synced('outage', 'during', WITHIN_MS);
    assert.deepEqual(await cluster.values('outage', 'during'), expected);
  });

  test('S8 Vault comes back with other values: they are there within two intervals', async () => {
    await openBao.stop();
    await cluster.failing(...APP, /connection refused/, WITHIN_MS);
    await sleep(3_000);
    await openBao.start();
    await openBao.write('outage', { password: `${SENTINEL}rotated` });
    await cluster.holds(...APP, { password: `${SENTINEL}rotated` }, 3_000);
    await cluster.synced(...APP, WITHIN_MS);
    assert.equal((await cluster.get('Secret', ...APP)).metadata.uid, secret.metadata.uid);
  });
});

describe('Vault comes back before its auth method does', () => {
  test('S8 with kubernetes auth, the first login that is possible again heals', async () => {
    const account = { name: 'external-secrets', namespace: 'external-secrets-system' };
    const role = { name: 'late', serviceAccount: account.name, namespace: account.namespace };
    if ((await cluster.find('ServiceAccount', account.namespace, account.name)) === undefined)
      await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account });
    await enableKubernetesAuth(bed, cluster, [role]);
    const auth = { kubernetes: { mountPath: 'kubernetes', role: role.name, serviceAccountRef: account } };
    const provider = vaultProvider(openBao.address, { auth });
    await cluster.create(clusterSecretStore('late-login', { provider }));
    await cluster.create(namespace('late-login'));
    await openBao.write('late', { password: `${SENTINEL}before` });
    const secretStoreRef = { kind: 'ClusterSecretStore', name: 'late-login' };
    await cluster.create(externalSecret('late-login', 'late', { secretStoreRef, ...passwordOf('late') }));
    await cluster.synced('late-login', 'late', WITHIN_MS);

    await openBao.stop();
    await openBao.start();
    await openBao.write('late', { password: `${SENTINEL}after` });
    await cluster.failing('late-login', 'late', /login at auth\/kubernetes\/login|denied/, WITHIN_MS);
    await sleep(2_000);
    await enableKubernetesAuth(bed, cluster, [role]);
    await cluster.holds('late-login', 'late', { password: `${SENTINEL}after` }, 3_000);
    await cluster.synced('late-login', 'late', WITHIN_MS);
  });
});

describe('what may be seen', () => {
  test('S13 no value in any object but the Secrets, no event, log, metric or audit record', async () => {
    // Mistakes that come close to a value: a property of text, a map that is none.
    await openBao.write('seen', { password: `${SENTINEL}seen` });
    const data = [{ secretKey: 'password', remoteRef: { key: 'seen', property: 'password.length' } }];
    await cluster.attempt(externalSecret('outage', 'no-property', { data }));
    const dataFrom = [{ extract: { key: 'seen', property: 'password' } }];
    await cluster.attempt(externalSecret('outage', 'no-object', { data: [], dataFrom }));
    for (const name of ['no-property', 'no-object'])
      await cluster.failing('outage', name, /error processing/);

    const list = async (path: string): Promise<string> =>
      JSON.stringify((await bed.cp.request('GET', path)).body);
    const group = '/apis/external-secrets.io/v1';
    const { webhook, poller } = bed.product;
    const places: Record<string, string> = {
      ExternalSecrets: await list(`${group}/externalsecrets`),
      SecretStores: await list(`${group}/secretstores`),
      ClusterSecretStores: await list(`${group}/clustersecretstores`),
      events: await list('/api/v1/events'),
      'log of the webhook': readFileSync(webhook.log, 'utf8'),
      'log of the poller': readFileSync(poller.log, 'utf8'),
      'metrics of the webhook': await scrape(webhook.metricsUrl),
      'metrics of the poller': await scrape(poller.metricsUrl),
      'audit log of the API server': JSON.stringify(bed.cp.auditEvents()),
    };
    const secrets = await list('/api/v1/namespaces/outage/secrets');
    // The first bytes of a value look the same in base64, whatever comes after.
    const encoded = Buffer.from(SENTINEL).toString('base64');
    assert.ok(secrets.includes(encoded), 'the search itself works');
    const annotations = (JSON.parse(secrets) as { items: { metadata: object }[] }).items.map(
      ({ metadata }) => metadata,
    );
    places['metadata of Secrets'] = JSON.stringify(annotations);
    for (const [place, text] of Object.entries(places)) {
      assert.ok(text.length > 100, place);
      for (const needle of [SENTINEL, encoded]) assert.ok(!text.includes(needle), `${place} holds a value`);
      assert.ok(!text.includes('eyJhbGciOi'), `${place} holds a JWT`);
    }
  });
});
