/** A time limit of a provider's own, shorter than the one it is given. */

/** As AbortSignal.timeout has it. */
const TIME_IS_UP = new DOMException('The operation was aborted due to timeout', 'TimeoutError');

/**
 * Runs `work` with a signal that aborts after so many milliseconds, or with `outer`. In place of AbortSignal.timeout
 * and AbortSignal.any, which hold whoever listens until the time is over, however soon the work is done.
 */
export async function withinTime<T>(
  milliseconds: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(TIME_IS_UP), milliseconds);
  const give = (): void => controller.abort(outer.reason);
  if (outer.aborted) give();
  else outer.addEventListener('abort', give, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', give);
  }
}
