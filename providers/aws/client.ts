/**
 * The clients of AWS's SDK. It signs, encodes and decodes; transport, retries, credentials and endpoints are
 * ours, and nothing is left for it to look up in the environment or in files.
 */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import { LRUCache } from 'lru-cache';
import { ProviderError } from '../contract.ts';
import type { AwsService } from './environment.ts';
import { handlerFor } from './handler.ts';
import { type AwsCredentials, movedEndpoint, type Reach } from './reach.ts';

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
