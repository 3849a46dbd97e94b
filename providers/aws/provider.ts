/** The provider aws: AWS Secrets Manager. */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import {
  type Connection,
  type NamedDependency,
  type Provider,
  ProviderError,
  type ProviderPorts,
  type StoreContext,
} from '../contract.ts';
import { namespaceOf } from '../references.ts';
import { serversOf } from './client.ts';
import { type AwsConfig, awsConfigSchema, resolveAwsAuth } from './config.ts';
import { AwsConnection, BATCH, secretIdOf } from './connection.ts';
import { fingerprintOf, readSource } from './credentials.ts';
import { ambientCredentials, endpointOverride } from './environment.ts';
import { validateAwsFind } from './find.ts';
import { awsLogin } from './login.ts';
import { AwsSession } from './session.ts';
import { referencesOf, validateAwsBlock, validateAwsRef, warnAwsBlock } from './validate.ts';

/** Credentials of the whole process, by identity and by what they are made from. */
const sessions = new LRUCache<string, AwsSession>({ max: 4096 });

/** Drops every login of the process; credentials at AWS live until they expire. */
export function forgetAwsSessions(): void {
  sessions.clear();
}

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url');

function sessionFor(key: string, ports: ProviderPorts): AwsSession {
  const existing = sessions.get(key);
  if (existing !== undefined) return existing;
  const created = new AwsSession(ports.clock);
  sessions.set(key, created);
  return created;
}

/** The references of the block with the namespaces they have for this use; the caller's where none is named. */
const followed = (config: AwsConfig, store: StoreContext) =>
  referencesOf(config).map((one) => ({ ...one, namespace: namespaceOf(store, one.reference) }));

/** True if credentials come from STS, and not from where the store or the program keeps them. */
function usesSts(config: AwsConfig): boolean {
  if ((config.role ?? '') !== '' || (config.additionalRoles ?? []).length > 0) return true;
  const { method } = resolveAwsAuth(config);
  return (
    method === 'serviceAccount' ||
    (method === 'environment' && ambientCredentials()?.method === 'webIdentity')
  );
}

/** True if the session tags say which ExternalSecret's namespace is served. */
const tagsCaller = (config: AwsConfig): boolean =>
  config.sessionTagsPolicy !== 'None' && config.role !== undefined && config.role !== '';

/** What decides about the credentials: region, where they come from, and the roles on the way. */
function loginIdentity(config: AwsConfig, store: StoreContext): string {
  const auth = resolveAwsAuth(config);
  return JSON.stringify([
    config.region,
    auth.method,
    followed(config, store).map(({ kind, path, namespace, reference }) => [
      kind,
      path.at(-1),
      namespace ?? '',
      reference.name,
      reference.key ?? '',
    ]),
    auth.method === 'serviceAccount' ? (auth.serviceAccountRef.audiences ?? []) : [],
    config.additionalRoles ?? [],
    config.role ?? '',
    // Only as a digest: an external id is half a secret.
    digest([config.externalID, config.sessionTags, config.transitiveTagKeys, config.customSessionTags]),
    tagsCaller(config) ? [config.sessionTagsPolicy, store.kind, store.name, store.callerNamespace ?? ''] : [],
  ]);
}

async function connect(
  config: AwsConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<Connection> {
  // Stores that were stored before this webhook ran have not been validated by it.
  const [problem] = validateAwsBlock(config, store);
  if (problem !== undefined) {
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${store.kind} ${store.name}: aws.${problem.path.join('.')}: ${problem.message}`,
    );
  }
  const source = await readSource(config, store, ports, signal);
  const endpoints = [endpointOverride('SecretsManager'), endpointOverride('STS')];
  const parts = [loginIdentity(config, store), endpoints, fingerprintOf(source), store.guard?.id];
  const session = sessionFor(digest(parts), ports);
  const login = awsLogin(config, store, source, ports);
  await session.client(login, signal);
  return new AwsConnection({ config, session, login, pace: ports.pace });
}

export const awsProvider: Provider<AwsConfig> = {
  name: 'aws',
  schema: awsConfigSchema,
  capabilities: 'ReadWrite',
  validateConfig: validateAwsBlock,
  warnConfig: warnAwsBlock,
  validateRef: validateAwsRef,
  validateFind: validateAwsFind,

  // It knows no versions.
  batch: {
    size: BATCH,
    accepts: ({ version, metadata }) => version === undefined && metadata !== true,
  },

  /** An ARN is unique by itself; a name is within its region: `us-west-2/prod/database`. */
  canonicalKey(config, ref) {
    const id = secretIdOf(config, ref.key);
    return id.startsWith('arn:') ? id : `${config.region}/${id}`;
  },

  identity: (config, store) => JSON.stringify(['aws', loginIdentity(config, store), config.prefix ?? '']),

  servers: (config) => serversOf(config.region, usesSts(config)),

  role: ({ role }) => role,

  dependencies(config, store) {
    return followed(config, store).flatMap(
      ({ kind, path, namespace, reference: { name, key } }): NamedDependency[] =>
        namespace === undefined || name === undefined ? [] : [{ kind, namespace, name, path, key }],
    );
  },

  canValidate: (config, store) =>
    followed(config, store).every(({ namespace }) => namespace !== undefined) &&
    !(tagsCaller(config) && store.kind === 'ClusterSecretStore' && store.callerNamespace === undefined),
  connect,
};
