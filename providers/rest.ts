/** REST with bearer tokens, as the services of clouds speak it: requests, answers in JSON, and what a status means. */
import { ProviderError, type ProviderErrorCode, type ProviderPorts } from './contract.ts';
import { type HttpRequest, type HttpResponse, type HttpTarget, httpRequest } from './http.ts';
import { oneLine } from './service-words.ts';
import type { TokenLogin, TokenSession } from './token-session.ts';

/** A server and the session that opens it. */
export interface BearerApi {
  readonly target: HttpTarget;
  readonly session: TokenSession;
  readonly login: TokenLogin;
  readonly pace: ProviderPorts['pace'];
}

/**
 * One request with the token of the session, and a second one with another token where the first was refused (401).
 * Any status is an answer. @throws ProviderError as httpRequest, and what the login throws
 */
export async function bearerRequest(
  { target, session, login, pace }: BearerApi,
  request: Omit<HttpRequest, 'signal'>,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const token = await session.token(login, signal);
  const send = async (bearer: typeof token): Promise<HttpResponse> => {
    await pace?.(signal);
    const headers = { ...request.headers, authorization: `Bearer ${bearer.revealText()}` };
    return httpRequest(target, { ...request, headers, signal });
  };
  const answer = await send(token);
  if (answer.status !== 401 || !session.refused(token)) return answer;
  return send(await session.token(login, signal));
}

/** Milliseconds of a Retry-After header in seconds; undefined where there is none. */
function retryAfterOf({ headers }: Pick<HttpResponse, 'headers'>): number | undefined {
  const { 'retry-after': after } = headers;
  return typeof after === 'string' && /^\d{1,6}$/.test(after) ? Number(after) * 1_000 : undefined;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The JSON object in a text; undefined if it is anything else. */
export function jsonObjectOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The members that are text, as the labels, tags and annotations of clouds are. */
export const textsOf = (value: unknown): Readonly<Record<string, string>> =>
  isJsonObject(value)
    ? Object.fromEntries(
        Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      )
    : {};

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
    return serviceError(label, 'PROVIDER_THROTTLED', `too many requests${said}`, retryAfterOf(answer));
  }
  if (status === 408)
    return serviceError(label, 'PROVIDER_TIMEOUT', `the service gave up waiting (408)${said}`);
  if (status === 503) {
    const cause = `the service cannot serve now (503)${said}`;
    return serviceError(label, 'PROVIDER_UNREACHABLE', cause, retryAfterOf(answer));
  }
  if (status >= 500)
    return serviceError(label, 'PROVIDER_UNREACHABLE', `the service failed (${status})${said}`);
  return undefined;
}
