/**
 * Google's auth library over our own transport. It builds and signs what is asked; each request of it goes to one of
 * Google's token services and nowhere else, through the guarded HTTP, without the library's retries. A client serves
 * one login, so that the deadline and the pace of the caller are those of its requests.
 */
import type { AuthClient, ExternalAccountClientOptions } from 'google-auth-library';
import { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type ProviderPorts, type ServerGuard } from '../contract.ts';
import { httpRequest } from '../http.ts';
import { cancelled } from '../http-errors.ts';
import { serviceError } from '../rest.ts';
import type { AccessToken } from '../token-session.ts';
import { type GcpService, originOf } from './environment.ts';
import { errorOfLogin } from './errors.ts';

type AuthClientOptions = NonNullable<ConstructorParameters<typeof AuthClient>[0]>;
type Transport = NonNullable<AuthClientOptions['transporterOptions']>;
type Adapter = NonNullable<Transport['adapter']>;

export const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** The hosts that the library may ask. */
const SERVICES: Readonly<Record<string, GcpService>> = {
  'oauth2.googleapis.com': 'OAuth',
  'sts.googleapis.com': 'STS',
  'iamcredentials.googleapis.com': 'IAMCredentials',
};

/** Where the token services are: `https://sts.googleapis.com`, unless the environment moves them. */
export const tokenOrigin = (host: string): string => {
  const service = SERVICES[host];
  return service === undefined ? `https://${host}` : originOf(service, `https://${host}`);
};

/** What a login may use. */
export interface Reach {
  /** How errors begin. */
  readonly label: string;
  readonly guard: ServerGuard | undefined;
  readonly pace: ProviderPorts['pace'];
}

