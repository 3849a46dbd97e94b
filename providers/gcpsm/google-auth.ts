/**
 * Google's auth library over our own transport: it signs, our guarded HTTP sends, to Google's token endpoint and
 * nowhere else, and without the library's retries. A client serves one login, so that the deadline and the pace of the
 * caller are those of its requests. It has no way to exchange tokens over a transport of ours, so exchange.ts does that.
 */
import type { AuthClient } from 'google-auth-library';
import { SecretValue } from '../../api/secret-value.ts';
import { serviceError } from '../answers.ts';
import { httpRequest } from '../http.ts';
import { cancelled } from '../http-errors.ts';
import type { AccessToken } from '../token-session.ts';
import { originOf } from './environment.ts';
import { errorOfLogin } from './errors.ts';
import { type Reach, SCOPE } from './exchange.ts';

type AuthClientOptions = NonNullable<ConstructorParameters<typeof AuthClient>[0]>;
type Adapter = NonNullable<NonNullable<AuthClientOptions['transporterOptions']>['adapter']>;

const OAUTH_HOST = 'oauth2.googleapis.com';

/** Where keys are exchanged, unless the environment moves it. */
export const oauthOrigin = (): string => originOf('OAuth', `https://${OAUTH_HOST}`);

function adapterOf({ label, guard, pace }: Reach, signal: AbortSignal) {
  let failure: Error | undefined;
  let answered = false;
  const exchange = async ({ url, method, headers, body }: Parameters<Adapter>[0]): Promise<string> => {
    if (url.host !== OAUTH_HOST || method !== 'POST')
      throw serviceError(
        label,
        'PROVIDER_INVALID_CONFIG',
        'the library asks for something else than a token',
      );
    await pace?.(signal);
    const answer = await httpRequest(
      { origin: oauthOrigin(), guard },
      {
        method,
        path: url.pathname,
        headers: Object.fromEntries(new Headers(headers)),
        body: body instanceof URLSearchParams || typeof body === 'string' ? body.toString() : undefined,
        // Tokens are made, and forgotten if nobody uses them.
        repeatable: true,
        signal,
        label,
      },
    );
    if (answer.status !== 200) throw errorOfLogin(label, answer);
    return answer.body.toString('utf8');
  };
  const adapter: Adapter = async (options) => {
    options.retryConfig = { retry: 0 };
    try {
      const text = await exchange(options);
      answered = true;
      // Sound: the library asks for JSON, and what it takes from it is checked below.
      return Object.assign(new Response(text), { config: options, data: parsed(text) as never });
    } catch (error) {
      failure = error instanceof Error ? error : undefined;
      throw error;
    }
  };
  return { adapter, failure: () => failure, answered: () => answered };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return {};
  }
}

/** The key of a service account, as Google gives it out. */
export interface ServiceAccountKey {
  readonly email: string;
  readonly privateKey: SecretValue;
  readonly keyId: string | undefined;
}

const NO_KEY = 'private_key of the JSON key cannot sign; is it complete, with its line breaks?';

/** A token for the key of a service account. @throws ProviderError */
export async function tokenForKey(
  { email, privateKey, keyId }: ServiceAccountKey,
  reach: Reach,
  signal: AbortSignal,
): Promise<AccessToken> {
  if (signal.aborted) throw cancelled(reach.label, signal);
  // Lazily: it is large, and most processes have no store of Google. By its default export, for a bundle knows no
  // other names of a CommonJS package.
  const {
    default: { JWT },
  } = await import('google-auth-library');
  const { adapter, failure, answered } = adapterOf(reach, signal);
  const client = new JWT({
    email,
    key: privateKey.revealText(),
    ...(keyId === undefined ? {} : { keyId }),
    scopes: [SCOPE],
    transporterOptions: { adapter },
  });
  const tokens = await client.authorize().catch((): { access_token?: undefined; expiry_date?: undefined } => {
    const error = failure();
    if (error !== undefined) throw error;
    // What the library throws by itself may quote the key, so it is not passed on.
    if (!answered()) throw serviceError(reach.label, 'PROVIDER_INVALID_CONFIG', NO_KEY);
    return {};
  });
  const { access_token: token, expiry_date: expiresAt } = tokens;
  if (!token || typeof expiresAt !== 'number' || !Number.isFinite(expiresAt))
    throw serviceError(reach.label, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');
  return { value: SecretValue.fromText(token), expiresAt };
}
