/**
 * Keeps every ExternalSecret in sync: takes in what the reflectors see, and decides whose turn that brings. What a turn
 * does is in turns.ts, when it comes in agenda.ts; kept is a projection of each object (tracked.ts).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../api/clock.ts';
import { ANNOTATION_FORCE_SYNC, ANNOTATION_REFRESH } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { qualifiedName } from '../api/kubernetes-client/names.ts';
import type { Interest } from '../kube/known-objects.ts';
import { nameHash } from '../kube/name-hash.ts';
import { neverSynced, refreshedInFuture } from '../sync/cadence.ts';
import { specHash } from '../sync/marker.ts';
import { phaseOf } from '../sync/phase.ts';
import { generates, targetName } from '../sync/plan.ts';
import { currentVersion, owesRefresh, readyCondition } from '../sync/status.ts';
import { Agenda } from './agenda.ts';
import { hasEsoFinalizer } from './finalizer.ts';
import { keyOf, ObjectIndex } from './object-index.ts';
import { unpack } from './projection.ts';
import { URGENCY, type Urgency, WorkQueue } from './queue.ts';
import { BurstGauge } from './schedule.ts';
import type { Change } from './source-watches.ts';
import { observe, type Tracked, track } from './tracked.ts';
import { type TurnOptions, Turns } from './turns.ts';

export interface ControllerOptions extends TurnOptions {
  readonly workers: number;
  /** True if admission has made this Secret and it waits to be adopted. */
  readonly isPending: (namespace: string, name: string) => boolean;
}

