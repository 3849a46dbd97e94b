/** The provider vault: HashiCorp Vault and OpenBao, KV engine version 1 and 2. */
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
import { VaultClient } from './client.ts';
import { type VaultConfig, vaultConfigSchema } from './config.ts';
import { type ConnectionParts, VaultConnection } from './connection.ts';
import { readServiceAccountJwt, readTarget, readToken, referenceAt } from './credentials.ts';
import { validateVaultFind } from './find.ts';
import { kubernetesLogin } from './login.ts';
import { namespaceSegments, requestSegments, secretPath, splitSegments } from './paths.ts';
import { VaultSession } from './session.ts';
import { parseServer, referencesOf, validateVaultConfig, validateVaultRef } from './validate.ts';

/** Logged-in state of the whole process, by identity and credential. */
const sessions = new LRUCache<string, VaultSession>({ max: 4096 });

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url');

function sessionFor(key: string, ports: ProviderPorts): VaultSession {
  const existing = sessions.get(key);
  if (existing !== undefined) return existing;
  const created = new VaultSession(ports.clock);
  sessions.set(key, created);
  return created;
}

/** Drops every login of the process; tokens at the server live until they expire. */
export function forgetVaultSessions(): void {
  sessions.clear();
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
  const kubernetes = auth?.kubernetes && [
    auth.kubernetes.mountPath,
    auth.kubernetes.role,
    auth.kubernetes.serviceAccountRef?.audiences,
  ];
  // Headers and the bundle only as a digest: the first may hold credentials, the second is long.
  const rest = digest([config.headers, config.caBundle, config.readYourWrites, config.forwardInconsistent]);
  const server = parseServer(config.server);
  return JSON.stringify([
    server instanceof URL ? server.href.replace(/\/+$/, '') : config.server,
    namespaceSegments(config.namespace).join('/'),
    namespaceSegments(auth?.namespace ?? config.namespace).join('/'),
    references,
    kubernetes ?? null,
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
  const begin = (credential: string | undefined) => {
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

  const tokenReference = referenceAt(config, store, 'auth.tokenSecretRef');
  if (tokenReference !== undefined) {
    const token = await readToken(tokenReference, ports, signal);
    const { session, common } = begin(token.revealText());
    const lookUp: ConnectionParts['lookUp'] = (ask, caller, now) => session.lookUp(ask, caller, now);
    return new VaultConnection({ ...common, tokens: session.fixed(token), lookUp });
  }
  const kubernetes = config.auth?.kubernetes;
  if (kubernetes === undefined) throw invalidStore(store, 'auth has no method that is supported yet');
  const mount = splitSegments(kubernetes.mountPath);
  if (typeof mount === 'string') throw invalidStore(store, `auth.kubernetes.mountPath ${mount}`);
  // A stored JWT is part of what the session stands for; a requested one is new at each login.
  const stored = referenceAt(config, store, 'auth.kubernetes.secretRef');
  const jwt = stored === undefined ? undefined : await readToken(stored, ports, signal);
  const { session, common } = begin(jwt?.revealText());
  const tokens = session.source(
    kubernetesLogin({
      client: common.client,
      server,
      mount,
      role: kubernetes.role,
      namespace: config.auth?.namespace ?? config.namespace,
      jwt: async (loginSignal) => jwt ?? readServiceAccountJwt(config, store, ports, loginSignal),
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

  servers({ server }) {
    const url = parseServer(server);
    return url instanceof URL ? [url] : [];
  },

  role: ({ auth }) => auth?.kubernetes?.role,

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
};
