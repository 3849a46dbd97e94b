/** The parts of the poller, connected: what the reflectors see goes to the controller, the stores and the sweeper. */
import { createSecretKey, randomBytes } from 'node:crypto';
import type { Clock } from '../api/clock.ts';
import { GROUP, HUB_VERSION, STORE_KINDS, type StoreKind } from '../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { KES_GROUP, KES_PLURAL, KES_VERSION, qualifiedName } from '../api/kubernetes-client/names.ts';
import { pause } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/events.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { type DeletedObject, Reflector } from '../kube/reflector.ts';
import type { StoreLimits } from '../policy/store-limits.ts';
import type { Loop } from '../runtime/health.ts';
import type { Log } from '../runtime/log.ts';
import {
  type ClusterExternalSecretMetrics,
  countCall,
  type providerMetrics,
  readCounts,
} from '../runtime/metrics.ts';
import { BatchReads } from '../sync/batch-reads.ts';
import { BAD_LIMITS, Connections, type StoreState } from '../sync/connections.ts';
import type { Answer } from '../sync/fetch.ts';
import { FreshReads } from '../sync/fresh-reads.ts';
import { portsOf } from '../sync/kes/services.ts';
import { LeaseBook } from '../sync/leases.ts';
import { LiveCluster } from '../sync/live.ts';
import { MarkerKeys } from '../sync/marker-keys.ts';
import type { PolicyDefault } from '../sync/policies.ts';
import { findExternalSecret } from '../sync/provision.ts';
import type { Scope } from '../sync/scope.ts';
import type { RefreshTimeMode } from '../sync/status.ts';
import type { StoreObject, StoreReader } from '../sync/stores.ts';
import { ClusterExternalSecrets } from './cluster-external-secrets.ts';
import { Controller } from './controller.ts';
import { Dependents, type Source } from './dependents.ts';
import { Expectations } from './expectations.ts';
import { KesObjects, type KesSettings, type KesStored } from './kes-objects.ts';
import type { ShardHost } from './membership.ts';
import { keyOf } from './object-index.ts';
import type { ObjectMetrics } from './object-series.ts';
import { PolicyWatch } from './policy-watch.ts';
import type { ReporterMetrics } from './report.ts';
import { secretReflector } from './secret-watch.ts';
import { type Change, SourceWatches } from './source-watches.ts';
import { StoreMonitor, storeKey } from './store-monitor.ts';
import { Sweeper } from './sweeper.ts';

export interface PollerOptions {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly namespace: string;
  /** Nothing else is listed, watched or written. */
  readonly scope: Scope;
  readonly controllerClass: string;
  /** See ExpectationsOptions. */
  readonly configurationName: string;
  readonly log: Log;
  readonly metrics: ReporterMetrics & { readonly provider: ReturnType<typeof providerMetrics> };
  readonly workers: number;
  /** What holds for stores that say nothing else. */
  readonly storeLimits: StoreLimits;
  readonly statusRefreshTime: RefreshTimeMode;
  readonly sweepAfterMs: number;
  readonly unmanagedTarget: 'refuse' | 'adopt';
  readonly policyDefault: PolicyDefault;
  /** Undefined: ExternalSecrets of KES are left alone. */
  readonly kes: KesSettings | undefined;
  /** False once others may work on what this process had. Asked before each write. */
  readonly mayWrite: () => boolean;
  /** undefined: this process has all objects, and leads from the start. */
  readonly shard: Shard | undefined;
  /** undefined: ClusterExternalSecrets are left alone. */
  readonly clusterExternalSecrets:
    | {
        /** Connections of their own. */
        readonly kube: KubeClient;
        readonly metrics: ClusterExternalSecretMetrics;
      }
    | undefined;
}

/** The share of the objects that this process has; see poller/membership.ts. */
export interface Shard {
  /** True if the object (`namespace/name`) may be worked on now. */
  readonly owns: (key: string) => boolean;
  /** How long an object may have been without anybody when it comes in, milliseconds. */
  readonly unattendedMs: number;
  start(host: ShardHost): void;
}

/** How long a value may be shared after it was read: objects that are due at one moment begin within it. */
const SHARE_MS = 1_000;
const READ_TIMEOUT_MS = 10_000;
/** ExternalSecrets in one page of a list: one page is parsed in one go, and 500 of them block for 20 ms and more. */
const PAGE_SIZE = 200;
/** Within the time of a sync; a place before it is waited for as long. */
const FIND_TIMEOUT_MS = 45_000;
const WAIT_TIMEOUT_MS = 45_000;
/** What is under way on an object that goes to another replica may take so long; nobody may begin with it meanwhile. */
const RELEASE_GRACE_MS = 1_000;
/** The watch is a hint, this list the truth. */
const RELIST_MS = 30 * 60_000;
/** /healthz: a sync may take a minute; two more without anything beginning or ending is a defect. */
const WORK_LIMIT_MS = 180_000;
/** The same of a watch, which may be silent for 150 s, and waits as long as the API server asks for. */
const WATCH_LIMIT_MS = 600_000;

