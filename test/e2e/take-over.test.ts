/**
 * Taken over from External Secrets Operator: objects and Secrets as it leaves them, for each creationPolicy. No
 * Secret is written, and from then on each is kept as any other.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FINALIZER_ESO } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import type { SecretObject } from '../../kube/objects.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';
import type { OpenBao } from '../harness/openbao.ts';
import { writesOf } from './support/audit.ts';
import { Cluster, valuesOf } from './support/cluster.ts';
import { type EsoSecretOptions, secretManager, secretOfEso, syncedByEso } from './support/eso.ts';
import {
  administer,
  externalSecret,
  namespace,
  requestsTo,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

const WHERE = 'from-eso';
const WITHIN_MS = 10_000;
/** The garbage collector looks for new kinds each 30 s; until then it sees no deletion of an ExternalSecret. */
const GARBAGE_MS = 40_000;
const FIRST = { password: 'hunter2', user: 'u' };
const SECOND = { password: 'rotated', user: 'u' };
const THEIRS = { theirs: 'kept' };

interface Case {
  readonly name: string;
  readonly spec?: object;
  readonly metadata?: object;
  /** What ESO made; undefined: nothing. */
  readonly secret?: EsoSecretOptions & { readonly values?: Readonly<Record<string, string>> };
  /** What its Ready condition says, if it is not that it is in sync. */
  readonly condition?: { readonly status?: 'False'; readonly reason: string; readonly message: string };
  /** True: nothing stands at the provider. */
  readonly gone?: true;
  /** What the Secret holds once the provider has other values; undefined: there is none. */
  readonly later: Readonly<Record<string, string>> | undefined;
  /** False if time alone does not make it be read. */
  readonly polled?: false;
}

const merge = { policy: 'Merge', others: THEIRS } as const;
const createOrMerge = { policy: 'CreateOrMerge' } as const;
const templated = {
  type: 'kubernetes.io/basic-auth',
  mergePolicy: 'Merge',
  metadata: { labels: { tier: '{{ .user }}' }, annotations: { note: 'of {{ .user }}' } },
  data: { username: '{{ .user }}', url: 'x://{{ .password }}' },
};
const TEMPLATED = {
  type: 'kubernetes.io/basic-auth',
  template: { labels: { tier: 'u' }, annotations: { note: 'of u' } },
  values: { ...FIRST, username: 'u', url: 'x://hunter2' },
};
const TEMPLATED_THEN = { ...SECOND, username: 'u', url: 'x://rotated' };

/** The one object whose status there is something to say about. */
const FAILED = 'failed';

const CASES: readonly Case[] = [
  { name: 'owner', secret: {}, later: SECOND },
  {
    name: 'owner-labelled',
    metadata: {
      labels: { team: 'payments', 'argocd.argoproj.io/instance': 'shop' },
      annotations: { note: 'ä', 'kubectl.kubernetes.io/last-applied-configuration': '{"a":1}\n' },
    },
    secret: {},
    later: SECOND,
  },
  {
    name: 'owner-renamed',
    spec: { target: { name: 'another-name' } },
    secret: { name: 'another-name' },
    later: SECOND,
  },
  {
    name: 'owner-template',
    spec: { target: { template: templated } },
    secret: TEMPLATED,
    later: TEMPLATED_THEN,
  },
  { name: `owner-${'n'.repeat(40)}`, secret: {}, later: SECOND },
  { name: `owner-${'n'.repeat(100)}`, secret: {}, later: SECOND },
  {
    name: 'owner-immutable',
    spec: { target: { immutable: true } },
    secret: { immutable: true, values: { password: 'frozen long ago', user: 'u' } },
    later: { password: 'frozen long ago', user: 'u' },
  },
  { name: 'owner-hourly', spec: { refreshInterval: '1h' }, secret: {}, later: FIRST, polled: false },
  { name: 'owner-once', spec: { refreshPolicy: 'CreatedOnce' }, secret: {}, later: FIRST, polled: false },
  { name: 'owner-on-change', spec: { refreshPolicy: 'OnChange' }, secret: {}, later: FIRST, polled: false },
  { name: 'owner-zero', spec: { refreshInterval: '0' }, secret: {}, later: FIRST, polled: false },
  {
    name: 'orphan',
    spec: { target: { creationPolicy: 'Orphan' } },
    secret: { policy: 'Orphan' },
    later: SECOND,
  },
  {
    name: 'orphan-template',
    spec: { target: { creationPolicy: 'Orphan', template: templated } },
    secret: { policy: 'Orphan', ...TEMPLATED },
    later: TEMPLATED_THEN,
  },
  {
    name: 'merge',
    spec: { target: { creationPolicy: 'Merge' } },
    secret: merge,
    later: { ...THEIRS, ...SECOND },
  },
  {
    name: 'merge-hourly',
    spec: { target: { creationPolicy: 'Merge' }, refreshInterval: '1h' },
    secret: merge,
    later: { ...THEIRS, ...FIRST },
    polled: false,
  },
  {
    name: 'merge-template',
    spec: { target: { creationPolicy: 'Merge', template: templated } },
    secret: { ...merge, ...TEMPLATED },
    later: { ...THEIRS, ...TEMPLATED_THEN },
  },
  {
    name: 'create-or-merge',
    spec: { target: { creationPolicy: 'CreateOrMerge' } },
    secret: createOrMerge,
    later: SECOND,
  },
  {
    name: 'create-or-merge-shared',
    metadata: { labels: { team: 'payments' }, annotations: { note: 'x' } },
    spec: { target: { creationPolicy: 'CreateOrMerge' } },
    secret: { ...createOrMerge, others: THEIRS },
    later: { ...THEIRS, ...SECOND },
  },
  {
    name: 'create-or-merge-immutable',
    spec: { target: { creationPolicy: 'CreateOrMerge', immutable: true } },
    secret: { ...createOrMerge, immutable: true },
    later: FIRST,
  },
  { name: 'none', spec: { target: { creationPolicy: 'None' } }, later: undefined },
  {
    // Its last refresh failed; the Secret is that of an earlier one.
    name: FAILED,
    secret: {},
    condition: {
      status: 'False',
      reason: 'SecretSyncedError',
      message: 'could not get secret data from provider',
    },
    later: SECOND,
  },
  {
    name: 'merge-missing',
    spec: { target: { creationPolicy: 'Merge' } },
    condition: { reason: 'SecretMissing', message: 'secret will not be created due to CreationPolicy=Merge' },
    later: undefined,
  },
  {
    name: 'deleted',
    spec: { target: { deletionPolicy: 'Delete' } },
    condition: { reason: 'SecretDeleted', message: 'secret deleted due to DeletionPolicy=Delete' },
    gone: true,
    later: SECOND,
  },
];

