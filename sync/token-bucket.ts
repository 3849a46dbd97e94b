/** Spaces requests in time: so many a second, first come, first served. */
import type { Clock } from '../api/clock.ts';

/**
 * Timers fire late, by a millisecond or a few where much is going on. So much time is made good again, or a rate of a
 * thousand a second would come to half of that; it is a hundredth of what a second allows.
 */
const LATENESS_MS = 10;

interface Waiter {
  readonly enter: () => void;
}

export class TokenBucket {
  readonly #clock: Clock;
  #perMs: number;
  #burst: number;
  #tokens: number;
  #filledAt: number;
  readonly #queue: Waiter[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param rate tokens a second
   * @param burst so many are there at first, and after a while in which nobody came
   */
  constructor(options: { readonly clock: Clock; readonly rate: number; readonly burst: number }) {
    this.#clock = options.clock;
    this.#perMs = options.rate / 1000;
    this.#burst = options.burst;
    this.#tokens = options.burst;
    this.#filledAt = options.clock.monotonic();
  }

  /** Number of those who wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** True if it says nothing that a new one would not. */
  get isFull(): boolean {
    this.#fill();
    return this.#tokens >= this.#burst;
  }

  /** Another rate, from now on; for those who wait, too. */
  configure(rate: number, burst: number): void {
    if (rate / 1000 === this.#perMs && burst === this.#burst) return;
    this.#fill();
    this.#perMs = rate / 1000;
    this.#burst = burst;
    this.#serve();
  }

  /** Resolves when there is a token. Rejects with the signal's reason if that aborts before; then none is spent. */
  take(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    this.#fill();
    if (this.#queue.length === 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        enter: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        reject(signal.reason);
        this.#serve();
      };
      this.#queue.push(waiter);
      signal.addEventListener('abort', leave, { once: true });
      if (this.#timer === undefined) this.#serve();
    });
  }

  /** Lets in whoever there is a token for, and looks again when there is the next one. */
  #serve(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#fill();
    while (this.#queue.length > 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      this.#queue.shift()?.enter();
    }
    if (this.#queue.length === 0) return;
    const wait = Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMs));
    this.#timer = setTimeout(() => this.#serve(), wait);
  }

  #fill(): void {
    const now = this.#clock.monotonic();
    const most = this.#burst + LATENESS_MS * this.#perMs;
    this.#tokens = Math.min(most, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
  }
}
