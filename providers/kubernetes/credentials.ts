/** Who a kubernetes store is at its API server, read through the ports. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { formatFieldPath } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { type BlockReference, readReference } from '../block-references.ts';
import { ProviderError, type ProviderPorts, type StoreContext } from '../contract.ts';
import { cancelled } from '../http-errors.ts';
import { resolveReference } from '../references.ts';
import { SharedFlight } from '../shared-flight.ts';
import type { KubernetesConfig } from './config.ts';
import { referencesOf } from './validate.ts';

/** What proves who somebody is; in plain text, for the wire. */
export interface Credentials {
  readonly token: string | undefined;
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
}

/** Where the token of a request comes from. */
export interface TokenSource {
  token(signal: AbortSignal): Promise<SecretValue | undefined>;
  /** The server refused this token. True if the next one is another. */
  refused(token: SecretValue | undefined): boolean;
}

/** As ESO asks for. */
const TOKEN_SECONDS = 3600;
const RENEW_AT = 2 / 3;

export const fixedToken = (token: SecretValue | undefined): TokenSource => ({
  token: async () => token,
  refused: () => false,
});

interface Held {
  readonly token: SecretValue;
  /** On the monotonic clock. */
  readonly renewAt: number;
  readonly expiresAt: number;
  /** Tokens that the server refused are replaced once: another one would be refused as well. */
  readonly replaces: boolean;
}

type RequestToken = (signal: AbortSignal) => Promise<{ token: SecretValue; lifeMs: number }>;

/** The token of one ServiceAccount for one use, requested again after two thirds of its life. */
class RequestedToken {
  readonly #flight = new SharedFlight<SecretValue>();
  #held: Held | undefined;
  #refused = false;

  /** @param label how the error begins if the caller gives up */
  source(request: RequestToken, now: () => number, label: string): TokenSource {
    return {
      token: async (signal) => {
        const held = this.#held;
        if (held !== undefined && now() < held.renewAt) return held.token;
        try {
          return await this.#flight.run((shared) => this.#renew(request, now, shared), signal);
        } catch (error) {
          if (signal.aborted) throw cancelled(label, signal);
          // Until it ends the one that there is will do.
          if (held !== undefined && now() < held.expiresAt) return held.token;
          throw error;
        }
      },
      refused: (token) => {
        const held = this.#held;
        if (held === undefined || token === undefined || !held.token.equals(token)) return true;
        if (held.replaces) return false;
        this.#held = undefined;
        this.#refused = true;
        return true;
      },
    };
  }

  async #renew(request: RequestToken, now: () => number, signal: AbortSignal): Promise<SecretValue> {
    const since = now();
    const { token, lifeMs } = await request(signal);
    const replaces = this.#refused;
    this.#held = { token, renewAt: since + lifeMs * RENEW_AT, expiresAt: since + lifeMs, replaces };
    this.#refused = false;
    return token;
  }
}

/** Of the whole process, by what the token stands for. */
const requested = new LRUCache<string, RequestedToken>({ max: 4096 });

function at(config: KubernetesConfig, path: string): BlockReference | undefined {
  return referencesOf(config).find((one) => formatFieldPath(one.path) === path);
}

const invalid = (store: StoreContext, text: string): ProviderError =>
  new ProviderError('PROVIDER_INVALID_CONFIG', `${store.kind} ${store.name}: ${text}`);

/** What `auth` names. @throws as readReference */
export async function readAuth(
  config: KubernetesConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<{ tokens: TokenSource; certificate: Credentials['certificate'] }> {
  const bearer = at(config, 'auth.token.bearerToken');
  if (bearer !== undefined) {
    const text = (await readReference(bearer, store, ports, signal)).revealText().trim();
    if (!/^[\x21-\x7e]+$/.test(text)) throw invalid(store, 'auth.token.bearerToken holds no token');
    return { tokens: fixedToken(SecretValue.fromText(text)), certificate: undefined };
  }
  const account = at(config, 'auth.serviceAccount');
  if (account !== undefined) {
    const { namespace, name } = resolveReference(store, account.reference, account.path);
    const audiences = config.auth?.serviceAccount?.audiences ?? [];
    const use = JSON.stringify([store.kind, store.uid, store.generation, namespace, name, audiences]);
    const known = requested.get(use) ?? new RequestedToken();
    requested.set(use, known);
    const tokens = known.source(
      async (shared) => {
        const request = { namespace, name, audiences, expirationSeconds: TOKEN_SECONDS };
        const { token, expiresAt } = await ports.serviceAccountToken(request, shared);
        return { token, lifeMs: Math.max(0, expiresAt - ports.clock.now()) };
      },
      () => ports.clock.monotonic(),
      `${store.kind} ${store.name}: request a token of ServiceAccount ${namespace}/${name}`,
    );
    return { tokens, certificate: undefined };
  }
  const [certReference, keyReference] = [
    at(config, 'auth.cert.clientCert'),
    at(config, 'auth.cert.clientKey'),
  ];
  if (certReference === undefined || keyReference === undefined)
    throw invalid(store, 'auth names no credentials');
  const pem = async (reference: BlockReference, check: (text: string) => unknown): Promise<string> => {
    const text = (await readReference(reference, store, ports, signal)).revealText();
    try {
      check(text);
    } catch {
      throw invalid(store, `${formatFieldPath(reference.path)} holds no usable PEM`);
    }
    return text;
  };
  const [cert, key] = await Promise.all([
    pem(certReference, (text) => new X509Certificate(text)),
    pem(keyReference, (text) => createPrivateKey(text)),
  ]);
  return { tokens: fixedToken(undefined), certificate: { cert, key } };
}
