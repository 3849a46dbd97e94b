/**
 * The clients of AWS's SDK. It signs, encodes and decodes; transport, retries, credentials and endpoints are
 * ours, and nothing is left for it to look up in the environment or in files.
 */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import type { SecretValue } from '../../api/secret-value.ts';
import { ProviderError } from '../contract.ts';
import { type AwsService, endpointOverride } from './environment.ts';
import { sharedHandler } from './handler.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: SecretValue;
  readonly sessionToken?: SecretValue | undefined;
  /** Wall-clock milliseconds; undefined for credentials that do not expire. */
  readonly expiresAt?: number | undefined;
}

/** Every setting that the SDK would otherwise read from the environment or from files. */
const FIXED = {
  maxAttempts: 1,
  retryMode: 'standard',
  defaultsMode: 'standard',
  useDualstackEndpoint: false,
  useFipsEndpoint: false,
  userAgentAppId: async () => undefined,
  authSchemePreference: [] as string[],
  requestHandler: sharedHandler,
} as const;

const noCredentials = async (): Promise<never> => {
  throw new ProviderError('PROVIDER_INVALID_CONFIG', 'a signed request without credentials');
};

const reveal = ({ accessKeyId, secretAccessKey, sessionToken }: AwsCredentials) => ({
  accessKeyId,
  secretAccessKey: secretAccessKey.revealText(),
  ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.revealText() }),
});

function endpointOf(service: AwsService): { endpoint?: string } {
  const endpoint = endpointOverride(service);
  if (endpoint === undefined) return {};
  if (URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)) return { endpoint };
  throw new ProviderError(
    'PROVIDER_INVALID_CONFIG',
    `the endpoint that the environment of this program gives for ${service} is not an http or https URL`,
  );
}

export function secretsManager(region: string, credentials: AwsCredentials): SecretsManagerClient {
  return new SecretsManagerClient({
    ...FIXED,
    ...endpointOf('SecretsManager'),
    region,
    credentials: reveal(credentials),
  });
}

/** STS of a region; without credentials it can only exchange tokens. */
export function sts(region: string, credentials?: AwsCredentials): STSClient {
  return new STSClient({
    ...FIXED,
    ...endpointOf('STS'),
    region,
    credentials: credentials === undefined ? noCredentials : reveal(credentials),
  });
}
