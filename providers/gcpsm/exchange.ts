/**
 * A token of another issuer for one of Google's (RFC 8693, at Google's Security Token Service), and that one for a
 * token of a service account. Own requests: Google's library sends these past every transport that it is given.
 */
import type { Clock } from '../../api/clock.ts';
import type { JsonObject } from '../../api/json.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { serviceError } from '../answers.ts';
import type { ProviderPorts, ServerGuard } from '../contract.ts';
import { httpRequest } from '../http.ts';
import { jsonObjectOf } from '../rest.ts';
import type { AccessToken } from '../token-session.ts';
import { originOf } from './environment.ts';
import { errorOfLogin } from './errors.ts';

export const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** What a login may use. */
export interface Reach {
  /** How errors begin. */
  readonly label: string;
  readonly guard: ServerGuard | undefined;
  readonly pace: ProviderPorts['pace'];
  readonly clock: Clock;
}

export const stsOrigin = (): string => originOf('STS', 'https://sts.googleapis.com');
export const iamOrigin = (): string => originOf('IAMCredentials', 'https://iamcredentials.googleapis.com');

/** AWS credentials that a pool accepts. */
export interface AwsKeys {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: SecretValue;
  readonly sessionToken: SecretValue | undefined;
}

export type Subject = { readonly token: SecretValue; readonly type: string } | { readonly aws: AwsKeys };

/** What is exchanged at the Security Token Service, and for whom. */
export interface Exchange {
  readonly audience: string;
  readonly subject: Subject;
  /** Service account to impersonate afterwards. */
  readonly impersonate: string | undefined;
}

export const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';

/** The subject's token and its type; that of AWS is a request that was signed and never sent. */
async function subjectOf({ audience, subject }: Exchange): Promise<{ token: SecretValue; type: string }> {
  if ('token' in subject) return subject;
  const { region, accessKeyId, secretAccessKey, sessionToken } = subject.aws;
  // Lazily, for it is large; it signs, and sends nothing for this.
  const {
    default: { AwsClient },
  } = await import('google-auth-library');
  const type = 'urn:ietf:params:aws:token-type:aws4_request';
  const client = new AwsClient({
    type: 'external_account',
    audience,
    subject_token_type: type,
    aws_security_credentials_supplier: {
      getAwsRegion: async () => region,
      getAwsSecurityCredentials: async () => ({
        accessKeyId,
        secretAccessKey: secretAccessKey.revealText().trim(),
        ...(sessionToken === undefined ? {} : { token: sessionToken.revealText().trim() }),
      }),
    },
  });
  return { token: SecretValue.fromText(await client.retrieveSubjectToken()), type };
}

interface Asking {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The JSON object that a service answers. @throws ProviderError */
async function ask({ origin, ...request }: Asking, reach: Reach, signal: AbortSignal): Promise<JsonObject> {
  const { label, guard, pace } = reach;
  await pace?.(signal);
  // Tokens are made, and forgotten if nobody uses them.
  const options = { ...request, method: 'POST', repeatable: true, signal, label } as const;
  const answer = await httpRequest({ origin, guard }, options);
  if (answer.status !== 200) throw errorOfLogin(label, answer);
  return jsonObjectOf(answer.body.toString('utf8')) ?? {};
}

const noToken = (label: string) =>
  serviceError(label, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');

async function federated(exchange: Exchange, reach: Reach, signal: AbortSignal): Promise<AccessToken> {
  const { token, type } = await subjectOf(exchange);
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: exchange.audience,
    scope: SCOPE,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: token.revealText(),
    subject_token_type: type,
  });
  const asking: Asking = {
    origin: stsOrigin(),
    path: '/v1/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  };
  const now = reach.clock.now();
  const { access_token: value, expires_in: seconds } = await ask(asking, reach, signal);
  if (typeof value !== 'string' || value === '' || typeof seconds !== 'number') throw noToken(reach.label);
  return { value: SecretValue.fromText(value), expiresAt: now + seconds * 1_000 };
}

/** A token for one of another issuer. @throws ProviderError */
export async function tokenForExchange(
  exchange: Exchange,
  reach: Reach,
  signal: AbortSignal,
): Promise<AccessToken> {
  const own = await federated(exchange, reach, signal);
  const { impersonate } = exchange;
  if (impersonate === undefined) return own;
  const label = `${reach.label}, as ${impersonate}`;
  const asking: Asking = {
    origin: iamOrigin(),
    path: `/v1/projects/-/serviceAccounts/${encodeURIComponent(impersonate)}:generateAccessToken`,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${own.value.revealText()}` },
    body: JSON.stringify({ scope: [SCOPE] }),
  };
  const { accessToken, expireTime } = await ask(asking, { ...reach, label }, signal);
  const expiresAt = typeof expireTime === 'string' ? Date.parse(expireTime) : Number.NaN;
  if (typeof accessToken !== 'string' || accessToken === '' || Number.isNaN(expiresAt)) throw noToken(label);
  return { value: SecretValue.fromText(accessToken), expiresAt };
}
