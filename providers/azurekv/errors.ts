/** What goes wrong at Azure, as errors of the closed union. */
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { commonError, serviceError } from '../answers.ts';
import type { ProviderError, ProviderErrorCode } from '../contract.ts';
import type { HttpResponse } from '../http.ts';
import { jsonObjectOf } from '../rest.ts';
import { oneLine, serviceWords } from '../service-words.ts';
import { type AzurekvConfig, cloudOf } from './config.ts';

/** What was asked, for messages: `Azure Key Vault my-vault.vault.azure.net: read secret database`. */
export interface Asked {
  readonly host: string;
  readonly what: string;
}

export const labelOf = ({ host, what }: Asked): string => oneLine(`Azure Key Vault ${host}: ${what}`);

const textIn = (object: JsonObject | undefined, name: string): string => {
  const value = object?.[name];
  return typeof value === 'string' ? value : '';
};

interface Said {
  readonly code: string;
  /** What Key Vault adds to `Forbidden`: SecretDisabled, ForbiddenByRbac, ForbiddenByFirewall. */
  readonly inner: string;
  readonly words: string;
}

function saidIn(answer: HttpResponse): Said | undefined {
  const error = jsonObjectOf(answer.body.toString('utf8'))?.['error'];
  if (!isJsonObject(error)) return undefined;
  const { innererror } = error;
  return {
    code: textIn(error, 'code'),
    inner: textIn(isJsonObject(innererror) ? innererror : undefined, 'code'),
    words: serviceWords(textIn(error, 'message')),
  };
}

/** The parameters of a challenge: `Bearer authorization="https://...", resource="https://..."`. */
function challengeOf({ headers }: HttpResponse): Readonly<Record<string, string>> {
  const { 'www-authenticate': header } = headers;
  if (typeof header !== 'string') return {};
  return Object.fromEntries(
    [...header.slice(0, 2_000).matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      oneLine(value),
    ]),
  );
}

/** Why the vault does not take a token that was good enough for its cloud. */
function refusedToken(answer: HttpResponse, config: AzurekvConfig, tenant: string, words: string): string {
  const { authorization = '', resource = '' } = challengeOf(answer);
  const its = /^https:\/\/[^/]+\/([^/]+)\/?$/.exec(authorization)?.[1] ?? '';
  const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
  if (GUID.test(its) && GUID.test(tenant) && its.toLowerCase() !== tenant.toLowerCase()) {
    return `the vault belongs to tenant ${its}, and the store uses tenant ${tenant}; correct tenantId`;
  }
  const { vaults } = cloudOf(config);
  if (/^https:\/\/[\w.-]+\/?$/.test(resource) && !resource.startsWith(`https://${vaults}`)) {
    return `the vault wants a token for ${resource}, and environmentType ${config.environmentType} gives one for https://${vaults}`;
  }
  return `the access token was refused${words}`;
}

function classify(
  answer: HttpResponse,
  config: AzurekvConfig,
  tenant: string,
): readonly [ProviderErrorCode, string] {
  const said = saidIn(answer);
  const words = said === undefined || said.words === '' ? '' : `: ${said.words}`;
  const { status } = answer;
  if (status === 401) return ['PROVIDER_UNAUTHENTICATED', refusedToken(answer, config, tenant, words)];
  if (status === 403) {
    const why = said?.inner || said?.code || '403';
    const isDisabled = said?.inner === 'SecretDisabled' || /\bdisabled\b/i.test(said?.words ?? '');
    return isDisabled
      ? ['PROVIDER_DENIED', `the object is disabled${words}; enable it in the vault`]
      : ['PROVIDER_DENIED', `denied (${serviceWords(why)})${words}`];
  }
  if (status === 404 && /^(?:Secret|Certificate|Key)NotFound$/.test(said?.code ?? '')) {
    return ['PROVIDER_NOT_FOUND', `no such object, or not this version of it; it may be deleted${words}`];
  }
  if (status === 409) return ['PROVIDER_UNREACHABLE', `the object is being changed (409)${words}`];
  if (status === 400) return ['PROVIDER_INVALID_CONFIG', `refused (${said?.code || status})${words}`];
  return ['PROVIDER_INVALID_RESPONSE', `unexpected answer (status ${status})${words}`];
}

/**
 * The error of an answer of Key Vault that is not 200.
 * @param tenant that the token is of; '' if nobody knows
 */
export function errorOfAnswer(
  asked: Asked,
  answer: HttpResponse,
  config: AzurekvConfig,
  tenant: string,
): ProviderError {
  const label = labelOf(asked);
  const common = commonError(label, answer, saidIn(answer)?.words ?? '');
  return common ?? serviceError(label, ...classify(answer, config, tenant));
}

/** What the numbers of Entra mean (its reference of AADSTS error codes), where the words alone do not help. */
const REMEDIES: Readonly<Record<string, string>> = {
  AADSTS7000215: 'the client secret is wrong; is it the value, not the id?',
  AADSTS7000222: 'the client secret has expired',
  AADSTS700016: 'the tenant has no application of this client id',
  AADSTS90002: 'there is no such tenant; check tenantId',
  AADSTS900023: 'there is no such tenant; check tenantId',
  AADSTS700027: 'the client certificate is not registered with the application',
  AADSTS70021: 'no federated credential of the application fits issuer, subject and audience of the token',
  AADSTS700213: 'no federated credential of the application fits issuer, subject and audience of the token',
  AADSTS700211: 'no federated credential of the application fits the issuer of the token',
};

/**
 * The error of an answer of Entra or the metadata service. Never PROVIDER_NOT_FOUND: that the identity is missing says
 * nothing about a secret.
 */
export function errorOfLogin(label: string, answer: HttpResponse): ProviderError {
  const body = jsonObjectOf(answer.body.toString('utf8'));
  // In English the first line is the message; ids and times follow.
  const words = serviceWords(textIn(body, 'error_description').split(/\r?\n/)[0] ?? '');
  const name = serviceWords(textIn(body, 'error'));
  const common = commonError(label, answer, words);
  if (common !== undefined) return common;
  if (name === 'temporarily_unavailable')
    return serviceError(label, 'PROVIDER_UNREACHABLE', `the service cannot serve now: ${words}`);
  const remedy = REMEDIES[/^AADSTS\d+/.exec(words)?.[0] ?? ''];
  const cause = `the login was refused (${name || answer.status})${words === '' ? '' : `: ${words}`}`;
  return serviceError(
    label,
    'PROVIDER_UNAUTHENTICATED',
    remedy === undefined ? cause : `${cause}; ${remedy}`,
  );
}
