/**
 * What this process takes from its own environment about Google Cloud, once at start: where the services are (for
 * private endpoints and tests), and, only if it was told so, credentials for cluster-wide stores that bring none.
 * All else is removed, so that nothing of the environment can stand in for what a store says.
 */
import { readFile } from 'node:fs/promises';
import { SecretValue } from '../../api/secret-value.ts';
import { ProviderError } from '../contract.ts';

/** The services that are asked: secrets, tokens for keys, tokens for tokens, and tokens of a service account. */
export type GcpService = 'SecretManager' | 'OAuth' | 'STS' | 'IAMCredentials';

/** Credentials of the process itself. */
export type AmbientCredentials =
  | { readonly method: 'file'; readonly path: string }
  /** The metadata service of the node, or GKE's in its place. */
  | { readonly method: 'metadata'; readonly origin: string };

interface Taken {
  readonly endpoints: Readonly<Partial<Record<GcpService, string>>>;
  readonly ambient: AmbientCredentials | undefined;
}

let taken: Taken = { endpoints: {}, ambient: undefined };

/** The variables that gcloud reads for the same purpose. */
const ENDPOINT_VARIABLES: Readonly<Record<GcpService, string>> = {
  SecretManager: 'CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER',
  OAuth: 'CLOUDSDK_AUTH_TOKEN_HOST',
  STS: 'CLOUDSDK_API_ENDPOINT_OVERRIDES_STS',
  IAMCredentials: 'CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS',
};

const METADATA_HOST = '169.254.169.254';

function ambientOf(environment: NodeJS.ProcessEnv): AmbientCredentials {
  const path = environment['GOOGLE_APPLICATION_CREDENTIALS'] ?? '';
  if (path !== '') return { method: 'file', path };
  return { method: 'metadata', origin: `http://${environment['GCE_METADATA_HOST'] || METADATA_HOST}` };
}

/**
 * Reads what is used and removes every variable of Google's. Programs call it once at start, before the first store
 * is read. @param options.ambient lend the credentials of the program to cluster-wide stores
 */
export function takeGcpEnvironment(
  options: { readonly ambient: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): void {
  const endpoints: Partial<Record<GcpService, string>> = {};
  for (const [service, name] of Object.entries(ENDPOINT_VARIABLES) as [GcpService, string][]) {
    const value = environment[name];
    if (value !== undefined && value !== '') endpoints[service] = value;
  }
  taken = { endpoints, ambient: options.ambient ? ambientOf(environment) : undefined };
  for (const name of Object.keys(environment)) {
    if (/^(?:GOOGLE_|GCLOUD_|CLOUDSDK_|GCE_METADATA_)/i.test(name)) delete environment[name];
  }
}

/**
 * Scheme, host and port of a service.
 * @param usual where it is unless the environment moves it
 * @throws ProviderError PROVIDER_INVALID_CONFIG if the environment gives no URL
 */
export function originOf(service: GcpService, usual: string): string {
  const endpoint = taken.endpoints[service];
  if (endpoint === undefined) return usual;
  if (URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)) return new URL(endpoint).origin;
  throw new ProviderError(
    'PROVIDER_INVALID_CONFIG',
    `${ENDPOINT_VARIABLES[service]} of this program is not an http or https URL`,
  );
}

/** The credentials of the process, where it was started to lend them. */
export const ambientCredentials = (): AmbientCredentials | undefined => taken.ambient;

/**
 * A file with credentials of the program; it is read each time, for it may be replaced.
 * @param what in GOOGLE_APPLICATION_CREDENTIALS it is, for errors
 * @throws ProviderError PROVIDER_INVALID_CONFIG if it cannot be read
 */
export async function readCredentialsFile(path: string, what = 'the file'): Promise<SecretValue> {
  try {
    return SecretValue.fromBytes(await readFile(path));
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `GOOGLE_APPLICATION_CREDENTIALS of this program: ${what}, ${path}, cannot be read (${code})`,
    );
  }
}
