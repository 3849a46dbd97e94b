/** Certificate managers in this process, before a real API server that calls what they serve. */
import assert from 'node:assert/strict';
import { randomUUID, X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../../../api/clock.ts';
import { CertificateManager } from '../../../certs/manager.ts';
import type { CertificateTimes } from '../../../certs/options.ts';
import { KubeClient } from '../../../kube/client.ts';
import { loadClusterConfig } from '../../../kube/config.ts';
import { isNotFound } from '../../../kube/errors.ts';
import { getSecret, type SecretObject } from '../../../kube/objects.ts';
import type { ControlPlane } from '../../harness/control-plane.ts';
import { eventually } from '../../harness/eventually.ts';
import { type ApiProxy, startApiProxy } from './api-proxy.ts';

export const VALIDATING = 'esa-validating';
export const MUTATING = 'esa-mutating';
export const CRD = 'externalsecrets.external-secrets.io';
export const SECRET = 'external-secrets-admission-ca';
export const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1';
export const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const HOOK = 'validate.externalsecret.external-secrets.io';

/** A wall clock that jumps; time itself goes on as ever. */
export class JumpingClock implements Clock {
  offset = 0;
  now(): number {
    return systemClock.now() + this.offset;
  }
  monotonic(): number {
    return systemClock.monotonic();
  }
}

export interface ManagerOptions {
  readonly times?: Partial<CertificateTimes>;
  readonly log?: string[];
  /** Reports of what was done: `step switch`, `injected <kind> damage`, `repair deleted`. */
  readonly events?: string[];
  readonly clock?: Clock;
  readonly leaseName?: string;
  readonly proxy?: ApiProxy;
}

/** Between two calls of a caller, so that those whom it watches get the machine, too. */
const BREATH_MS = 10;

/** What happened while calls were made one after the other. */
export interface Calls {
  readonly count: number;
  readonly failures: readonly string[];
  /** Milliseconds. */
  readonly slowest: number;
}

interface Review {
  readonly request: { uid: string; desiredAPIVersion?: string; objects?: { apiVersion: string }[] };
}

export class CertificateBed {
  readonly cp: ControlPlane;
  readonly kube: KubeClient;
  /** By the pace of the machine: others are told by watches, which are late where it is busy with other tests. */
  readonly overlapMs: number;
  /** By the same: a leader has to keep its Lease while it builds a CA. */
  readonly leaseMs: number;
  readonly #clients: KubeClient[] = [];
  /** What a test has started, ended after it even if it fails. */
  readonly #endings: (() => Promise<unknown>)[] = [];

  /** @param startMs how long it took to start the control plane */
  constructor(cp: ControlPlane, startMs: number) {
    this.cp = cp;
    this.overlapMs = Math.min(20_000, Math.max(2500, startMs * 0.7));
    this.leaseMs = 1000 * Math.min(5, Math.max(1, Math.round(startMs / 6000)));
    this.kube = new KubeClient(loadClusterConfig({ kubeconfig: cp.kubeconfig }));
  }

  async applyCrd(): Promise<void> {
    const schema = {
      openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    };
    await this.kube.request('POST', DEFINITIONS, {
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

  /** To be called after each test. */
  async end(): Promise<void> {
    for (const end of this.#endings.splice(0).toReversed()) await end();
  }

  async close(): Promise<void> {
    for (const client of [this.kube, ...this.#clients]) await client.close();
  }

  /** A namespace of its own for each test, with the Service by which the API server reaches us. */
  async newNamespace(): Promise<string> {
    const namespace = `esa-${randomUUID().slice(0, 8)}`;
    await this.kube.request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
    await this.kube.request('POST', `/api/v1/namespaces/${namespace}/services`, {
      body: {
        metadata: { name: 'hook' },
        spec: { type: 'ExternalName', externalName: 'localhost' },
      },
    });
    return namespace;
  }

  newManager(
    namespace: string,
    identity: string,
    { times, log = [], events = [], clock, leaseName, proxy }: ManagerOptions = {},
  ): CertificateManager {
    const config = loadClusterConfig({ kubeconfig: this.cp.kubeconfig });
    const client = new KubeClient(proxy ? { ...config, server: proxy.url } : config);
    this.#clients.push(client);
    const note = (fields: object, message: string): void => {
      const error = 'err' in fields && fields.err instanceof Error ? `: ${fields.err.message}` : '';
      const step = 'step' in fields ? `: ${String(fields.step)}` : '';
      log.push(message + step + error);
    };
    const manager = new CertificateManager({
      kube: client,
      namespace,
      serviceName: 'hook',
      leaseName: leaseName ?? 'esa-certificates',
      identity,
      validatingConfiguration: VALIDATING,
      mutatingConfiguration: MUTATING,
      crdNames: [CRD, 'missing.external-secrets.io'],
      clock: clock ?? systemClock,
      log: { info: note, warn: note, error: note },
      events: {
        onStep: (step) => events.push(`step ${step}`),
        onInjected: (kind, cause) => events.push(`injected ${kind} ${cause}`),
        onRepair: (damage) => events.push(`repair ${damage}`),
      },
      times: {
        tickMs: 100,
        overlapMs: this.overlapMs,
        leaseDurationMs: this.leaseMs,
        leaseRenewDeadlineMs: this.leaseMs * 0.8,
        leaseRetryMs: this.leaseMs / 5,
        ...times,
      },
    });
    this.#endings.push(() => manager.stop());
    return manager;
  }

  async startManager(
    namespace: string,
    identity: string,
    options?: ManagerOptions,
  ): Promise<CertificateManager> {
    const manager = this.newManager(namespace, identity, options);
    await manager.start(new AbortController().signal);
    return manager;
  }

  /** A manager's way to the API server; see ApiProxy. */
  async newProxy(cutAfter?: number): Promise<ApiProxy> {
    const proxy = await startApiProxy({
      server: this.cp.server,
      ca: this.cp.ca,
      ...(cutAfter === undefined ? {} : { cutAfter }),
    });
    this.#endings.push(() => proxy.stop());
    return proxy;
  }

  /** A server that answers every review with yes, if the path is right; each call is a new connection. */
  async serve(manager: CertificateManager): Promise<number> {
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
    this.#endings.push(async () => {
      server.close();
      server.closeAllConnections();
    });
    return (server.address() as AddressInfo).port;
  }

  /** Registers the two configurations, the first webhook of one being somebody else's, and the conversion. */
  async applyConfigurations(namespace: string, port: number): Promise<void> {
    this.#endings.push(() => this.removeConfigurations());
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
      timeoutSeconds: 10,
    });
    const foreign = {
      ...webhook('other.example.com'),
      rules: [{ apiGroups: ['x.example.com'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }],
    };
    await this.kube.request('POST', `${CONFIGURATIONS}/validatingwebhookconfigurations`, {
      body: { metadata: { name: VALIDATING }, webhooks: [foreign, webhook(HOOK)] },
    });
    await this.kube.request('POST', `${CONFIGURATIONS}/mutatingwebhookconfigurations`, {
      body: {
        metadata: { name: MUTATING },
        webhooks: [webhook('materialize.externalsecret.external-secrets.io')],
      },
    });
    await this.patch(`${DEFINITIONS}/${CRD}`, {
      spec: {
        conversion: {
          webhook: {
            clientConfig: { caBundle: null, service: { namespace, name: 'hook', port, path: null } },
          },
        },
      },
    });
  }

  async removeConfigurations(): Promise<void> {
    for (const path of [
      `validatingwebhookconfigurations/${VALIDATING}`,
      `mutatingwebhookconfigurations/${MUTATING}`,
    ]) {
      const gone = this.kube.request('DELETE', `${CONFIGURATIONS}/${path}`);
      await gone.catch((error: unknown) => assert.ok(isNotFound(error)));
    }
  }

  /** A merge patch, or a JSON patch if it is a list. */
  async patch(path: string, body: object): Promise<void> {
    const kind = Array.isArray(body) ? 'json' : 'merge';
    await this.kube.request('PATCH', path, { contentType: `application/${kind}-patch+json`, body });
  }

  /** A create and a read in the old version: both hooks and the conversion are called. */
  async call(namespace: string): Promise<true> {
    const name = `es-${randomUUID()}`;
    const path = (version: string) =>
      `/apis/external-secrets.io/${version}/namespaces/${namespace}/externalsecrets`;
    await this.kube.request('POST', path('v1'), {
      body: { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', metadata: { name } },
    });
    await this.kube.request('GET', `${path('v1beta1')}/${name}`);
    return true;
  }

  /** Calls one after the other until `work` is done. */
  async during(namespace: string, work: () => Promise<unknown>): Promise<Calls> {
    const failures: string[] = [];
    let [count, slowest, over] = [0, 0, false];
    const caller = async (): Promise<void> => {
      while (!over) {
        const began = performance.now();
        try {
          await this.call(namespace);
        } catch (error) {
          failures.push(error instanceof Error ? error.message : String(error));
        }
        count++;
        slowest = Math.max(slowest, performance.now() - began);
        await sleep(BREATH_MS);
      }
    };
    const callers = [caller(), caller()];
    try {
      await work();
      // What the last step has changed is called, too.
      const enough = count + 4;
      await eventually(() => count >= enough, { timeout: 60_000, what: 'some more calls' });
    } finally {
      over = true;
      await Promise.all(callers);
    }
    return { count, failures, slowest };
  }

  /** Asks for a new CA as an operator would, and waits until all have it and the old one is dropped. */
  async rotate(namespace: string, managers: readonly CertificateManager[]): Promise<void> {
    const old = await this.bundle();
    const path = `/api/v1/namespaces/${namespace}/secrets/${SECRET}`;
    const request = { 'external-secrets-admission.io/rotate': randomUUID() };
    await this.patch(path, { metadata: { annotations: request } });
    await this.rotated(managers, old);
  }

  /** Waits until callers trust one CA other than `old`, and all managers serve a leaf of it. */
  async rotated(managers: readonly CertificateManager[], old: string): Promise<void> {
    const isOver = async (): Promise<boolean> => {
      const bundle = await this.bundle();
      const { subject } = new X509Certificate(bundle);
      const single = bundle.split('BEGIN CERTIFICATE').length === 2;
      return bundle !== old && single && managers.every((manager) => issuerOf(manager) === subject);
    };
    await eventually(isOver, { timeout: 120_000, what: 'the end of the rotation' });
  }

  /** The CA bundle that our hook (or the one at `index`) is called with, PEM. */
  async bundle(index = 1): Promise<string> {
    const object = await this.kube.request<{ webhooks: { clientConfig: { caBundle?: string } }[] }>(
      'GET',
      `${CONFIGURATIONS}/validatingwebhookconfigurations/${VALIDATING}`,
    );
    return Buffer.from(object.webhooks[index]?.clientConfig.caBundle ?? '', 'base64').toString('utf8');
  }

  secret(namespace: string): Promise<SecretObject> {
    return getSecret(this.kube, namespace, SECRET);
  }
}

export const issuerOf = (manager: CertificateManager): string =>
  new X509Certificate(manager.current()?.cert ?? '').issuer;
