/** Runs the common cases (common-cases.ts) on a provider. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SecretObject } from '../../../kube/objects.ts';
import { always, eventually } from '../../harness/eventually.ts';
import { type CommonCase, commonCases, configMap, type Dialect, type RemoteSecret } from '../common-cases.ts';
import { type Cluster, valuesOf } from './cluster.ts';
import { externalSecret } from './vault.ts';

export interface StoreReference {
  readonly name: string;
  readonly kind: 'SecretStore' | 'ClusterSecretStore';
}

const referenceOf = (store: string | StoreReference) => (typeof store === 'string' ? { name: store } : store);

export interface CommonBackend {
  readonly cluster: Cluster;
  /** Namespace of the ExternalSecrets. */
  readonly where: string;
  /** Writes these secrets. @returns the store that reads them; a name alone is that of a SecretStore */
  readonly prepare: (
    name: string,
    remote: Readonly<Record<string, RemoteSecret>>,
  ) => Promise<string | StoreReference>;
  /** To the provider they never were. */
  readonly remove: (name: string, keys: readonly string[]) => Promise<void>;
}

export interface CommonOptions {
  readonly dialect: Dialect;
  /** What the provider cannot do, with the words in which an ExternalSecret is refused for it. */
  readonly refused?: Partial<Record<NonNullable<CommonCase['needs']>, RegExp>>;
  /** Cases of this provider alone. */
  readonly more?: readonly CommonCase[];
  /** These cases alone, where others run them all; `MATRIX=all` runs all of them with every way to log in. */
  readonly only?: readonly string[];
}

const WITHIN_MS = 10_000;
/** As long as a test watches that a synced object has come to rest: a loop through the status shows in no time. */
const AT_REST_MS = 5_000;

const kebab = (name: string): string => name.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();

/** @param backend called when tests run, so that it may give what a `before` hook has started */
export function commonSuite(provider: string, backend: () => CommonBackend, options: CommonOptions): void {
  const cases = [...commonCases(options.dialect), ...(options.more ?? [])];
  const isWanted = (name: string): boolean =>
    process.env['MATRIX'] === 'all' || options.only?.includes(name) !== false;
  describe(`9.2 the common cases on ${provider}`, { concurrency: 8 }, () => {
    for (const one of cases) {
      if (!isWanted(one.name)) continue;
      const refusal = one.needs === undefined ? undefined : options.refused?.[one.needs];
      if (refusal === undefined) test(one.name, () => assertGives(backend(), one));
      else test(`${one.name}: refused`, () => assertRefused(backend(), one, refusal));
    }
    if (isWanted('DeletionPolicyDelete'))
      test('DeletionPolicyDelete', () => assertDeleted(backend(), options.dialect));
    if (isWanted('StatusNotUpdatedAfterSuccessfulSync'))
      test('StatusNotUpdatedAfterSuccessfulSync', () => assertAtRest(backend(), options.dialect));
  });
}

const targetOf = ({ name, ownName }: CommonCase): string => kebab(ownName === true ? name : `${name}Target`);

function manifestOf(where: string, one: CommonCase, store: string | StoreReference) {
  const target = { ...one.target, ...(one.ownName === true ? {} : { name: targetOf(one) }) };
  // Once they are right they need no more of the machine.
  const spec = {
    data: undefined,
    refreshInterval: '1h',
    ...one.spec,
    secretStoreRef: referenceOf(store),
    target,
  };
  return externalSecret(where, kebab(one.name), spec);
}

