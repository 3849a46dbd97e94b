/**
 * HTTP to providers: pooled, bounded, guarded. One undici Agent for each server and trust, shared by all
 * stores of the process; no redirect is followed (a token would travel with it); the address is checked
 * when the name is resolved and again on the connected socket, so that no DNS trick gets by.
 *
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured. Behind a proxy only literal addresses can be checked
 * here: the proxy resolves names, and has to refuse what must not be reached.
 */
import { createHash } from 'node:crypto';
import { type LookupAddress, lookup as resolve } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { LRUCache } from 'lru-cache';
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { isMetadataAddress, literalAddress, refusalOf } from './addresses.ts';
import { ProviderError, type ServerGuard } from './contract.ts';
import { AddressRefused, type FailureContext, PolicyRefused, toProviderError } from './http-errors.ts';

export interface OutboundSettings {
  /** Stores may reach loopback addresses: for development and tests. */
  readonly allowLoopback: boolean;
  /** Milliseconds to establish a connection, TLS included. */
  readonly connectTimeoutMs: number;
  /** Milliseconds to the head of the answer, and between two pieces of its body. */
  readonly responseTimeoutMs: number;
}

/** Connections to one server over HTTP/1.1; over HTTP/2 one carries all requests. */
const MAX_CONNECTIONS = 32;
/** A Secret holds 1 MiB; this leaves room for encodings and long lists. */
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
/**
 * Of all answers that are being read at a time. Those up to 1 MiB always have room: their number is limited by
 * the connections. A server that sends much, slowly, to many requests must not fill the memory.
 */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
const SMALL_BYTES = 1024 * 1024;
const MAX_AGENTS = 256;
/** Longer than the shortest refresh interval in common use (10 s), so that polling does not reconnect. */
const KEEP_ALIVE_MS = 30_000;

let settings: OutboundSettings = { allowLoopback: false, connectTimeoutMs: 5_000, responseTimeoutMs: 10_000 };

/** Process-wide; call it at start. Agents made under other settings are closed. */
export function configureOutbound(changes: Partial<OutboundSettings>): void {
  settings = { ...settings, ...changes };
  agents.clear();
}

/** A server and how it is trusted. Equal targets share connections. */
export interface HttpTarget {
  /** Scheme, host and port: `https://vault.example.com:8200`. */
  readonly origin: string;
  /** The URL that policies know the server by, where it is not its origin. */
  readonly knownAs?: string | undefined;
  /** PEM of the only CAs to trust; undefined for those of the system (NODE_EXTRA_CA_CERTS included). */
  readonly ca?: string | undefined;
  /** PEM of a TLS client certificate and its key. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined;
  /** What policies say about the server; connections made under one guard are used under no other. */
  readonly guard?: ServerGuard | undefined;
  /**
   * The origin is an agent of the node of this Pod, so it may be at an address that no store may name, and no proxy is
   * asked: `metadata`, the metadata service, and no other address; `address`, that of the origin, which the environment
   * of this program names. Never from anything that stands in the cluster.
   */
  readonly ownAgent?: 'metadata' | 'address' | undefined;
}

export interface HttpRequest {
  readonly method: Dispatcher.HttpMethod;
  /** Path and query, percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** True if the request may arrive twice although its method does not say so. */
  readonly repeatable?: boolean | undefined;
  /** How errors begin: server and purpose. */
  readonly label: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const agents = new LRUCache<string, Dispatcher>({
  max: MAX_AGENTS,
  // Requests under way are finished; then the sockets go.
  dispose: (agent) => void agent.close().catch(() => undefined),
});

/** Closes every pooled connection once its requests are done. */
export async function closeOutbound(): Promise<void> {
  const open = [...agents.values()];
  agents.clear();
  await Promise.allSettled(open.map((agent) => agent.close()));
}

/**
 * One request; any status is an answer.
 * @throws ProviderError PROVIDER_UNREACHABLE, PROVIDER_TIMEOUT, PROVIDER_INVALID_RESPONSE,
 * PROVIDER_INVALID_CONFIG (address refused), POLICY_DENIED
 */
export async function httpRequest(target: HttpTarget, options: HttpRequest): Promise<HttpResponse> {
  const context: FailureContext = { label: options.label, signal: options.signal, ...settings };
  const { literal, url, refusals } = describe(target);
  const denial =
    target.guard?.refusesServer(url) ??
    (literal === undefined ? undefined : target.guard?.refusesAddress(url, literal));
  if (denial !== undefined) {
    throw new ProviderError('POLICY_DENIED', `${options.label}: the server ${denial}`);
  }
  const refusal = refusals[settings.allowLoopback ? 'withLoopback' : 'without'];
  if (refusal !== undefined) {
    throw new ProviderError('PROVIDER_INVALID_CONFIG', `${options.label}: ${literal} ${refusal}`);
  }
  try {
    return await exchange(target, options);
  } catch (error) {
    // A server may close a kept connection just when it is used again: safe to repeat where nothing changes.
    const mayRepeat = isReadOnly(options.method) || options.repeatable === true;
    if (!mayRepeat || !isStaleConnection(error) || options.signal?.aborted === true) {
      throw toProviderError(error, context);
    }
  }
  try {
    return await exchange(target, options);
  } catch (error) {
    throw toProviderError(error, context);
  }
}

const isReadOnly = (method: string): boolean => method === 'GET' || method === 'HEAD' || method === 'LIST';

const isStaleConnection = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'UND_ERR_SOCKET' || error.code === 'ECONNRESET' || error.code === 'EPIPE');

