import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../api/clock.ts';
import { parseGoDuration } from '../api/duration.ts';
import { ANNOTATION_REFRESH } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { readKesEnvironment } from '../api/kubernetes-client/environment.ts';
import { kesOf } from '../api/kubernetes-client/part.ts';
import { KubeClient } from '../kube/client.ts';
import { externalSecretPath } from '../kube/objects.ts';
import { failure, sendJson, startWireServer } from '../kube/testing/wire-server.ts';
import { apply } from '../sync/apply.ts';
import { cadenceOf, isOverdue, neverSynced, refreshedInFuture } from '../sync/cadence.ts';
import { toSyncError } from '../sync/errors.ts';
import { readKesCredentials } from '../sync/kes/services.ts';
import { takeKesEnvironment } from '../sync/kes/take-environment.ts';
import { LiveCluster } from '../sync/live.ts';
import { MarkerKeys } from '../sync/marker-keys.ts';
import { shape } from '../sync/shape.ts';
import { currentVersion, failedStatus, syncedStatus } from '../sync/status.ts';
import { KesObjects, type KesStored } from './kes-objects.ts';
import { writeStatus } from './write-status.ts';

const NOW = Date.parse('2026-06-01T12:00:00Z');
const HOUR = 3_600_000;
const never = new AbortController().signal;

function objects(
  variables: Readonly<Record<string, string>> = {},
  kube = new KubeClient({ server: 'http://127.0.0.1:1' }),
) {
  const environment = readKesEnvironment(
    { VAULT_ADDR: 'https://vault.example.com', ...variables },
    { serviceAccount: { namespace: 's', name: 's' }, vaultAudience: undefined },
  );
  const credentials = readKesCredentials({});
  return new KesObjects({ environment, credentials }, new LiveCluster(kube, systemClock), systemClock);
}

const stored = (status?: object, spec: object = {}): KesStored => ({
  apiVersion: 'kubernetes-client.io/v1',
  kind: 'ExternalSecret',
  metadata: { name: 'app', namespace: 'shop', uid: 'u', generation: 2, resourceVersion: '7' },
  spec: { backendType: 'vault', vaultRole: 'r', vaultMountPoint: 'm', data: [], ...spec },
  ...(status === undefined ? {} : { status }),
});

describe('when an object is read that is seen for the first time', () => {
  const hourly = { POLLER_INTERVAL_MILLISECONDS: String(HOUR) };
  /** What the poller concludes (controller.ts). */
  function isRead(status: object | undefined, variables: Readonly<Record<string, string>> = hourly): boolean {
    const es = objects(variables).take(stored(status));
    assert.ok(es);
    const cadence = cadenceOf(es.spec);
    const edited = cadence.onEdit && es.status?.syncedResourceVersion !== currentVersion(es);
    return neverSynced(es) || edited || refreshedInFuture(es, cadence, NOW) || isOverdue(es, cadence, NOW);
  }
  const synced = (ago: number, observedGeneration?: number) => ({
    status: 'SUCCESS',
    lastSync: new Date(NOW - ago).toISOString(),
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
  });
  const rows: readonly (readonly [string, object | undefined, boolean])[] = [
    ['K13 never synced', undefined, true],
    ['K13 without lastSync', { status: 'SUCCESS', observedGeneration: 2 }, true],
    ['K14 a while ago', synced(HOUR / 2, 2), false],
    ['K15 in the future', synced(-HOUR, 2), true],
    ['K16 long ago', synced(2 * HOUR, 2), true],
    ['K17 without observedGeneration', synced(HOUR / 2), true],
    ['K18 a generation that is to come', synced(HOUR / 2, 9), false],
    ['K19 an older generation', synced(HOUR / 2, 1), true],
    ['a failure', { ...synced(HOUR / 2, 2), status: 'ERROR, no' }, true],
  ];
  for (const [name, status, read] of rows) test(name, () => assert.equal(isRead(status), read));

  test('K20 S67 S78 with polling disabled: a new generation only; "false" does not disable it', () => {
    const disabled = { DISABLE_POLLING: 'true' };
    assert.equal(isRead(synced(9 * HOUR, 2), disabled), false);
    assert.equal(isRead(synced(9 * HOUR, 1), disabled), true);
    assert.equal(isRead(undefined, disabled), true);
    const interval = (variables: Readonly<Record<string, string>>): number =>
      cadenceOf(objects(variables).take(stored())?.spec).interval;
    assert.equal(interval(disabled), 0);
    assert.equal(interval({ DISABLE_POLLING: 'false' }), 10_000);
    assert.equal(interval({ DISABLE_POLLING: '' }), 10_000);
    assert.throws(() => objects({ DISABLE_POLLING: 'maybe' }), { code: 'CONFIGURATION' });
  });
});

