/** SecretStore and ClusterSecretStore v1beta1: v1, except that refreshInterval is a number of seconds. */
import { z } from 'zod';
import { type ProviderSchemas, storeSpec as storeSpecV1 } from '../v1/secret-store.ts';

export { storeStatus } from '../v1/secret-store.ts';

/** The spec of both kinds of store, with the schemas of the providers that exist. */
export function storeSpec(providers: ProviderSchemas) {
  return storeSpecV1(providers).extend({
    refreshInterval: z
      .int()
      .optional()
      .describe('How often the store itself is checked, in seconds. Absent or 0 means the default.'),
  });
}
