/** A limit of time, together with the signal of whoever asks. */

/** As AbortSignal.timeout has it; made once, for an exception with a stack is dear. */
const TIME_IS_UP = new DOMException('The operation was aborted due to timeout', 'TimeoutError');

export interface TimeLimit {
  readonly signal: AbortSignal;
  /** No more limit; the outer signal still counts. */
  readonly disarm: () => void;
  /** The work is done: nothing of the limit is left behind. */
  readonly end: () => void;
}

/**
 * A signal that aborts after so many milliseconds, or with `outer`. In place of AbortSignal.timeout and
 * AbortSignal.any, which hold whoever listens to them until the time is over, however soon the work is done: at 500
 * syncs a second with a limit of a minute each that is more memory than all objects take; and they cost several times
 * as much.
 * @param reason that the signal has when the time is up
 */
export function timeLimit(
  milliseconds: number,
  outer?: AbortSignal,
  reason: unknown = TIME_IS_UP,
): TimeLimit {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(reason), milliseconds);
  const give = (): void => controller.abort(outer?.reason);
  if (outer?.aborted === true) give();
  else outer?.addEventListener('abort', give, { once: true });
  return {
    signal: controller.signal,
    disarm: () => clearTimeout(timer),
    end: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', give);
    },
  };
}

/** Runs `work` with the signal of such a limit, which ends with it. */
export async function withinTime<T>(
  milliseconds: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = timeLimit(milliseconds, outer);
  try {
    return await work(limit.signal);
  } finally {
    limit.end();
  }
}
