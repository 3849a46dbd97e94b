/**
 * Shares reads of one thing between those who ask for it, without ever giving anyone an answer that is
 * older than his question: a read may be shared only if it *began* at or after the moment (`notBefore`) from
 * which the asker needs to see the world. At most one read a key is in flight; who comes too late for it
 * shares the next one with all who wait by then.
 */
import type { Clock } from '../api/clock.ts';

interface Flight<T> {
  readonly startedAt: number;
  readonly promise: Promise<T>;
}

interface Slot<T> {
  current: Flight<T> | undefined;
  /** The read that begins when `current` is over; everybody who came in between shares it. */
  next: Promise<T> | undefined;
  expiry: ReturnType<typeof setTimeout> | undefined;
}

export class FreshReads<T> {
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #onRead: ((shared: boolean) => void) | undefined;
  readonly #slots = new Map<string, Slot<T>>();

  /**
   * @param keepMs how long an answer stays shareable after it arrived; 0 forgets it at once. Values of
   *   secrets live here, so this is the longest time that one is held beyond its use.
   * @param onRead called once a question: `shared` if another one has begun its read
   */
  constructor(options: { clock: Clock; keepMs: number; onRead?: (shared: boolean) => void }) {
    this.#clock = options.clock;
    this.#keepMs = options.keepMs;
    this.#onRead = options.onRead;
  }

  /**
   * @param notBefore monotonic milliseconds of the injected clock
   * @param read starts the read; its rejection reaches all who share it and is not kept
   */
  get(key: string, notBefore: number, read: () => Promise<T>): Promise<T> {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { current: undefined, next: undefined, expiry: undefined };
      this.#slots.set(key, slot);
    }
    const begins =
      slot.current === undefined || (slot.current.startedAt < notBefore && slot.next === undefined);
    this.#onRead?.(!begins);
    if (slot.current === undefined) return this.#start(key, slot, read);
    if (slot.current.startedAt >= notBefore) return slot.current.promise;
    if (slot.next === undefined) {
      const ended = slot.current.promise.then(
        () => {},
        () => {},
      );
      const owner = slot;
      slot.next = ended.then(() => {
        owner.next = undefined;
        return this.#start(key, owner, read);
      });
      // Everyone who waits gets the rejection from his own promise; this one must not count as unhandled.
      slot.next.catch(() => {});
    }
    return slot.next;
  }

  /** Forgets everything that is not in flight. */
  clear(): void {
    for (const slot of this.#slots.values()) clearTimeout(slot.expiry);
    this.#slots.clear();
  }

  #start(key: string, slot: Slot<T>, read: () => Promise<T>): Promise<T> {
    clearTimeout(slot.expiry);
    this.#slots.set(key, slot);
    const flight: Flight<T> = { startedAt: this.#clock.monotonic(), promise: Promise.resolve().then(read) };
    slot.current = flight;
    flight.promise.then(
      () => this.#settle(key, slot, flight, this.#keepMs),
      () => this.#settle(key, slot, flight, 0),
    );
    return flight.promise;
  }

  #settle(key: string, slot: Slot<T>, flight: Flight<T>, keepMs: number): void {
    if (slot.current !== flight) return;
    const forget = (): void => {
      if (slot.current !== flight) return;
      slot.current = undefined;
      if (slot.next === undefined && this.#slots.get(key) === slot) this.#slots.delete(key);
    };
    if (keepMs === 0) forget();
    else slot.expiry = setTimeout(forget, keepMs).unref();
  }
}