function adapterOf(
  { label, guard, pace }: Reach,
  signal: AbortSignal,
): { adapter: Adapter; failure(): unknown } {
  let failure: unknown;
  const exchange = async (options: Parameters<Adapter>[0]) => {
    const { url } = options;
    if (SERVICES[url.host] === undefined || url.protocol !== 'https:') {
      const cause = 'the credentials name a token service that is none of Google’s';
      throw serviceError(label, 'PROVIDER_INVALID_CONFIG', cause);
    }
    await pace?.(signal);
    const { body } = options;
    const answer = await httpRequest(
      { origin: tokenOrigin(url.host), guard },
      {
        method: options.method === 'GET' ? 'GET' : 'POST',
        path: `${url.pathname}${url.search}`,
        headers: Object.fromEntries(new Headers(options.headers)),
        body: body === undefined || body === null ? undefined : String(body),
        // Tokens are made, and forgotten if nobody uses them.
        repeatable: true,
        signal,
        label,
      },
    );
    if (answer.status !== 200) throw errorOfLogin(label, answer);
    const text = answer.body.toString('utf8');
    return { text, data: parsed(text) };
  };
  const adapter: Adapter = async (options) => {
    options.retryConfig = { retry: 0 };
    try {
      const { text, data } = await exchange(options);
      // Sound: the library asks for JSON, and checks what it takes from it.
      return Object.assign(new Response(text, { status: 200 }), { config: options, data: data as never });
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  return { adapter, failure: () => failure };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return {};
  }
}

type Library = typeof import('google-auth-library');

/**
 * Runs a login of the library. What it throws by itself may quote a key, so it is not passed on.
 * @param unusable what to say if the library cannot work with the credentials at all
 * @throws ProviderError
 */
async function tokenOf(
  reach: Reach,
  unusable: string,
  make: (library: Library, options: { transporterOptions: Transport }) => AuthClient,
  signal: AbortSignal,
): Promise<AccessToken> {
  if (signal.aborted) throw cancelled(reach.label, signal);
  // It is large, and most processes have no store of Google.
  const library = await import('google-auth-library');
  const { adapter, failure } = adapterOf(reach, signal);
  let client: AuthClient;
  let token: string | null | undefined;
  try {
    client = make(library, { transporterOptions: { adapter } });
    ({ token } = await client.getAccessToken());
  } catch {
    throw failure() ?? serviceError(reach.label, 'PROVIDER_INVALID_CONFIG', unusable);
  }
  const { expiry_date: expiresAt } = client.credentials;
  if (!token || typeof expiresAt !== 'number' || !Number.isFinite(expiresAt)) {
    throw serviceError(reach.label, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');
  }
  return { value: SecretValue.fromText(token), expiresAt };
}

/** The key of a service account, as Google gives it out. */
export interface ServiceAccountKey {
  readonly email: string;
  readonly privateKey: SecretValue;
  readonly keyId: string | undefined;
}

/** A token for the key of a service account. @throws ProviderError */
export const tokenForKey = (
  { email, privateKey, keyId }: ServiceAccountKey,
  reach: Reach,
  signal: AbortSignal,
): Promise<AccessToken> =>
  tokenOf(
    reach,
    'private_key of the JSON key cannot sign; is it complete, with its line breaks?',
    ({ JWT }, options) =>
      new JWT({
        ...options,
        email,
        key: privateKey.revealText(),
        ...(keyId === undefined ? {} : { keyId }),
        scopes: [SCOPE],
      }),
    signal,
  );

/** AWS credentials that a pool accepts. */
export interface AwsKeys {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: SecretValue;
  readonly sessionToken: SecretValue | undefined;
}

/** What is exchanged at the Security Token Service, and for whom. */
export interface Exchange {
  readonly audience: string;
  readonly subject: { readonly token: SecretValue } | { readonly aws: AwsKeys };
  /** Service account to impersonate afterwards. */
  readonly impersonate: string | undefined;
}

const TOKEN_URL = 'https://sts.googleapis.com/v1/token';

const impersonationUrl = (email: string): string =>
  `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${encodeURIComponent(email)}:generateAccessToken`;

/** A token for one of another issuer. @throws ProviderError */
export function tokenForExchange(
  { audience, subject, impersonate }: Exchange,
  reach: Reach,
  signal: AbortSignal,
): Promise<AccessToken> {
  const common = {
    type: 'external_account' as const,
    audience,
    token_url: TOKEN_URL,
    scopes: [SCOPE],
    ...(impersonate === undefined
      ? {}
      : { service_account_impersonation_url: impersonationUrl(impersonate) }),
  };
  return tokenOf(
    reach,
    'the credentials cannot be exchanged',
    (library, options) => {
      if ('token' in subject) {
        return new library.IdentityPoolClient({
          ...options,
          ...common,
          subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
          subject_token_supplier: { getSubjectToken: async () => subject.token.revealText() },
        });
      }
      const { region, accessKeyId, secretAccessKey, sessionToken } = subject.aws;
      return new library.AwsClient({
        ...options,
        ...common,
        subject_token_type: 'urn:ietf:params:aws:token-type:aws4_request',
        aws_security_credentials_supplier: {
          getAwsRegion: async () => region,
          getAwsSecurityCredentials: async () => ({
            accessKeyId,
            secretAccessKey: secretAccessKey.revealText(),
            ...(sessionToken === undefined ? {} : { token: sessionToken.revealText() }),
          }),
        },
      });
    },
    signal,
  );
}

/** A token for the external account in the program's own credentials file. @throws ProviderError */
export const tokenForExternalAccount = (
  account: ExternalAccountClientOptions,
  reach: Reach,
  signal: AbortSignal,
): Promise<AccessToken> =>
  tokenOf(
    reach,
    'the external account in GOOGLE_APPLICATION_CREDENTIALS cannot be used',
    ({ ExternalAccountClient }, options) => {
      const client = ExternalAccountClient.fromJSON({ ...account, ...options, scopes: [SCOPE] });
      if (client === null) throw new ProviderError('PROVIDER_INVALID_CONFIG', 'no external account');
      return client;
    },
    signal,
  );
