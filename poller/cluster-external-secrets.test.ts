/** What becomes of ClusterExternalSecrets when the API server fails, races or is slow. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { systemClock } from '../api/clock.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { KubeClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/events.ts';
import { failure, sendJson, startWireServer } from '../kube/testing/wire-server.ts';
import { createLog } from '../runtime/log.ts';
import { clusterExternalSecretMetrics } from '../runtime/metrics.ts';
import { desiredExternalSecret } from '../sync/cluster-external-secret.ts';
import { ClusterExternalSecrets } from './cluster-external-secrets.ts';

const STATUS = '/apis/external-secrets.io/v1/clusterexternalsecrets/ces/status';
const esPath = (namespace: string, name = ''): string =>
  `/apis/external-secrets.io/v1/namespaces/${namespace}/externalsecrets${name === '' ? '' : `/${name}`}`;
const log = createLog('test', 'error');

const ces = (spec: object = {}): ClusterExternalSecret => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ClusterExternalSecret',
  metadata: { name: 'ces', uid: 'u', resourceVersion: '1' },
  spec: {
    namespaceSelectors: [{ matchLabels: { team: 'a' } }],
    externalSecretSpec: {
      secretStoreRef: { name: 'store', kind: 'ClusterSecretStore' },
      refreshInterval: '1h0m0s',
      target: { creationPolicy: 'Owner', deletionPolicy: 'Retain' },
      data: [{ secretKey: 'a', remoteRef: { key: 'k' } }],
    },
    ...spec,
  },
});
const made = (namespace: string, resourceVersion = '1'): ExternalSecret => {
  const { metadata, ...rest } = desiredExternalSecret(ces(), namespace);
  return { ...rest, metadata: { ...metadata, resourceVersion, uid: `es-${namespace}` } };
};

type Answer = (response: ServerResponse, body: string) => unknown;

/** @param answers by `METHOD path`; what is not named succeeds */
async function setUp(answers: Readonly<Record<string, Answer>> = {}) {
  const statuses: object[] = [];
  const server = await startWireServer(async ({ method, path, body }, response) => {
    const answer = answers[`${method} ${path}`] ?? answers[method];
    if (answer !== undefined) {
      await answer(response, body);
      return;
    }
    if (path === STATUS) {
      statuses.push((JSON.parse(body) as { status: object }).status);
      sendJson(response, 200, { ...ces(), status: statuses.at(-1) });
      return;
    }
    sendJson(response, method === 'POST' ? 201 : 200, body === '' ? {} : JSON.parse(body));
  });
  const kube = new KubeClient({ server: server.url }, { connections: 64 });
  const events = new EventRecorder({ kube, log });
  const stop = new AbortController();
  const known = new Map<string, ExternalSecret>();
  const fleet = new ClusterExternalSecrets({
    kube,
    clock: systemClock,
    log: createLog('test', 'error'),
    events,
    metrics: clusterExternalSecretMetrics(new Registry()),
    find: (namespace, name) => known.get(`${namespace}/${name}`),
    stop: stop.signal,
  });
  fleet.lead();
  return {
    fleet,
    known,
    statuses,
    namespaces: (...names: string[]) => {
      for (const name of names) fleet.namespaceChanged({ name, labels: { team: 'a' } });
    },
    /** As the watch shows it. */
    show: (es: ExternalSecret) => {
      known.set(`${es.metadata.namespace}/${es.metadata.name}`, es);
      fleet.externalSecretChanged(es);
    },
    requests: (method: string) =>
      server.received
        .filter((one) => one.method === method && one.path.includes('/externalsecrets'))
        .map(({ path }) => path),
    /** Waits for the nth status. */
    status: async (count: number): Promise<object> => {
      while (statuses.length < count) await sleep(5);
      return statuses[count - 1] ?? {};
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await fleet.stop();
      await events.stop(0);
      await kube.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const READY = { conditions: [{ type: 'Ready', status: 'True' }] };

test('many namespaces: a bounded number of creates at a time, and one status', async () => {
  let running = 0;
  let most = 0;
  const POST: Answer = async (response, body) => {
    running += 1;
    most = Math.max(most, running);
    await sleep(5);
    running -= 1;
    sendJson(response, 201, JSON.parse(body));
  };
  await using bed = await setUp({ POST });
  const names = Array.from({ length: 300 }, (_, index) => `ns-${String(index).padStart(3, '0')}`);
  bed.fleet.upsert(ces());
  bed.namespaces(...names, 'other');
  bed.fleet.namespaceChanged({ name: 'other', labels: {} });
  bed.fleet.start();
  const status = await bed.status(1);
  assert.deepEqual(status, { ...READY, externalSecretName: 'ces', provisionedNamespaces: names });
  assert.equal(bed.requests('POST').length, 300);
  assert.ok(most > 1 && most <= 32, `${most} at a time`);
  await sleep(50);
  assert.equal(bed.statuses.length, 1);
});

test('what is as it should be costs no request, also after a restart', async () => {
  await using bed = await setUp();
  const stored = { ...READY, externalSecretName: 'ces', provisionedNamespaces: ['a'] };
  bed.namespaces('a');
  bed.show(made('a'));
  bed.fleet.upsert({ ...ces(), status: stored });
  bed.fleet.start();
  await sleep(100);
  bed.fleet.namespaceChanged({ name: 'a', labels: { team: 'a' }, annotations: { new: 'x' } });
  bed.show({ ...made('a', '2'), status: { binding: { name: 'x' } } });
  await sleep(100);
  assert.deepEqual([bed.requests('POST'), bed.requests('PATCH'), bed.statuses], [[], [], []]);
});

test('a selector that makes no sense takes nothing away', async () => {
  await using bed = await setUp();
  bed.namespaces('a', 'b');
  bed.show(made('a'));
  const matchExpressions = [{ key: 'team', operator: 'Equals', values: ['b'] }];
  bed.fleet.upsert(ces({ namespaceSelectors: [{ matchExpressions }] }));
  bed.fleet.start();
  const { failedNamespaces, provisionedNamespaces } = (await bed.status(1)) as {
    failedNamespaces: { namespace: string; reason: string }[];
    provisionedNamespaces: string[];
  };
  assert.deepEqual(provisionedNamespaces, ['a']);
  assert.equal(failedNamespaces[0]?.namespace, 'unknown');
  assert.match(
    failedNamespaces[0]?.reason ?? '',
    /^spec\.namespaceSelectors\[0\]\.matchExpressions\[0\]\.operator/,
  );
  assert.deepEqual([...bed.requests('DELETE'), ...bed.requests('POST')], []);
});

test('a create that fails is told, tried again by itself, and others do not wait for it', async () => {
  let tries = 0;
  const url = 'https://hooks.system.svc:443/validate/TOKEN?timeout=5s';
  const said = `failed calling webhook "v.example.com": failed to call webhook: Post "${url}": EOF`;
  await using bed = await setUp({
    [`POST ${esPath('b')}`]: (response, body) => {
      tries += 1;
      if (tries > 1) return sendJson(response, 201, JSON.parse(body));
      return sendJson(response, 500, failure(500, 'InternalError', said));
    },
  });
  bed.namespaces('a', 'b');
  bed.fleet.upsert(ces());
  bed.fleet.start();
  const first = (await bed.status(1)) as { failedNamespaces: { reason: string }[]; conditions: object };
  assert.match(
    first.failedNamespaces[0]?.reason ?? '',
    /^could not create or update ExternalSecret: .*webhook/,
  );
  assert.equal(JSON.stringify(first).includes('TOKEN'), false, 'the path of a hook is a secret');
  assert.deepEqual(await bed.status(2), {
    ...READY,
    failedNamespaces: null,
    provisionedNamespaces: ['a', 'b'],
  });
  assert.equal(tries, 2);
});

test('a namespace that goes meanwhile is no failure', async () => {
  const details = { causes: [{ reason: 'NamespaceTerminating', message: '', field: 'metadata.namespace' }] };
  await using bed = await setUp({
    [`POST ${esPath('b')}`]: (response) =>
      sendJson(response, 403, failure(403, 'Forbidden', 'it is being terminated', details)),
    [`POST ${esPath('c')}`]: (response) =>
      sendJson(response, 404, failure(404, 'NotFound', 'namespaces "c" not found', { kind: 'namespaces' })),
  });
  bed.namespaces('a', 'b', 'c');
  bed.fleet.upsert(ces());
  bed.fleet.start();
  assert.deepEqual(await bed.status(1), {
    ...READY,
    externalSecretName: 'ces',
    provisionedNamespaces: ['a'],
  });
});

test('an object that the watch has not shown yet is looked at before it is called foreign', async () => {
  await using bed = await setUp({
    [`POST ${esPath('a')}`]: (response) =>
      sendJson(response, 409, failure(409, 'AlreadyExists', 'it exists')),
    [`GET ${esPath('a', 'ces')}`]: (response) => sendJson(response, 200, made('a', '9')),
  });
  bed.namespaces('a');
  bed.fleet.upsert(ces());
  bed.fleet.start();
  assert.deepEqual(await bed.status(1), {
    ...READY,
    externalSecretName: 'ces',
    provisionedNamespaces: ['a'],
  });
  assert.deepEqual(
    bed.requests('PATCH').filter((path) => path !== STATUS),
    [],
  );
});

test('a change that came too late is made on what stands there now', async () => {
  const versions: unknown[] = [];
  await using bed = await setUp({
    [`PATCH ${esPath('a', 'ces')}`]: (response, body) => {
      const [version] = JSON.parse(body) as { value: unknown }[];
      versions.push(version?.value);
      if (versions.length > 1) return sendJson(response, 200, made('a', '10'));
      return sendJson(response, 409, failure(409, 'Conflict', 'it was modified'));
    },
    [`GET ${esPath('a', 'ces')}`]: (response) =>
      sendJson(response, 200, { ...made('a', '9'), spec: { refreshInterval: '9h' } }),
  });
  bed.namespaces('a');
  bed.show({ ...made('a', '1'), spec: { refreshInterval: '8h' } });
  bed.fleet.upsert(ces());
  bed.fleet.start();
  await bed.status(1);
  assert.deepEqual(versions, ['1', '9']);
});

test('what somebody took over is not deleted when its namespace is no longer selected', async () => {
  const { metadata, ...rest } = made('a', '9');
  const { ownerReferences: _, ...own } = metadata;
  await using bed = await setUp({
    [`DELETE ${esPath('a', 'ces')}`]: (response) =>
      sendJson(response, 409, failure(409, 'Conflict', 'the precondition does not hold')),
    [`GET ${esPath('a', 'ces')}`]: (response) => sendJson(response, 200, { ...rest, metadata: own }),
  });
  bed.namespaces('a');
  bed.show(made('a'));
  bed.fleet.upsert(ces());
  bed.fleet.start();
  await bed.status(1);
  bed.fleet.namespaceChanged({ name: 'a', labels: {} });
  assert.deepEqual(await bed.status(2), { provisionedNamespaces: null });
  assert.equal(bed.requests('DELETE').length, 1);
});