/** The Secret is right when the create returns, and the same Secret once the poller has it. */
async function assertGives({ cluster, where, prepare }: CommonBackend, one: CommonCase): Promise<void> {
  const store = await prepare(kebab(one.name), one.remote);
  for (const [name, data] of Object.entries(one.configMaps ?? {}))
    await cluster.create(configMap(where, name, data));
  const { status, body, warnings } = await cluster.attempt(manifestOf(where, one, store));
  assert.deepEqual([status, warnings], [201, []], body.message ?? '');
  const atReturn = await cluster.get('Secret', where, targetOf(one));
  assertExpected(atReturn, one);
  await cluster.synced(where, kebab(one.name), WITHIN_MS);
  const adopted = await cluster.get('Secret', where, targetOf(one));
  assertExpected(adopted, one);
  assert.equal(adopted.metadata.uid, atReturn.metadata.uid);
  const owners = adopted.metadata.ownerReferences?.map(({ kind, name }) => `${kind} ${name}`);
  assert.deepEqual(owners, [`ExternalSecret ${kebab(one.name)}`]);
}

function assertExpected(secret: SecretObject, { expected }: CommonCase): void {
  const { labels = {}, annotations = {} } = secret.metadata;
  assert.deepEqual(valuesOf(secret), expected.data);
  assert.equal(secret.type, expected.type ?? 'Opaque');
  for (const [key, value] of Object.entries(expected.labels ?? {})) assert.equal(labels[key], value);
  for (const [key, value] of Object.entries(expected.annotations ?? {}))
    assert.equal(annotations[key], value);
}

/** Another store may be able to do it, so the create succeeds; warning and condition say why there is no Secret. */
async function assertRefused(backend: CommonBackend, one: CommonCase, message: RegExp): Promise<void> {
  const { cluster, where, prepare } = backend;
  const store = await prepare(kebab(one.name), one.remote);
  const { status, warnings } = await cluster.attempt(manifestOf(where, one, store));
  assert.deepEqual([status, warnings.length], [201, 1]);
  assert.match(warnings.join(), message);
  await cluster.failing(where, kebab(one.name), message, WITHIN_MS);
  assert.equal(await cluster.values(where, targetOf(one)), undefined);
}

async function assertDeleted({ cluster, where, prepare, remove }: CommonBackend, dialect: Dialect) {
  const name = 'deletion-policy-delete';
  const keys = ['deleted/one', 'deleted/two'];
  const store = await prepare(name, Object.fromEntries(keys.map((key) => [key, { value: `of ${key}` }])));
  const data = keys.map((key) => ({ secretKey: key.slice(8), remoteRef: dialect.text(key) }));
  const target = { deletionPolicy: 'Delete' };
  const { status } = await cluster.attempt(
    externalSecret(where, name, { secretStoreRef: referenceOf(store), target, data }),
  );
  assert.equal(status, 201);
  const values = { one: 'of deleted/one', two: 'of deleted/two' };
  assert.deepEqual(await cluster.values(where, name), values);
  await cluster.synced(where, name, WITHIN_MS);
  assert.deepEqual(await cluster.values(where, name), values);
  await remove(name, keys);
  await eventually(async () => (await cluster.values(where, name)) === undefined, { timeout: WITHIN_MS });
  await eventually(
    async () => (await cluster.ready('ExternalSecret', where, name))?.reason === 'SecretDeleted',
  );
  await cluster.remove('ExternalSecret', where, name);
}

async function assertAtRest({ cluster, where, prepare }: CommonBackend, dialect: Dialect): Promise<void> {
  const name = 'at-rest';
  const store = await prepare(name, { 'at-rest/one': { value: 'x' } });
  const data = [{ secretKey: 'one', remoteRef: dialect.text('at-rest/one') }];
  await cluster.create(
    externalSecret(where, name, { secretStoreRef: referenceOf(store), refreshInterval: '1h', data }),
  );
  await cluster.synced(where, name, WITHIN_MS);
  const { metadata, status } = await cluster.get('ExternalSecret', where, name);
  await always(
    async () => {
      const now = await cluster.get('ExternalSecret', where, name);
      assert.equal(now.metadata.resourceVersion, metadata.resourceVersion);
      assert.deepEqual(now.status, status);
    },
    { duration: AT_REST_MS, interval: 500 },
  );
}
