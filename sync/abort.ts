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

export interface TimeLimit {
  readonly signal: AbortSignal;
  /** The work is done: nothing of the limit is left behind. */
  readonly end: () => void;
}

/**
 * A signal that aborts after so many milliseconds, or with `outer`. In place of AbortSignal.timeout and
 * AbortSignal.any, which hold whoever listens to them until the time is over, however soon the work is done: at 500
 * syncs a second with a limit of a minute each that is more memory than all objects take.
 */
export function timeLimit(milliseconds: number, outer?: AbortSignal): TimeLimit {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(TIME_IS_UP), milliseconds);
  const give = (): void => controller.abort(outer?.reason);
  if (outer?.aborted === true) give();
  else outer?.addEventListener('abort', give, { once: true });
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', give);
    },
  };
}
