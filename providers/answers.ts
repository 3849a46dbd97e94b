/** What the status of an answer means, whichever server it is of. */
import { ProviderError, type ProviderErrorCode } from './contract.ts';
import type { HttpResponse } from './http.ts';
import { oneLine } from './service-words.ts';

/**
 * Milliseconds of a Retry-After header; undefined for none, or none in the future.
 * @param now wall-clock time in milliseconds; without it a date is not read, only seconds are
 */
export function retryAfterOf(
  headers: Readonly<Record<string, unknown>> | undefined,
  now = Number.NaN,
): number | undefined {
  const header = headers?.['retry-after'];
  if (typeof header !== 'string') return undefined;
  const isDate = /^[A-Z][a-z]{2}, .* GMT$/.test(header);
  const ms = /^\d{1,6}$/.test(header)
    ? Number(header) * 1000
    : isDate
      ? Date.parse(header) - now
      : Number.NaN;
  return ms > 0 ? ms : undefined;
}

/** An error about a request; the message is one line: service, request, cause. */
export function serviceError(
  label: string,
  code: ProviderErrorCode,
  cause: string,
  retryAfterMs?: number,
): ProviderError {
  const text = oneLine(`${label}: ${cause}`);
  return new ProviderError(code, text, retryAfterMs === undefined ? {} : { retryAfterMs });
}

function classify(status: number): readonly [ProviderErrorCode, string] {
  if (status >= 300 && status < 400) {
    return [
      'PROVIDER_INVALID_RESPONSE',
      `the server redirects (status ${status}), which is not followed: name the server that answers itself`,
    ];
  }
  if (status === 401) return ['PROVIDER_UNAUTHENTICATED', 'the credentials were refused (401)'];
  if (status === 403) return ['PROVIDER_DENIED', 'denied (403)'];
  if (status === 429) return ['PROVIDER_THROTTLED', 'too many requests (429)'];
  if (status >= 500) return ['PROVIDER_UNREACHABLE', `the server failed (status ${status})`];
  return ['PROVIDER_INVALID_RESPONSE', `unexpected status ${status}`];
}

/**
 * The error of an answer whose status is no success, where the server has no protocol of its own for errors.
 * @param label how it begins: server and purpose
 * @param now wall-clock time in milliseconds, for dates in Retry-After
 * @param words what the server says beside the status, if that can be repeated
 */
export function statusError(
  label: string,
  answer: Pick<HttpResponse, 'status' | 'headers'>,
  now: number,
  words?: string,
): ProviderError {
  const [code, text] = classify(answer.status);
  const mayAsk = answer.status === 429 || answer.status === 503;
  const cause = words === undefined ? text : `${text}: ${words}`;
  return serviceError(label, code, cause, mayAsk ? retryAfterOf(answer.headers, now) : undefined);
}

/**
 * The error that a status means with every service; undefined for those that the service has to explain.
 * @param words of the service, sanitised; may be empty
 */
export function commonError(label: string, answer: HttpResponse, words: string): ProviderError | undefined {
  const { status } = answer;
  const said = words === '' ? '' : `: ${words}`;
  if (status >= 300 && status < 400) {
    const cause = `redirected (status ${status}); redirects are not followed with credentials`;
    return serviceError(label, 'PROVIDER_INVALID_RESPONSE', cause);
  }
  if (status === 429) {
    return serviceError(
      label,
      'PROVIDER_THROTTLED',
      `too many requests${said}`,
      retryAfterOf(answer.headers),
    );
  }
  if (status === 408)
    return serviceError(label, 'PROVIDER_TIMEOUT', `the service gave up waiting (408)${said}`);
  if (status === 503) {
    const cause = `the service cannot serve now (503)${said}`;
    return serviceError(label, 'PROVIDER_UNREACHABLE', cause, retryAfterOf(answer.headers));
  }
  if (status >= 500)
    return serviceError(label, 'PROVIDER_UNREACHABLE', `the service failed (${status})${said}`);
  return undefined;
}
