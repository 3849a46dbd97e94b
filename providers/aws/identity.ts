/** Which credentials a block stands for. */
import type { StoreContext } from '../contract.ts';
import { namespaceOf } from '../references.ts';
import { digest } from '../sessions.ts';
import { type AwsConfig, resolveAwsAuth } from './config.ts';
import { ambientCredentials } from './environment.ts';
import { referencesOf } from './validate.ts';

/** The references of the block with the namespaces they have for this use; the caller's where none is named. */
const followed = (config: AwsConfig, store: StoreContext) =>
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
