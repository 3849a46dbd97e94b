/** What Vault's answers mean, as errors of the closed union. */
import { retryAfterOf, serviceError } from '../answers.ts';
import type { ProviderError, ProviderErrorCode } from '../contract.ts';
import { oneLine } from '../service-words.ts';
import type { VaultAnswer } from './answer.ts';

/** What was asked, for messages: `Vault https://vault.example.com: read secret/data/app`. */
export interface Asked {
  readonly server: string;
  readonly what: string;
  /** True for a login: there a refusal is about the credentials, not about the path. */
  readonly isLogin?: boolean;
}

const MAX_TEXT = 200;
// Tokens of Vault and OpenBao, and JWTs: no error of theirs quotes one, but a proxy in between might.
const LOOKS_SECRET =
  /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;

/** How messages about this request begin. */
export const labelOf = (asked: Asked): string => oneLine(`Vault ${asked.server}: ${asked.what}`);

/** Vault's own words on one line, shortened, without anything that looks like a token or a request id. */
export function wordsOf(answer: VaultAnswer): string | undefined {
  const errors = answer.errors
    ?.filter((error) => error.trim() !== '')
    .map((error) => error.replace(/^\s*\d+ errors? occurred:\s*/, '').replace(/(^|\s)\*\s+/g, '$1'));
  const text =
    errors === undefined ? '' : oneLine(errors.join('; ')).replace(LOOKS_SECRET, '[redacted]').trim();
  if (text === '') return undefined;
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text;
}

function redirectTarget(answer: VaultAnswer, server: string): string {
  const { location } = answer.headers;
  if (typeof location !== 'string' || !URL.canParse(location, server)) return 'elsewhere';
  return `to ${new URL(location, server).host}`;
}

/** An error about this request; the message is one line: server, request, cause. */
export function vaultError(
  asked: Asked,
  code: ProviderErrorCode,
  cause: string,
  retryAfterMs?: number,
): ProviderError {
  return serviceError(labelOf(asked), code, cause, retryAfterMs);
}

function classify(asked: Asked, answer: VaultAnswer, words: string): [ProviderErrorCode, string] {
  const { status } = answer;
  if (status >= 300 && status < 400) {
    const target = redirectTarget(answer, asked.server);
    return [
      'PROVIDER_INVALID_RESPONSE',
      `redirected ${target} (status ${status}); redirects are not followed with a token, so point server there`,
    ];
  }
  if (status === 429) return ['PROVIDER_THROTTLED', `too many requests${words}`];
  if (status === 503) return ['PROVIDER_UNREACHABLE', `the server cannot serve now (503)${words}`];
  if (status === 501) return ['PROVIDER_UNREACHABLE', `the server is not initialised (501)${words}`];
  if (status === 412 || status === 472 || status === 473) {
    return ['PROVIDER_UNREACHABLE', `this node cannot answer now (status ${status})${words}`];
  }
  if (status >= 500) return ['PROVIDER_UNREACHABLE', `the server failed (status ${status})${words}`];
  if (!answer.isJson) {
    // A refusal by what stands before Vault, a proxy say, is one, too.
    return [
      status === 401 || status === 403 ? 'PROVIDER_DENIED' : 'PROVIDER_INVALID_RESPONSE',
      `the answer is not JSON (status ${status}); does server point at Vault?`,
    ];
  }
  if (asked.isLogin === true && (status === 400 || status === 401 || status === 403)) {
    return ['PROVIDER_UNAUTHENTICATED', `the login was refused (${status})${words}`];
  }
  if (status === 403) return ['PROVIDER_DENIED', `denied (403)${words}`];
  if (status === 404) return ['PROVIDER_INVALID_CONFIG', `nothing is served at this path (404)${words}`];
  if (status === 400 && /waiting for the primary to upgrade|upgrading from non-versioned/i.test(words)) {
    return ['PROVIDER_UNREACHABLE', `the engine is still being set up (400)${words}`];
  }
  if (status === 400 || status === 405) return ['PROVIDER_INVALID_CONFIG', `refused (${status})${words}`];
  if (status === 200 || status === 204) {
    return [
      'PROVIDER_INVALID_RESPONSE',
      `the answer (status ${status}) is not what Vault says there; does server point at Vault?`,
    ];
  }
  return ['PROVIDER_INVALID_RESPONSE', `unexpected status ${status}${words}`];
}

/** The error of an answer that is not 200 or 204. `now` is wall-clock time, for dates in Retry-After. */
export function errorOfAnswer(asked: Asked, answer: VaultAnswer, now: number): ProviderError {
  const words = wordsOf(answer);
  const [code, cause] = classify(asked, answer, words === undefined ? '' : `: ${words}`);
  const mayAsk = answer.status === 429 || answer.status === 503;
  return vaultError(asked, code, cause, mayAsk ? retryAfterOf(answer.headers, now) : undefined);
}
