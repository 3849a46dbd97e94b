/**
 * Keeps every ExternalSecret in sync: takes in what the reflectors see, and decides whose turn that brings. What a turn
 * does is in turns.ts, when it comes in agenda.ts; kept is a projection of each object (tracked.ts).
 */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import type { Interest } from '../kube/known-objects.ts';
import { nameHash } from '../kube/name-hash.ts';
import { specHash } from '../sync/marker.ts';
import { targetName } from '../sync/plan.ts';
import { currentVersion } from '../sync/status.ts';
import { Agenda } from './agenda.ts';
import { neverSynced, refreshedInFuture } from './cadence.ts';
import { hasEsoFinalizer } from './finalizer.ts';
import { keyOf, ObjectIndex } from './object-index.ts';
import { unpack } from './projection.ts';
import { URGENCY, WorkQueue } from './queue.ts';
import { BurstGauge } from './schedule.ts';
import { observe, type Tracked, track } from './tracked.ts';
import { type TurnOptions, Turns } from './turns.ts';

export interface ControllerOptions extends TurnOptions {
  readonly workers: number;
  /** True if admission has made this Secret and it waits to be adopted. */
  readonly isPending: (namespace: string, name: string) => boolean;
}

/** Time between two of the objects that a changed policy brings. */
const POLICY_PACE_MS = 20;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #objects = new ObjectIndex<Tracked>();
  readonly #creates = new BurstGauge();
  readonly #fingerprint = nameHash();
  readonly #queue: WorkQueue;
  readonly #agenda: Agenda;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#clock = options.deps.clock;
    this.#queue = new WorkQueue({
      clock: this.#clock,
      workers: options.workers,
      // Adoptions follow a burst of creates at a pace that leaves the API server to those who create.
      limits: { [URGENCY.check]: 8, [URGENCY.adopt]: 2 },
      work: (key, due, urgency) => turns.work(key, due, urgency),
    });
    this.#agenda = new Agenda(this.#clock, this.#queue);
    const turns = new Turns(options, this.#objects, this.#agenda);
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
  upsert(es: ExternalSecret, key = keyOf(es.metadata.namespace, es.metadata.name)): void {
    const { namespace, name, uid } = es.metadata;
    const before = this.#objects.get(key);
    const same = before !== undefined && unpack(before.packed).metadata.uid === uid;
    if (before !== undefined && !same) this.delete(namespace, name);
    const tracked = same ? before : track(key, es);
    if (same) observe(tracked, es);
    this.#objects.put(tracked, es);
    this.#update(tracked, es);
  }

  delete(namespace: string | undefined, name: string | undefined): void {
    const tracked = this.#objects.get(keyOf(namespace, name));
    if (tracked === undefined) return;
    this.#objects.remove(tracked);
    this.#queue.remove(tracked.key);
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

  async stop(): Promise<void> {
    await this.#queue.stop();
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
    // Not by generation alone: an edit through an older version's conversion data does not raise it.
    const handled = this.#fingerprint(specHash([version, es.spec]));
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
    const inFuture = refreshedInFuture(es, cadence, this.#clock.now());
    if (never && this.#options.isPending(namespaceOf(tracked), targetName(es)))
      this.#agenda.syncAt(tracked, now + this.#creates.arrived(now), URGENCY.adopt);
    else if (never || outdated || !tracked.ready || inFuture) this.#agenda.syncNow(tracked);
    else this.#queue.add(key, now, URGENCY.check);
  }
}

const namespaceOf = ({ key }: Tracked): string => key.slice(0, key.indexOf('/'));

/** True if it failed or waits; its failures count no more. */
function forgiven(tracked: Tracked): boolean {
  const failed = tracked.failures > 0 || !tracked.ready;
  if (failed) tracked.failures = 0;
  return failed;
}
