/**
 * Credentials of this Pod from the agent of EKS Pod Identity: a GET with a token that kubelet keeps in a file. The agent
 * is at a link-local address, which no store may name; only the environment of this program can lead here, and only
 * ClusterSecretStores may use what it brings (environment.ts, credentials.ts).
 */
import { SecretValue } from '../../api/secret-value.ts';
import { httpRequest } from '../http.ts';
import { readTokenFile } from './environment.ts';
import { type Asked, awsError, labelOf } from './errors.ts';
import type { AwsCredentials } from './reach.ts';

interface PodIdentity {
  readonly url: URL;
  readonly path: string;
}

interface Answer {
  readonly AccessKeyId?: unknown;
  readonly SecretAccessKey?: unknown;
  readonly Token?: unknown;
  readonly Expiration?: unknown;
}

function parse(text: string): Answer {
  try {
    return (JSON.parse(text) ?? {}) as Answer;
  } catch {
    return {};
  }
}

/** @throws ProviderError */
export async function askPodIdentity(
  { url, path }: PodIdentity,
  region: string,
  signal: AbortSignal,
): Promise<AwsCredentials> {
  const asked: Asked = { service: 'EKS Pod Identity', region, what: 'get credentials' };
  const token = await readTokenFile(path, 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
  const answer = await httpRequest(
    { origin: url.origin, ownAgent: 'address' },
    {
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { accept: 'application/json', authorization: token.revealText() },
      signal,
      label: labelOf(asked),
    },
  );
  const { status } = answer;
  if (status === 429) throw awsError(asked, 'PROVIDER_THROTTLED', 'too many requests');
  if (status >= 500) throw awsError(asked, 'PROVIDER_UNREACHABLE', `the agent failed (status ${status})`);
  if (status !== 200) {
    throw awsError(
      asked,
      'PROVIDER_UNAUTHENTICATED',
      `the agent refused the token of this Pod (status ${status}); is there a pod identity association for its ServiceAccount?`,
    );
  }
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = parse(answer.body.toString('utf8'));
  const expiresAt = typeof Expiration === 'string' ? Date.parse(Expiration) : Number.NaN;
  if (
    typeof AccessKeyId !== 'string' ||
    typeof SecretAccessKey !== 'string' ||
    typeof Token !== 'string' ||
    Number.isNaN(expiresAt)
  ) {
    throw awsError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no credentials');
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretValue.fromText(SecretAccessKey),
    sessionToken: SecretValue.fromText(Token),
    expiresAt,
  };
}