describe('which objects are taken', () => {
  const taken = (variables: Readonly<Record<string, string>>, spec: object = {}): boolean =>
    objects(variables).take(stored(undefined, spec)) !== undefined;

  test('K34 K35 those of this instance', () => {
    assert.equal(taken({}), true);
    assert.equal(taken({ INSTANCE_ID: 'a' }, { controllerId: 'a' }), true);
    assert.equal(taken({ INSTANCE_ID: 'a' }, { controllerId: 'b' }), false);
    assert.equal(taken({ INSTANCE_ID: 'a' }), false);
    assert.equal(taken({}, { controllerId: 'a' }), false);
  });

  test('those of the namespaces that are watched', () => {
    assert.equal(taken({ WATCHED_NAMESPACES: 'a, shop ,b' }), true);
    assert.equal(taken({ WATCHED_NAMESPACES: 'a' }), false);
  });

  test('one that KES would have stored and the rules refuse is taken, with the reason and nothing to read', () => {
    const es = objects().take(
      stored(undefined, { backendType: 'azureKeyVault', keyVaultName: 'evil.example/' }),
    );
    assert.ok(es);
    assert.match(kesOf(es)?.refused ?? '', /^spec\.keyVaultName: must be the name of a key vault/);
    const shapeless = objects().take({ ...stored(), spec: undefined });
    assert.match((shapeless && kesOf(shapeless)?.refused) ?? '', /the spec is missing/);
  });
});

describe('annotations of namespaces', () => {
  const NAMING = 'externalsecrets.kubernetes-client.io/permitted-key-name';

  test('only those that count are a change; where others are, there are some', async () => {
    const kes = objects();
    assert.equal(kes.namespaceChanged('shop', { annotations: { other: 'x' } }), false);
    assert.deepEqual(await kes.services.annotations('shop', never), { others: '' });
    assert.equal(kes.namespaceChanged('shop', { annotations: { other: 'y' } }), false);
    assert.equal(kes.namespaceChanged('shop', { annotations: { other: 'y', [NAMING]: 'a' } }), true);
    assert.deepEqual(await kes.services.annotations('shop', never), { [NAMING]: 'a' });
    assert.equal(kes.namespaceChanged('shop', {}), true);
    assert.deepEqual(await kes.services.annotations('shop', never), {});
  });

  test('of a namespace that was not seen yet they are asked for', async () => {
    await using server = await startWireServer((_request, response) =>
      sendJson(response, 200, { metadata: { name: 'shop', annotations: { [NAMING]: 'b' } } }),
    );
    const kube = new KubeClient({ server: server.url });
    assert.deepEqual(await objects({}, kube).services.annotations('shop', never), { [NAMING]: 'b' });
    await kube.close();
  });
});

