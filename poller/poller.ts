/** The parts of the poller, connected: what the reflectors see goes to the controller, the stores and the sweeper. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../api/clock.ts';
import {
  ANNOTATION_PENDING,
  GROUP,
  HUB_VERSION,
  STORE_KINDS,
  type StoreKind,
} from '../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { pause } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/events.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import type { Log } from '../runtime/log.ts';
import type { ClusterExternalSecretMetrics, providerMetrics } from '../runtime/metrics.ts';
import { Connections, type StoreState } from '../sync/connections.ts';
import type { Answer } from '../sync/fetch.ts';
import { FreshReads } from '../sync/fresh-reads.ts';
import { LiveCluster } from '../sync/live.ts';
import { MarkerKeys } from '../sync/marker-keys.ts';
import type { PolicyDefault } from '../sync/policies.ts';
import type { StoreObject, StoreReader } from '../sync/stores.ts';
import { ClusterExternalSecrets } from './cluster-external-secrets.ts';
import { Controller } from './controller.ts';
import { Expectations } from './expectations.ts';
import { keyOf } from './object-index.ts';
import { PolicyWatch } from './policy-watch.ts';
import type { ReporterMetrics } from './report.ts';
import { StoreMonitor } from './store-monitor.ts';
import { Sweeper } from './sweeper.ts';

export interface PollerOptions {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly namespace: string;
  readonly controllerClass: string;
  readonly log: Log;
  readonly metrics: ReporterMetrics & { readonly provider: ReturnType<typeof providerMetrics> };
  readonly workers: number;
  readonly sweepAfterMs: number;
  readonly unmanagedTarget: 'refuse' | 'adopt';
  readonly policyDefault: PolicyDefault;
  /** undefined: ClusterExternalSecrets are left alone. */
  readonly clusterExternalSecrets:
    | {
        /** Connections of their own. */
        readonly kube: KubeClient;
        readonly metrics: ClusterExternalSecretMetrics;
      }
    | undefined;
}

/** Requests in flight to one store. */
const PER_STORE = 32;
/** How long a value may be shared after it was read: objects that are due at one moment begin within it. */
const SHARE_MS = 1_000;
const READ_TIMEOUT_MS = 10_000;
/** The watch is a hint, this list the truth. */
const RELIST_MS = 30 * 60_000;

export class Poller {
  readonly #options: PollerOptions;
  #synced = false;
  #depth = (): number => 0;
  #policies: PolicyWatch | undefined;
  #connections: Connections | undefined;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** True once everything that exists was seen. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Objects that wait for a sync, or are in one. */
  get depth(): number {
    return this.#depth();
  }

