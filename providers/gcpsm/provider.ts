/** The provider gcpsm: Google Cloud Secret Manager. */
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
import { type GcpsmConfig, gcpsmConfigSchema, resolveGcpAuth } from './config.ts';
import { GcpConnection } from './connection.ts';
import { fingerprintOf, readSource } from './credentials.ts';
import { ambientCredentials } from './environment.ts';
import { iamOrigin, stsOrigin } from './exchange.ts';
import { oauthOrigin } from './google-auth.ts';
import { gcpLogin } from './login.ts';
import { canonicalName, parentOf, serverOf } from './names.ts';
import { referencesOf, validateGcpBlock, validateGcpFind, validateGcpRef } from './validate.ts';

/** Tokens of the whole process, by identity and by what they are made from. */
const sessions = new Sessions((clock) => new TokenSession(clock));

/** Drops every token of the process; at Google they live until they expire. */
export function forgetGcpSessions(): void {
  sessions.clear();
}

/** The references of the block with the namespaces they have for this use; the caller's where none is named. */
const followed = (config: GcpsmConfig, store: StoreContext) =>
  referencesOf(config).map((one) => ({ ...one, namespace: namespaceOf(store, one.reference) }));

/** What decides about the token: where the credentials come from, and whose they become. */
function loginIdentity(config: GcpsmConfig, store: StoreContext): unknown[] {
  const auth = resolveGcpAuth(config);
  const from = followed(config, store).map(({ kind, namespace, reference: { name, key } }) => [
    kind,
    namespace ?? '',
    name,
    key ?? '',
  ]);
  switch (auth.method) {
    case 'environment':
    case 'key':
      return [auth.method, from];
    case 'workloadIdentity':
      return [
        auth.method,
        from,
        auth.project,
        auth.location,
        auth.cluster,
        auth.serviceAccountRef.audiences ?? [],
      ];
    case 'federation':
      return [
        auth.method,
        from,
        auth.audience,
        auth.email ?? '',
        auth.aws?.region ?? '',
        auth.serviceAccountRef?.audiences ?? [],
      ];
  }
}

/** The token services that a login asks; the metadata service is the operator's own and no server of the store. */
function tokenServers(config: GcpsmConfig): readonly string[] {
  const { method } = resolveGcpAuth(config);
  if (method === 'key') return [oauthOrigin()];
  if (method !== 'environment') return [stsOrigin(), iamOrigin()];
  return ambientCredentials()?.method === 'file' ? [oauthOrigin(), stsOrigin(), iamOrigin()] : [];
}

async function connect(
  config: GcpsmConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<Connection> {
  // Stores that were stored before this webhook ran have not been validated by it.
  const [problem] = validateGcpBlock(config, store);
  if (problem !== undefined) {
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${store.kind} ${store.name}: gcpsm.${problem.path.join('.')}: ${problem.message}`,
    );
  }
  const source = await readSource(config, store, ports, signal);
  const identity = [loginIdentity(config, store), tokenServers(config)];
  const session = sessions.for([...identity, fingerprintOf(source), store.guard?.id], ports.clock);
  const login = gcpLogin(config, store, source, ports);
  await session.token(login, signal);
  const target = { origin: serverOf(config), guard: store.guard };
  return new GcpConnection(config, { target, session, login, pace: ports.pace });
}

export const gcpsmProvider: Provider<GcpsmConfig> = {
  name: 'gcpsm',
  schema: gcpsmConfigSchema,
  capabilities: 'ReadWrite',
  validateConfig: validateGcpBlock,
  validateRef: validateGcpRef,
  validateFind: validateGcpFind,

  canonicalKey: (config, { key }) => canonicalName(config, key),

  identity: (config, store) =>
    JSON.stringify([
      'gcpsm',
      parentOf(config),
      config.secretVersionSelectionPolicy,
      ...loginIdentity(config, store),
    ]),

  servers: (config) => [serverOf(config), ...tokenServers(config)].map((one) => new URL(one)),

  role: (config) => config.auth?.workloadIdentityFederation?.gcpServiceAccountEmail,

  dependencies: (config, store) => dependenciesOf(referencesOf(config), store),

  canValidate: (config, store) => allFollowable(referencesOf(config), store),
  connect,
};