describe('the status that is written', () => {
  const metrics = { statusWrites: { inc: () => {} } } as unknown as Parameters<typeof writeStatus>[3];
  const hub = (status?: object): ExternalSecret => {
    const es = objects().take(stored(status));
    assert.ok(es);
    return es;
  };
  const synced = (es: ExternalSecret, now = NOW) =>
    syncedStatus({ es, outcome: 'synced', target: 'app', refreshedAt: now, now, interval: 10_000 });
  const denied = toSyncError('fetch', new Error('x'));

  test('K8 S53 is that of KES, on its subresource; and not written again while nothing changes', async () => {
    const seen: { path: string; body: unknown }[] = [];
    await using server = await startWireServer(({ path, body }, response) => {
      seen.push({ path, body: JSON.parse(body) });
      sendJson(response, 200, { ...stored(), ...(JSON.parse(body) as object), metadata: stored().metadata });
    });
    const kube = new KubeClient({ server: server.url });
    const es = hub();
    const written = await writeStatus(kube, es, synced(es), metrics, never);
    await kube.close();
    assert.deepEqual(seen, [
      {
        path: '/apis/kubernetes-client.io/v1/namespaces/shop/externalsecrets/app/status',
        body: {
          metadata: { uid: 'u' },
          status: { status: 'SUCCESS', lastSync: '2026-06-01T12:00:00.000Z', observedGeneration: 2 },
        },
      },
    ]);
    const again = { ...es, status: written };
    assert.equal(synced(again, NOW + 60_000), undefined);
    assert.notEqual(synced(again, NOW + HOUR), undefined);
  });

  test('K9 a failure is written once, and again for another generation', () => {
    const first = failedStatus(hub(), denied, NOW);
    assert.equal(first?.syncedResourceVersion, '!2');
    const status = {
      status: `ERROR, ${denied.reason}`,
      lastSync: new Date(NOW).toISOString(),
      observedGeneration: 2,
    };
    assert.equal(failedStatus(hub(status), denied, NOW + 1), undefined);
    assert.notEqual(failedStatus(hub({ ...status, observedGeneration: 1 }), denied, NOW), undefined);
    assert.notEqual(synced(hub(status)), undefined);
  });

  test('a refresh that was asked for is answered in it, well or badly, and no more than once', () => {
    const asking = (ago: number, status: object): ExternalSecret => {
      const object = stored({ lastSync: '2026-06-01T11:59:00.500Z', observedGeneration: 2, ...status });
      const annotations = { [ANNOTATION_REFRESH]: new Date(NOW - ago).toISOString() };
      const es = objects().take({ ...object, metadata: { ...object.metadata, annotations } });
      assert.ok(es);
      return es;
    };
    const good = asking(100, { status: 'SUCCESS' });
    assert.equal(synced(good)?.refreshTime, '2026-06-01T12:00:00.000Z');
    assert.equal(synced({ ...good, status: { ...good.status, ...synced(good) } }), undefined);
    assert.equal(synced(asking(60_000, { status: 'SUCCESS' })), undefined, 'answered already');
    assert.equal(synced(asking(-HOUR, { status: 'SUCCESS' })), undefined, 'by a clock that is wrong');
    const bad = asking(100, { status: `ERROR, ${denied.reason}` });
    assert.equal(failedStatus(bad, denied, NOW)?.refreshTime, '2026-06-01T12:00:00.000Z');
    assert.equal(failedStatus(asking(60_000, { status: `ERROR, ${denied.reason}` }), denied, NOW), undefined);
  });

  test('K10 K11 a conflict is let go, any other error is the turn’s', async () => {
    for (const [code, reason] of [
      [409, 'Conflict'],
      [404, 'NotFound'],
      [403, 'Forbidden'],
    ] as const) {
      await using server = await startWireServer((_request, response) =>
        sendJson(response, code, failure(code, reason, 'no')),
      );
      const kube = new KubeClient({ server: server.url });
      const es = hub();
      const writing = writeStatus(kube, es, synced(es), metrics, never);
      if (code === 403) await assert.rejects(writing, { code: 'KUBE_API' });
      else assert.equal(await writing, undefined);
      await kube.close();
    }
  });

  test('K22 K27 a Secret that is missing is created; an API server that fails is an error of the sync', async () => {
    let broken = false;
    const es = hub();
    const made: string[] = [];
    await using server = await startWireServer(({ method, path, body }, response) => {
      if (broken) return sendJson(response, 500, failure(500, 'InternalError', 'broken'));
      if (path.includes('/externalsecrets/')) return sendJson(response, 200, es);
      if (method !== 'POST') return sendJson(response, 404, failure(404, 'NotFound', 'not found'));
      made.push(body);
      return sendJson(response, 201, JSON.parse(body));
    });
    const kube = new KubeClient({ server: server.url });
    const deps = { kube, keys: new MarkerKeys(kube, 'system'), unmanagedTarget: 'refuse' } as const;
    const desired = shape(es, new Map(), { data: undefined, labels: {}, annotations: {} });
    assert.equal((await apply(es, desired, undefined, deps, never)).action, 'created');
    const { metadata } = JSON.parse(made[0] ?? '{}') as { metadata: { ownerReferences: unknown } };
    assert.deepEqual(metadata.ownerReferences, [
      {
        apiVersion: 'kubernetes-client.io/v1',
        kind: 'ExternalSecret',
        name: 'app',
        uid: 'u',
        controller: true,
      },
    ]);
    broken = true;
    await assert.rejects(apply(es, desired, undefined, deps, AbortSignal.timeout(20_000)), {
      code: 'KUBE_API',
    });
    await kube.close();
  });
});

