import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EsaError } from '../api/errors.ts';
import type { ClusterSecretPolicy, ClusterSecretPolicySpec } from '../api/policy/cluster-secret-policy.ts';
import { SyncError } from './errors.ts';
import { NO_POLICIES, PolicyBook } from './policies.ts';
import { bindForValidation, deniedIn, enforce, ownUse, PolicyDenied } from './policy-gate.ts';
import { bindStore, type StoreObject } from './stores.ts';

const policy = (name: string, spec: ClusterSecretPolicySpec): ClusterSecretPolicy => ({
  apiVersion: 'external-secrets-admission.io/v1alpha1',
  kind: 'ClusterSecretPolicy',
  metadata: { name },
  spec,
});
const unasked = async (): Promise<never> => {
  throw new Error('labels were read');
};
const object = { labels: {}, spec: { target: { creationPolicy: 'Orphan' as const } } };

test('labels are read only where some policy chooses by them', async () => {
  const book = new PolicyBook('allow');
  assert.equal(await book.of('n', unasked), NO_POLICIES);
  book.upsert(policy('all', { creationPolicies: ['Owner'] }));
  assert.equal((await book.of('n', unasked)).judge({ object }).length, 1);
  book.upsert(policy('some', { namespaceSelector: { matchLabels: { a: 'b' } }, deletionPolicies: [] }));
  await assert.rejects(book.of('n', unasked), /labels were read/);
  assert.equal((await book.of('n', async () => ({}))).judge({ object }).length, 1);
  assert.equal((await book.of('n', async () => ({ a: 'b' }))).judge({ object }).length, 2);
  book.delete('all');
  assert.equal(await book.of('n', async () => ({})), NO_POLICIES);
});

test('a policy takes the place of the one of its name', async () => {
  const book = new PolicyBook('allow');
  assert.equal(book.upsert(policy('p', { creationPolicies: ['Owner'] })), undefined);
  assert.deepEqual(book.upsert(policy('p', {}))?.spec, { creationPolicies: ['Owner'] });
  assert.deepEqual((await book.of('n', unasked)).judge({ object }), []);
  assert.equal(book.size, 1);
  assert.deepEqual(book.delete('p')?.spec, {});
  assert.equal(book.delete('p'), undefined);
});

test('with the default deny a namespace without a policy is closed', async () => {
  const closed = await new PolicyBook('deny').of('n', unasked);
  assert.equal(closed.idle, false);
  assert.deepEqual(
    closed.judge({ object }).map(({ rule, effect }) => [rule, effect]),
    [['policyDefault', 'Deny']],
  );
  // Nor is a store connected to that somebody puts there.
  const stop = new AbortController().signal;
  await assert.rejects(
    bindForValidation(store, async () => closed, stop),
    /^SyncError: denied by --policy-default/,
  );
  const shared = { ...store, kind: 'ClusterSecretStore' as const };
  assert.equal((await bindForValidation(shared, unasked, stop)).context.guard, undefined);
});

test('what denies stops the sync, what does not is passed on', async () => {
  const book = new PolicyBook('allow');
  book.upsert(policy('soft', { effect: 'Audit', creationPolicies: [] }));
  const soft = (await book.of('n', unasked)).judge({ object });
  assert.equal(enforce(soft, true), soft);
  book.upsert(policy('hard', { creationPolicies: ['Owner'] }));
  const verdicts = (await book.of('n', unasked)).judge({ object });
  assert.throws(
    () => enforce(verdicts, true),
    (error) => {
      assert.ok(error instanceof SyncError && error.cause instanceof PolicyDenied);
      assert.deepEqual([error.code, error.stage, error.cause.foreseen], ['POLICY_DENIED', 'fetch', true]);
      assert.equal(
        error.conditionMessage,
        'could not get secret data from provider: denied by policy "hard", rule creationPolicies: spec.target.creationPolicy: "Orphan" may not be used; allowed: Owner',
      );
      assert.deepEqual(
        deniedIn(new EsaError('POLICY_DENIED', 'framed', { cause: error })).map((one) => one.policy),
        ['hard'],
      );
      return true;
    },
  );
  assert.deepEqual(deniedIn(new Error('another')), []);
});

const store: StoreObject = {
  apiVersion: 'external-secrets.io/v1',
  kind: 'SecretStore',
  metadata: { name: 'vault', namespace: 'n', uid: 'u', generation: 1 },
  spec: {
    provider: {
      vault: {
        server: 'https://vault.example.com:8200/base',
        path: 'secret',
        version: 'v2',
        auth: { tokenSecretRef: { name: 'token', key: 'token' } },
      },
    },
  },
};

test('a store is known by its provider and servers', () => {
  const use = ownUse(store);
  assert.deepEqual(
    [use?.kind, use?.name, use?.provider, use?.servers.map(({ origin }) => origin), use?.path, use?.reads],
    ['SecretStore', 'vault', 'vault', ['https://vault.example.com:8200'], ['spec', 'provider', 'vault'], []],
  );
  assert.equal(ownUse({ ...store, spec: { provider: {} } }), undefined);
});

test('one store under two guards is two identities', async () => {
  const book = new PolicyBook('allow');
  book.upsert(policy('p', { servers: [{ network: '10.0.0.0/8' }] }));
  const { guard } = await book.of('n', unasked);
  const [free, guarded] = [bindStore(store, undefined), bindStore(store, undefined, guard)];
  assert.notEqual(free.identity, guarded.identity);
  assert.equal(guarded.context.guard, guard);
  assert.equal((await book.of('other', unasked)).guard, guard);
  book.upsert(policy('p', { servers: [{ network: '10.0.0.0/9' }] }));
  assert.notEqual((await book.of('n', unasked)).guard?.id, guard?.id);
});
