import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeClient } from '../kube/client.ts';
import { sendJson, startWireServer } from '../kube/testing/wire-server.ts';
import { createLog } from '../runtime/log.ts';
import { type Scope, WHOLE_CLUSTER } from '../sync/scope.ts';
import { SourceWatches } from './source-watches.ts';

const CONFIG_MAPS = '/api/v1/configmaps';
const PASSWORDS = '/apis/generators.external-secrets.io/v1alpha1/passwords';

const object = (name: string, version: string, generation?: number) => ({
  metadata: { namespace: 'shop', name, uid: name, resourceVersion: version, generation },
});

async function setUp(scope: Scope = WHOLE_CLUSTER) {
  const watches = new Map<string, ServerResponse>();
  const items: Record<string, object[]> = {
    [CONFIG_MAPS]: [object('there', '1')],
    [PASSWORDS]: [object('there', '1', 1)],
  };
  const server = await startWireServer(({ path, query }, response) => {
    if (query.get('watch') === null) {
      sendJson(response, 200, { metadata: { resourceVersion: '5' }, items: items[path] });
      return;
    }
    response.writeHead(200);
    response.flushHeaders();
    watches.set(path, response);
  });
  const kube = new KubeClient({ server: server.url });
  const told: string[] = [];
  const following = new SourceWatches({
    kube,
    log: createLog('test', 'error'),
    relistMs: 60_000,
    scope,
    named: () => [{ namespace: 'shop', name: 'there' }],
    onChange: ({ kind, namespace, name }, how) => void told.push(`${kind} ${namespace}/${name} ${how}`),
  });
  const until = async (holds: () => boolean): Promise<void> => {
    for (let tries = 0; !holds(); tries++) {
      assert.ok(tries < 2_000, `never; told: ${told.join(', ')}`);
      await sleep(5);
    }
  };
  return {
    server,
    following,
    told,
    until,
    send: async (path: string, type: string, what: object) => {
      await until(() => watches.has(path));
      watches.get(path)?.write(`${JSON.stringify({ type, object: what })}\n`);
    },
    [Symbol.asyncDispose]: async () => {
      await following.stop();
      await kube.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

test('no kind is asked for before something names one, each is watched once, and for its metadata only', async () => {
  await using bed = await setUp();
  await sleep(50);
  assert.equal(bed.server.received.length, 0);
  for (let i = 0; i < 3; i++) bed.following.need('ConfigMap');
  // Refused at admission, since there is no such generator here: nothing to follow.
  bed.following.need('QuayAccessToken');
  await bed.send(CONFIG_MAPS, 'ADDED', object('new', '6'));
  await bed.until(() => bed.told.length >= 2);
  assert.deepEqual(bed.told, ['ConfigMap shop/there listed', 'ConfigMap shop/new changed']);
  assert.deepEqual(
    bed.server.received.map(({ path, query }) => `${path} ${query.get('watch') ?? 'list'}`),
    [`${CONFIG_MAPS} list`, `${CONFIG_MAPS} 1`],
  );
  for (const { headers } of bed.server.received) assert.match(headers.accept ?? '', /PartialObjectMetadata/);
});

test('of one namespace only its objects are asked for, and ClusterGenerators if they are served', async () => {
  const path = '/api/v1/namespaces/shop/configmaps';
  await using bed = await setUp({ namespace: 'shop', clusterStores: false, clusterGenerators: false });
  bed.following.need('ClusterGenerator');
  bed.following.need('ConfigMap');
  bed.following.need('Password');
  await bed.until(() => bed.server.received.length >= 2);
  assert.deepEqual(bed.server.received.map((one) => one.path).slice(0, 2), [
    path,
    '/apis/generators.external-secrets.io/v1alpha1/namespaces/shop/passwords',
  ]);
  await using served = await setUp({ namespace: 'shop', clusterStores: false, clusterGenerators: true });
  served.following.need('ClusterGenerator');
  await served.until(() => served.server.received.length >= 1);
  assert.equal(
    served.server.received[0]?.path,
    '/apis/generators.external-secrets.io/v1alpha1/clustergenerators',
  );
});

test('a ConfigMap that is written, made or deleted has changed', async () => {
  await using bed = await setUp();
  bed.following.need('ConfigMap');
  await bed.send(CONFIG_MAPS, 'MODIFIED', object('there', '6'));
  await bed.send(CONFIG_MAPS, 'DELETED', object('there', '7'));
  await bed.until(() => bed.told.length >= 3);
  assert.deepEqual(bed.told.slice(1), ['ConfigMap shop/there changed', 'ConfigMap shop/there changed']);
});

test('a generator has changed when its spec has: not labelled, nor deleted', async () => {
  await using bed = await setUp();
  bed.following.need('Password');
  await bed.send(PASSWORDS, 'MODIFIED', object('there', '6', 1));
  await bed.send(PASSWORDS, 'MODIFIED', object('there', '7', 2));
  await bed.send(PASSWORDS, 'DELETED', object('there', '8', 2));
  await bed.send(PASSWORDS, 'ADDED', object('there', '9', 1));
  await bed.until(() => bed.told.length >= 3);
  assert.deepEqual(bed.told, [
    'Password shop/there made',
    'Password shop/there changed',
    'Password shop/there made',
  ]);
});
