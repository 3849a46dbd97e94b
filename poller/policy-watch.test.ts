/** Which objects a change of a policy, or of a label of a namespace, concerns. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeClient } from '../kube/client.ts';
import { sendJson, startWireServer } from '../kube/testing/wire-server.ts';
import { createLog } from '../runtime/log.ts';
import { PolicyWatch } from './policy-watch.ts';

const POLICIES = '/apis/external-secrets-admission.io/v1alpha1/clustersecretpolicies';
const NAMESPACES = '/api/v1/namespaces';
const selecting = { matchLabels: { env: 'prod' } };
const policy = (version: string, spec: object) => ({
  metadata: { name: 'p', uid: 'p', resourceVersion: version },
  spec: { namespaceSelector: selecting, ...spec },
});
const namespace = (name: string, version: string, labels: object) => ({
  metadata: { name, uid: name, resourceVersion: version, labels },
});

async function setUp() {
  const items: Record<string, object[]> = {
    [POLICIES]: [policy('1', { creationPolicies: ['Owner'] })],
    [NAMESPACES]: [namespace('prod', '1', { env: 'prod' }), namespace('test', '1', { env: 'test' })],
  };
  const watches = new Map<string, ServerResponse>();
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
  const concerned: string[][] = [];
  const watch = new PolicyWatch({
    kube,
    log: createLog('test', 'error'),
    policyDefault: 'allow',
    relistMs: 60_000,
    namespace: undefined,
    liveLabels: async () => ({ env: 'live' }),
    onChange: (concerns) => void concerned.push(['prod', 'test', 'unknown'].filter(concerns)),
  });
  assert.equal(await watch.start(), true);
  concerned.length = 0;
  return {
    watch,
    concerned,
    /** Sends an event and waits until it was handled: the labels or rules that follow are those of `until`. */
    send: async (path: string, type: string, object: object, until: () => boolean | Promise<boolean>) => {
      while (!watches.has(path)) await sleep(5);
      watches.get(path)?.write(`${JSON.stringify({ type, object })}\n`);
      while (!(await until())) await sleep(5);
    },
    [Symbol.asyncDispose]: async () => {
      await watch.stop();
      await kube.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const never = new AbortController().signal;

test('a changed policy concerns the namespaces that it selects or selected, and those not known yet', async () => {
  await using bed = await setUp();
  const changed = policy('6', { creationPolicies: [], namespaceSelector: { matchLabels: { env: 'test' } } });
  await bed.send(POLICIES, 'MODIFIED', changed, () => bed.concerned.length === 1);
  assert.deepEqual(bed.concerned, [['prod', 'test', 'unknown']]);
  const again = policy('7', {
    creationPolicies: ['Merge'],
    namespaceSelector: { matchLabels: { env: 'test' } },
  });
  await bed.send(POLICIES, 'MODIFIED', again, () => bed.concerned.length === 2);
  assert.deepEqual(bed.concerned[1], ['test', 'unknown']);
  await bed.send(POLICIES, 'DELETED', again, () => bed.concerned.length === 3);
  assert.deepEqual(bed.concerned[2], ['test', 'unknown']);
});

test('a policy whose metadata alone changes concerns nobody', async () => {
  await using bed = await setUp();
  const same = policy('6', { creationPolicies: ['Owner'] });
  const other = policy('7', { creationPolicies: ['Merge'] });
  await bed.send(POLICIES, 'MODIFIED', same, () => true);
  await bed.send(POLICIES, 'MODIFIED', other, () => bed.concerned.length > 0);
  assert.deepEqual(bed.concerned, [['prod', 'unknown']]);
});

test('a namespace that is labelled anew is judged anew', async () => {
  await using bed = await setUp();
  const idle = async (name: string): Promise<boolean> => (await bed.watch.gate(name, never)).idle;
  assert.deepEqual([await idle('prod'), await idle('test'), await idle('unknown')], [false, true, true]);
  await bed.send(
    NAMESPACES,
    'MODIFIED',
    namespace('test', '6', { env: 'prod' }),
    () => bed.concerned.length > 0,
  );
  assert.deepEqual(bed.concerned, [['test']]);
  assert.equal(await idle('test'), false);
  assert.deepEqual(await bed.watch.labels('unknown', never), { env: 'live' });
  assert.equal(bed.watch.brokenMs, 0);
});
