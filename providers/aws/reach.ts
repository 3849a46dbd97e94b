/**
 * Whom a request to AWS goes to and who asks. Nothing of the SDK: a program whose stores are elsewhere never loads it,
 * which is tens of milliseconds and several MiB.
 */
import type { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type ServerGuard } from '../contract.ts';
import type { AwsEndpoints } from './config.ts';
import { type AwsService, endpointOverride } from './environment.ts';
import { dnsSuffixOf } from './regions.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: SecretValue;
  readonly sessionToken?: SecretValue | undefined;
  /** Wall-clock milliseconds; undefined for credentials that do not expire. */
  readonly expiresAt?: number | undefined;
}

/** Region, where services were moved to, and what policies say about servers. */
export interface Reach {
  readonly region: string;
  readonly endpoints?: AwsEndpoints | undefined;
  readonly guard?: ServerGuard | undefined;
}

/**
 * Where a service was moved to, by the store or else by the environment; undefined for the endpoint of the region.
 * @throws ProviderError PROVIDER_INVALID_CONFIG
 */
export function movedEndpoint(service: AwsService, endpoints: AwsEndpoints = {}): string | undefined {
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

const SERVICE_HOSTS: Readonly<Record<AwsService, string>> = {
  SecretsManager: 'secretsmanager',
  SSM: 'ssm',
  STS: 'sts',
  ECR: 'api.ecr',
  ECRPublic: 'api.ecr-public',
};

/** Where a service of a region is, as the rules of the SDK have it. @throws ProviderError PROVIDER_INVALID_CONFIG */
export function endpointOf(service: AwsService, { region, endpoints }: Reach): URL {
  const moved = movedEndpoint(service, endpoints);
  return new URL(moved ?? `https://${SERVICE_HOSTS[service]}.${region}.${dnsSuffixOf(region)}`);
}
