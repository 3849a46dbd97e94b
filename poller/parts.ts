/** The parts of the poller, connected: what one of them finds out goes to those that it concerns. */
import { createSecretKey, randomBytes } from 'node:crypto';
import type { Clock } from '../api/clock.ts';
import { pause } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/events.ts';
import type { StoreLimits } from '../policy/store-limits.ts';
import type { Log } from '../runtime/log.ts';
import {
  type ClusterExternalSecretMetrics,
  countCall,
  type providerMetrics,
  readCounts,
} from '../runtime/metrics.ts';
import { BatchReads } from '../sync/batch-reads.ts';
import { BAD_LIMITS, Connections } from '../sync/connections.ts';
import type { Answer } from '../sync/fetch.ts';
import { FreshReads } from '../sync/fresh-reads.ts';
import { portsOf } from '../sync/kes/services.ts';
import { LeaseBook } from '../sync/leases.ts';
import { LiveCluster } from '../sync/live.ts';
import type { MarkerKeys } from '../sync/marker-keys.ts';
import type { PolicyDefault } from '../sync/policies.ts';
import { findExternalSecret } from '../sync/provision.ts';
import type { Scope } from '../sync/scope.ts';
import type { RefreshTimeMode } from '../sync/status.ts';
import type { StoreReader } from '../sync/stores.ts';
import { ClusterExternalSecrets } from './cluster-external-secrets.ts';
import { Controller } from './controller.ts';
import { Dependents, type Source } from './dependents.ts';
import { Expectations } from './expectations.ts';
import { KesObjects, type KesSettings } from './kes-objects.ts';
import type { ShardHost } from './membership.ts';
import { keyOf } from './object-index.ts';
import { PolicyWatch } from './policy-watch.ts';
import type { ReporterMetrics } from './report.ts';
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

/** All that works on objects once they are seen; see poller/reflectors.ts for who sees them. */
export interface Parts {
  /** Refuses to write once others may work on what this process had. */
  readonly kube: KubeClient;
  /** True if this process may work on the object (`namespace/name`) now. */
  readonly owns: (key: string) => boolean;
  readonly events: EventRecorder;
  readonly connections: Connections;
  readonly policies: PolicyWatch;
  readonly stores: StoreMonitor;
  readonly dependents: Dependents;
  /** ConfigMaps and ServiceAccounts, watched from when one is needed. */
  readonly sources: SourceWatches;
  /** Something that stores or templates read is as `how` says. */
  readonly sourceChanged: (source: Source, how: Change) => void;
  readonly controller: Controller;
  readonly sweeper: Sweeper;
  /** undefined: ClusterExternalSecrets are left alone. */
  readonly fleet: ClusterExternalSecrets | undefined;
  /** undefined: ExternalSecrets of KES are left alone. */
  readonly kes: KesObjects | undefined;
}

/** The watch is a hint, this list the truth. */
export const RELIST_MS = 30 * 60_000;
/** How long a value may be shared after it was read: objects that are due at one moment begin within it. */
const SHARE_MS = 1_000;
const READ_TIMEOUT_MS = 10_000;
/** Within the time of a sync; a place before it is waited for as long. */
const FIND_TIMEOUT_MS = 45_000;
const WAIT_TIMEOUT_MS = 45_000;

/** Nothing moves yet. `leads`: whether this process does what only one does. */
export function connectParts(
  options: PollerOptions,
  keys: MarkerKeys,
  leads: () => boolean,
  stop: AbortSignal,
): Parts {
  const { clock, scope, log, metrics, controllerClass, shard } = options;
  const kube = options.kube.fenced(options.mayWrite);
  const owns = shard?.owns ?? (() => true);
  // What was done may be told afterwards.
  const events = new EventRecorder({ kube: options.kube, log });
  // They know each other: a store that works again has its objects tried, an object that is refused has
  // its store looked at.
  let controller: Controller | undefined;
  const connections = new Connections({
    clock,
    limits: options.storeLimits,
    onCall: (provider, error) => countCall(metrics.provider, provider, error),
    onRecovered: ({ kind, namespace: ns, name }) => controller?.storeRecovered(storeKey(kind, ns, name)),
    onBadLimits: (store, problems) => log.warn({ store, problems }, BAD_LIMITS),
  });
  const live = new LiveCluster(kube, clock, scope);
  const ports = live.ports(() => clock.monotonic());
  const generators = live.generators(() => clock.monotonic());

  const cluster = options.clusterExternalSecrets;
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
  const kes = options.kes && new KesObjects(options.kes, live, clock);
  const policies = new PolicyWatch({
    kube,
    log,
    policyDefault: options.policyDefault,
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
    leads,
    // A ClusterSecretStore is the business of several namespaces; who serves one of them does not speak for all.
    tells: (kind) => kind === 'SecretStore' || scope.namespace === undefined,
    isUsed: (store) => controller?.usesStore(store) ?? false,
    isTerminating: (ns) => ns !== undefined && policies.isTerminating(ns),
    onUsable: (store, changed) => controller?.storeUsable(store, changed),
    onRefresh: (store) => controller?.refreshStore(store),
    onDependency: (kind) => {
      if (kind !== 'Secret') sources.need(kind);
    },
  });
  const dependents = new Dependents(clock);
  const sourceChanged = (source: Source, how: Change): void => {
    const concerned = dependents.changed(source);
    if (concerned !== undefined) controller?.sourceChanged(concerned.users, concerned.due, how);
  };
  const sources = new SourceWatches({
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
      unmanagedTarget: options.unmanagedTarget,
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
    workers: options.workers,
    statusRefreshTime: options.statusRefreshTime,
    isPending: (ns, name) => sweeper.isPending(ns, name),
    expectations: new Expectations({
      kube,
      clock,
      configurationName: options.configurationName,
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
    afterMs: options.sweepAfterMs,
    stop,
    onAlive: (ns, name) => controller.syncNow(keyOf(ns, name)),
    onSwept: () => metrics.swept.inc(),
  });
  return {
    kube,
    owns,
    events,
    connections,
    policies,
    stores,
    dependents,
    sources,
    sourceChanged,
    controller,
    sweeper,
    fleet,
    kes,
  };
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