let bed: Bed;
let cluster: Cluster;
let openBao: OpenBao;

const remoteOf = ({ name }: Case): string => `taken/${name}`;
const targetOf = ({ name, secret }: Case): string => secret?.name ?? name;
const readsOf = (one: Case): number => requestsTo(openBao, 'read', `secret/data/${remoteOf(one)}`);
const secretOf = (one: Case): Promise<SecretObject | undefined> =>
  cluster.find('Secret', WHERE, targetOf(one));
const objectOf = ({ name }: Case): Promise<ExternalSecret> => cluster.get('ExternalSecret', WHERE, name);

/** A write as the field manager of ESO or of somebody else; POST, or PUT of what is there. */
async function write(method: 'POST' | 'PUT', manager: string, name: string, body: object): Promise<void> {
  const path = `/api/v1/namespaces/${WHERE}/secrets${method === 'PUT' ? `/${name}` : ''}`;
  const { status, body: answer } = await bed.cp.request<{ message?: string }>(
    method,
    `${path}?fieldManager=${encodeURIComponent(manager)}`,
    body,
  );
  assert.ok(status < 300, answer.message ?? '');
}

/** The object with its finalizer and status, and its Secret: made, or merged into that of another. */
async function leave(one: Case): Promise<void> {
  const { name, spec, metadata = {}, secret, condition } = one;
  if (one.gone !== true) await openBao.write(remoteOf(one), FIRST);
  const dataFrom = [{ extract: { key: remoteOf(one) } }];
  await cluster.attempt(
    externalSecret(
      WHERE,
      name,
      { data: undefined, dataFrom, ...spec },
      {
        finalizers: [FINALIZER_ESO],
        ...metadata,
      },
    ),
  );
  const { metadata: stored } = await objectOf(one);
  const status = syncedByEso(stored, secret === undefined ? undefined : targetOf(one), condition);
  await cluster.patch('ExternalSecret', WHERE, name, { status }, { subresource: 'status' });
  if (secret === undefined) return;
  const { values = FIRST, others, ...options } = secret;
  const made = secretOfEso(stored, values, { ...options, ...(others === undefined ? {} : { others }) });
  if (others === undefined) {
    await write('POST', secretManager(name), targetOf(one), made);
    return;
  }
  const bare = { name: targetOf(one), namespace: WHERE, labels: { kept: 'too' } };
  const { type } = made;
  // Types that ask for certain keys were there with them.
  const required = type === 'kubernetes.io/basic-auth' ? { username: 'u' } : {};
  const before = {
    apiVersion: 'v1',
    kind: 'Secret',
    type,
    metadata: bare,
    stringData: { ...others, ...required },
  };
  await write('POST', 'kubectl-create', targetOf(one), before);
  const labels = { ...(made.metadata['labels'] as object), ...bare.labels };
  await write('PUT', secretManager(name), targetOf(one), { ...made, metadata: { ...made.metadata, labels } });
}