export class Poller {
  readonly #options: PollerOptions;
  #synced = false;
  #controller: Controller | undefined;
  #loops: readonly Loop[] = [];
  #watches: readonly { readonly failure: string | undefined }[] = [];
  /** What only a leader does, once it can. */
  readonly #duties = Promise.withResolvers<(leading: AbortSignal) => Promise<void>>();
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
    return this.#controller?.depth ?? 0;
  }

  /** Objects that this process has. */
  get size(): number {
    return this.#controller?.size ?? 0;
  }

  /** The metrics of single objects; undefined if they are not wanted. */
  objectSeries(metrics: ObjectMetrics): AsyncIterable<string> | undefined {
    const controller = this.#controller;
    return controller && metrics.text(controller.size, () => controller.objects());
  }

  /** For how long the object that waits longest has been due, seconds. */
  get oldestSeconds(): number {
    return (this.#controller?.oldestMs ?? 0) / 1000;
  }

  /** What has to move for /healthz; nothing before run() and after it. */
  get loops(): readonly Loop[] {
    return this.#loops;
  }

  /** For how long the policies could not be followed, seconds. */
  get policiesBrokenSeconds(): number {
    return (this.#policies?.brokenMs ?? 0) / 1000;
  }

  /** Why something cannot be listed or watched that nothing goes on without; undefined while all of it can. */
  get failure(): string | undefined {
    return this.#watches.find(({ failure }) => failure !== undefined)?.failure;
  }

  /** Stores that fail, or did a moment ago. */
  storeStates(): readonly StoreState[] {
    return this.#connections?.states() ?? [];
  }

  /** Does what only one process does, sweeping for one, until the signal aborts. Only with `shard`. */
  async lead(leading: AbortSignal): Promise<void> {
    const duties = await Promise.race([this.#duties.promise, aborted(leading)]);
    await duties?.(leading);
  }

  /** Works until the signal aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, namespace, scope, log, metrics, controllerClass, shard } = this.#options;
    const kube = this.#options.kube.fenced(this.#options.mayWrite);
    let leads = shard === undefined;
    const owns = shard?.owns ?? (() => true);
    // Made by whoever comes first, a member or not.
    const keys = new MarkerKeys(this.#options.kube, namespace);
    await this.#loadKeys(keys, stop);
    // What was done may be told afterwards.
    const events = new EventRecorder({ kube: this.#options.kube, log });
    // They know each other: a store that works again has its objects tried, an object that is refused has
    // its store looked at.
    let controller: Controller | undefined;
    const connections = new Connections({
      clock,
      limits: this.#options.storeLimits,
      onCall: (provider, error) => countCall(metrics.provider, provider, error),
      onRecovered: ({ kind, namespace: ns, name }) => controller?.storeRecovered(storeKey(kind, ns, name)),
      onBadLimits: (store, problems) => log.warn({ store, problems }, BAD_LIMITS),
    });
    this.#connections = connections;
    const live = new LiveCluster(kube, clock, scope);
    const ports = live.ports(() => clock.monotonic());
    const generators = live.generators(() => clock.monotonic());

    const cluster = this.#options.clusterExternalSecrets;
    const fleet =
      cluster &&
      new ClusterExternalSecrets({
        ...cluster,
        clock,
        log,
        events,
        find: async (ns, name) =>
          shard === undefined || shard.owns(keyOf(ns, name))
            ? controller?.find(ns, name)
            : await findExternalSecret(ns, name, { kube, signal: stop }),
        stop,
      });
    const kes = this.#options.kes && new KesObjects(this.#options.kes, live, clock);
    const policies = new PolicyWatch({
      kube,
      log,
      policyDefault: this.#options.policyDefault,
      relistMs: RELIST_MS,
      namespace: scope.namespace,
      liveLabels: (name, signal) => live.reader(clock.monotonic()).namespaceLabels(name, signal),
      onChange: (concerns) => {
        stores.policiesChanged(concerns);
        controller?.policiesChanged(concerns);
        fleet?.policiesChanged(concerns);
      },
      onNamespace: (name, metadata) => {
        if (kes?.namespaceChanged(name, metadata) === true)
          controller?.policiesChanged((namespace) => namespace === name);
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
      leads: () => leads,
      // A ClusterSecretStore is the business of several namespaces; who serves one of them does not speak for all.
      tells: (kind) => kind === 'SecretStore' || scope.namespace === undefined,
      isUsed: (store) => controller?.usesStore(store) ?? false,
      isTerminating: (ns) => ns !== undefined && policies.isTerminating(ns),
      onUsable: (store, changed) => controller?.storeUsable(store, changed),
      onRefresh: (store) => controller?.refreshStore(store),
      onDependency: (kind) => {
        if (kind !== 'Secret') watches.need(kind);
      },
    });
    const dependents = new Dependents(clock);
    const sourceChanged = (source: Source, how: Change): void => {
      const concerned = dependents.changed(source);
      if (concerned !== undefined) controller?.sourceChanged(concerned.users, concerned.due, how);
    };
    const watches = new SourceWatches({
      kube,
      log,
      relistMs: RELIST_MS,
      scope,
      named: function* (kind) {
        if (kind !== 'ServiceAccount') yield* dependents.of(kind);
        for (const one of stores.dependencies()) if (one.kind === kind) yield one;
      },
      onChange: ({ kind, namespace: ns, name }, how) => {
        if (kind === 'ConfigMap' || kind === 'ServiceAccount')
          stores.dependencyChanged({ kind, namespace: ns, name }, how === 'changed' ? 'changed' : 'listed');
        if (kind !== 'ServiceAccount') sourceChanged({ kind, namespace: ns, name }, how);
      },
    });
    controller = new Controller({
      deps: {
        kube,
        clock,
        keys,
        digestKey: createSecretKey(randomBytes(32)),
        unmanagedTarget: this.#options.unmanagedTarget,
        templates: (notBefore) => live.templates(notBefore),
        policies: policies.gate,
        leases: new LeaseBook({
          clock,
          generators,
          policies: policies.gate,
          controllerClass,
          sleep: pause,
          stop,
          onFailure: (ns, { generator }, error) =>
            log.warn(
              { namespace: ns, generator: `${generator.kind}/${generator.name}`, err: error },
              'a lease was not given back; it runs out by itself',
            ),
        }),
        fetch: {
          controllerClass,
          reader: cachedReader(stores, policies, live, clock),
          generators,
          withConnection: (store, signal, use, urgent) => {
            stores.register(store);
            return connections.kept(store, portsOf(store, ports, kes?.services), signal, use, urgent);
          },
          kes: kes?.services,
          reads: new FreshReads<Answer>({ clock, keepMs: SHARE_MS, ...readCounts(metrics.provider) }),
          batches: new BatchReads({
            clock,
            wants: (store) => connections.limitsOf(store).batchReads,
            onRefused: (store) =>
              log.warn(
                { store },
                'the provider refuses to read several secrets at once; they are read one by one',
              ),
          }),
          waitTimeoutMs: WAIT_TIMEOUT_MS,
          readTimeoutMs: READ_TIMEOUT_MS,
          findTimeoutMs: FIND_TIMEOUT_MS,
        },
      },
      stores,
      events,
      log,
      metrics,
      workers: this.#options.workers,
      statusRefreshTime: this.#options.statusRefreshTime,
      isPending: (ns, name) => sweeper.isPending(ns, name),
      expectations: new Expectations({
        kube,
        clock,
        configurationName: this.#options.configurationName,
        labels: (name, signal) => policies.labels(name, signal),
      }),
      mine: owns,
      unattendedMs: shard?.unattendedMs ?? 0,
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
    this.#controller = controller;

    const storeReflectors = STORE_KINDS.filter((kind) => kind === 'SecretStore' || scope.clusterStores).map(
      (kind) => this.#storeReflector(kind, stores),
    );
    const objects = this.#reflector<ExternalSecret>('externalsecrets', scope.namespace, {
      onUpsert: (object, key) => {
        if (owns(key)) {
          // Before anything is read of it, so that what changes from then on is noticed.
          for (const kind of dependents.observe(object)) if (kind !== 'Secret') watches.need(kind);
          controller.upsert(object, key);
        }
        fleet?.externalSecretChanged(object);
      },
      onDelete: (gone) => {
        dependents.forget(gone.namespace, gone.name);
        controller.delete(gone.namespace, gone.name);
        fleet?.externalSecretDeleted(gone.namespace ?? '', gone.name);
      },
    });
    const kesReflector = kes && this.#kesReflector(kes, controller, owns);
    const fleetReflector =
      fleet &&
      this.#reflector<ClusterExternalSecret>('clusterexternalsecrets', undefined, {
        onUpsert: (object) => fleet.upsert(object),
        onDelete: (gone) => fleet.delete(gone.name),
      });
    const secrets = secretReflector({
      kube,
      log,
      relistMs: RELIST_MS,
      namespace: scope.namespace,
      controller,
      stores,
      sweeper,
      policies,
      dependents,
      sourceChanged,
    });
    const reflectors = [...storeReflectors, objects, secrets];
    this.#watches = [policies, ...reflectors];
    // A reflector that is stopped says that it is not synced: nothing below waits for one that never will be.
    const followers = [...reflectors, policies, kesReflector, fleetReflector, watches].filter(
      (one) => one !== undefined,
    );
    const loop = (name: string, one: { readonly stalledMs: number }, limitMs: number): Loop => ({
      name,
      stalledMs: () => one.stalledMs,
      limitMs,
    });
    this.#loops = [
      loop('the queue of ExternalSecrets', controller, WORK_LIMIT_MS),
      loop('the queue of stores', stores, WORK_LIMIT_MS),
      loop('the sweep', sweeper, WORK_LIMIT_MS),
      ...(fleet ? [loop('the queue of ClusterExternalSecrets', fleet, WORK_LIMIT_MS)] : []),
      ...followers.map((follower) => loop('a watch', follower, WATCH_LIMIT_MS)),
    ];
    const stopped = aborted(stop).then(() => Promise.all(followers.map((follower) => follower.stop())));
    shard?.start({
      release: (now) =>
        controller.releaseOthers(now ? 0 : RELEASE_GRACE_MS, (key) => dependents.forgetKey(key)),
      gained: () => {
        objects.redeliver();
        kesReflector?.redeliver();
      },
    });
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
      // Where their CRDs are missing nothing else waits for them.
      kesReflector?.start();
      fleetReflector?.start();
      const duties = async (leading: AbortSignal): Promise<void> => {
        const until = AbortSignal.any([leading, stop]);
        leads = true;
        if (shard !== undefined) stores.lead();
        fleet?.lead();
        // Where its CRD is missing nothing else waits for it.
        void fleetReflector?.synced.then((synced) => synced && !until.aborted && fleet?.start());
        await sweeper.run(until);
        leads = false;
        await fleet?.pause();
      };
      if (shard === undefined) await duties(stop);
      else {
        this.#duties.resolve(duties);
        await aborted(stop);
      }
    }
    this.#synced = false;
    this.#loops = [];
    await stopped;
    await Promise.all([controller.stop(), stores.stop(), fleet?.stop()]);
    // The series of its objects end with it: another term may follow in this process.
    this.#controller = undefined;
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
    namespace: string | undefined,
    handlers: ConstructorParameters<typeof Reflector<T>>[0]['handlers'],
  ): Reflector<T> {
    const { kube, log } = this.#options;
    return new Reflector<T>({
      kube,
      log,
      path: resourcePath({ group: GROUP, version: HUB_VERSION, resource, namespace }),
      handlers,
      pageSize: PAGE_SIZE,
      relistMs: RELIST_MS,
    });
  }

  #kesReflector(
    kes: KesObjects,
    controller: Controller,
    owns: (key: string) => boolean,
  ): Reflector<KesStored> {
    const { kube, log, scope } = this.#options;
    return new Reflector<KesStored>({
      kube,
      log,
      path: resourcePath({
        group: KES_GROUP,
        version: KES_VERSION,
        resource: KES_PLURAL,
        namespace: scope.namespace,
      }),
      pageSize: PAGE_SIZE,
      relistMs: RELIST_MS,
      handlers: {
        onUpsert: (object) => {
          const hub = kes.take(object);
          const { namespace, name } = object.metadata;
          // Of another controller now: not ours any more.
          if (hub === undefined) controller.delete(namespace, kes.nameOf(name));
          else if (owns(keyOf(namespace, qualifiedName(hub)))) controller.upsert(hub);
        },
        onDelete: ({ namespace, name }) => controller.delete(namespace, kes.nameOf(name)),
      },
    });
  }

  #storeReflector(kind: StoreKind, stores: StoreMonitor): Reflector<StoreObject> {
    const handlers = {
      onUpsert: (object: StoreObject) => stores.upsert(object),
      onDelete: (gone: DeletedObject) => stores.delete(kind, gone.namespace, gone.name),
    };
    return kind === 'SecretStore'
      ? this.#reflector('secretstores', this.#options.scope.namespace, handlers)
      : this.#reflector('clustersecretstores', undefined, handlers);
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
