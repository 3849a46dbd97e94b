/** From what a store brings to an access token for Secret Manager. */
import { SecretValue } from '../../api/secret-value.ts';
import { serviceError } from '../answers.ts';
import type { ProviderPorts, StoreContext } from '../contract.ts';
import { httpRequest } from '../http.ts';
import { jsonObjectOf } from '../rest.ts';
import type { AccessToken, TokenLogin } from '../token-session.ts';
import { type GcpsmConfig, projectOf } from './config.ts';
import type { CredentialSource } from './credentials.ts';
import { readCredentialsFile } from './environment.ts';
import { errorOfLogin, labelOf } from './errors.ts';
import { JWT_TYPE, type Reach, SCOPE, tokenForExchange } from './exchange.ts';
import { tokenForKey } from './google-auth.ts';

/** Life of the ServiceAccount's token: it is used once, at once. The API server gives no less. */
const TOKEN_SECONDS = 600;

const METADATA_PATH = `/computeMetadata/v1/instance/service-accounts/default/token?scopes=${encodeURIComponent(SCOPE)}`;

/** The identity of the node or, with GKE's Workload Identity, of this Pod. */
async function tokenOfMetadata(origin: string, reach: Reach, signal: AbortSignal): Promise<AccessToken> {
  const label = `${reach.label} from the metadata service`;
  await reach.pace?.(signal);
  const now = reach.clock.now();
  const answer = await httpRequest(
    { origin, ownAgent: 'metadata' },
    { method: 'GET', path: METADATA_PATH, headers: { 'metadata-flavor': 'Google' }, signal, label },
  );
  if (answer.status !== 200) throw errorOfLogin(label, answer);
  const { access_token: token, expires_in: seconds } = jsonObjectOf(answer.body.toString('utf8')) ?? {};
  if (typeof token !== 'string' || token === '' || typeof seconds !== 'number')
    throw serviceError(label, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');
  return { value: SecretValue.fromText(token), expiresAt: now + seconds * 1_000 };
}

/** The way from this source to a token. */
export function gcpLogin(
  config: GcpsmConfig,
  store: StoreContext,
  source: CredentialSource,
  ports: ProviderPorts,
): TokenLogin {
  const label = labelOf({ project: projectOf(config), what: 'get an access token' });
  const reach: Reach = { label, guard: store.guard, pace: ports.pace, clock: ports.clock };
  return {
    label,
    async token(signal) {
      switch (source.method) {
        case 'key':
          return tokenForKey(source.key, reach, signal);
        case 'serviceAccount': {
          const { namespace, name, audiences, audience, impersonate } = source;
          const { token } = await ports.serviceAccountToken(
            { namespace, name, audiences, expirationSeconds: TOKEN_SECONDS },
            signal,
          );
          const who = `${label} with the token of ServiceAccount ${namespace}/${name}`;
          return tokenForExchange(
            { audience, subject: { token, type: JWT_TYPE }, impersonate },
            { ...reach, label: who },
            signal,
          );
        }
        case 'aws':
          return tokenForExchange(
            { audience: source.audience, subject: { aws: source.keys }, impersonate: source.impersonate },
            reach,
            signal,
          );
        case 'tokenFile': {
          const { audience, impersonate, path, type } = source;
          const text = await readCredentialsFile(path, 'the token of its credential_source');
          const token = SecretValue.fromText(text.revealText().trim());
          return tokenForExchange({ audience, subject: { token, type }, impersonate }, reach, signal);
        }
        case 'metadata':
          return tokenOfMetadata(source.origin, reach, signal);
      }
    },
  };
}
