/** REST with bearer tokens, as the services of clouds speak it: requests, and answers in JSON. */
import { isJsonObject, type JsonObject } from '../api/json.ts';
import type { ProviderPorts } from './contract.ts';
import { type HttpRequest, type HttpResponse, type HttpTarget, httpRequest } from './http.ts';
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
