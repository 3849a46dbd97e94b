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
