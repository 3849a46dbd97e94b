/** From what a store brings to an access token for Key Vault. */
import type { ProviderPorts, StoreContext } from '../contract.ts';
import type { TokenLogin } from '../token-session.ts';
import { type AzurekvConfig, cloudOf } from './config.ts';
import type { CredentialSource } from './credentials.ts';
import { readTokenFile } from './environment.ts';
import { type Reach, tokenForApplication, tokenForNode } from './msal.ts';

/** Life of the ServiceAccount's token: it is used once, at once. The API server gives no less. */
const TOKEN_SECONDS = 600;

/** The way from this source to a token. @param label how errors begin */
export function azureLogin(
  config: AzurekvConfig,
  label: string,
  store: StoreContext,
  source: CredentialSource,
  ports: ProviderPorts,
): TokenLogin {
  const { login, vaults } = cloudOf(config);
  const resource = `https://${vaults}`;
  const reach: Reach = { label, guard: store.guard, pace: ports.pace };
  return {
    label,
    async token(signal) {
      if (source.method === 'node')
        return tokenForNode(source.origin, source.identityId, resource, reach, signal);
      const { clientId, tenantId } = source;
      const application = { clientId, tenantId, login, resource };
      switch (source.method) {
        case 'application':
          return tokenForApplication({ ...application, credential: source.credential }, reach, signal);
        case 'serviceAccount': {
          const { namespace, name, audiences } = source;
          const { token: assertion } = await ports.serviceAccountToken(
            { namespace, name, audiences, expirationSeconds: TOKEN_SECONDS },
            signal,
          );
          const who = `${label} with the token of ServiceAccount ${namespace}/${name}`;
          return tokenForApplication(
            { ...application, credential: { assertion } },
            { ...reach, label: who },
            signal,
          );
        }
        case 'tokenFile': {
          const assertion = await readTokenFile(source.path);
          return tokenForApplication({ ...application, credential: { assertion } }, reach, signal);
        }
      }
    },
  };
}
