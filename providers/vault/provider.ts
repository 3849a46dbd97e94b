/** The provider vault: HashiCorp Vault and OpenBao, KV engine version 1 and 2. */
import { LRUCache } from 'lru-cache';
import {
  type Connection,
  type NamedDependency,
  type Provider,
  ProviderError,
  type ProviderPorts,
  type StoreContext,
} from '../contract.ts';
import { inParallel } from '../find.ts';
import { namespaceOf } from '../references.ts';
import { digest } from '../sessions.ts';
import { readLogin } from './auth.ts';
import { roleOf } from './auth-methods.ts';
import { referencesOf } from './block-references.ts';
import { VaultClient } from './client.ts';
import { type VaultConfig, vaultConfigSchema } from './config.ts';
import { type ConnectionParts, VaultConnection } from './connection.ts';
import { readTarget, readToken, referenceAt } from './credentials.ts';
import { validateVaultFind } from './find.ts';
import { loginMethod } from './login.ts';
import { namespaceSegments, requestSegments, secretPath } from './paths.ts';
import { VaultSession } from './session.ts';
import { regionOf, stsServer } from './sts.ts';
import { parseServer, validateVaultConfig, validateVaultRef, warnVaultConfig } from './validate.ts';

/** A session that nobody used for so long is given up, and its token given back. */
const IDLE_MS = 60 * 60_000;
const RETIRE_TIMEOUT_MS = 5_000;

const newSessions = () =>
  new LRUCache<string, VaultSession>({
    max: 4096,
    ttl: IDLE_MS,
    updateAgeOnGet: true,
    dispose: (session) => void session.retire(AbortSignal.timeout(RETIRE_TIMEOUT_MS)),
  });

/** Logged-in state of the whole process, by identity and credential. */
let sessions = newSessions();

function sessionFor(key: string, ports: ProviderPorts): VaultSession {
  const existing = sessions.get(key);
  if (existing !== undefined) return existing;
  // Whoever comes anew clears away what others left.
  sessions.purgeStale();
  const created = new VaultSession(ports.clock);
  sessions.set(key, created);
  return created;
}

/** Drops every login of the process; tokens at the server live until they expire. */
export function forgetVaultSessions(): void {
  sessions = newSessions();
}

/** Gives every token back that came from a login; for the end of the process. */
async function retireVaultSessions(signal: AbortSignal): Promise<void> {
  const open = [...sessions.values()];
  forgetVaultSessions();
  await inParallel(open, (session) => session.retire(signal));
}

function invalidStore(store: StoreContext, text: string): ProviderError {
  return new ProviderError('PROVIDER_INVALID_CONFIG', `${store.kind} ${store.name}: ${text}`);
}

/** The references of the block with the namespaces they have for this use; the caller's where none is named. */
function followed(config: VaultConfig, store: StoreContext) {
  return referencesOf(config)
    .filter(({ used }) => used)
    .map((one) => ({ ...one, namespace: namespaceOf(store, one.reference) }));
}

/** What decides about a login: server, namespaces, credentials, trust. Two mounts may share one. */
function loginIdentity(config: VaultConfig, store: StoreContext): string {
  const { auth } = config;
  const references = followed(config, store).map(({ kind, path, namespace, reference, defaultKey }) => [
    kind,
    path,
    namespace ?? '',
    reference.name,
    reference.key ?? defaultKey,
  ]);
  // Only as a digest: headers may hold credentials, the bundle is long, and a name is nobody's business.
  const rest = digest([
    auth,
    config.headers,
    config.caBundle,
    config.readYourWrites,
    config.forwardInconsistent,
  ]);
  const server = parseServer(config.server);
  return JSON.stringify([
    server instanceof URL ? server.href.replace(/\/+$/, '') : config.server,
    namespaceSegments(config.namespace).join('/'),
    namespaceSegments(auth?.namespace ?? config.namespace).join('/'),
    references,
    rest,
  ]);
}

async function connect(
  config: VaultConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<Connection> {
  const url = parseServer(config.server);
  if (!(url instanceof URL)) throw invalidStore(store, `server ${url.message}`);
  const target = await readTarget(url, config, store, ports, signal);
  const server = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  const identity = loginIdentity(config, store);
  /** Session and client of this identity with this credential. */
  const begin = (credential: unknown) => {
    const session = sessionFor(digest([identity, target, credential]), ports);
    const client = new VaultClient(target, {
      endpoint: server,
      headers: config.headers,
      consistency: config.readYourWrites === true ? session.consistency : undefined,
      forwardInconsistent: config.forwardInconsistent,
      pace: ports.pace,
    });
    return { session, common: { config, client, server, mounts: session.mounts, clock: ports.clock } };
  };

  const login = await readLogin(config, store, ports, signal);
  if (login === undefined) {
    const tokenReference = referenceAt(config, store, 'auth.tokenSecretRef');
    if (tokenReference === undefined) throw invalidStore(store, 'auth has no method');
    const token = await readToken(tokenReference, ports, signal);
    const { session, common } = begin(token.revealText());
    const lookUp: ConnectionParts['lookUp'] = (ask, caller, now) => session.lookUp(ask, caller, now);
    return new VaultConnection({ ...common, tokens: session.fixed(token), lookUp });
  }
  const { session, common } = begin(login.credential);
  const tokens = session.source(
    loginMethod({
      client: common.client,
      server,
      request: login,
      namespace: config.auth?.namespace ?? config.namespace,
      now: () => ports.clock.now(),
    }),
  );
  await tokens.token(signal);
  return new VaultConnection({ ...common, tokens, lookUp: undefined });
}

export const vaultProvider: Provider<VaultConfig> = {
  name: 'vault',
  schema: vaultConfigSchema,
  capabilities: 'ReadWrite',
  validateConfig: validateVaultConfig,
  warnConfig: warnVaultConfig,
  validateRef: validateVaultRef,
  validateFind: validateVaultFind,

  /**
   * The path as Vault's own policies write it, `data` included, below its namespace: `team/secret/data/app`.
   * A namespace may stand in the header or before the path; both spellings give this one name. A key that
   * cannot work names nothing at the server, and keeps its own text behind a colon.
   */
  canonicalKey(config, ref) {
    const path = secretPath(config, ref.key);
    if (typeof path === 'string') return `invalid:${ref.key}`;
    return [...namespaceSegments(config.namespace), ...requestSegments(path, config.version)].join('/');
  },

  identity: (config, store) =>
    JSON.stringify(['vault', loginIdentity(config, store), config.path ?? '', config.version]),

  servers({ server, auth }) {
    const url = parseServer(server);
    const iam = auth?.iam;
    // Keys alone ask nobody: they sign what Vault sends.
    const asks = iam !== undefined && (iam.role !== undefined || iam.secretRef === undefined);
    return [...(url instanceof URL ? [url] : []), ...(asks ? [stsServer(regionOf(iam))] : [])];
  },

  role: ({ auth }) => roleOf(auth),

  dependencies(config, store) {
    return followed(config, store).flatMap(
      ({ kind, path, namespace, reference: { name, key }, defaultKey }): NamedDependency[] =>
        namespace === undefined || name === undefined
          ? []
          : [
              {
                kind,
                namespace,
                name,
                path,
                key: kind === 'ServiceAccount' ? undefined : (key ?? defaultKey),
              },
            ],
    );
  },

  canValidate: (config, store) => followed(config, store).every(({ namespace }) => namespace !== undefined),
  connect,
  close: retireVaultSessions,
};