async function exchange(target: HttpTarget, options: HttpRequest): Promise<HttpResponse> {
  const answer = await request(`${target.origin}${options.path}`, {
    method: options.method,
    dispatcher: agentFor(target),
    headers: { 'user-agent': 'external-secrets-admission', ...options.headers },
    body: options.body ?? null,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const body = await readBody(answer.body, options.label);
  return { status: answer.statusCode, headers: answer.headers, body };
}

let bufferedBytes = 0;

/** @throws ProviderError PROVIDER_INVALID_RESPONSE as soon as it is too large; the rest is not read */
async function readBody(body: AsyncIterable<Buffer>, label: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.byteLength;
      bufferedBytes += chunk.byteLength;
      if (size > MAX_RESPONSE_BYTES || (size > SMALL_BYTES && bufferedBytes > MAX_BUFFERED_BYTES)) {
        const limit = `${MAX_RESPONSE_BYTES / 1024 / 1024} MiB, or there are too many large ones at a time`;
        throw new ProviderError('PROVIDER_INVALID_RESPONSE', `${label}: the answer is larger than ${limit}`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  } finally {
    bufferedBytes -= size;
  }
}

interface Description {
  /** Equal for equal targets. */
  readonly key: string;
  readonly url: URL;
  /** The address in the URL, where it is one. */
  readonly literal: string | undefined;
  /** Why that address is never contacted, where stores may reach loopback addresses and where not. */
  readonly refusals: { readonly withLoopback: string | undefined; readonly without: string | undefined };
}

/** By target, since the same objects come with each request of a connection. */
const descriptions = new WeakMap<HttpTarget, Description>();

function describe(target: HttpTarget): Description {
  const known = descriptions.get(target);
  if (known !== undefined) return known;
  const { origin, knownAs, ca, clientCertificate, guard, ownAgent } = target;
  const parts = JSON.stringify([origin, knownAs, ca, clientCertificate, guard?.id, ownAgent]);
  const key = createHash('sha256').update(parts).digest('base64');
  const url = new URL(knownAs ?? origin);
  const literal = literalAddress(new URL(origin));
  const refused = (allowLoopback: boolean): string | undefined =>
    literal === undefined ? undefined : refusalFor(target, literal, allowLoopback);
  const refusals = { withLoopback: refused(true), without: refused(false) };
  const description = { key, url, literal, refusals };
  descriptions.set(target, description);
  return description;
}

function refusalFor(target: HttpTarget, address: string, allowLoopback: boolean): string | undefined {
  const { ownAgent, origin } = target;
  const own =
    (ownAgent === 'metadata' && isMetadataAddress(address)) ||
    (ownAgent === 'address' && address === literalAddress(new URL(origin)));
  return own ? undefined : refusalOf(address, allowLoopback);
}

function agentFor(target: HttpTarget): Dispatcher {
  const { key } = describe(target);
  const existing = agents.get(key);
  if (existing !== undefined) return existing;
  const created = newAgent(target);
  agents.set(key, created);
  return created;
}

function newAgent(target: HttpTarget): Dispatcher {
  const { connectTimeoutMs, responseTimeoutMs } = settings;
  const tls = {
    minVersion: 'TLSv1.2' as const,
    ...(target.ca === undefined ? {} : { ca: target.ca }),
    ...target.clientCertificate,
  };
  const options = {
    connections: MAX_CONNECTIONS,
    headersTimeout: responseTimeoutMs,
    bodyTimeout: responseTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: guardedConnector(tls, connectTimeoutMs, addressCheck(target)),
  } satisfies Agent.Options;
  // A proxy hides the address, so a server that has to be in some network is contacted without it.
  if (!proxyConfigured() || target.guard?.needsAddress === true || target.ownAgent !== undefined)
    return new Agent(options);
  return new EnvHttpProxyAgent({ ...options, requestTls: { ...tls, timeout: connectTimeoutMs } });
}

const proxyConfigured = (): boolean =>
  ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].some((name) => (process.env[name] ?? '') !== '');

/** Why an address must not be contacted, as an error to throw; undefined if it may be. */
type AddressCheck = (address: string) => Error | undefined;

function addressCheck(target: HttpTarget): AddressCheck {
  const { allowLoopback } = settings;
  const { guard } = target;
  const { url } = describe(target);
  return (address) => {
    const refusal = refusalFor(target, address, allowLoopback);
    if (refusal !== undefined) return new AddressRefused(`${address} ${refusal}`);
    const denial = guard?.refusesAddress(url, address);
    return denial === undefined ? undefined : new PolicyRefused(`${address} ${denial}`);
  };
}

function guardedConnector(
  tls: buildConnector.BuildOptions,
  timeout: number,
  check: AddressCheck,
): buildConnector.connector {
  const connect = buildConnector({ ...tls, timeout, lookup: guardedLookup(check) });
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error !== null) return callback(error, null);
      const address = socket.remoteAddress;
      const refusal = address === undefined ? undefined : check(address);
      if (address === undefined || refusal === undefined) return callback(null, socket);
      socket.destroy();
      callback(refusal, null);
    });
}

/** Resolves a name to those of its addresses that may be contacted; fails if there is none. */
function guardedLookup(check: AddressCheck): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, []);
      const refused: Error[] = [];
      const allowed = addresses.filter(({ address }) => {
        const refusal = check(address);
        if (refusal !== undefined) refused.push(refusal);
        return refusal === undefined;
      });
      const [first] = allowed;
      if (first === undefined) callback(allRefused(hostname, refused), []);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** One refusal of a policy makes it one of the policy: an admin can lift that one. */
function allRefused(hostname: string, refused: readonly Error[]): Error {
  const text = `${hostname} resolves to ${refused.map(({ message }) => message).join('; ') || 'nothing'}`;
  return refused.some((one) => one instanceof PolicyRefused)
    ? new PolicyRefused(text)
    : new AddressRefused(text);
}
