/**
 * One piece of work for everyone who asks while it is under way. It is aborted when the last of them has
 * given up, not when the first has.
 */
export class SharedFlight<T> {
  #current: { readonly result: Promise<T>; readonly abort: AbortController; waiting: number } | undefined;

  /** True while work is under way. */
  get isBusy(): boolean {
    return this.#current !== undefined;
  }

  /** Joins the work under way, or starts it. Rejects with the signal's reason as soon as that aborts. */
  async run(start: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#current ?? this.#begin(start);
    flight.waiting++;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([flight.result, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      flight.waiting--;
      if (flight.waiting === 0) {
        flight.abort.abort();
        // Work that nobody waits for any more must not be joined.
        if (this.#current === flight) this.#current = undefined;
      }
    }
  }

  #begin(start: (signal: AbortSignal) => Promise<T>) {
    const abort = new AbortController();
    const flight = { result: start(abort.signal), abort, waiting: 0 };
    this.#current = flight;
    const clear = (): void => {
      if (this.#current === flight) this.#current = undefined;
    };
    flight.result.then(clear, clear);
    return flight;
  }
}
