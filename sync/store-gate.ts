/**
 * The gate before one identity of a store: so many uses at a time, so many requests a second. Who waits is let in in
 * the order he came, but that those for whom somebody waits go first.
 */
import type { Clock } from '../api/clock.ts';
import type { StoreLimits } from '../policy/store-limits.ts';
import { TokenBucket } from './token-bucket.ts';

export type GateLimits = Pick<StoreLimits, 'maxInFlight' | 'rate' | 'burst'>;

type Waiter = () => void;

export class StoreGate {
  readonly #clock: Clock;
  #limits: GateLimits;
  #bucket: TokenBucket | undefined;
  #inside = 0;
  /** How many are let in after the store was left alone: one, and one more with each good answer. */
  #ramp = Number.POSITIVE_INFINITY;
  readonly #urgent: Waiter[] = [];
  readonly #ordinary: Waiter[] = [];

  constructor(clock: Clock, limits: GateLimits) {
    this.#clock = clock;
    this.#limits = { ...limits, rate: undefined };
    this.configure(limits);
  }

  /** True if nobody is inside or waits, and it says nothing that a new one would not. */
  get idle(): boolean {
    return (
      this.#inside === 0 &&
      this.#urgent.length + this.#ordinary.length === 0 &&
      this.#ramp >= this.#limits.maxInFlight &&
      this.#bucket?.isFull !== false
    );
  }

  /** Other limits, from now on; for those who wait, too. */
  configure(limits: GateLimits): void {
    const { maxInFlight, rate, burst } = limits;
    if (rate === undefined) {
      // Nobody is left behind: those who wait for a token get one at once.
      this.#bucket?.configure(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      this.#bucket = undefined;
    } else if (this.#bucket === undefined)
      this.#bucket = new TokenBucket({ clock: this.#clock, rate, burst });
    else this.#bucket.configure(rate, burst);
    if (maxInFlight === this.#limits.maxInFlight && rate === this.#limits.rate) return;
    this.#limits = limits;
    this.#admit();
  }

  /**
   * The store was left alone and is back. All who were refused meanwhile come soon, and it may be weak: it gets
   * one request, then twice as many each time that they are answered.
   */
  startSlowly(): void {
    this.#ramp = 1;
  }

  /** Runs `work` when there is room; rejects with the signal's reason if it aborts while waiting. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal, urgent: boolean): Promise<T> {
    await this.#enter(signal, urgent ? this.#urgent : this.#ordinary);
    try {
      const result = await work();
      this.#ramp += 1;
      return result;
    } finally {
      this.#inside -= 1;
      this.#admit();
    }
  }

  /** Before each request; undefined if it may be sent at once. Rejects with the signal's reason. */
  pace(signal: AbortSignal): Promise<void> | undefined {
    return this.#bucket?.take(signal);
  }

  /**
   * Places. With a rate no more than what a second allows: who is inside has little time left to wait, since his own
   * time limit runs.
   */
  get #room(): number {
    const { maxInFlight, rate = Number.POSITIVE_INFINITY } = this.#limits;
    return Math.min(maxInFlight, rate, this.#ramp);
  }

  #enter(signal: AbortSignal, queue: Waiter[]): Promise<void> {
    signal.throwIfAborted();
    if (this.#inside < this.#room) {
      this.#inside += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        queue.splice(queue.indexOf(enter), 1);
        reject(signal.reason);
      };
      queue.push(enter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #admit(): void {
    while (this.#inside < this.#room) {
      const next = this.#urgent.shift() ?? this.#ordinary.shift();
      if (next === undefined) return;
      this.#inside += 1;
      next();
    }
  }
}
