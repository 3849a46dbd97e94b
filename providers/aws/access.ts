/** Who asks AWS: which credentials a block stands for, and the login that all its uses in this process share. */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ProviderPorts, StoreContext } from '../contract.ts';
import { namespaceOf } from '../references.ts';
import { type AwsConfig, resolveAwsAuth } from './config.ts';
import { fingerprintOf, readSource } from './credentials.ts';
import { ambientCredentials, endpointOverride } from './environment.ts';
import { awsLogin } from './login.ts';
import type { AwsAccess } from './requests.ts';
import { AwsSession } from './session.ts';
import { referencesOf } from './validate.ts';

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
export const followed = (config: AwsConfig, store: StoreContext) =>
  referencesOf(config).map((one) => ({ ...one, namespace: namespaceOf(store, one.reference) }));

/** True if credentials come from STS, and not from where the store or the program keeps them. */
export function usesSts(config: AwsConfig): boolean {
  if ((config.role ?? '') !== '' || (config.additionalRoles ?? []).length > 0) return true;
  const { method } = resolveAwsAuth(config);
  return (
    method === 'serviceAccount' ||
    (method === 'environment' && ambientCredentials()?.method === 'webIdentity')
  );
}

/** True if the session tags say which ExternalSecret's namespace is served. */
export const tagsCaller = (config: AwsConfig): boolean =>
  config.sessionTagsPolicy !== 'None' && config.role !== undefined && config.role !== '';

/** What decides about the credentials: region, where they come from, and the roles on the way. */
export function loginIdentity(config: AwsConfig, store: StoreContext): string {
  const auth = resolveAwsAuth(config);
  return JSON.stringify([
    config.region,
    config.endpoints?.STS ?? '',
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

/**
 * Reads the credentials of the block through the ports and finds the login for them; nothing is asked of AWS yet.
 * @throws as readSource
 */
export async function awsAccess(
  config: AwsConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<AwsAccess> {
  const source = await readSource(config, store, ports, signal);
  const parts = [
    loginIdentity(config, store),
    // What the clients are made for, which are kept with the credentials.
    config.endpoints,
    (['SecretsManager', 'SSM', 'STS'] as const).map(endpointOverride),
    fingerprintOf(source),
    store.guard?.id,
  ];
  const session = sessionFor(digest(parts), ports);
  return { session, login: awsLogin(config, store, source, ports), pace: ports.pace };
}
