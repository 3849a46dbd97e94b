import { setTimeout as sleep } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Milliseconds until it gives up; 10,000 by default. */
  readonly timeout?: number;
  /** Milliseconds between two tries; 50 by default. */
  readonly interval?: number;
  /** What is waited for, for the message. */
  readonly what?: string;
}

/**
 * Calls `attempt` until it returns something other than false, undefined or null, and returns that. An
 * attempt that throws (a failed assertion, too) counts as "not yet".
 * @throws Error when the time is over; its cause is what the last attempt threw
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  { timeout = 10_000, interval = 50, what = 'the condition' }: EventuallyOptions = {},
): Promise<Exclude<Awaited<T>, false | undefined | null>> {
  const deadline = performance.now() + timeout;
  let last: unknown;
  for (;;) {
    try {
      const result = await attempt();
      if (result !== false && result !== undefined && result !== null) {
        return result as Exclude<Awaited<T>, false | undefined | null>;
      }
      last = undefined;
    } catch (thrown) {
      last = thrown;
    }
    if (performance.now() + interval > deadline) {
      const reason = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`${what} did not come true within ${timeout} ms${reason}`, { cause: last });
    }
    await sleep(interval);
  }
}

/**
 * Calls `check` again and again for `duration` milliseconds: what must hold the whole time. The first
 * failure is thrown at once.
 */
export async function always(
  check: () => void | Promise<void>,
  { duration, interval = 50 }: { readonly duration: number; readonly interval?: number },
): Promise<void> {
  const end = performance.now() + duration;
  do {
    await check();
    await sleep(interval);
  } while (performance.now() < end);
}
