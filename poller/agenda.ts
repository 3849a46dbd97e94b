/** When each object has its turn: puts them into the queue. */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { isOverdue, windowOpens } from '../sync/cadence.ts';
import { leasesDue } from '../sync/leases.ts';
import { phaseOf } from '../sync/phase.ts';
import { URGENCY, type Urgency, type WorkQueue } from './queue.ts';
import { WallSlots } from './schedule.ts';
import type { Tracked } from './tracked.ts';

/** An object that was due while no poller ran is read within this time after the start, not after one more interval. */
const CATCH_UP_MS = 60_000;
/** How far over the moment at which a sync window opens the reads are spread that waited for it. */
const WINDOW_SPREAD_MS = 10_000;
/** Windows are looked at this often while they are closed: the clock that they go by may be put right. */
const LONGEST_WINDOW_WAIT_MS = 60_000;

/** However short a lease is: its values are not made anew more often. */
const SHORTEST_LEASE_MS = 1_000;

export class Agenda {
  readonly #clock: Clock;
  readonly #queue: WorkQueue;
  readonly #slots: WallSlots;
  readonly #unattendedMs: number;

  /** @param unattendedMs how long an object that comes in may have been without anybody who refreshes it */
  constructor(clock: Clock, queue: WorkQueue, unattendedMs: number) {
    this.#clock = clock;
    this.#queue = queue;
    this.#slots = new WallSlots(clock);
    this.#unattendedMs = unattendedMs;
  }

  /** Syncs the object as soon as a worker is free. */
  syncNow(tracked: Tracked): void {
    this.syncAt(tracked, this.#clock.monotonic(), URGENCY.now);
  }

  /** Syncs it at that moment at the latest (monotonic milliseconds), whatever its schedule says. */
  syncAt(tracked: Tracked, due: number, urgency: Urgency): void {
    tracked.wanted = true;
    this.#queue.add(tracked.key, due, urgency);
  }

  /** Tries once more what was not finished, at that moment and not before. */
  retry(tracked: Tracked, due: number): void {
    this.#queue.set(tracked.key, due, URGENCY.now);
  }

  /** The turn that waits comes at that moment, if that is sooner. */
  hasten(tracked: Tracked, due: number): void {
    if (tracked.wanted || (tracked.dueAt !== undefined && tracked.dueAt <= due)) return;
    this.schedule(tracked, due);
  }

  /** Looks at the target, without asking the provider unless it has drifted. */
  look(tracked: Tracked): void {
    tracked.memory.secretVersion = undefined;
    // A sync that comes anyway looks, too.
    if (!tracked.wanted) this.#queue.set(tracked.key, this.#clock.monotonic(), URGENCY.check);
  }

  /** The next ordinary turn; what came in while a sync ran (a new spec) goes first and stays. */
  schedule(tracked: Tracked, due: number): void {
    // A whole number takes no memory of its own.
    tracked.dueAt = Math.ceil(due);
    if (!tracked.wanted) this.#queue.set(tracked.key, tracked.dueAt, URGENCY.refresh);
  }

  /** The next slot of its interval, if it has one. */
  scheduleRefresh(tracked: Tracked): void {
    const { interval } = tracked.cadence;
    if (interval <= 0) return;
    this.schedule(tracked, this.#slots.next(interval, tracked.phase));
  }

  /** Makes the next turn come before its leased values end, whatever its interval. */
  beforeLeaseEnds(tracked: Tracked, es: Pick<ExternalSecret, 'status'>): void {
    const wall = leasesDue(es);
    if (wall === undefined) return;
    const now = this.#clock.monotonic();
    const due = now + Math.max(SHORTEST_LEASE_MS, wall - this.#clock.now());
    // Without an interval a turn that is over may still stand there.
    const next = tracked.cadence.interval > 0 ? (tracked.dueAt ?? due) : due;
    this.schedule(tracked, Math.min(next, due));
  }

  /** The first turn of an object that an earlier process synced: soon, if it was due while nobody was there. */
  scheduleFirst(tracked: Tracked, es: ExternalSecret): void {
    const { interval } = tracked.cadence;
    const now = this.#clock.monotonic();
    // Its last turn may have fallen into the time in which nobody had it.
    const missed =
      interval > 0 && this.#slots.next(interval, tracked.phase) - interval > now - this.#unattendedMs;
    if (missed) this.schedule(tracked, now);
    else if (isOverdue(es, tracked.cadence, this.#clock.now()))
      this.schedule(tracked, this.#clock.monotonic() + (tracked.phase % CATCH_UP_MS));
    else this.scheduleRefresh(tracked);
  }

  /** True if the turn was put off until its sync windows open. */
  waitsForWindow(tracked: Tracked, es: ExternalSecret): boolean {
    if (tracked.wanted) return false;
    const opens = windowOpens(es, tracked.cadence, this.#clock.now());
    if (opens === undefined) return false;
    const opening = this.#slots.monotonicOf(opens) + phaseOf(tracked.key, WINDOW_SPREAD_MS);
    // The wall clock may jump meanwhile.
    this.schedule(tracked, Math.min(opening, this.#clock.monotonic() + LONGEST_WINDOW_WAIT_MS));
    return true;
  }
}
