import { EsaError } from '../api/errors.ts';

/**
 * The promise, or a rejection when the signal aborts first: for work that is shared with others and therefore
 * goes on when one of them gives up.
 * @throws EsaError DEADLINE
 */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(new EsaError('DEADLINE', `out of time while ${what}`));
    if (signal.aborted) {
      promise.catch(() => {});
      return give();
    }
    signal.addEventListener('abort', give, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', give));
  });
}

/** As AbortSignal.timeout has it; made once, for an exception with a stack is dear. */
const TIME_IS_UP = new DOMException('The operation was aborted due to timeout', 'TimeoutError');

/**
 * Runs `work` with a signal that aborts after so many milliseconds. Unlike the timer of AbortSignal.timeout its own
 * ends with the work: what is done a thousand times a second would leave ten thousand behind.
 */
export async function withTimeLimit<T>(ms: number, work: (limit: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(TIME_IS_UP), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
