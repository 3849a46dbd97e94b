/**
 * The turn of one object: a look at its Secret or a sync, and what it leaves behind. What a sync does is the engine's
 * (sync/reconcile.ts).
 */
import type { Clock } from '../api/clock.ts';
import { type ErrorCode, EsaError, toEsaError } from '../api/errors.ts';
import type { ExternalSecret, ExternalSecretStatus } from '../api/external-secrets/v1/index.ts';
import { kesOf } from '../api/kubernetes-client/part.ts';
import { kesStore } from '../api/kubernetes-client/to-hub.ts';
import { timeLimit } from '../api/time-limit.ts';
import { isNamespaceTerminating } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Log } from '../runtime/log.ts';
import { neverSynced } from '../sync/cadence.ts';
import { SyncError } from '../sync/errors.ts';
import { accountOf, leasesDue } from '../sync/leases.ts';
import { phaseFor } from '../sync/phase.ts';
import { type StoreReference, storeReferences, targetName } from '../sync/plan.ts';
import { type ReconcileDeps, type Reconciled, reconcile, verifyTarget } from '../sync/reconcile.ts';
import { failedStatus, type RefreshTimeMode, readyCondition, syncedStatus } from '../sync/status.ts';
import { resolveStore, storeLabel } from '../sync/stores.ts';
import type { Agenda } from './agenda.ts';
import type { Expectations } from './expectations.ts';
import { removeEsoFinalizer } from './finalizer.ts';
import type { ObjectIndex } from './object-index.ts';
import { pack, unpack } from './projection.ts';
import { URGENCY, type Urgency } from './queue.ts';
import { Reporter, type ReporterMetrics, type Synced } from './report.ts';
import { retryDelay } from './schedule.ts';
import type { StoreMonitor } from './store-monitor.ts';
import { memoryOf, type Tracked } from './tracked.ts';
import { writeStatus } from './write-status.ts';

export interface TurnOptions {
  readonly deps: ReconcileDeps;
  readonly stores: StoreMonitor;
  readonly events: EventRecorder;
  readonly log: Log;
  readonly metrics: ReporterMetrics;
  readonly statusRefreshTime: RefreshTimeMode;
  /** False once an object is another replica's: nothing is begun for it. */
  readonly mine: (key: string) => boolean;
  /** How long an object that comes in may have been without anybody who refreshes it, milliseconds. */
  readonly unattendedMs: number;
  /** Whether admission should have made the Secret of an object. */
  readonly expectations: Expectations;
  readonly stop: AbortSignal;
}

const SYNC_TIMEOUT_MS = 60_000;
const CREDENTIALS_REFUSED: ReadonlySet<ErrorCode> = new Set(['PROVIDER_UNAUTHENTICATED', 'PROVIDER_DENIED']);

export class Turns {
  readonly #options: TurnOptions;
  readonly #clock: Clock;
  readonly #objects: ObjectIndex<Tracked>;
  readonly #agenda: Agenda;
  readonly #reporter: Reporter;
  /** How to give up each turn that is under way. */
  readonly #running = new Map<string, AbortController>();

  constructor(options: TurnOptions, objects: ObjectIndex<Tracked>, agenda: Agenda) {
    this.#options = options;
    this.#clock = options.deps.clock;
    this.#objects = objects;
    this.#agenda = agenda;
    this.#reporter = new Reporter({ ...options, clock: this.#clock });
  }

  /** @param due when the turn was (monotonic milliseconds): nothing that was read before is good enough */
  async work(key: string, due: number, urgency: Urgency): Promise<void> {
    const tracked = this.#objects.get(key);
    const { deps, log, stop, mine } = this.#options;
    if (tracked === undefined || !mine(key)) return;
    const giveUp = new AbortController();
    const abort = (): void => giveUp.abort(stop.reason);
    stop.addEventListener('abort', abort, { once: true });
    if (stop.aborted) abort();
    this.#running.set(key, giveUp);
    const { signal, end } = timeLimit(SYNC_TIMEOUT_MS, giveUp.signal);
    tracked.seenVersion = undefined;
    const es = unpack(tracked.packed);
    try {
      if (es.metadata.deletionTimestamp !== undefined) return await removeEsoFinalizer(deps.kube, es, signal);
      if (!tracked.wanted && urgency === URGENCY.check) await this.#check(tracked, es, signal);
      else if (this.#leaseEnds(es) || !this.#agenda.waitsForWindow(tracked, es))
        await this.#sync(tracked, es, due, signal);
    } catch (error) {
      // Only what is not the object's own failure comes here: a status that could not be written, say.
      if (mine(key)) log.warn({ key, err: error }, 'sync not finished, trying again');
      if (this.#isKnown(tracked)) {
        const delay = retryDelay(1, { interval: 5_000, synced: false, random: Math.random() });
        this.#agenda.retry(tracked, this.#clock.monotonic() + delay);
      }
    } finally {
      end();
      stop.removeEventListener('abort', abort);
      this.#running.delete(key);
    }
    this.#afterwards(tracked);
  }

  /**
   * Resolves when the turns that are under way for these keys have ended; those that take longer than `graceMs` are
   * given up.
   */
  async endOf(
    concerns: (key: string) => boolean,
    graceMs: number,
    ended: (key: string) => Promise<void>,
  ): Promise<void> {
    const running = [...this.#running].filter(([key]) => concerns(key));
    const giveUp = (): void => {
      for (const [, turn] of running) turn.abort();
    };
    const timer = setTimeout(giveUp, graceMs);
    if (graceMs <= 0) giveUp();
    await Promise.all(running.map(([key]) => ended(key)));
    clearTimeout(timer);
  }

  /** Values that end are made anew whatever the windows say. */
  #leaseEnds(es: ExternalSecret): boolean {
    return (leasesDue(es) ?? Number.POSITIVE_INFINITY) <= this.#clock.now();
  }

  #isKnown(tracked: Tracked): boolean {
    return this.#objects.get(tracked.key) === tracked;
  }

