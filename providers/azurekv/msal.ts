/**
 * Microsoft's auth library (MSAL) over our own transport: it builds and signs what is asked, our guarded HTTP sends it,
 * without the library's retries. What it would discover about the authority is given to it, so that each login is one
 * request. An application serves one login; its cache goes with it.
 */
import type { INetworkModule, NetworkRequestOptions, NodeAuthOptions } from '@azure/msal-node';
import { SecretValue } from '../../api/secret-value.ts';
import { serviceError } from '../answers.ts';
import type { ProviderPorts, ServerGuard } from '../contract.ts';
import { type HttpTarget, httpRequest } from '../http.ts';
import { cancelled } from '../http-errors.ts';
import { jsonObjectOf } from '../rest.ts';
import type { AccessToken } from '../token-session.ts';
import { authorityOrigin } from './environment.ts';
import { errorOfLogin } from './errors.ts';

/** What a login may use. */
export interface Reach {
  /** How errors begin. */
  readonly label: string;
  readonly guard: ServerGuard | undefined;
  readonly pace: ProviderPorts['pace'];
}

interface Network {
  readonly module: INetworkModule;
  /** What went wrong in a request. */
  failure(): Error | undefined;
  /** True if the server has answered what it should. */
  answered(): boolean;
}

/** @param host that the library may ask, and nobody else; `target` is where that is */
function networkOf({ label, pace }: Reach, host: string, target: HttpTarget, signal: AbortSignal): Network {
  let failure: Error | undefined;
  let answered = false;
  const send = async <T>(method: 'GET' | 'POST', text: string, options: NetworkRequestOptions = {}) => {
    try {
      const url = new URL(text);
      if (url.host !== host)
        throw serviceError(
          label,
          'PROVIDER_INVALID_CONFIG',
          'the library asks another server than for tokens',
        );
      await pace?.(signal);
      const answer = await httpRequest(target, {
        method,
        path: `${url.pathname}${url.search}`,
        headers: options.headers,
        body: method === 'POST' ? options.body : undefined,
        // Tokens are made, and forgotten if nobody uses them.
        repeatable: true,
        signal,
        label,
      });
      if (answer.status !== 200) throw errorOfLogin(label, answer);
      answered = true;
      // Sound: the library asks for JSON, and what it takes from it is checked below.
      const body = (jsonObjectOf(answer.body.toString('utf8')) ?? {}) as T;
      return { status: answer.status, headers: {}, body };
    } catch (error) {
      failure = error instanceof Error ? error : undefined;
      throw error;
    }
  };
  return {
    module: {
      sendGetRequestAsync: (url, options) => send('GET', url, options),
      sendPostRequestAsync: (url, options) => send('POST', url, options),
    },
    failure: () => failure,
    answered: () => answered,
  };
}

const noToken = (label: string) =>
  serviceError(label, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');

interface Answered {
  readonly accessToken: string;
  readonly expiresOn: Date | null;
}

/**
 * What a login brings. What the library throws by itself may quote a credential, so it is not passed on.
 * @throws ProviderError
 */
async function tokenOf(
  reach: Reach,
  network: Network,
  login: () => Promise<Answered | null>,
): Promise<AccessToken> {
  const result = await login().catch(() => {
    const failure = network.failure();
    if (failure !== undefined) throw failure;
    if (network.answered()) return null;
    throw serviceError(reach.label, 'PROVIDER_INVALID_CONFIG', 'the credential cannot be used');
  });
  const expiresAt = result?.expiresOn?.getTime() ?? Number.NaN;
  if (result === null || !result.accessToken || Number.isNaN(expiresAt)) throw noToken(reach.label);
  return { value: SecretValue.fromText(result.accessToken), expiresAt };
}

/** How an application of Entra shows who it is. */
export type ClientCredential =
  | { readonly secret: SecretValue }
  | { readonly certificate: { readonly sha256: string; readonly chain: string; readonly key: SecretValue } }
  /** A token of another issuer. */
  | { readonly assertion: SecretValue };

export interface Application {
  readonly clientId: string;
  readonly tenantId: string;
  /** Host of the cloud that gives tokens. */
  readonly login: string;
  /** What the token is for: `https://vault.azure.net`. */
  readonly resource: string;
  readonly credential: ClientCredential;
}

function credentialOptions(credential: ClientCredential): Partial<NodeAuthOptions> {
  if ('secret' in credential) return { clientSecret: credential.secret.revealText() };
  if ('assertion' in credential) return { clientAssertion: credential.assertion.revealText() };
  const { sha256, chain, key } = credential.certificate;
  return { clientCertificate: { thumbprintSha256: sha256, privateKey: key.revealText(), x5c: chain } };
}

/** A token for an application. @throws ProviderError */
export async function tokenForApplication(
  { clientId, tenantId, login, resource, credential }: Application,
  reach: Reach,
  signal: AbortSignal,
): Promise<AccessToken> {
  if (signal.aborted) throw cancelled(reach.label, signal);
  // Lazily: it is large, and most processes have no store of Azure.
  const { ConfidentialClientApplication } = await import('@azure/msal-node');
  const target = { origin: authorityOrigin(`https://${login}`), guard: reach.guard };
  const network = networkOf(reach, login, target, signal);
  const authority = `https://${login}/${tenantId}`;
  const metadata = {
    token_endpoint: `${authority}/oauth2/v2.0/token`,
    authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
    issuer: `${authority}/v2.0`,
    jwks_uri: `${authority}/discovery/v2.0/keys`,
  };
  const ask = async (): Promise<Answered | null> => {
    const application = new ConfidentialClientApplication({
      auth: {
        clientId,
        authority,
        knownAuthorities: [login],
        authorityMetadata: JSON.stringify(metadata),
        ...credentialOptions(credential),
      },
      system: { networkClient: network.module, disableInternalRetries: true },
    });
    return application.acquireTokenByClientCredential({ scopes: [`${resource}/.default`], skipCache: true });
  };
  return tokenOf(reach, network, ask);
}

/**
 * A token for a managed identity, from the metadata service of the node. An own request: the library keeps the first
 * transport that it was ever given for this, and uses no other.
 * @param identityId client id, or resource id, of the identity; undefined for the node's only one
 * @throws ProviderError
 */
export async function tokenForNode(
  origin: string,
  identityId: string | undefined,
  resource: string,
  { label, pace }: Reach,
  signal: AbortSignal,
): Promise<AccessToken> {
  const query = new URLSearchParams({ 'api-version': '2018-02-01', resource });
  if (identityId !== undefined)
    query.set(identityId.startsWith('/') ? 'msi_res_id' : 'client_id', identityId);
  await pace?.(signal);
  const answer = await httpRequest(
    { origin, ownAgent: 'metadata' },
    {
      method: 'GET',
      path: `/metadata/identity/oauth2/token?${query.toString()}`,
      headers: { metadata: 'true' },
      signal,
      label,
    },
  );
  if (answer.status !== 200) throw errorOfLogin(label, answer);
  const { access_token: token, expires_on: seconds } = jsonObjectOf(answer.body.toString('utf8')) ?? {};
  const expiresAt = Number(seconds) * 1_000;
  if (typeof token !== 'string' || token === '' || !(expiresAt > 0)) throw noToken(label);
  return { value: SecretValue.fromText(token), expiresAt };
}