  /** For how long the policies could not be followed, seconds. */
  get policiesBrokenSeconds(): number {
    return (this.#policies?.brokenMs ?? 0) / 1000;
  }

  /** Stores that fail, or did a moment ago. */
  storeStates(): readonly StoreState[] {
    return this.#connections?.states() ?? [];
  }

  /** Works until the signal aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { kube, clock, namespace, log, metrics, controllerClass } = this.#options;
    const keys = new MarkerKeys(kube, namespace);
    await this.#loadKeys(keys, stop);
    const events = new EventRecorder({ kube, log });
    const connections = new Connections({
      clock,
      perStore: PER_STORE,
      onCall: (provider, error) =>
        metrics.provider.calls.inc({ provider, status: error === undefined ? 'success' : 'error' }),
    });
    this.#connections = connections;
    const live = new LiveCluster(kube, clock);
    const ports = live.ports(() => clock.monotonic());

    // The two know each other: a store that works again has its objects tried, an object that is refused has
    // its store looked at.
    let controller: Controller | undefined;
    const cluster = this.#options.clusterExternalSecrets;
    const fleet =
      cluster &&
      new ClusterExternalSecrets({
        ...cluster,
        clock,
        log,
        events,
        find: (ns, name) => controller?.find(ns, name),
        stop,
      });
    const policies = new PolicyWatch({
      kube,
      log,
      policyDefault: this.#options.policyDefault,
      relistMs: RELIST_MS,
      liveLabels: (name, signal) => live.reader(clock.monotonic()).namespaceLabels(name, signal),
      onChange: (concerns) => {
        stores.policiesChanged(concerns);
        controller?.policiesChanged(concerns);
        fleet?.policiesChanged(concerns);
      },
      onNamespace: (name, metadata) => {
        if (metadata === undefined) fleet?.namespaceDeleted(name);
        else fleet?.namespaceChanged(metadata);
      },
    });
    this.#policies = policies;
    const stores = new StoreMonitor({
      kube,
      clock,
      log,
      events,
      connections,
      ports,
      policies: policies.gate,
      controllerClass,
      stop,
      onUsable: (store, changed) => controller?.storeUsable(store, changed),
    });
    controller = new Controller({
      deps: {
        kube,
        clock,
        keys,
        digestKey: randomBytes(32),
        unmanagedTarget: this.#options.unmanagedTarget,
        templates: (notBefore) => live.templates(notBefore),
        policies: policies.gate,
        fetch: {
          controllerClass,
          reader: cachedReader(stores, policies, live, clock),
          generators: live.generators(() => clock.monotonic()),
          withConnection: (store, signal, use) => {
            stores.register(store);
            return connections.kept(store, ports, signal, use);
          },
          reads: new FreshReads<Answer>({ clock, keepMs: SHARE_MS }),
          readTimeoutMs: READ_TIMEOUT_MS,
        },
      },
      stores,
      events,
      log,
      metrics,
      workers: this.#options.workers,
      isPending: (ns, name) => sweeper.isPending(ns, name),
      expectations: new Expectations({
        kube,
        clock,
        labels: (name, signal) => policies.labels(name, signal),
      }),
      stop,
    });
    const sweeper = new Sweeper({
      kube,
      keys,
      clock,
      log,
      afterMs: this.#options.sweepAfterMs,
      stop,
      onAlive: (ns, name) => controller.syncNow(keyOf(ns, name)),
      onSwept: () => metrics.swept.inc(),
    });
    this.#depth = () => controller.depth;

    const storeReflectors = STORE_KINDS.map((kind) => this.#storeReflector(kind, stores));
    const objects = this.#reflector<ExternalSecret>('externalsecrets', {
      onUpsert: (object) => {
        controller.upsert(object);
        fleet?.externalSecretChanged(object);
      },
      onDelete: (gone) => {
        controller.delete(gone.namespace, gone.name);
        fleet?.externalSecretDeleted(gone.namespace ?? '', gone.name);
      },
    });
    const fleetReflector =
      fleet &&
      this.#reflector<ClusterExternalSecret>('clusterexternalsecrets', {
        onUpsert: (object) => fleet.upsert(object),
        onDelete: (gone) => fleet.delete(gone.name),
      });
    const secrets = this.#secretReflector(controller, stores, sweeper, policies);
    const reflectors = [...storeReflectors, objects, secrets];
    // A reflector that is stopped says that it is not synced: nothing below waits for one that never will be.
    const followers = [...reflectors, policies, fleetReflector].filter((one) => one !== undefined);
    const stopped = aborted(stop).then(() => Promise.all(followers.map((follower) => follower.stop())));
    // Policies first: nothing may be read, and no store connected to, before all of them are known. Then stores:
    // an object whose store is not known yet would be looked for live.
    const policiesSynced = await policies.start();
    if (policiesSynced) for (const reflector of storeReflectors) reflector.start();
    const storesSynced = await Promise.all(storeReflectors.map((reflector) => reflector.synced));
    if (policiesSynced && storesSynced.every(Boolean) && !stop.aborted) {
      objects.start();
      secrets.start();
      const rest = await Promise.all([objects.synced, secrets.synced]);
      this.#synced = rest.every(Boolean);
      if (this.#synced) log.info({ externalSecrets: controller.size }, 'synced');
      sweeper.start();
      // Where its CRD is missing nothing else waits for it.
      fleetReflector?.start();
      void fleetReflector?.synced.then((synced) => synced && fleet?.start());
      await aborted(stop);
    }
    this.#synced = false;
    await stopped;
    await Promise.all([controller.stop(), stores.stop(), sweeper.stop(), fleet?.stop()]);
    await events.stop();
    connections.close();
  }

  async #loadKeys(keys: MarkerKeys, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      try {
        await keys.load(stop);
        return;
      } catch (error) {
        this.#options.log.error(
          { err: error },
          'the keys of the pending marker cannot be read; nothing is adopted or swept until they can',
        );
        await pause(2_000, stop);
      }
    }
  }

  #reflector<T extends KubeObject>(
    resource: string,
    handlers: ConstructorParameters<typeof Reflector<T>>[0]['handlers'],
  ): Reflector<T> {
    const { kube, log } = this.#options;
    return new Reflector<T>({
      kube,
      log,
      path: resourcePath({ group: GROUP, version: HUB_VERSION, resource }),
      handlers,
      relistMs: RELIST_MS,
    });
  }

  #storeReflector(kind: StoreKind, stores: StoreMonitor): Reflector<StoreObject> {
    return this.#reflector<StoreObject>(kind === 'SecretStore' ? 'secretstores' : 'clustersecretstores', {
      onUpsert: (object) => stores.upsert(object),
      onDelete: (gone) => stores.delete(kind, gone.namespace, gone.name),
    });
  }

  /** Metadata of all Secrets; what no ExternalSecret, no store and no marker names is let go at once. */
  #secretReflector(
    controller: Controller,
    stores: StoreMonitor,
    sweeper: Sweeper,
    policies: PolicyWatch,
  ): Reflector<KubeObject> {
    const { kube, log } = this.#options;
    let listed = false;
    return new Reflector<KubeObject>({
      kube,
      log,
      path: '/api/v1/secrets',
      metadataOnly: true,
      relistMs: RELIST_MS,
      handlers: {
        onUpsert: ({ metadata }) => {
          const { namespace = '', name = '', uid = '', resourceVersion = '' } = metadata;
          const pending = metadata.annotations?.[ANNOTATION_PENDING];
          if (pending === undefined) sweeper.untrack(namespace, name);
          else sweeper.track(namespace, name, uid, pending);
          if (controller.isTarget(namespace, name))
            controller.targetChanged(namespace, name, resourceVersion);
          // What the first list shows is what everything was connected with, or will be.
          const dependency = { kind: 'Secret', namespace, name } as const;
          if (listed && stores.isDependency(dependency)) stores.dependencyChanged(dependency);
        },
        onDelete: ({ namespace = '', name }) => {
          sweeper.untrack(namespace, name);
          if (!policies.isTerminating(namespace)) controller.targetDeleted(namespace, name);
          stores.dependencyChanged({ kind: 'Secret', namespace, name });
        },
        onSynced: () => {
          listed = true;
        },
      },
    });
  }
}

/** Stores and labels from the watches; what they have not brought yet is looked for live. */
function cachedReader(
  stores: StoreMonitor,
  policies: PolicyWatch,
  live: LiveCluster,
  clock: Clock,
): StoreReader {
  return {
    store: async (kind, namespace, name, signal) =>
      stores.get(kind, namespace, name) ??
      live.reader(clock.monotonic()).store(kind, namespace, name, signal),
    namespaceLabels: (name, signal) => policies.labels(name, signal),
  };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
