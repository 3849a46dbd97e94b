/** SecretStore and ClusterSecretStore v1alpha1: v1 without refreshInterval and conditions. */
import { type ProviderSchemas, storeSpec as storeSpecV1 } from '../v1/secret-store.ts';

// As in v1: an update in this version would otherwise drop the capabilities.
export { storeStatus } from '../v1/secret-store.ts';

/** The spec of both kinds of store, with the schemas of the providers that exist. */
export function storeSpec(providers: ProviderSchemas) {
  return storeSpecV1(providers).omit({ refreshInterval: true, conditions: true });
}
