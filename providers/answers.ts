/** What answers of HTTP servers mean that have no protocol of their own for errors. */
import { ProviderError, type ProviderErrorCode } from './contract.ts';
import type { HttpResponse } from './http.ts';

/** Control characters and line ends become blanks: a message is one line, whatever a key or a server says. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');

/** Milliseconds of a Retry-After header (seconds or a date); undefined for none, or none in the future. */
function retryAfter({ headers }: Pick<HttpResponse, 'headers'>, now: number): number | undefined {
  const header = headers['retry-after'];
  if (typeof header !== 'string') return undefined;
  const isDate = /^[A-Z][a-z]{2}, .* GMT$/.test(header);
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : isDate ? Date.parse(header) - now : Number.NaN;
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
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
 * The error of an answer whose status is no success.
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
  const retryAfterMs = mayAsk ? retryAfter(answer, now) : undefined;
  const message = oneLine(`${label}: ${text}${words === undefined ? '' : `: ${words}`}`);
  return new ProviderError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