  /** What was seen of the target while the sync ran: was it our own write? */
  #afterwards(tracked: Tracked): void {
    const seen = tracked.seenVersion;
    if (seen === undefined || seen === tracked.memory.secretVersion || !this.#isKnown(tracked)) return;
    tracked.memory.secretVersion = undefined;
    if (tracked.orphan) return;
    if (seen !== 'deleted') this.#agenda.look(tracked);
    else if (!tracked.absent) this.#agenda.syncNow(tracked);
  }

  async #check(tracked: Tracked, es: ExternalSecret, signal: AbortSignal): Promise<void> {
    const verified = await verifyTarget(es, tracked.memory, this.#options.deps, signal);
    if (!this.#isKnown(tracked)) return;
    if (!verified.valid) {
      this.#agenda.syncNow(tracked);
      return;
    }
    // Somebody else wrote it, perhaps a label of ours: the next refresh compares the whole Secret once.
    tracked.memory = memoryOf({ ...tracked.memory, digest: undefined, secretVersion: verified.version });
    const condition = readyCondition(es.status);
    if (condition !== undefined) tracked.condition ??= condition.status;
    if (tracked.dueAt !== undefined) this.#agenda.schedule(tracked, tracked.dueAt);
    else {
      tracked.phase = await this.#knownPhase(tracked, es, signal);
      this.#agenda.scheduleFirst(tracked, es);
      this.#agenda.beforeLeaseEnds(tracked, es);
    }
  }

  async #sync(tracked: Tracked, es: ExternalSecret, due: number, signal: AbortSignal): Promise<void> {
    const { deps, stores } = this.#options;
    const started = this.#clock.monotonic();
    const gated = tracked.wanted
      ? undefined
      : tracked.stores.find((store) => stores.failure(store) !== undefined);
    tracked.wanted = false;
    let result: Reconciled;
    try {
      // A store that is known to fail is asked once a tick, not once an object.
      if (gated !== undefined) await stores.validate(gated, due);
      result = await reconcile(
        { es, memory: tracked.memory, first: neverSynced(es), notBefore: due },
        deps,
        signal,
      );
    } catch (error) {
      result = { result: 'failed', error: new SyncError('fetch', notReady(gated, toEsaError(error))) };
    }
    if (signal.aborted && (this.#options.stop.aborted || !this.#options.mine(tracked.key))) return;
    if (result.result === 'synced' && result.leases.length > 0) this.#unlessKnown(tracked, es, result);
    if (!this.#isKnown(tracked) || result.result === 'ignored') return;
    if (result.result === 'gone') return this.#retry(tracked, es, 1);
    const milliseconds = this.#clock.monotonic() - started;
    tracked.attempts += 1;
    tracked.microseconds = Math.round(milliseconds * 1000);
    if (result.result === 'failed') await this.#failed(tracked, es, result.error, signal);
    else await this.#synced(tracked, es, result, milliseconds, signal);
  }

  /** The phase that whoever had the object before gave it. */
  async #knownPhase(tracked: Tracked, es: ExternalSecret, signal: AbortSignal): Promise<number> {
    const { policies, fetch } = this.#options.deps;
    const namespace = es.metadata.namespace ?? '';
    try {
      const { guard } = await policies(namespace, signal);
      const { reader, controllerClass } = fetch;
      const stores = await Promise.all(
        storesOf(es).map((reference) =>
          resolveStore(reference, namespace, reader, controllerClass, signal, guard),
        ),
      );
      return phaseFor(tracked.key, es, stores, tracked.cadence.interval);
    } catch {
      // The sync says what is wrong with the store.
      return tracked.phase;
    }
  }

  async #failed(tracked: Tracked, es: ExternalSecret, error: SyncError, signal: AbortSignal): Promise<void> {
    // A namespace on its way out takes the object with it: nothing to report, nothing to try.
    if (isNamespaceTerminating(error.cause)) return;
    tracked.failures += 1;
    tracked.errors += 1;
    tracked.condition = 'False';
    // That a store is left alone for a moment is no news for who knows that it fails: the status keeps the cause.
    // Nor is it that others were first; the object is late, and has not failed.
    const before = readyCondition(es.status)?.status;
    const known =
      (error.code === 'STORE_UNAVAILABLE' && before === 'False') ||
      (error.code === 'STORE_BUSY' && before !== undefined);
    if (!known) this.#reporter.failed(es, error, tracked.failures === 1);
    if (tracked.failures === 1 && CREDENTIALS_REFUSED.has(error.code)) {
      for (const store of tracked.stores) this.#options.stores.suspect(store);
    }
    this.#retry(tracked, es, tracked.failures, error.retryAfterMs);
    if (!known) await this.#write(tracked, es, failedStatus(es, error, this.#clock.now()), signal);
  }

  /** @param failures in a row, this one counted */
  #retry(tracked: Tracked, es: ExternalSecret, failures: number, retryAfterMs?: number): void {
    const { interval } = tracked.cadence;
    const delay = retryDelay(failures, {
      interval,
      synced: !neverSynced(es),
      retryAfterMs,
      random: Math.random(),
    });
    this.#agenda.schedule(tracked, this.#clock.monotonic() + delay);
  }

