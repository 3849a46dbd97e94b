/** The provider azurekv: Azure Key Vault. */
import { allFollowable, dependenciesOf } from '../block-references.ts';
import {
  type Connection,
  type Provider,
  ProviderError,
  type ProviderPorts,
  type StoreContext,
} from '../contract.ts';
import { namespaceOf } from '../references.ts';
import { Sessions } from '../sessions.ts';
import { TokenSession } from '../token-session.ts';
import { type AzurekvConfig, azurekvConfigSchema, cloudOf } from './config.ts';
import { AzureConnection } from './connection.ts';
import { fingerprintOf, readSource } from './credentials.ts';
import { authorityOrigin } from './environment.ts';
import { labelOf } from './errors.ts';
import { COLLECTIONS, parseKey } from './keys.ts';
import { azureLogin } from './login.ts';
import {
  referencesOf,
  validateAzureBlock,
  validateAzureFind,
  validateAzureRef,
  vaultUrlOf,
  warnAzureBlock,
} from './validate.ts';

/** Tokens of the whole process, by identity and by what they are made from. */
const sessions = new Sessions((clock) => new TokenSession(clock));

/** Drops every token of the process; at Azure they live until they expire. */
export function forgetAzureSessions(): void {
  sessions.clear();
}

/** The references of the block with the namespaces they have for this use; the caller's where none is named. */
const followed = (config: AzurekvConfig, store: StoreContext) =>
  referencesOf(config).map((one) => ({ ...one, namespace: namespaceOf(store, one.reference) }));

/** What decides about the token: cloud, where the credentials come from, and whose they become. */
function loginIdentity(config: AzurekvConfig, store: StoreContext): unknown[] {
  const { environmentType, authType, tenantId = '', identityId = '', serviceAccountRef } = config;
  return [
    environmentType,
    authType,
    tenantId,
    authType === 'ManagedIdentity' ? identityId : '',
    authType === 'WorkloadIdentity' ? (serviceAccountRef?.audiences ?? []) : [],
    followed(config, store).map(({ path, namespace, reference: { name, key } }) => [
      path.at(-1),
      namespace ?? '',
      name,
      key ?? '',
    ]),
  ];
}

/** Where the vault is; what is written where it is no URL, which validateConfig refuses. */
const hostOf = (config: AzurekvConfig): string => vaultUrlOf(config)?.host ?? config.vaultUrl;

/** Where tokens come from; the metadata service is the operator's own and no server of the store. */
function tokenServers(config: AzurekvConfig): readonly string[] {
  return config.authType === 'ManagedIdentity' ? [] : [authorityOrigin(`https://${cloudOf(config).login}`)];
}

async function connect(
  config: AzurekvConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<Connection> {
  // Stores that were stored before this webhook ran have not been validated by it.
  const [problem] = validateAzureBlock(config, store);
  const url = vaultUrlOf(config);
  if (problem !== undefined || url === undefined) {
    const [path, message] = [problem?.path.join('.') ?? 'vaultUrl', problem?.message ?? 'is no URL'];
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${store.kind} ${store.name}: azurekv.${path}: ${message}`,
    );
  }
  const source = await readSource(config, store, ports, signal);
  const identity = [loginIdentity(config, store), tokenServers(config)];
  const session = sessions.for([...identity, fingerprintOf(source), store.guard?.id], ports.clock);
  const label = labelOf({ host: url.host, what: 'get an access token' });
  const login = azureLogin(config, label, store, source, ports);
  await session.token(login, signal);
  return new AzureConnection({
    config,
    api: { target: { origin: url.origin, guard: store.guard }, session, login, pace: ports.pace },
    host: url.host,
    tenant: source.method === 'node' ? '' : source.tenantId,
  });
}

export const azurekvProvider: Provider<AzurekvConfig> = {
  name: 'azurekv',
  schema: azurekvConfigSchema,
  capabilities: 'ReadWrite',
  validateConfig: validateAzureBlock,
  warnConfig: warnAzureBlock,
  validateRef: validateAzureRef,
  validateFind: validateAzureFind,

  /** `my-vault.vault.azure.net/secrets/name`; `certificates` and `keys` for those. */
  canonicalKey(config, { key }) {
    const parsed = parseKey(key);
    return parsed === undefined
      ? `${hostOf(config)}/${key}`
      : `${hostOf(config)}/${COLLECTIONS[parsed.type]}/${parsed.name}`;
  },

  identity: (config, store) => JSON.stringify(['azurekv', hostOf(config), ...loginIdentity(config, store)]),

  servers(config) {
    const url = vaultUrlOf(config);
    return [...(url === undefined ? [] : [url.origin]), ...tokenServers(config)].map((one) => new URL(one));
  },

  dependencies: (config, store) => dependenciesOf(referencesOf(config), store),

  canValidate: (config, store) => allFollowable(referencesOf(config), store),
  connect,
};
