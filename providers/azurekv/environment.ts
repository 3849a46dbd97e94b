/**
 * What this process takes from its own environment about Azure, once at start: where tokens are asked for (for private
 * clouds and tests), the tenant where nobody names one, and, only if it was told so, credentials for cluster-wide
 * stores that bring none. All else is removed, so that nothing of the environment can stand in for what a store says.
 */
import { readFile } from 'node:fs/promises';
import { SecretValue } from '../../api/secret-value.ts';
import { ProviderError } from '../contract.ts';

/** What the process lends. */
export interface AmbientCredentials {
  /** The projected token of this Pod, where Azure's workload identity webhook has put one. */
  readonly workload:
    | { readonly clientId: string; readonly tenantId: string; readonly tokenFile: string }
    | undefined;
  /** Where managed identities are asked for: the metadata service of the node. */
  readonly metadataOrigin: string;
}

interface Taken {
  readonly authority: string | undefined;
  readonly tenant: string | undefined;
  readonly ambient: AmbientCredentials | undefined;
}

let taken: Taken = { authority: undefined, tenant: undefined, ambient: undefined };

const METADATA_ORIGIN = 'http://169.254.169.254';

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

function ambientOf(environment: NodeJS.ProcessEnv): AmbientCredentials {
  const { AZURE_CLIENT_ID: clientId, AZURE_TENANT_ID: tenantId } = environment;
  const tokenFile = environment['AZURE_FEDERATED_TOKEN_FILE'];
  return {
    workload: clientId && tenantId && tokenFile ? { clientId, tenantId, tokenFile } : undefined,
    metadataOrigin: filled(environment['AZURE_POD_IDENTITY_AUTHORITY_HOST']) ?? METADATA_ORIGIN,
  };
}

/**
 * Reads what is used and removes every variable of Azure's. Programs call it once at start, before the first store is
 * read. @param options.ambient lend the credentials of the program to cluster-wide stores
 */
export function takeAzureEnvironment(
  options: { readonly ambient: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): void {
  taken = {
    authority: filled(environment['AZURE_AUTHORITY_HOST']),
    tenant: filled(environment['AZURE_TENANT_ID']),
    ambient: options.ambient ? ambientOf(environment) : undefined,
  };
  for (const name of Object.keys(environment)) {
    if (/^(?:AZURE_|IDENTITY_(?:ENDPOINT|HEADER|SERVER)|MSI_|IMDS_)/i.test(name)) delete environment[name];
  }
}

/**
 * Where tokens are asked for.
 * @param usual unless the environment moves it
 * @throws ProviderError PROVIDER_INVALID_CONFIG if the environment gives no URL
 */
export function authorityOrigin(usual: string): string {
  const { authority } = taken;
  if (authority === undefined) return usual;
  if (URL.canParse(authority) && /^https?:$/.test(new URL(authority).protocol))
    return new URL(authority).origin;
  throw new ProviderError(
    'PROVIDER_INVALID_CONFIG',
    'AZURE_AUTHORITY_HOST of this program is not an http or https URL',
  );
}

/** The tenant of the program, which Azure's webhook sets in the Pod; for ServiceAccounts that name none, as in ESO. */
export const ownTenant = (): string | undefined => taken.tenant;

/** The credentials of the process, where it was started to lend them. */
export const ambientCredentials = (): AmbientCredentials | undefined => taken.ambient;

/**
 * The projected token of this Pod; kubelet replaces the file, so it is read at each login.
 * @throws ProviderError PROVIDER_INVALID_CONFIG if it cannot be read
 */
export async function readTokenFile(path: string): Promise<SecretValue> {
  try {
    return SecretValue.fromText((await readFile(path, 'utf8')).trim());
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `AZURE_FEDERATED_TOKEN_FILE of this program, ${path}, cannot be read (${code})`,
    );
  }
}
