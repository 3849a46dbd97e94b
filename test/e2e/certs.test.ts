/** Certificates on a real API server: it calls real HTTPS servers, which show what CertificateManager gives. */
import assert from 'node:assert/strict';
import { randomUUID, X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../api/clock.ts';
import { CertificateManager, type CertificateTimes } from '../../certs/manager.ts';
import { KubeClient } from '../../kube/client.ts';
import { loadClusterConfig } from '../../kube/config.ts';
import { isNotFound } from '../../kube/errors.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { always, eventually } from '../harness/eventually.ts';

const VALIDATING = 'esa-validating';
const MUTATING = 'esa-mutating';
const CRD = 'externalsecrets.external-secrets.io';
const HOOK = 'validate.externalsecret.external-secrets.io';

let controlPlane: ControlPlane;
let kube: KubeClient;
const clients: KubeClient[] = [];
/** What a test has started, ended after it even if it fails. */
const endings: (() => Promise<unknown>)[] = [];

before(async () => {
  controlPlane = await startControlPlane({ controllerManager: false });
  kube = new KubeClient(loadClusterConfig({ kubeconfig: controlPlane.kubeconfig }));
  await applyCrd();
});
after(async () => {
  for (const client of [kube, ...clients]) await client.close();
  await controlPlane.stop();
});

const at = (path: string): string => `/apis/admissionregistration.k8s.io/v1/${path}`;

async function applyCrd(): Promise<void> {
  const schema = {
    openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  };
  await kube.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: {
      metadata: { name: CRD },
      spec: {
        group: 'external-secrets.io',
        scope: 'Namespaced',
        names: { kind: 'ExternalSecret', plural: 'externalsecrets', singular: 'externalsecret' },
        versions: [
          { name: 'v1', served: true, storage: true, schema },
          { name: 'v1beta1', served: true, storage: false, schema },
        ],
        conversion: {
          strategy: 'Webhook',
          webhook: {
            conversionReviewVersions: ['v1'],
            clientConfig: { service: { namespace: 'replaced', name: 'hook' } },
          },
        },
      },
    },
  });
}

interface Review {
  readonly request: { uid: string; desiredAPIVersion?: string; objects?: { apiVersion: string }[] };
}

