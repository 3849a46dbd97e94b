import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Scope, WHOLE_CLUSTER } from '../sync/scope.ts';
import { isServed } from './served.ts';

const KINDS = {
  ExternalSecret: 'team-a',
  ClusterSecretStore: undefined,
  ClusterGenerator: undefined,
  ClusterExternalSecret: undefined,
  ClusterSecretPolicy: undefined,
} as const;

/** The kinds whose reviews are judged. */
const judged = (scope: Scope): readonly string[] =>
  Object.entries(KINDS)
    .filter(([kind, namespace]) =>
      isServed(
        { kind: { group: 'g', version: 'v1', kind }, ...(namespace === undefined ? {} : { namespace }) },
        scope,
      ),
    )
    .map(([kind]) => kind);

test('all kinds of the whole cluster, but for those that are switched off', () => {
  assert.deepEqual(judged(WHOLE_CLUSTER), Object.keys(KINDS));
  assert.deepEqual(judged({ ...WHOLE_CLUSTER, clusterStores: false }), [
    'ExternalSecret',
    'ClusterGenerator',
    'ClusterExternalSecret',
    'ClusterSecretPolicy',
  ]);
  assert.deepEqual(judged({ ...WHOLE_CLUSTER, clusterGenerators: false }), [
    'ExternalSecret',
    'ClusterSecretStore',
    'ClusterExternalSecret',
    'ClusterSecretPolicy',
  ]);
});

test('objects of one namespace and of no other, and of the cluster what that namespace uses', () => {
  const none = { clusterStores: false, clusterGenerators: false };
  assert.deepEqual(judged({ namespace: 'team-a', ...none }), ['ExternalSecret', 'ClusterSecretPolicy']);
  assert.deepEqual(judged({ namespace: 'team-b', ...none }), ['ClusterSecretPolicy']);
  assert.deepEqual(judged({ namespace: 'team-a', clusterStores: true, clusterGenerators: true }), [
    'ExternalSecret',
    'ClusterSecretStore',
    'ClusterGenerator',
    'ClusterSecretPolicy',
  ]);
});
