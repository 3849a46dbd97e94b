/**
 * Keeps every ExternalSecret in sync: takes in what the reflectors see, decides when each object is due, runs
 * the engine, and reports. What a sync does is the engine's (sync/reconcile.ts); here is only when and whose.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../api/clock.ts';
import { type ErrorCode, EsaError, toEsaError } from '../api/errors.ts';
import type { ExternalSecret, ExternalSecretStatus } from '../api/external-secrets/v1/index.ts';
import { isNamespaceTerminating } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Log } from '../runtime/log.ts';
import { SyncError } from '../sync/errors.ts';
import { specHash } from '../sync/marker.ts';
import { creationPolicyOf, plan, storeReferences, targetName } from '../sync/plan.ts';
import {
  type Memory,
  type ReconcileDeps,
  type Reconciled,
  reconcile,
  verifyTarget,
} from '../sync/reconcile.ts';
import { currentVersion, failedStatus, readyCondition, syncedStatus } from '../sync/status.ts';
import { type ResolvedStore, resolveStore, storeLabel } from '../sync/stores.ts';
import {
  type Cadence,
  cadenceOf,
  isOverdue,
  neverSynced,
  refreshedInFuture,
  windowOpens,
} from './cadence.ts';
import type { Expectations } from './expectations.ts';
import { hasEsoFinalizer, removeEsoFinalizer } from './finalizer.ts';
import { keyOf, ObjectIndex, storesOf } from './object-index.ts';
import { URGENCY, type Urgency, WorkQueue } from './queue.ts';
import { Reporter, type ReporterMetrics } from './report.ts';
import { BurstGauge, nextSlot, phaseOf, retryDelay } from './schedule.ts';
import { keyOfStore, type StoreMonitor, storeKey } from './store-monitor.ts';
import { writeStatus } from './write-status.ts';

interface Entry {
  es: ExternalSecret;
  /** The spec, labels and annotations that were handled last; undefined = none yet by this process. */
  handled: string | undefined;
  memory: Memory;
  failures: number;
  cadence: Cadence;
  phase: number;
  /** A sync is needed whatever the schedule says: new, changed, drifted. */
  wanted: boolean;
  /** When the next ordinary turn is (monotonic milliseconds); a look at the Secret does not move it. */
  dueAt: number;
  /** resourceVersions of the target that were seen while a sync ran. */
  seenVersion: string | undefined;
  /** After the last sync there is rightly no Secret, so nobody has to mend that. */
  absent: boolean;
}

export interface ControllerOptions {
  readonly deps: ReconcileDeps;
  readonly stores: StoreMonitor;
  readonly events: EventRecorder;
  readonly log: Log;
  readonly metrics: ReporterMetrics;
  readonly workers: number;
  /** True if admission has made this Secret and it waits to be adopted. */
  readonly isPending: (namespace: string, name: string) => boolean;
  /** Whether admission should have made the Secret of an object. */
  readonly expectations: Expectations;
  /** False once an object is another replica's: nothing is begun for it. */
  readonly mine: (key: string) => boolean;
  /** How long an object that comes in may have been without anybody who refreshes it, milliseconds. */
  readonly unattendedMs: number;
  readonly stop: AbortSignal;
}

const SYNC_TIMEOUT_MS = 60_000;
/** An object that was due while no poller ran is read within this time after the start, not after one more interval. */
const CATCH_UP_MS = 60_000;
/** How far over the moment at which a sync window opens the reads are spread that waited for it. */
const WINDOW_SPREAD_MS = 10_000;
/** So many objects are let go in one turn of the event loop. */
const RELEASE_CHUNK = 200;
/** Time between two of the objects that a changed policy brings. */
const POLICY_PACE_MS = 20;
const CREDENTIALS_REFUSED: ReadonlySet<ErrorCode> = new Set(['PROVIDER_UNAUTHENTICATED', 'PROVIDER_DENIED']);

export class Controller {
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #index = new ObjectIndex();
  readonly #creates = new BurstGauge();
  readonly #queue: WorkQueue;
  readonly #reporter: Reporter;
  /** Syncs that run. */
  readonly #syncs = new Map<string, AbortController>();
  /** Slots are moments of the wall clock; the queue runs on the monotonic one. */
  readonly #wallToMonotonic: number;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#clock = options.deps.clock;
    this.#reporter = new Reporter(options);
    this.#wallToMonotonic = this.#clock.monotonic() - this.#clock.now();
    this.#queue = new WorkQueue({
      clock: this.#clock,
      workers: options.workers,
      // Adoptions follow a burst of creates at a pace that leaves the API server to those who create.
      limits: { [URGENCY.check]: 8, [URGENCY.adopt]: 2 },
      work: (key, due, urgency) => this.#work(key, due, urgency),
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  get depth(): number {
    return this.#queue.depth;
  }