  async #synced(
    tracked: Tracked,
    es: ExternalSecret,
    result: Synced,
    milliseconds: number,
    signal: AbortSignal,
  ): Promise<void> {
    const now = this.#clock.now();
    const { interval } = tracked.cadence;
    tracked.failures = 0;
    tracked.condition = 'True';
    const before = tracked.memory;
    tracked.memory = memoryOf({ ...result.memory, missing: result.missing, verdicts: result.verdicts });
    tracked.absent = result.outcome !== 'synced';
    if (result.stores.length > 0) tracked.phase = phaseFor(tracked.key, es, result.stores, interval);
    this.#reporter.synced(es, result, before, milliseconds);
    if (result.action === 'created' && neverSynced(es) && result.leases.length === 0) {
      if (await this.#options.expectations.of(es, signal)) this.#reporter.late(es);
    }
    this.#agenda.scheduleRefresh(tracked);
    const { records: leases, superfluous } = accountOf(es, result.leases, now);
    void this.#options.deps.leases.giveBack(es.metadata.namespace ?? '', superfluous);
    this.#agenda.beforeLeaseEnds(tracked, { status: { ...es.status, leases: [...(leases ?? [])] } });
    const status = syncedStatus({
      es,
      outcome: result.outcome,
      target: targetName(es),
      refreshedAt: result.refreshedAt,
      now,
      interval,
      refreshTime: this.#options.statusRefreshTime,
      leases,
    });
    await this.#write(tracked, es, status, signal);
    if (result.leases.length > 0) this.#unlessKnown(tracked, es, result);
  }

  /** An object that went while it was synced has no status that would tell of its leases. */
  #unlessKnown(tracked: Tracked, es: ExternalSecret, { leases }: Synced): void {
    if (this.#isKnown(tracked)) return;
    const unused = leases.map(({ ref, id }) => ({ generator: ref, id }));
    void this.#options.deps.leases.giveBack(es.metadata.namespace ?? '', unused);
  }

  async #write(
    tracked: Tracked,
    es: ExternalSecret,
    status: ExternalSecretStatus | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { deps, metrics } = this.#options;
    const written = await writeStatus(deps.kube, es, status, metrics, signal);
    if (written === undefined) return;
    // The watch will say so too, but the next sync may begin before. What it has brought meanwhile stays.
    const current = unpack(tracked.packed);
    if (current.metadata.uid !== es.metadata.uid) return;
    tracked.packed = pack({ ...current, status: written });
    tracked.ready = readyCondition(written)?.status === 'True';
    tracked.leased = (written.leases?.length ?? 0) > 0;
  }
}

/** The stores that an object names; that of KES is no object of the cluster. */
function storesOf(es: ExternalSecret): readonly StoreReference[] {
  const kes = kesOf(es);
  if (kes === undefined) return storeReferences(es.spec);
  const object = kesStore(es, kes);
  return [{ kind: object.kind, name: object.metadata.name ?? '', object }];
}

/** Why an object whose store fails is not tried. */
function notReady(gated: string | undefined, error: EsaError): EsaError {
  if (error.code === 'STORE_UNAVAILABLE') return error;
  const [, namespace, name = ''] = (gated ?? '').split('/');
  const label = storeLabel(storeKind(gated), namespace, name);
  return new EsaError(error.code, `${label} is not ready: ${error.message}`);
}

const storeKind = (key: string | undefined): 'SecretStore' | 'ClusterSecretStore' =>
  key?.startsWith('Cluster') ? 'ClusterSecretStore' : 'SecretStore';