describe('taken over from External Secrets Operator', () => {
  const left = new Map<string, { secret: SecretObject | undefined; object: ExternalSecret }>();
  let since: Date;

  before(async () => {
    bed = await startBed({ controlPlane: { audit: true }, openBao: { audit: true } });
    cluster = new Cluster(bed.cp);
    openBao = bed.openBao;
    await bed.product.poller.stop();
    await cluster.create(namespace(WHERE));
    await cluster.create(tokenSecret(WHERE, openBao.token));
    // Without its store admission makes nothing.
    await Promise.all(CASES.map(leave));
    await cluster.create(secretStore(WHERE, 'vault', { provider: vaultProvider(openBao.address) }));
    for (const one of CASES) left.set(one.name, { secret: await secretOf(one), object: await objectOf(one) });
    since = new Date();
    await bed.product.poller.start();
    const polled = CASES.filter((one) => one.polled !== false);
    await eventually(() => polled.every((one) => readsOf(one) >= 3), {
      timeout: 30_000,
      what: 'three reads of each object',
    });
  });
  after(() => bed.stop());

  test('not one write: no Secret, no object; only what the status of store and failed object has to say', () => {
    const writes = (['poller', 'webhook'] as const).flatMap((program) => writesOf(bed, program, since));
    assert.deepEqual(
      writes.filter((one) => one.includes(` ${WHERE}/`) && !one.includes(' events ')).toSorted(),
      [`patch externalsecrets/status ${WHERE}/${FAILED}`, `patch secretstores/status ${WHERE}/vault`],
    );
  });

  for (const one of CASES) {
    test(`${one.name}: Secret and object are as they were`, async () => {
      const { secret, object } = left.get(one.name) ?? {};
      assert.deepEqual(await secretOf(one), secret);
      assert.equal(secret === undefined, one.secret === undefined);
      if (one.name === FAILED) await cluster.synced(WHERE, FAILED, WITHIN_MS);
      else assert.deepEqual(await objectOf(one), object);
    });
  }

  test('what is not due was not read', () => {
    for (const one of CASES) if (one.polled === false) assert.equal(readsOf(one), 0, one.name);
  });

  test('from then on each is kept as any other', async () => {
    for (const one of CASES) await openBao.write(remoteOf(one), SECOND);
    for (const one of CASES) {
      if (one.later !== undefined) await cluster.holds(WHERE, targetOf(one), one.later, WITHIN_MS);
      else assert.equal(await secretOf(one), undefined, one.name);
    }
    // What was merged into others' Secrets stayed theirs.
    for (const one of CASES) {
      if (one.secret?.others === undefined) continue;
      assert.equal((await secretOf(one))?.metadata.labels?.['kept'], 'too', one.name);
    }
  });

  test('drift of what ESO made is put right, and its markers with it', async () => {
    const [one] = CASES.filter(({ name }) => name === 'owner-hourly');
    assert.ok(one !== undefined);
    const before = await secretOf(one);
    await cluster.patch('Secret', WHERE, one.name, { stringData: { password: 'edited', more: 'x' } });
    await cluster.holds(WHERE, one.name, SECOND, WITHIN_MS);
    const after = await secretOf(one);
    assert.deepEqual(after?.metadata.ownerReferences, before?.metadata.ownerReferences);
    assert.deepEqual(after?.metadata.labels, before?.metadata.labels);
  });

  test('a key that ESO merged and the spec drops goes, those of others stay', async () => {
    const data = [{ secretKey: 'user', remoteRef: { key: 'taken/merge', property: 'user' } }];
    await cluster.patch('ExternalSecret', WHERE, 'merge', { spec: { data, dataFrom: null } });
    await cluster.holds(WHERE, 'merge', { ...THEIRS, user: 'u' }, WITHIN_MS);
  });

  test('gone at the provider: its deletionPolicy holds', async () => {
    const spec = { target: { deletionPolicy: 'Delete' } };
    await cluster.patch('ExternalSecret', WHERE, 'owner', { spec });
    await administer(openBao, 'DELETE', 'secret/metadata/taken/owner');
    await eventually(async () => (await cluster.values(WHERE, 'owner')) === undefined, {
      timeout: WITHIN_MS,
    });
  });

  test(
    'deleted, they go although they have ESO’s finalizer; Secrets go with their owners, others stay',
    needsGarbageCollection(),
    async () => {
      const [owned, orphan, merged] = ['owner-labelled', 'orphan', 'create-or-merge-shared'];
      for (const name of [owned, orphan, merged]) {
        await cluster.remove('ExternalSecret', WHERE, name ?? '');
        await eventually(async () => (await cluster.find('ExternalSecret', WHERE, name ?? '')) === undefined);
      }
      await eventually(async () => (await cluster.values(WHERE, owned ?? '')) === undefined, {
        timeout: GARBAGE_MS,
      });
      const kept = await cluster.get('Secret', WHERE, orphan ?? '');
      assert.deepEqual(valuesOf(kept), SECOND);
      assert.deepEqual(await cluster.values(WHERE, merged ?? ''), { ...THEIRS, ...SECOND });
    },
  );
});
