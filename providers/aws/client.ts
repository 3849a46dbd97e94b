/**
 * The clients of AWS's SDK. It signs, encodes and decodes; transport, retries, credentials and endpoints are
 * ours, and nothing is left for it to look up in the environment or in files.
 */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import { LRUCache } from 'lru-cache';
import type { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type ServerGuard } from '../contract.ts';
import type { AwsEndpoints } from './config.ts';
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

/** As the SDK takes them. */
export const reveal = ({ accessKeyId, secretAccessKey, sessionToken }: AwsCredentials) => ({
  accessKeyId,
  secretAccessKey: secretAccessKey.revealText(),
  ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.revealText() }),
});

/**
 * Where a service was moved to, by the store or else by the environment; undefined for the endpoint of the region.
 * @throws ProviderError PROVIDER_INVALID_CONFIG
 */
function movedEndpoint(service: AwsService, endpoints: AwsEndpoints = {}): string | undefined {
  const ofStore = endpoints[service];
  if (ofStore !== undefined) return ofStore;
  const endpoint = endpointOverride(service);
  if (endpoint === undefined) return undefined;
  if (URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)) return endpoint;
  throw new ProviderError(
    'PROVIDER_INVALID_CONFIG',
    `the endpoint that the environment of this program gives for ${service} is not an http or https URL`,
  );
}

/** Region, where services were moved to, and what policies say about servers. */
export interface Reach {
  readonly region: string;
  readonly endpoints?: AwsEndpoints | undefined;
  readonly guard?: ServerGuard | undefined;
}

/** What every client is made with. */
export function clientSettings(service: AwsService, { region, endpoints, guard }: Reach) {
  const endpoint = movedEndpoint(service, endpoints);
  return {
    ...FIXED,
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: handlerFor(guard),
    region,
  };
}

/** Clients of one set of credentials; those of the program serve every region and guard that a ClusterSecretStore has. */
const MAX_CLIENTS = 64;

const nameOf = ({ region, endpoints, guard }: Reach): string =>
  JSON.stringify([region, endpoints ?? {}, guard?.id ?? '']);

/** Makes a client and keeps it with its credentials, one a reach: what it signs for, where, and what policies say. */
export function perCredentials<Client extends object>(
  make: (reach: Reach, credentials: AwsCredentials) => Client,
): (reach: Reach, credentials: AwsCredentials) => Client {
  const clients = new WeakMap<AwsCredentials, LRUCache<string, Client>>();
  return (reach, credentials) => {
    const mine = clients.get(credentials) ?? new LRUCache<string, Client>({ max: MAX_CLIENTS });
    clients.set(credentials, mine);
    const name = nameOf(reach);
    const known = mine.get(name);
    if (known !== undefined) return known;
    const client = make(reach, credentials);
    mine.set(name, client);
    return client;
  };
}

export const secretsManager = perCredentials(
  (reach, credentials) =>
    new SecretsManagerClient({
      ...clientSettings('SecretsManager', reach),
      credentials: reveal(credentials),
    }),
);

/** STS of a region; without credentials it can only exchange tokens. */
export function sts(reach: Reach, credentials?: AwsCredentials): STSClient {
  return new STSClient({
    ...clientSettings('STS', reach),
    credentials: credentials === undefined ? noCredentials : reveal(credentials),
  });
}

const SERVICE_HOSTS: Readonly<Record<Exclude<AwsService, 'STS'>, string>> = {
  SecretsManager: 'secretsmanager',
  SSM: 'ssm',
  ECR: 'api.ecr',
  ECRPublic: 'api.ecr-public',
};

/**
 * Where a service of a region is. Nothing is asked for it; the rules of the SDK say how the hosts of the region end, so
 * that no client but those of Secrets Manager and STS has to be loaded.
 */
export function endpointOf(service: AwsService, { region, endpoints }: Reach): URL {
  const moved = movedEndpoint(service, endpoints);
  if (moved !== undefined) return new URL(moved);
  const options = { ...FIXED, region, credentials: noCredentials };
  const client = service === 'STS' ? new STSClient(options) : new SecretsManagerClient(options);
  const { url } = client.config.endpointProvider({ Region: region, UseDualStack: false, UseFIPS: false });
  client.destroy();
  if (service === 'STS') return url;
  return new URL(url.href.replace('//secretsmanager.', `//${SERVICE_HOSTS[service]}.`));
}
