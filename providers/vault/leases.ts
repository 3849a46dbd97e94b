/**
 * Requests of a generator of dynamic secrets. Vault ends a lease together with the token that asked for it, so
 * each secret has a login of its own, which nobody shares and nobody gives back.
 */
import type { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type ProviderPorts, type StoreContext } from '../contract.ts';
import { readLogin } from './auth.ts';
import { VaultClient, type VaultRequest } from './client.ts';
import type { VaultConfig } from './config.ts';
import { readTarget, readToken, referenceAt } from './credentials.ts';
import { loginMethod } from './login.ts';
import { parseServer } from './validate.ts';

export interface VaultLogin {
  readonly server: string;
  /** Sends with the token of this login. @throws ProviderError if there was no answer */
  request(request: Omit<VaultRequest, 'token' | 'namespace'>): ReturnType<VaultClient['request']>;
  /** When the token ends, wall-clock milliseconds; Infinity if it does not, or it was given and nobody said. */
  readonly expiresAt: number;
  /** Gives the token back, and with it everything that it asked for; one that was given stays. Never throws. */
  end(signal: AbortSignal): Promise<void>;
}

/** @throws EsaError REFERENCE_FORBIDDEN, REFERENCE_NOT_FOUND; ProviderError */
export async function logIn(
  config: VaultConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<VaultLogin> {
  const url = parseServer(config.server);
  if (!(url instanceof URL))
    throw new ProviderError('PROVIDER_INVALID_CONFIG', `${store.name}: server ${url.message}`);
  const target = await readTarget(url, config, store, ports, signal);
  const server = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  const client = new VaultClient(target, { endpoint: server, headers: config.headers, pace: ports.pace });
  const withToken = (token: SecretValue) => (request: Omit<VaultRequest, 'token' | 'namespace'>) =>
    client.request({ ...request, token, namespace: config.namespace });
  const login = await readLogin(config, store, ports, signal);
  if (login === undefined) {
    const reference = referenceAt(config, store, 'auth.tokenSecretRef');
    if (reference === undefined)
      throw new ProviderError('PROVIDER_INVALID_CONFIG', `${store.name}: auth has no method`);
    const token = await readToken(reference, ports, signal);
    return {
      server,
      request: withToken(token),
      expiresAt: Number.POSITIVE_INFINITY,
      end: async () => undefined,
    };
  }
  const method = loginMethod({
    client,
    server,
    request: login,
    namespace: config.auth?.namespace ?? config.namespace,
    now: () => ports.clock.now(),
  });
  const before = ports.clock.now();
  const { token, ttlMs, isBatch } = await method.login(signal);
  return {
    server,
    request: withToken(token),
    expiresAt: before + ttlMs,
    end: async (until) => {
      if (!isBatch) await method.revoke(token, until).catch(() => {});
    },
  };
}
