/**
 * When an object is due. Refreshes of one interval fall on fixed moments that depend only on what is read
 * (its phase), so a restart makes no herd, and objects that read the same remote object come due together and
 * share the read.
 */
import type { Clock } from '../api/clock.ts';
import { retryCeiling } from '../sync/cadence.ts';
import { nextSlot } from '../sync/phase.ts';

/** Failures of objects that were synced before are not retried sooner than this, or than their interval. */
const RETRY_FLOOR_MS = 10_000;
const RETRY_FIRST_MS = 1_000;
/** A Retry-After may be a date of a clock that is not ours; whoever wants more time may ask for it again. */
const LONGEST_RETRY_AFTER_MS = 5 * 60_000;

/** A wall clock that has moved less than this is taken for one that has not: two clocks are never read at one moment. */
const CLOCK_MOVED_MS = 100;

/**
 * Slots are moments of the wall clock, so that they are the same after a restart; the queue runs on the monotonic one.
 * How far the two are apart is measured once and kept, so that equal slots are one moment, and anew when the wall clock
 * has moved against it: it has jumped, or corrections have added up. What is queued keeps its turn then. The next one
 * is never more than an interval away and never past, whichever way the clock has gone.
 */
export class WallSlots {
  readonly #clock: Clock;
  /** What a moment of the wall clock has to be moved by, whole milliseconds. */
  #offset: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = this.#measure();
  }

  /** The next slot of this phase, monotonic milliseconds. */
  next(interval: number, phase: number): number {
    const offset = this.#follow();
    // Not by the wall clock itself: a slot that is just over must not come again since the two differ a little.
    return nextSlot(this.#clock.monotonic() - offset, interval, phase) + offset;
  }

  /** The monotonic moment at which the wall clock, as it goes now, will show `wall`. */
  monotonicOf(wall: number): number {
    return wall + this.#follow();
  }

  #follow(): number {
    const measured = this.#measure();
    if (Math.abs(measured - this.#offset) >= CLOCK_MOVED_MS) this.#offset = measured;
    return this.#offset;
  }

  #measure(): number {
    return Math.round(this.#clock.monotonic() - this.#clock.now());
  }
}

/**
 * Milliseconds to wait after the nth failure in a row: doubling with jitter, never longer than the object's
 * interval. One that has been synced before is never tried more often than it would be refreshed (or than each
 * 10 s, if that is longer): its Secret is there. A new one is tried at once, since somebody waits for it.
 * Never sooner than the provider asks for, and spread behind that.
 */
export function retryDelay(
  failures: number,
  options: { interval: number; synced: boolean; retryAfterMs?: number | undefined; random: number },
): number {
  const { interval, synced, retryAfterMs = 0, random } = options;
  const ceiling = retryCeiling(interval);
  const floor = synced ? Math.min(RETRY_FLOOR_MS, ceiling) : 0;
  const doubled = RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 20) * (0.8 + 0.4 * random);
  const asked = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS);
  // All that were refused during a pause would come at its end: as they came in the course of it, so they go.
  const pause = asked + random * Math.min(asked, ceiling);
  return Math.max(pause, floor, Math.min(doubled, ceiling));
}

/** More creates than this within the window are a burst. */
const BURST_SIZE = 16;
const BURST_WINDOW_MS = 500;
/** Who creates without an end gets no more room than this: what is made has to be adopted some time. */
const LONGEST_BURST_MS = 20_000;

/**
 * Tells a burst of creates from single ones. Secrets that admission has made are there and in use; adopting them
 * while it lasts would take the API server from those who still create.
 */
export class BurstGauge {
  #windowEnd = Number.NEGATIVE_INFINITY;
  #count = 0;
  #since = 0;
  #until = Number.NEGATIVE_INFINITY;

  /** One has come. @param now monotonic milliseconds */
  arrived(now: number): void {
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + BURST_WINDOW_MS;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= BURST_SIZE) return;
    if (now >= this.#until) this.#since = now;
    this.#until = this.#windowEnd + BURST_WINDOW_MS;
  }

  /** How long an adoption that is due now should wait before it asks again, milliseconds; 0: it need not. */
  wait(now: number): number {
    return now < this.#until && now - this.#since < LONGEST_BURST_MS ? this.#until - now : 0;
  }
}