/** A server that answers every review with yes, if the path is right. */
async function serve(manager: CertificateManager): Promise<number> {
  const certificate = manager.current();
  assert.ok(certificate);
  const server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url?.split('?')[0];
      if (!Object.values(manager.paths() ?? {}).includes(path ?? '')) {
        response.writeHead(404).end();
        return;
      }
      const review = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Review;
      const { uid, objects, desiredAPIVersion } = review.request;
      const converted = objects?.map((object) => ({ ...object, apiVersion: desiredAPIVersion }));
      const answer = converted
        ? { uid, result: { status: 'Success' }, convertedObjects: converted }
        : { uid, allowed: true };
      response.setHeader('content-type', 'application/json');
      response.setHeader('connection', 'close');
      response.end(JSON.stringify({ ...review, request: undefined, response: answer }));
    });
  });
  manager.onChange(({ key, cert }) => server.setSecureContext({ key, cert }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endings.push(async () => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** A namespace of its own for each test, with the Service by which the API server reaches us. */
async function newNamespace(): Promise<string> {
  const namespace = `esa-${randomUUID().slice(0, 8)}`;
  await kube.request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  await kube.request('POST', `/api/v1/namespaces/${namespace}/services`, {
    body: {
      metadata: { name: 'hook' },
      spec: { type: 'ExternalName', externalName: 'localhost' },
    },
  });
  return namespace;
}

async function applyConfigurations(namespace: string, port: number): Promise<void> {
  endings.push(() => removeConfigurations());
  const webhook = (name: string) => ({
    name,
    clientConfig: { service: { namespace, name: 'hook', port } },
    rules: [
      {
        apiGroups: ['external-secrets.io'],
        apiVersions: ['*'],
        operations: ['CREATE'],
        resources: ['externalsecrets'],
      },
    ],
    failurePolicy: 'Fail',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    timeoutSeconds: 2,
  });
  const foreign = {
    ...webhook('other.example.com'),
    rules: [{ apiGroups: ['x.example.com'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }],
  };
  await kube.request('POST', at('validatingwebhookconfigurations'), {
    body: { metadata: { name: VALIDATING }, webhooks: [foreign, webhook(HOOK)] },
  });
  await kube.request('POST', at('mutatingwebhookconfigurations'), {
    body: {
      metadata: { name: MUTATING },
      webhooks: [webhook('materialize.externalsecret.external-secrets.io')],
    },
  });
  await kube.request('PATCH', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD}`, {
    contentType: 'application/merge-patch+json',
    body: {
      spec: {
        conversion: {
          webhook: {
            clientConfig: { caBundle: null, service: { namespace, name: 'hook', port, path: null } },
          },
        },
      },
    },
  });
}

async function removeConfigurations(): Promise<void> {
  for (const path of [
    `validatingwebhookconfigurations/${VALIDATING}`,
    `mutatingwebhookconfigurations/${MUTATING}`,
  ]) {
    await kube.request('DELETE', at(path)).catch((error: unknown) => assert.ok(isNotFound(error)));
  }
}

function newManager(
  namespace: string,
  identity: string,
  times: Partial<CertificateTimes> = {},
  log: string[] = [],
) {
  const client = new KubeClient(loadClusterConfig({ kubeconfig: controlPlane.kubeconfig }));
  clients.push(client);
  const note = (fields: object, message: string): void => {
    const error = 'err' in fields && fields.err instanceof Error ? `: ${fields.err.message}` : '';
    const step = 'step' in fields ? `: ${String(fields.step)}` : '';
    log.push(message + step + error);
  };
  const manager = new CertificateManager({
    kube: client,
    namespace,
    serviceName: 'hook',
    leaseName: 'esa-certificates',
    identity,
    validatingConfiguration: VALIDATING,
    mutatingConfiguration: MUTATING,
    crdNames: [CRD, 'missing.external-secrets.io'],
    clock: systemClock,
    log: { info: note, warn: note, error: note },
    times: {
      tickMs: 100,
      spreadMs: 300,
      leaseDurationMs: 2000,
      leaseRenewDeadlineMs: 1500,
      leaseRetryMs: 300,
      ...times,
    },
  });
  endings.push(() => manager.stop());
  return manager;
}

/** A create and a read in the old version: both hooks and the conversion are called. */
async function call(namespace: string): Promise<true> {
  const name = `es-${randomUUID()}`;
  const path = (version: string) =>
    `/apis/external-secrets.io/${version}/namespaces/${namespace}/externalsecrets`;
  await kube.request('POST', path('v1'), {
    body: { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', metadata: { name } },
  });
  await kube.request('GET', `${path('v1beta1')}/${name}`);
  return true;
}

const bundleOf = async (index: number): Promise<string> => {
  const object = await kube.request<{ webhooks: { clientConfig: { caBundle?: string } }[] }>(
    'GET',
    at(`validatingwebhookconfigurations/${VALIDATING}`),
  );
  return Buffer.from(object.webhooks[index]?.clientConfig.caBundle ?? '', 'base64').toString('utf8');
};
const issuerOf = (manager: CertificateManager): string =>
  new X509Certificate(manager.current()?.cert ?? '').issuer;

describe('certificates', { concurrency: false }, () => {
  afterEach(async () => {
    for (const end of endings.splice(0).toReversed()) await end();
  });

  test('9.3 #55 from nothing to a served call; foreign hooks untouched; damage repaired', async () => {
    const namespace = await newNamespace();
    const log: string[] = [];
    const manager = newManager(namespace, 'a', {}, log);
    await manager.start(new AbortController().signal);
    const port = await serve(manager);
    await eventually(() => manager.ready(), { what: 'ready without configurations' });
    assert.equal(log.filter((line) => line.startsWith('does not exist')).length, 3, log.join('\n'));
    await applyConfigurations(namespace, port);
    await eventually(() => call(namespace), { what: 'a served call' });
    assert.equal(await bundleOf(0), '');

    await kube.request('PATCH', at(`validatingwebhookconfigurations/${VALIDATING}`), {
      contentType: 'application/json-patch+json',
      body: [
        { op: 'remove', path: '/webhooks/1/clientConfig/caBundle' },
        { op: 'replace', path: '/webhooks/1/clientConfig/service/path', value: '/elsewhere' },
      ],
    });
    assert.equal(manager.ready(), true, 'the other hooks can still be served');
    await eventually(() => call(namespace), { what: 'a served call after the damage' });

    await removeConfigurations();
    await applyConfigurations(namespace, port);
    await eventually(() => call(namespace), { what: 'a served call after a new installation' });

    await kube.request('DELETE', `/api/v1/namespaces/${namespace}/secrets/external-secrets-admission-ca`);
    await eventually(() =>
      kube.request('GET', `/api/v1/namespaces/${namespace}/secrets/external-secrets-admission-ca`),
    );
    await call(namespace);
    assert.deepEqual(
      log.filter((line) => line.includes('trying again')),
      [],
    );
  });

  test('two replicas that start together agree; either is trusted; the second takes over', async () => {
    const namespace = await newNamespace();
    const managers = [newManager(namespace, 'a'), newManager(namespace, 'b')] as const;
    await Promise.all(managers.map((manager) => manager.start(new AbortController().signal)));
    const [one, two] = managers;
    assert.deepEqual(one.paths(), two.paths());
    assert.equal(issuerOf(one), issuerOf(two));
    assert.notEqual(one.current()?.cert, two.current()?.cert);
    const served = [await serve(managers[0]), await serve(managers[1])] as const;
    await applyConfigurations(namespace, served[1]);
    await eventually(() => one.ready() && two.ready(), { what: 'both ready' });
    await eventually(() => call(namespace), { what: 'a call served by the second' });
    await one.stop();
    await removeConfigurations();
    await applyConfigurations(namespace, served[1]);
    await eventually(() => call(namespace), { what: 'injection by the one that is left' });
  });

  test('a whole rotation of the CA without a failed call, on two replicas', async () => {
    const namespace = await newNamespace();
    const logs: [string[], string[]] = [[], []];
    // The next CA is introduced after 12 s, the old one ends after 18 s. A leaf is renewed after 6 s, which
    // leaves 3 s for building the next one on a machine that is busy with other tests.
    const times = { authorityMs: 18_000, leafMs: 9000 };
    const managers = [
      newManager(namespace, 'a', times, logs[0]),
      newManager(namespace, 'b', times, logs[1]),
    ] as const;
    await Promise.all(managers.map((manager) => manager.start(new AbortController().signal)));
    const served = [await serve(managers[0]), await serve(managers[1])] as const;
    await applyConfigurations(namespace, served[1]);
    await eventually(() => call(namespace), { what: 'the first served call' });
    const first = issuerOf(managers[1]);
    const leaves = new Set<string>();
    const bundles = new Set<string>();
    let calls = 0;
    await always(
      async () => {
        await call(namespace);
        calls++;
        leaves.add(managers[1].current()?.cert ?? '');
        bundles.add(await bundleOf(1));
      },
      { duration: 20_000, interval: 20 },
    );
    assert.ok(calls > 50, `${calls} calls`);
    assert.notEqual(issuerOf(managers[1]), first);
    assert.equal(issuerOf(managers[0]), issuerOf(managers[1]));
    assert.ok(leaves.size >= 4, `${leaves.size} leaves`);
    const sizes = [...bundles].map((bundle) => bundle.split('BEGIN CERTIFICATE').length - 1);
    assert.ok(sizes.includes(1) && sizes.includes(2), `bundles of ${sizes.join()}`);
    const steps = logs.flat().filter((line) => line.startsWith('CA rotation'));
    assert.deepEqual(steps.slice(0, 3), [
      'CA rotation: introduce',
      'CA rotation: switch',
      'CA rotation: drop',
    ]);
  });

  test('9.3 #55 an expired CA is replaced; a foreign Secret is refused and left as it is', async () => {
    const namespace = await newNamespace();
    const first = newManager(namespace, 'a', { authorityMs: 1000 });
    await first.start(new AbortController().signal);
    const old = issuerOf(first);
    await first.stop();
    await sleep(2000);
    const second = newManager(namespace, 'b');
    const stopping = new AbortController();
    await second.start(stopping.signal);
    assert.notEqual(issuerOf(second), old);
    // The signal and a call of stop() are the same end: both wait for the lease to be given back.
    stopping.abort();
    await second.stop();
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/esa-certificates`;
    const { spec } = await kube.request<{ spec: { holderIdentity: string } }>('GET', lease);
    assert.equal(spec.holderIdentity, '');
    assert.ok(second.current(), 'what is served goes on being served');

    const path = `/api/v1/namespaces/${namespace}/secrets/external-secrets-admission-ca`;
    const foreign = { data: { 'ca.crt': Buffer.from('not a certificate').toString('base64') } };
    await kube.request('PATCH', path, { contentType: 'application/merge-patch+json', body: foreign });
    const third = newManager(namespace, 'c');
    await assert.rejects(third.start(new AbortController().signal), {
      code: 'CERTIFICATE',
      message: /ca\.crt is not a certificate.*delete it and restart/,
    });
    assert.equal(third.current(), undefined);
    assert.equal(third.ready(), false);
    const { data } = await kube.request<typeof foreign>('GET', path);
    assert.equal(data['ca.crt'], foreign.data['ca.crt']);
  });
});
