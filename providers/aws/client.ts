/**
 * The clients of AWS's SDK. It signs, encodes and decodes; transport, retries, credentials and endpoints are
 * ours, and nothing is left for it to look up in the environment or in files.
 */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import type { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type ServerGuard } from '../contract.ts';
import { type AwsService, endpointOverride } from './environment.ts';
import { handlerFor } from './handler.ts';

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

/** Region, and what policies say about servers. */
export interface Reach {
  readonly region: string;
  readonly guard?: ServerGuard | undefined;
}

export function secretsManager({ region, guard }: Reach, credentials: AwsCredentials): SecretsManagerClient {
  return new SecretsManagerClient({
    ...FIXED,
    ...endpointOf('SecretsManager'),
    requestHandler: handlerFor(guard),
    region,
    credentials: reveal(credentials),
  });
}

/** STS of a region; without credentials it can only exchange tokens. */
export function sts({ region, guard }: Reach, credentials?: AwsCredentials): STSClient {
  return new STSClient({
    ...FIXED,
    ...endpointOf('STS'),
    requestHandler: handlerFor(guard),
    region,
    credentials: credentials === undefined ? noCredentials : reveal(credentials),
  });
}

/** Where the services of a region are, STS only where a login needs it. Nothing is asked for it. */
export function serversOf(region: string, withSts: boolean): URL[] {
  const options = { ...FIXED, region, credentials: noCredentials };
  const parameters = { Region: region, UseDualStack: false, UseFIPS: false };
  const clients = [
    { service: 'SecretsManager' as const, make: () => new SecretsManagerClient(options) },
    ...(withSts ? [{ service: 'STS' as const, make: () => new STSClient(options) }] : []),
  ];
  return clients.map(({ service, make }) => {
    const { endpoint } = endpointOf(service);
    if (endpoint !== undefined) return new URL(endpoint);
    const client = make();
    const { url } = client.config.endpointProvider(parameters);
    client.destroy();
    return url;
  });
}