test('its path is told from that of an ExternalSecret of ESO by its qualified name', () => {
  const at = 'namespaces/shop/externalsecrets';
  assert.equal(externalSecretPath('shop', 'app'), `/apis/external-secrets.io/v1/${at}/app`);
  assert.equal(
    externalSecretPath('shop', 'kubernetes-client.io/app', 'status'),
    `/apis/kubernetes-client.io/v1/${at}/app/status`,
  );
});

describe('the environment of a program', () => {
  const flags = { kes: true, 'kes-service-account': undefined, 'kes-vault-audience': undefined };

  test('without --kes nothing is taken', () => {
    const variables = { AZURE_CLIENT_SECRET: 's', POLLER_INTERVAL_MILLISECONDS: 'x' };
    assert.equal(takeKesEnvironment({ ...flags, kes: false }, 'system', variables), undefined);
    assert.equal(variables.AZURE_CLIENT_SECRET, 's');
  });

  test('secrets are found in it, and AWS finds KES’s names of endpoints', () => {
    const variables: NodeJS.ProcessEnv = {
      AZURE_CLIENT_ID: 'i',
      AZURE_CLIENT_SECRET: 's',
      GOOGLE_APPLICATION_CREDENTIALS: '/key.json',
      AWS_SM_ENDPOINT: 'http://sm',
      AWS_SSM_ENDPOINT: 'http://ssm',
      AWS_ENDPOINT_URL_SSM: 'http://other',
    };
    const taken = takeKesEnvironment(flags, 'system', variables);
    assert.deepEqual(taken?.environment.serviceAccount, {
      namespace: 'system',
      name: 'external-secrets-admission-poller',
    });
    assert.deepEqual([taken?.environment.azure.hasClient, taken?.environment.gcp.hasKey], [true, true]);
    assert.equal(taken?.credentials.values.get('AZURE_CLIENT_SECRET')?.revealText(), 's');
    assert.equal(variables['AWS_ENDPOINT_URL_SECRETS_MANAGER'], 'http://sm');
    assert.equal(variables['AWS_ENDPOINT_URL_SSM'], 'http://other');
  });

  test('what makes no sense ends the program', () => {
    const bad: readonly (readonly [string, string])[] = [
      ['POLLER_INTERVAL_MILLISECONDS', '10s'],
      ['POLLER_INTERVAL_MILLISECONDS', '5'],
      ['AZURE_ENVIRONMENT', 'Moon'],
      ['ENFORCE_NAMESPACE_ANNOTATIONS', 'perhaps'],
    ];
    for (const [name, value] of bad)
      assert.throws(
        () => takeKesEnvironment(flags, 'system', { [name]: value }),
        { code: 'CONFIGURATION' },
        name,
      );
    for (const account of ['a', 'a/', '/b', 'a/b/c'])
      assert.throws(() => takeKesEnvironment({ ...flags, 'kes-service-account': account }, 'system', {}), {
        code: 'CONFIGURATION',
      });
    assert.equal(parseGoDuration(objects().take(stored())?.spec.refreshInterval ?? ''), 10_000);
  });
});
