/** What goes wrong at Google Cloud, as errors of the closed union. */
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { commonError, serviceError } from '../answers.ts';
import type { ProviderError, ProviderErrorCode } from '../contract.ts';
import type { HttpResponse } from '../http.ts';
import { jsonObjectOf } from '../rest.ts';
import { oneLine, serviceWords } from '../service-words.ts';

/** What was asked, for messages: `GCP Secret Manager my-project: read database`. */
export interface Asked {
  readonly project: string;
  readonly what: string;
}

export const labelOf = ({ project, what }: Asked): string =>
  oneLine(`GCP Secret Manager ${project}: ${what}`);

const textIn = (object: JsonObject | undefined, name: string): string => {
  const value = object?.[name];
  return typeof value === 'string' ? value : '';
};

/** Status and message of an answer that is an error of Google's APIs (AIP-193). */
function statusOf(answer: HttpResponse): { readonly status: string; readonly words: string } | undefined {
  const error = jsonObjectOf(answer.body.toString('utf8'))?.['error'];
  if (!isJsonObject(error)) return undefined;
  return { status: textIn(error, 'status'), words: serviceWords(textIn(error, 'message')) };
}

/** True for a version that is there and cannot be read: disabled or destroyed. */
export const isLockedVersion = (answer: HttpResponse): boolean => {
  const said = statusOf(answer);
  return said?.status === 'FAILED_PRECONDITION' && /\b(?:DISABLED|DESTROYED)\b/.test(said.words);
};

function classify(answer: HttpResponse): readonly [ProviderErrorCode, string] {
  const said = statusOf(answer);
  const words = said === undefined || said.words === '' ? '' : `: ${said.words}`;
  switch (said?.status ?? '') {
    case 'NOT_FOUND':
      // That the project is gone says nothing about a secret.
      if (/\bproject\b/i.test(words) && !/\bsecret\b/i.test(words))
        return ['PROVIDER_INVALID_CONFIG', `no such project${words}`];
      return ['PROVIDER_NOT_FOUND', `no such secret, or not this version of it${words}`];
    case 'FAILED_PRECONDITION':
      return isLockedVersion(answer)
        ? ['PROVIDER_DENIED', `the version cannot be read${words}; enable it, or add another version`]
        : ['PROVIDER_INVALID_CONFIG', `refused (FAILED_PRECONDITION)${words}`];
    case 'PERMISSION_DENIED':
      return ['PROVIDER_DENIED', `PERMISSION_DENIED${words}`];
    case 'UNAUTHENTICATED':
      return ['PROVIDER_UNAUTHENTICATED', `the access token was refused${words}`];
    case 'INVALID_ARGUMENT':
      return ['PROVIDER_INVALID_CONFIG', `refused (INVALID_ARGUMENT)${words}`];
  }
  if (answer.status === 401) return ['PROVIDER_UNAUTHENTICATED', `the access token was refused${words}`];
  if (answer.status === 403) return ['PROVIDER_DENIED', `denied (403)${words}`];
  return ['PROVIDER_INVALID_RESPONSE', `unexpected answer (status ${answer.status})${words}`];
}

/** The error of an answer of Secret Manager that is not 200. */
export function errorOfAnswer(asked: Asked, answer: HttpResponse): ProviderError {
  const label = labelOf(asked);
  const common = commonError(label, answer, statusOf(answer)?.words ?? '');
  return common ?? serviceError(label, ...classify(answer));
}

/**
 * The error of an answer of a service that gives tokens. Never PROVIDER_NOT_FOUND: that the identity is missing says
 * nothing about a secret.
 */
export function errorOfLogin(label: string, answer: HttpResponse): ProviderError {
  const body = jsonObjectOf(answer.body.toString('utf8'));
  const said = statusOf(answer);
  const words = said?.words ?? serviceWords(textIn(body, 'error_description'));
  const name = said?.status ?? serviceWords(textIn(body, 'error'));
  const common = commonError(label, answer, words);
  if (common !== undefined) return common;
  const cause = `the login was refused (${name === '' ? answer.status : name})${words === '' ? '' : `: ${words}`}`;
  if (name === 'PERMISSION_DENIED') {
    return serviceError(label, 'PROVIDER_DENIED', `${cause}; it needs roles/iam.workloadIdentityUser there`);
  }
  if (name === 'NOT_FOUND') return serviceError(label, 'PROVIDER_INVALID_CONFIG', cause);
  return serviceError(label, 'PROVIDER_UNAUTHENTICATED', cause);
}