/** So many objects are let go in one turn of the event loop. */
const RELEASE_CHUNK = 200;
/** Time between two of the objects that a changed policy brings. */
const POLICY_PACE_MS = 20;
/** Over so long those are spread whom a failing store had kept waiting; with its cool-down less than the usual interval. */
const RECOVERY_SPREAD_MS = 5_000;
/** So long after its creation an event may come that is older than the object. */
const YOUNG_MS = 10_000;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #objects = new ObjectIndex<Tracked>();
  readonly #creates = new BurstGauge();
  readonly #fingerprint = nameHash();
  readonly #queue: WorkQueue;
  readonly #agenda: Agenda;
  readonly #turns: Turns;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#clock = options.deps.clock;
    this.#queue = new WorkQueue({
      clock: this.#clock,
      workers: options.workers,
      groupOf: (key) => this.#objects.get(key)?.stores[0],
      // Adoptions follow a burst of creates at a pace that leaves the API server to those who create.
      limits: { [URGENCY.check]: 8, [URGENCY.adopt]: 2 },
      work: (key, due, urgency) => this.#work(key, due, urgency),
    });
    this.#agenda = new Agenda(this.#clock, this.#queue, options.unattendedMs);
    this.#turns = new Turns(options, this.#objects, this.#agenda);
  }

  get size(): number {
    return this.#objects.size;
  }

  get depth(): number {
    return this.#queue.depth;
  }

  /** What is kept of each object; it may change while somebody walks through it. */
  objects(): Iterable<Tracked> {
    return this.#objects.all();
  }

  /** For how long the object that waits longest has been due, milliseconds. */
  get oldestMs(): number {
    return this.#queue.oldestMs;
  }

  /** See WorkQueue. */
  get stalledMs(): number {
    return this.#queue.stalledMs;
  }

  /** True if this Secret is the target of some ExternalSecret. */
  isTarget(namespace: string, name: string): boolean {
    return this.#objects.isTarget(namespace, name);
  }

  /** The Secrets that are there as far as is known, in the version that was seen or written last. */
  *targets(): Iterable<Interest> {
    for (const { target, memory, absent } of this.#objects.all()) {
      const { secretVersion: resourceVersion } = memory;
      if (target === undefined || resourceVersion === undefined || absent) continue;
      const slash = target.indexOf('/');
      yield { namespace: target.slice(0, slash), name: target.slice(slash + 1), resourceVersion };
    }
  }

  /** The object as it was seen last, without managedFields. */
  find(namespace: string, name: string): ExternalSecret | undefined {
    const tracked = this.#objects.get(keyOf(namespace, name));
    return tracked && unpack(tracked.packed);
  }

  /** @param key `namespace/name`, if somebody else keeps that string, too */
  upsert(es: ExternalSecret, key = keyOf(es.metadata.namespace, qualifiedName(es))): void {
    const { uid } = es.metadata;
    const before = this.#objects.get(key);
    const same = before !== undefined && unpack(before.packed).metadata.uid === uid;
    if (before !== undefined && !same) this.#remove(before);
    const tracked = same ? before : track(key, es);
    if (same) observe(tracked, es);
    this.#objects.put(tracked, es);
    this.#update(tracked, es);
  }

  delete(namespace: string | undefined, name: string | undefined): void {
    const tracked = this.#objects.get(keyOf(namespace, name));
    if (tracked === undefined) return;
    this.#remove(tracked);
    if (!tracked.leased) return;
    const { leases = [] } = unpack(tracked.packed).status ?? {};
    void this.#options.deps.leases.giveBack(namespace ?? '', leases);
  }

  #remove(tracked: Tracked): void {
    this.#objects.remove(tracked);
    this.#queue.remove(tracked.key);
  }

  /** True if an object reads from this store. */
  usesStore(store: string): boolean {
    return this.#objects.isUsed(store);
  }

  /**
   * Lets go of what is another replica's now. Nothing more is begun for it; what is under way may end within `graceMs`
   * and is given up then. Resolves when it has ended.
   * @param released called with the key of each
   */
  async releaseOthers(graceMs: number, released: (key: string) => void): Promise<void> {
    const { mine } = this.#options;
    await this.#turns.endOf(
      (key) => !mine(key),
      graceMs,
      (key) => this.#queue.ended(key),
    );
    let count = 0;
    for (const tracked of this.#objects.all()) {
      if (mine(tracked.key)) continue;
      this.#remove(tracked);
      released(tracked.key);
      count += 1;
      if (count % RELEASE_CHUNK === 0) await nextTurn();
    }
  }

  /** The metadata of a target changed: look at it, unless it is what we wrote ourselves. */
  targetChanged(namespace: string, name: string, resourceVersion: string): void {
    for (const tracked of this.#objects.ofTarget(namespace, name)) {
      if (tracked.memory.secretVersion === resourceVersion) continue;
      if (this.#queue.isRunning(tracked.key)) {
        tracked.seenVersion = resourceVersion;
        continue;
      }
      tracked.memory.secretVersion = undefined;
      if (!tracked.orphan) this.#agenda.look(tracked);
    }
  }

  /** The target is gone: make it anew at once. */
  targetDeleted(namespace: string, name: string): void {
    for (const tracked of this.#objects.ofTarget(namespace, name)) {
      if (tracked.absent) continue;
      tracked.memory.secretVersion = undefined;
      if (tracked.orphan) continue;
      if (this.#queue.isRunning(tracked.key)) tracked.seenVersion = 'deleted';
      else this.#agenda.syncNow(tracked);
    }
  }

  /** Syncs one object (`namespace/name`) as soon as a worker is free. */
  syncNow(key: string): void {
    const tracked = this.#objects.get(key);
    if (tracked !== undefined) this.#agenda.syncNow(tracked);
  }

  /** Who uses this store tries again: all of them if its spec changed, else those that failed or wait. */
  storeUsable(store: string, changed: boolean): void {
    for (const tracked of this.#objects.ofStore(store)) {
      const failed = forgiven(tracked);
      if (failed || (changed && tracked.cadence.interval > 0)) this.#agenda.syncNow(tracked);
    }
  }

  /** Somebody asks for it: what is read from this store is read again, but by those that read once. */
  refreshStore(store: string): void {
    const now = this.#clock.monotonic();
    for (const tracked of this.#objects.ofStore(store)) {
      if (tracked.cadence.onEdit) this.#agenda.syncAt(tracked, now, URGENCY.refresh);
    }
  }

  /** A store answers again after failures: who was refused meanwhile tries again soon, spread, instead of an interval later. */
  storeRecovered(store: string): void {
    const now = this.#clock.monotonic();
    for (const tracked of this.#objects.ofStore(store)) {
      if (tracked.failures === 0) continue;
      this.#agenda.hasten(tracked, now + phaseOf(tracked.key, RECOVERY_SPREAD_MS));
    }
  }

  /**
   * What is allowed in these namespaces has changed: their objects are tried again, at a pace that neither the
   * providers nor the refreshes of others notice. Those that read once are left alone unless they failed.
   */
  policiesChanged(concerns: (namespace: string) => boolean): void {
    const now = this.#clock.monotonic();
    let count = 0;
    for (const tracked of this.#objects.all()) {
      if (!concerns(namespaceOf(tracked))) continue;
      if (!forgiven(tracked) && tracked.cadence.interval <= 0) continue;
      this.#agenda.syncAt(tracked, now + count * POLICY_PACE_MS, URGENCY.refresh);
      count += 1;
    }
  }

  /**
   * Something that these objects read from the cluster, beside their stores, has changed or come. Who failed is tried
   * again; the others are, too, if something has changed for them, but for those that read once. Many are tried at
   * the pace of a changed policy.
   * @param due when to begin, monotonic milliseconds
   */
  sourceChanged(keys: Iterable<string>, due: number, how: Change): void {
    let count = 0;
    for (const key of keys) {
      const tracked = this.#objects.get(key);
      if (tracked === undefined) continue;
      const es = unpack(tracked.packed);
      const failed = tracked.failures > 0 || readyCondition(es.status)?.status === 'False';
      if (failed) tracked.failures = 0;
      else if (tracked.cadence.interval <= 0 || !this.#concerns(tracked, es, how)) continue;
      this.#agenda.syncAt(tracked, due + count * POLICY_PACE_MS, URGENCY.refresh);
      count += 1;
    }
  }

  /** True if a source that came or changed in this way may say something else than this object has read. */
  #concerns({ key, memory }: Tracked, es: ExternalSecret, how: Change): boolean {
    if (how === 'made') return false;
    // What no sync of this process has read, the next one reads.
    if (how === 'listed' && memory.digest === undefined && !this.#queue.isRunning(key)) return false;
    // The event may be older than the object, since two watches keep no order. Where generated values were just
    // handed out, others must not follow because of that.
    const created = Date.parse(es.metadata.creationTimestamp ?? '');
    return !(generates(es.spec) && this.#clock.now() - created < YOUNG_MS);
  }

  async stop(): Promise<void> {
    await this.#queue.stop();
  }

  async #work(key: string, due: number, urgency: Urgency): Promise<void> {
    if (urgency === URGENCY.adopt) {
      const now = this.#clock.monotonic();
      const wait = this.#creates.wait(now);
      const tracked = this.#objects.get(key);
      if (wait > 0 && tracked !== undefined) return this.#agenda.syncAt(tracked, now + wait, URGENCY.adopt);
    }
    await this.#turns.work(key, due, urgency);
  }

  /** Decides, after an event of the object itself, when it is due. */
  #update(tracked: Tracked, es: ExternalSecret): void {
    const { key } = tracked;
    const now = this.#clock.monotonic();
    if (es.metadata.deletionTimestamp !== undefined) {
      this.#queue.remove(key);
      if (hasEsoFinalizer(es)) this.#queue.add(key, now, URGENCY.now);
      return;
    }
    const version = currentVersion(es);
    // Not by generation alone: an edit through an older version's conversion data does not raise it. With KES the
    // version is the generation, and the annotations that ask for a sync count beside it.
    const asked = [ANNOTATION_FORCE_SYNC, ANNOTATION_REFRESH].map((name) => es.metadata.annotations?.[name]);
    const handled = this.#fingerprint(specHash([version, es.spec, asked]));
    if (tracked.handled === undefined) {
      tracked.handled = handled;
      this.#first(tracked, es, version, now);
      return;
    }
    if (tracked.handled === handled) return;
    tracked.handled = handled;
    if (tracked.cadence.onEdit || neverSynced(es)) {
      this.#agenda.syncNow(tracked);
      return;
    }
    // With refreshInterval 0 and with CreatedOnce values are fetched once, and edits change nothing, as in ESO; but the Secret that
    // the spec now names has to be there.
    tracked.dueAt = undefined;
    this.#agenda.look(tracked);
  }

  /** It is seen for the first time by this process. */
  #first(tracked: Tracked, es: ExternalSecret, version: string, now: number): void {
    const { cadence, key } = tracked;
    const never = neverSynced(es);
    const outdated = es.status?.syncedResourceVersion !== version && cadence.onEdit;
    const wall = this.#clock.now();
    const asked = refreshedInFuture(es, cadence, wall) || owesRefresh(es, wall);
    if (never && this.#options.isPending(namespaceOf(tracked), targetName(es))) {
      this.#creates.arrived(now);
      this.#agenda.syncAt(tracked, now + this.#creates.wait(now), URGENCY.adopt);
    } else if (never || outdated || !tracked.ready || asked) this.#agenda.syncNow(tracked);
    else {
      // Whose turn was missed in any case is read at once, and that looks at the Secret, too.
      const missed = cadence.interval > 0 && cadence.interval <= this.#options.unattendedMs;
      this.#queue.add(key, now, missed ? URGENCY.refresh : URGENCY.check);
    }
  }
}

const namespaceOf = ({ key }: Tracked): string => key.slice(0, key.indexOf('/'));

/** True if it failed or waits; its failures count no more. */
function forgiven(tracked: Tracked): boolean {
  const failed = tracked.failures > 0 || !tracked.ready;
  if (failed) tracked.failures = 0;
  return failed;
}
