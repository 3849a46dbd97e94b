/** The transport to the API server, against a real one. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { parseObject } from '../../api/json.ts';
import { KubeClient } from '../../kube/client.ts';
import { type ClusterConfig, loadClusterConfig } from '../../kube/config.ts';
import {
  isAlreadyExists,
  isConflict,
  isForbidden,
  isInvalid,
  isNamespaceTerminating,
  isNotFound,
  KubeError,
} from '../../kube/errors.ts';
import { EventRecorder } from '../../kube/events.ts';
import { LeaderElector } from '../../kube/lease.ts';
import {
  createSecret,
  createToken,
  deleteSecret,
  getConfigMap,
  getExternalSecret,
  getNamespace,
  getSecret,
  type KubeObject,
  patchSecret,
  patchStatus,
  replaceSecret,
  reviewAccess,
} from '../../kube/objects.ts';
import { Reflector } from '../../kube/reflector.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import { needsGarbageCollection } from '../harness/garbage-collection.ts';

let controlPlane: ControlPlane;
let kube: KubeClient;
const manager = { fieldManager: 'esa-test' };
const silentLog = { info: () => {}, warn: () => {}, error: () => {} };
const VALUE = 'hunter2-Sentinel';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

before(async () => {
  controlPlane = await startControlPlane();
  kube = new KubeClient(loadClusterConfig({ kubeconfig: controlPlane.kubeconfig }));
});
after(async () => {
  await kube.close();
  await controlPlane.stop();
});

const newNamespace = async (name: string): Promise<string> => {
  await kube.request('POST', '/api/v1/namespaces', { body: { metadata: { name } } });
  return name;
};

const refusal = async (call: Promise<unknown>): Promise<KubeError> => {
  const [result] = await Promise.allSettled([call]);
  assert.equal(result.status, 'rejected');
  assert.ok(result.reason instanceof KubeError, inspect(result.reason));
  assert.ok(!inspect(result.reason, { depth: 9, showHidden: true }).includes(VALUE), 'a value leaked');
  return result.reason;
};

describe('refusals of a real API server', () => {
  test('not found, exists, conflict, wrong uid', async () => {
    const namespace = await newNamespace('refusals');
    assert.ok(isNotFound(await refusal(getSecret(kube, namespace, 'absent'))));
    const secret = await createSecret(kube, { metadata: { namespace, name: 's' }, data: {} }, manager);
    assert.ok(isAlreadyExists(await refusal(createSecret(kube, secretOf(namespace, 's'), manager))));
    const { resourceVersion = '', uid = '' } = secret.metadata;
    const at = { namespace, name: 's', resourceVersion };
    const changed = await patchSecret(kube, at, { data: { a: base64('1') } }, manager);
    assert.ok(isConflict(await refusal(patchSecret(kube, at, { data: { a: null } }, manager))));
    assert.ok(isConflict(await refusal(replaceSecret(kube, secret, manager))));
    assert.ok(isConflict(await refusal(deleteSecret(kube, { ...at, uid }))));
    const now = { ...at, resourceVersion: changed.metadata.resourceVersion ?? '' };
    assert.ok(isConflict(await refusal(deleteSecret(kube, { ...now, uid: 'another' }))));
    await deleteSecret(kube, { ...now, uid });
    assert.ok(isNotFound(await refusal(patchSecret(kube, now, { data: {} }, manager))));
  });

  function secretOf(namespace: string, name: string, more: object = {}) {
    return { metadata: { namespace, name }, ...more };
  }

  test('what it says about a value stays out of the error', async () => {
    const namespace = await newNamespace('leaks');
    const bad = [
      { data: { k: `!${VALUE}` } },
      { data: { [`k ${'x'}`]: base64(VALUE) } },
      { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': base64(VALUE) } },
      { type: 'kubernetes.io/ssh-auth', stringData: { other: VALUE } },
    ];
    for (const more of bad) {
      const error = await refusal(createSecret(kube, secretOf(namespace, 'bad', more), manager));
      assert.ok(error.status === 400 || isInvalid(error), error.message);
    }
    const invalid = await refusal(createSecret(kube, secretOf(namespace, 'bad', bad[2]), manager));
    assert.match(invalid.message, /^create Secret leaks\/bad: 422 Invalid: data\[\.dockerconfigjson\]/);
  });

  test(
    'quota, lack of rights and a terminating namespace are told apart',
    needsGarbageCollection(),
    async () => {
      const namespace = await newNamespace('limits');
      await kube.request('POST', `/api/v1/namespaces/${namespace}/resourcequotas`, {
        body: { metadata: { name: 'few' }, spec: { hard: { secrets: '0' } } },
      });
      // Before it is looked after it lets everything through, and then it counts what got in.
      await eventually(async () => {
        const path = `/api/v1/namespaces/${namespace}/resourcequotas/few`;
        const { status } = await kube.request<{ status?: { used?: Record<string, string> } }>('GET', path);
        return status?.used?.['secrets'] === '0';
      });
      const quota = await eventually(async () => {
        const error = await refusal(createSecret(kube, secretOf(namespace, 'q'), manager));
        return error.refusal === 'QuotaExceeded' ? error : undefined;
      });
      assert.match(
        quota.message,
        /exceeded quota: few, requested: secrets=1, used: secrets=0, limited: secrets=0/,
      );

      const token = await controlPlane.serviceAccountToken('default', 'default');
      const nobody = new KubeClient(
        loadClusterConfig({ kubeconfig: controlPlane.writeKubeconfig('nobody', token) }),
      );
      const denied = await refusal(createSecret(nobody, secretOf(namespace, 'd'), manager));
      assert.ok(isForbidden(denied) && denied.refusal === undefined);
      assert.match(
        denied.message,
        /User "system:serviceaccount:default:default" cannot create resource "secrets"/,
      );
      await nobody.close();

      await newNamespace('ending');
      await kube.request('POST', '/api/v1/namespaces/ending/configmaps', {
        body: { metadata: { name: 'held', finalizers: ['example.com/held'] } },
      });
      await kube.request('DELETE', '/api/v1/namespaces/ending');
      const ending = await eventually(async () => {
        const error = await refusal(createSecret(kube, secretOf('ending', 'e'), manager));
        return isNamespaceTerminating(error) ? error : undefined;
      });
      assert.match(ending.message, /because it is being terminated/);
      assert.equal((await getConfigMap(kube, 'ending', 'held')).metadata.name, 'held');
      await kube.request('PATCH', '/api/v1/namespaces/ending/configmaps/held', {
        contentType: 'application/merge-patch+json',
        body: { metadata: { finalizers: null } },
      });
    },
  );

  test('a policy that quotes the object, an unknown kind, a wrong token, a wrong CA', async () => {
    const namespace = await newNamespace('policy');
    const policies = '/apis/admissionregistration.k8s.io/v1';
    await kube.request('POST', `${policies}/validatingadmissionpolicies`, {
      body: {
        metadata: { name: 'nosy' },
        spec: {
          matchConstraints: {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
            resourceRules: [
              { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets'] },
            ],
          },
          validations: [{ expression: 'false', messageExpression: 'string(object.data.k)' }],
        },
      },
    });
    await kube.request('POST', `${policies}/validatingadmissionpolicybindings`, {
      body: { metadata: { name: 'nosy' }, spec: { policyName: 'nosy', validationActions: ['Deny'] } },
    });
    const message = await eventually(async () => {
      const secret = secretOf(namespace, `p${Date.now()}`, { data: { k: base64(VALUE) } });
      const error = await refusal(createSecret(kube, secret, manager));
      assert.ok(!error.message.includes(base64(VALUE)));
      return error.message;
    });
    assert.match(message, /ValidatingAdmissionPolicy 'nosy' with binding 'nosy' denied request$/);

    assert.match(
      (await refusal(getExternalSecret(kube, namespace, 'x'))).message,
      /404 NotFound: the API server does not know this kind; are the CRDs installed\?$/,
    );
    const stranger = new KubeClient({
      server: controlPlane.server,
      ca: { value: controlPlane.ca },
      token: { value: 'nonsense' },
    });
    assert.equal((await refusal(getNamespace(stranger, 'default'))).status, 401);
    await stranger.close();
    const distrustful = new KubeClient({ server: controlPlane.server });
    assert.match((await refusal(getNamespace(distrustful, 'default'))).reason, /CERT|SIGNATURE/);
    await distrustful.close();
  });
});

describe('calls', () => {
  test('tokens, access reviews, status of a custom resource with all digits', async () => {
    await controlPlane.kubectlOutput(['create', 'serviceaccount', 'caller']);
    const { token, expiresAt } = await createToken(kube, {
      namespace: 'default',
      name: 'caller',
      audiences: ['vault'],
      expirationSeconds: 600,
    });
    const claims = JSON.parse(Buffer.from(token.revealText().split('.')[1] ?? '', 'base64url').toString());
    assert.deepEqual(claims.aud, ['vault']);
    assert.ok(Math.abs(expiresAt - Date.now() - 600_000) < 5000);
    const question = { verb: 'get', group: '', resource: 'secrets', namespace: 'default' };
    assert.equal(await reviewAccess(kube, { username: 'admin', groups: ['system:masters'] }, question), true);
    assert.equal(await reviewAccess(kube, { username: 'nobody' }, question), false);

    const spec = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    await kube.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      body: {
        metadata: { name: 'externalsecrets.external-secrets.io' },
        spec: {
          group: 'external-secrets.io',
          scope: 'Namespaced',
          names: { kind: 'ExternalSecret', plural: 'externalsecrets' },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              subresources: { status: {} },
              schema: {
                openAPIV3Schema: { type: 'object', properties: { spec, status: spec } },
              },
            },
          ],
        },
      },
    });
    const path = '/apis/external-secrets.io/v1/namespaces/default/externalsecrets';
    const made = await eventually(() =>
      kube.request<KubeObject>('POST', path, {
        body: {
          apiVersion: 'external-secrets.io/v1',
          kind: 'ExternalSecret',
          metadata: { name: 'es' },
          spec: parseObject('{"big":9007199254740993}'),
        },
      }),
    );
    const at = {
      group: 'external-secrets.io',
      version: 'v1',
      resource: 'externalsecrets',
      namespace: 'default',
      name: 'es',
    };
    await patchStatus(
      kube,
      { ...at, resourceVersion: made.metadata.resourceVersion },
      { refreshTime: 'now' },
      manager,
    );
    const stale = patchStatus(kube, { ...at, resourceVersion: made.metadata.resourceVersion }, {}, manager);
    assert.ok(isConflict(await refusal(stale)));
    const read = await getExternalSecret<KubeObject & { spec: object; status: object }>(
      kube,
      'default',
      'es',
    );
    assert.deepEqual(read.status, { refreshTime: 'now' });
    assert.equal(JSON.stringify(read.spec), '{"big":9007199254740993}');
  });

  test('through a proxy: that of the kubeconfig, and that of the environment', async () => {
    const tunnels: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, socket, head) => {
      tunnels.push(request.url ?? '');
      const [host, port] = (request.url ?? '').split(':');
      const target = connect(Number(port), host ?? '', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        target.write(head);
        target.pipe(socket).pipe(target);
      });
      for (const end of [target, socket]) end.on('error', () => {});
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const config = loadClusterConfig({ kubeconfig: controlPlane.kubeconfig });
    const throughConfig = new KubeClient({ ...config, proxyUrl: url });
    assert.equal((await getNamespace(throughConfig, 'default')).metadata.name, 'default');
    assert.equal(tunnels.length, 1);
    await throughConfig.close();

    const saved = { ...process.env };
    Object.assign(process.env, { HTTPS_PROXY: url, NO_PROXY: '' });
    const throughEnvironment = new KubeClient(config);
    assert.equal((await getNamespace(throughEnvironment, 'default')).metadata.name, 'default');
    assert.equal(tunnels.length, 2);
    process.env['NO_PROXY'] = '127.0.0.1';
    const direct = new KubeClient(config);
    await getNamespace(direct, 'default');
    assert.equal(tunnels.length, 2);
    process.env = saved;
    await Promise.all([throughEnvironment.close(), direct.close()]);
    proxy.close();
    proxy.closeAllConnections();
  });

  test('a token file is read again: after a 401 at once', async () => {
    const file = join(controlPlane.directory, 'renewed-token');
    writeFileSync(file, 'expired');
    const config: ClusterConfig = {
      server: controlPlane.server,
      ca: { value: controlPlane.ca },
      token: { file },
    };
    const client = new KubeClient(config);
    assert.equal((await refusal(getNamespace(client, 'default'))).status, 401);
    writeFileSync(file, controlPlane.adminToken);
    assert.equal((await getNamespace(client, 'default')).metadata.name, 'default');
    await client.close();
  });
});

test('an event can be read with kubectl, counted', async () => {
  const recorder = new EventRecorder({ kube, log: silentLog });
  const { metadata } = await getNamespace(kube, 'default');
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata };
  for (let i = 0; i < 3; i++) {
    recorder.record(object, 'Warning', 'UpdateFailed', 'could not update secret target');
    await recorder.flush();
  }
  assert.equal(recorder.dropped, 0);
  const text = await controlPlane.kubectlOutput([
    'get',
    'events',
    '-n',
    'default',
    '--field-selector=reason=UpdateFailed',
    '-o',
    'jsonpath={range .items[*]}{.count} {.source.component} {.message}{"\\n"}{end}',
  ]);
  assert.equal(text, '3 external-secrets could not update secret target\n');
  await recorder.stop();
});

test('two fight for a lease: never both, and the second follows when the first is cut off', async () => {
  const kubes = [0, 1].map(() => new KubeClient(loadClusterConfig({ kubeconfig: controlPlane.kubeconfig })));
  const electors = kubes.map(
    (client, i) =>
      new LeaderElector({
        kube: client,
        namespace: 'default',
        name: 'fight',
        identity: `replica-${i}`,
        log: silentLog,
        leaseDurationMs: 2000,
        renewDeadlineMs: 1200,
        retryMs: 200,
      }),
  );
  const leaders = (): number[] => electors.flatMap((elector, i) => (elector.isLeader() ? [i] : []));
  let most = 0;
  const watcher = setInterval(() => {
    most = Math.max(most, leaders().length);
  }, 1);
  for (const elector of electors) elector.start();
  const [first = 0] = await eventually(() => (leaders().length === 1 ? leaders() : undefined));
  await sleep(1500);
  assert.deepEqual(leaders(), [first]);
  const second = 1 - first;
  // Cut off, as by a partition: nothing is given back.
  await kubes[first]?.close();
  const cutAt = performance.now();
  await eventually(() => electors[second]?.isLeader(), { what: 'the second leads' });
  assert.ok(performance.now() - cutAt > 1200);
  assert.equal(electors[first]?.isLeader(), false);
  await electors[second]?.stop();
  const lease = await kube.request<{ spec: { holderIdentity: string; leaseTransitions: number } }>(
    'GET',
    '/apis/coordination.k8s.io/v1/namespaces/default/leases/fight',
  );
  assert.equal(lease.spec.holderIdentity, '');
  assert.equal(lease.spec.leaseTransitions, 1);
  clearInterval(watcher);
  assert.equal(most, 1);
  await electors[first]?.stop();
  await kubes[second]?.close();
});

test('a reflector sees all of it: pages, metadata only, and an API server that goes away', async () => {
  const namespace = await newNamespace('many');
  const COUNT = 1200;
  const numbers = Array.from({ length: COUNT }, (_, i) => i);
  for (let from = 0; from < COUNT; from += 50) {
    await Promise.all(
      numbers
        .slice(from, from + 50)
        .map((i) =>
          createSecret(
            kube,
            { metadata: { namespace, name: `s${i}` }, data: { k: base64('x'.repeat(500)) } },
            manager,
          ),
        ),
    );
  }
  const live = new Map<string, string>();
  const deleted: string[] = [];
  const seen: KubeObject[] = [];
  const reflector = new Reflector<KubeObject>({
    kube,
    path: `/api/v1/namespaces/${namespace}/secrets`,
    metadataOnly: true,
    log: silentLog,
    backoffMs: { min: 50, max: 300 },
    handlers: {
      onUpsert: (object) => {
        live.set(object.metadata.name ?? '', object.metadata.uid ?? '');
        seen.push(object);
      },
      onDelete: ({ name, uid }) => {
        if (live.get(name) === uid) live.delete(name);
        deleted.push(name);
      },
    },
  });
  reflector.start();
  assert.equal(await reflector.synced, true);
  assert.equal(live.size, COUNT);
  assert.ok(!seen.some((object) => 'data' in object), 'no data is transferred');

  const remove = async (name: string): Promise<void> => {
    const { metadata } = await getSecret(kube, namespace, name);
    const { uid = '', resourceVersion = '' } = metadata;
    await deleteSecret(kube, { namespace, name, uid, resourceVersion });
  };
  await remove('s0');
  await eventually(() => !live.has('s0'));

  await controlPlane.stopApiServer();
  await sleep(300);
  await controlPlane.startApiServer();
  await remove('s1');
  const old = live.get('s2');
  await remove('s2');
  await createSecret(kube, { metadata: { namespace, name: 's2' } }, manager);
  await createSecret(kube, { metadata: { namespace, name: 'after' } }, manager);
  await eventually(() => live.has('after') && !live.has('s1') && live.get('s2') !== old, {
    timeout: 20_000,
    what: 'the changes after the restart',
  });
  assert.equal(live.size, COUNT - 1);
  assert.ok(deleted.includes('s2'));
  assert.equal(reflector.size, live.size);
  await reflector.stop();
});