  /** True if this Secret is the target of some ExternalSecret. */
  isTarget(namespace: string, name: string): boolean {
    return this.#index.isTarget(namespace, name);
  }

  /** True if an object reads from this store. */
  usesStore(store: string): boolean {
    return this.#index.isUsed(store);
  }

  /** The object as it was seen last. */
  find(namespace: string, name: string): ExternalSecret | undefined {
    return this.#entries.get(keyOf(namespace, name))?.es;
  }

  upsert(object: ExternalSecret): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    // managedFields are the larger part of an object and nothing here reads them.
    const { managedFields: _, ...metadata } = object.metadata;
    const es: ExternalSecret = { ...object, metadata };
    const before = this.#entries.get(key);
    if (before !== undefined && before.es.metadata.uid === es.metadata.uid) {
      this.#index.remove(key, before.es);
      before.es = es;
      before.cadence = cadenceOf(es.spec);
      this.#index.add(key, es);
      this.#update(key, before);
      return;
    }
    if (before !== undefined) this.delete(es.metadata.namespace, es.metadata.name);
    const cadence = cadenceOf(es.spec);
    const entry: Entry = {
      es,
      handled: undefined,
      memory: {},
      failures: 0,
      cadence,
      phase: cadence.interval > 0 ? phaseOf(key, cadence.interval) : 0,
      wanted: false,
      dueAt: Number.POSITIVE_INFINITY,
      seenVersion: undefined,
      absent: false,
    };
    this.#entries.set(key, entry);
    this.#index.add(key, es);
    this.#update(key, entry);
  }

  delete(namespace: string | undefined, name: string | undefined): void {
    const key = keyOf(namespace, name);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#index.remove(key, entry.es);
    this.#queue.remove(key);
    const labels = { namespace: namespace ?? '', name: name ?? '' };
    this.#reporter.forget(labels);
  }

  /**
   * Lets go of what is another replica's now. Nothing more is begun for it; what is under way may end within `graceMs`
   * and is given up then. Resolves when it has ended.
   */
  async releaseOthers(graceMs: number): Promise<void> {
    const { mine } = this.#options;
    const running = [...this.#syncs].filter(([key]) => !mine(key));
    const timer = setTimeout(() => {
      for (const [, sync] of running) sync.abort();
    }, graceMs);
    if (graceMs <= 0) for (const [, sync] of running) sync.abort();
    await Promise.all(running.map(([key]) => this.#queue.ended(key)));
    clearTimeout(timer);
    let count = 0;
    for (const [key, { es }] of this.#entries) {
      if (mine(key)) continue;
      this.delete(es.metadata.namespace, es.metadata.name);
      count += 1;
      if (count % RELEASE_CHUNK === 0) await nextTurn();
    }
  }

  /** The metadata of a target changed: look at it, unless it is what we wrote ourselves. */
  targetChanged(namespace: string, name: string, resourceVersion: string): void {
    for (const key of this.#index.ofTarget(namespace, name)) {
      const entry = this.#entries.get(key);
      if (entry === undefined || entry.memory.secretVersion === resourceVersion) continue;
      if (this.#queue.isRunning(key)) {
        entry.seenVersion = resourceVersion;
        continue;
      }
      entry.memory.secretVersion = undefined;
      // An Orphan is not kept from drifting; its next refresh compares it (eso.md 2.3).
      if (!isOrphan(entry.es)) this.#look(key, entry);
    }
  }

  /** The target is gone: make it anew at once. */
  targetDeleted(namespace: string, name: string): void {
    for (const key of this.#index.ofTarget(namespace, name)) {
      const entry = this.#entries.get(key);
      if (entry === undefined || entry.absent) continue;
      entry.memory.secretVersion = undefined;
      if (isOrphan(entry.es)) continue;
      if (this.#queue.isRunning(key)) entry.seenVersion = 'deleted';
      else this.syncNow(key);
    }
  }

  /** Syncs one object as soon as a worker is free. */
  syncNow(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.wanted = true;
    this.#queue.add(key, this.#clock.monotonic(), URGENCY.now);
  }

  /** Who uses this store tries again: all of them if its spec changed, else those that failed or wait. */
  storeUsable(store: string, changed: boolean): void {
    for (const key of this.#index.ofStore(store)) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      const failed = entry.failures > 0 || readyCondition(entry.es.status)?.status !== 'True';
      if (failed) entry.failures = 0;
      if (failed || (changed && entry.cadence.interval > 0)) this.syncNow(key);
    }
  }

  /**
   * What is allowed in these namespaces has changed: their objects are tried again, at a pace that neither the
   * providers nor the refreshes of others notice. Those that read once are left alone unless they failed.
   */
  policiesChanged(concerns: (namespace: string) => boolean): void {
    const now = this.#clock.monotonic();
    let count = 0;
    for (const [key, entry] of this.#entries) {
      if (!concerns(entry.es.metadata.namespace ?? '')) continue;
      const failed = entry.failures > 0 || readyCondition(entry.es.status)?.status !== 'True';
      if (failed) entry.failures = 0;
      else if (entry.cadence.interval <= 0) continue;
      entry.wanted = true;
      this.#queue.add(key, now + count * POLICY_PACE_MS, URGENCY.refresh);
      count += 1;
    }
  }

  async stop(): Promise<void> {
    await this.#queue.stop();
  }

  /** Decides, after an event of the object itself, when it is due. */
  #update(key: string, entry: Entry): void {
    const { es } = entry;
    const now = this.#clock.monotonic();
    if (es.metadata.deletionTimestamp !== undefined) {
      this.#queue.remove(key);
      if (hasEsoFinalizer(es)) this.#queue.add(key, now, URGENCY.now);
      return;
    }
    const version = currentVersion(es);
    // Not by generation alone: an edit through an older version's conversion data does not raise it.
    const handled = `${version}|${specHash(es.spec)}`;
    const never = neverSynced(es);
    if (entry.handled === undefined) {
      entry.handled = handled;
      const outdated = es.status?.syncedResourceVersion !== version && entry.cadence.onEdit;
      const failed = readyCondition(es.status)?.status !== 'True';
      if (never && this.#options.isPending(es.metadata.namespace ?? '', targetName(es))) {
        entry.wanted = true;
        this.#queue.add(key, now + this.#creates.arrived(now), URGENCY.adopt);
      } else if (never || outdated || failed || refreshedInFuture(es, entry.cadence, this.#clock.now()))
        this.syncNow(key);
      else {
        // Whose turn was missed in any case is read at once, and that looks at the Secret, too.
        const { interval } = entry.cadence;
        const missed = interval > 0 && interval <= this.#options.unattendedMs;
        this.#queue.add(key, now, missed ? URGENCY.refresh : URGENCY.check);
      }
      return;
    }
    if (entry.handled === handled) return;
    entry.handled = handled;
    if (entry.cadence.onEdit || never) {
      this.syncNow(key);
      return;
    }
    // With refreshInterval 0 and with CreatedOnce values are fetched once, and edits change nothing, as in ESO; but the Secret that
    // the spec now names has to be there.
    entry.dueAt = Number.POSITIVE_INFINITY;
    this.#look(key, entry);
  }

  /** Looks at the target, without asking the provider unless it has drifted. */
  #look(key: string, entry: Entry): void {
    entry.memory.secretVersion = undefined;
    // A sync that comes anyway looks, too.
    if (!entry.wanted) this.#queue.set(key, this.#clock.monotonic(), URGENCY.check);
  }

  async #work(key: string, due: number, urgency: Urgency): Promise<void> {
    const entry = this.#entries.get(key);
    const { log, stop, mine } = this.#options;
    if (entry === undefined || !mine(key)) return;
    const sync = new AbortController();
    this.#syncs.set(key, sync);
    const signal = AbortSignal.any([stop, sync.signal, AbortSignal.timeout(SYNC_TIMEOUT_MS)]);
    entry.seenVersion = undefined;
    try {
      if (entry.es.metadata.deletionTimestamp !== undefined) {
        return await removeEsoFinalizer(this.#options.deps.kube, entry.es, signal);
      }
      if (!entry.wanted && urgency === URGENCY.check) await this.#check(key, entry, signal);
      else if (!this.#waitsForWindow(key, entry)) await this.#sync(key, entry, due, signal);
    } catch (error) {
      // Only what is not the object's own failure comes here: a status that could not be written, say.
      if (mine(key)) log.warn({ key, err: error }, 'sync not finished, trying again');
      if (this.#entries.get(key) === entry)
        this.#queue.set(
          key,
          this.#clock.monotonic() + retryDelay(1, { interval: 5_000, synced: false, random: Math.random() }),
          URGENCY.now,
        );
    } finally {
      this.#syncs.delete(key);
    }
    this.#afterwards(key, entry);
  }

  /** What was seen of the target while the sync ran: was it our own write? */
  #afterwards(key: string, entry: Entry): void {
    const seen = entry.seenVersion;
    if (seen === undefined || seen === entry.memory.secretVersion || this.#entries.get(key) !== entry) return;
    entry.memory.secretVersion = undefined;
    if (isOrphan(entry.es)) return;
    if (seen !== 'deleted') this.#look(key, entry);
    else if (!entry.absent) this.syncNow(key);
  }

  async #check(key: string, entry: Entry, signal: AbortSignal): Promise<void> {
    const verified = await verifyTarget(entry.es, entry.memory, this.#options.deps, signal);
    if (!verified.valid) {
      this.syncNow(key);
      return;
    }
    // Somebody else wrote it, perhaps a label of ours: the next refresh compares the whole Secret once.
    const { digest: _, ...rest } = entry.memory;
    entry.memory = { ...rest, secretVersion: verified.version };
    if (Number.isFinite(entry.dueAt)) this.#schedule(key, entry, entry.dueAt);
    else {
      entry.phase = await this.#knownPhase(entry, signal);
      this.#scheduleFirst(key, entry);
    }
  }

  async #sync(key: string, entry: Entry, due: number, signal: AbortSignal): Promise<void> {
    const { deps, stores } = this.#options;
    const { es } = entry;
    const started = this.#clock.monotonic();
    const gated = entry.wanted ? undefined : this.#failedStore(es);
    entry.wanted = false;
    let result: Reconciled;
    try {
      // A store that is known to fail is asked once a tick, not once an object.
      if (gated !== undefined) await stores.validate(gated, due);
      result = await reconcile(
        { es, memory: entry.memory, first: neverSynced(es), notBefore: due },
        deps,
        signal,
      );
    } catch (error) {
      result = { result: 'failed', error: new SyncError('fetch', notReady(gated, toEsaError(error))) };
    }
    if (signal.aborted && (this.#options.stop.aborted || !this.#options.mine(key))) return;
    if (this.#entries.get(key) !== entry) return;
    await this.#report(key, entry, es, result, this.#clock.monotonic() - started, signal);
  }

  #failedStore(es: ExternalSecret): string | undefined {
    return storesOf(es).find((store) => this.#options.stores.failure(store) !== undefined);
  }

  async #report(
    key: string,
    entry: Entry,
    es: ExternalSecret,
    result: Reconciled,
    milliseconds: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (result.result === 'ignored') return;
    this.#reporter.attempted(es, milliseconds);
    const now = this.#clock.now();
    if (result.result === 'failed') {
      const { error } = result;
      // A namespace on its way out takes the object with it: nothing to report, nothing to try.
      if (isNamespaceTerminating(error.cause)) return;
      entry.failures += 1;
      // That a store is left alone for a moment is no news for who knows that it fails: the status keeps the cause.
      const known = error.code === 'STORE_UNAVAILABLE' && readyCondition(es.status)?.status === 'False';
      if (known) this.#reporter.failedAgain(es);
      else this.#reporter.failed(es, error, entry.failures === 1);
      if (entry.failures === 1 && CREDENTIALS_REFUSED.has(error.code)) {
        for (const store of storesOf(es)) this.#options.stores.suspect(store);
      }
      const delay = retryDelay(entry.failures, {
        interval: entry.cadence.interval,
        synced: !neverSynced(es),
        retryAfterMs: error.retryAfterMs,
        random: Math.random(),
      });
      this.#schedule(key, entry, this.#clock.monotonic() + delay);
      if (!known) await this.#write(entry, es, failedStatus(es, error, now), signal);
      return;
    }
    entry.failures = 0;
    const before = entry.memory;
    entry.memory = { ...result.memory, missing: result.missing, verdicts: result.verdicts };
    entry.absent = result.outcome !== 'synced';
    if (result.stores.length > 0) entry.phase = this.#phase(es, result.stores, entry.cadence.interval);
    this.#reporter.synced(es, result, before, milliseconds);
    if (result.action === 'created' && neverSynced(es) && (await this.#options.expectations.of(es, signal)))
      this.#reporter.late(es);
    this.#scheduleRefresh(key, entry);
    const status = syncedStatus({
      es,
      outcome: result.outcome,
      target: targetName(es),
      refreshedAt: result.refreshedAt,
      now,
      interval: entry.cadence.interval,
    });
    await this.#write(entry, es, status, signal);
  }

  async #write(
    entry: Entry,
    es: ExternalSecret,
    status: ExternalSecretStatus | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const written = await writeStatus(this.#options.deps.kube, es, status, this.#options.metrics, signal);
    // The watch will say so too, but the next sync may begin before.
    if (written !== undefined && entry.es.metadata.uid === es.metadata.uid)
      entry.es = { ...entry.es, status: written };
  }

  #scheduleRefresh(key: string, entry: Entry): void {
    const { interval } = entry.cadence;
    if (interval <= 0) return;
    const slot = nextSlot(this.#clock.now(), interval, entry.phase);
    this.#schedule(key, entry, slot + this.#wallToMonotonic);
  }

  /** The first turn of an object that an earlier process synced: soon, if it was due while nobody was there. */
  #scheduleFirst(key: string, entry: Entry): void {
    const { interval } = entry.cadence;
    const now = this.#clock.now();
    const missed = interval > 0 && nextSlot(now - this.#options.unattendedMs, interval, entry.phase) <= now;
    if (missed) this.#schedule(key, entry, this.#clock.monotonic());
    else if (isOverdue(entry.es, entry.cadence, now))
      this.#schedule(key, entry, this.#clock.monotonic() + (entry.phase % CATCH_UP_MS));
    else this.#scheduleRefresh(key, entry);
  }

  /** The phase that whoever had the object before gave it. */
  async #knownPhase(entry: Entry, signal: AbortSignal): Promise<number> {
    const { es, cadence } = entry;
    const { policies, fetch } = this.#options.deps;
    const namespace = es.metadata.namespace ?? '';
    try {
      const { guard } = await policies(namespace, signal);
      const { reader, controllerClass } = fetch;
      const stores = await Promise.all(
        storeReferences(es.spec).map((reference) =>
          resolveStore(reference, namespace, reader, controllerClass, signal, guard),
        ),
      );
      return this.#phase(es, stores, cadence.interval);
    } catch {
      // The sync says what is wrong with the store.
      return entry.phase;
    }
  }

  /** True if the turn was put off until its sync windows open. */
  #waitsForWindow(key: string, entry: Entry): boolean {
    if (entry.wanted) return false;
    const opens = windowOpens(entry.es, entry.cadence, this.#clock.now());
    if (opens === undefined) return false;
    this.#schedule(key, entry, opens + this.#wallToMonotonic + phaseOf(key, WINDOW_SPREAD_MS));
    return true;
  }

  /** The next ordinary turn; what came in while the sync ran (a new spec) goes first and stays. */
  #schedule(key: string, entry: Entry, due: number): void {
    entry.dueAt = due;
    if (!entry.wanted) this.#queue.set(key, due, URGENCY.refresh);
  }

  /** Objects that read the same remote object through the same identity get the same phase. */
  #phase(es: ExternalSecret, stores: readonly ResolvedStore[], interval: number): number {
    if (interval <= 0) return 0;
    const names = plan(es).reads.flatMap(({ source }) => {
      if (source.kind === 'generator') return [];
      const { kind, name } = source.store;
      return stores
        .filter((store) => keyOfStore(store.object) === storeKey(kind, es.metadata.namespace, name))
        .map(({ identity, provider, config }) =>
          source.kind === 'read'
            ? `${identity}|${provider.canonicalKey(config, source.remote)}`
            : `${identity}|find ${JSON.stringify(source.request)}`,
        );
    });
    const [smallest] = names.sort();
    return phaseOf(smallest ?? keyOf(es.metadata.namespace, es.metadata.name), interval);
  }
}

const isOrphan = (es: ExternalSecret): boolean => creationPolicyOf(es.spec) === 'Orphan';

/** Why an object whose store fails is not tried. */
function notReady(gated: string | undefined, error: EsaError): EsaError {
  if (error.code === 'STORE_UNAVAILABLE') return error;
  const [, namespace, name = ''] = (gated ?? '').split('/');
  const label = storeLabel(storeKind(gated), namespace, name);
  return new EsaError(error.code, `${label} is not ready: ${error.message}`);
}

const storeKind = (key: string | undefined): 'SecretStore' | 'ClusterSecretStore' =>
  key?.startsWith('Cluster') ? 'ClusterSecretStore' : 'SecretStore';
