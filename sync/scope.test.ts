import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import { KubeClient } from '../kube/client.ts';
import { failure, sendJson, startWireServer } from '../kube/testing/wire-server.ts';
import { LiveCluster } from './live.ts';
import { carriesOutClusterExternalSecrets, type Scope, scopeFlags, WHOLE_CLUSTER } from './scope.ts';

const none = {
  'scoped-namespace': undefined,
  'process-cluster-store': undefined,
  'process-cluster-generator': undefined,
};
const { signal } = new AbortController();

test('without a flag the whole cluster is served, with a namespace nothing of the cluster unless it is asked for', () => {
  assert.deepEqual(scopeFlags(none), WHOLE_CLUSTER);
  const namespace = { ...none, 'scoped-namespace': 'team-a' };
  assert.deepEqual(scopeFlags(namespace), {
    namespace: 'team-a',
    clusterStores: false,
    clusterGenerators: false,
  });
  assert.equal(scopeFlags({ ...namespace, 'process-cluster-store': 'true' }).clusterStores, true);
  assert.equal(scopeFlags({ ...namespace, 'process-cluster-generator': 'true' }).clusterGenerators, true);
  assert.equal(scopeFlags({ ...none, 'process-cluster-store': 'false' }).clusterStores, false);
  assert.equal(scopeFlags({ ...none, 'process-cluster-generator': 'false' }).clusterGenerators, false);
});

test('what is no namespace, and no truth value, is refused by the name of the flag', () => {
  for (const [flags, message] of [
    [{ 'scoped-namespace': '' }, /^--scoped-namespace: "" is not the name of a namespace$/],
    [{ 'scoped-namespace': 'a/b' }, /^--scoped-namespace: "a\/b"/],
    [{ 'scoped-namespace': 'Team' }, /^--scoped-namespace/],
    [{ 'process-cluster-store': 'yes' }, /^--process-cluster-store: "yes" is not one of true, false$/],
    [{ 'process-cluster-generator': '' }, /^--process-cluster-generator/],
  ] as const)
    assert.throws(() => scopeFlags({ ...none, ...flags }), { code: 'CONFIGURATION', message });
});

test('ClusterExternalSecrets are carried out for the whole cluster or not at all', () => {
  const one: Scope = { ...WHOLE_CLUSTER, namespace: 'team-a' };
  assert.equal(carriesOutClusterExternalSecrets(undefined, WHOLE_CLUSTER), true);
  assert.equal(carriesOutClusterExternalSecrets('false', WHOLE_CLUSTER), false);
  assert.equal(carriesOutClusterExternalSecrets(undefined, one), false);
  assert.equal(carriesOutClusterExternalSecrets('false', one), false);
  assert.throws(() => carriesOutClusterExternalSecrets('true', one), {
    code: 'CONFIGURATION',
    message: /--scoped-namespace/,
  });
});

test('a kind that is not served is not asked for', async () => {
  await using server = await startWireServer((_, response) =>
    sendJson(response, 404, failure(404, 'NotFound', 'not found')),
  );
  const kube = new KubeClient({ server: server.url });
  try {
    const scope = { namespace: 'team-a', clusterStores: false, clusterGenerators: false };
    const live = new LiveCluster(kube, systemClock, scope);
    await assert.rejects(live.reader(0).store('ClusterSecretStore', undefined, 'vault', signal), {
      code: 'KIND_NOT_SERVED',
      message: 'could not get ClusterSecretStore "vault": no ClusterSecretStores are served here',
    });
    const generators = live.generators(() => 0);
    const ref = { kind: 'ClusterGenerator', name: 'password' } as const;
    await assert.rejects(generators.generator(ref, 'team-a', signal), {
      code: 'KIND_NOT_SERVED',
      message: 'could not get ClusterGenerator "password": no ClusterGenerators are served here',
    });
    assert.deepEqual(server.received, []);
    assert.equal(await live.reader(0).store('SecretStore', 'team-a', 'vault', signal), undefined);
    const whole = new LiveCluster(kube, systemClock);
    assert.equal(await whole.reader(0).store('ClusterSecretStore', undefined, 'vault', signal), undefined);
    assert.deepEqual(
      server.received.map(({ path }) => path),
      [
        '/apis/external-secrets.io/v1/namespaces/team-a/secretstores/vault',
        '/apis/external-secrets.io/v1/clustersecretstores/vault',
      ],
    );
  } finally {
    await kube.close();
  }
});
