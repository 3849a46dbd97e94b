/**
 * HTTP to the API server over one pool of connections. Every call has a deadline, can be given up, and
 * fails with a KubeError. Writes are sent once; a read is sent a second time if its connection was lost,
 * because a pooled connection may have died while nobody looked.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, EnvHttpProxyAgent, ProxyAgent } from 'undici';
import { type Clock, systemClock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import { timeLimit } from '../api/time-limit.ts';
import type { ClusterConfig } from './config.ts';
import { Credentials, type Material, type TlsMaterial } from './credentials.ts';
import { isConnectionLost, KubeError, responseError, toKubeError } from './errors.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpRequest {
  readonly method: Method;
  /** Path and query, encoded, without the prefix of the server's URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** Names the attempt in errors, e.g. `create Secret shop/db`. */
  readonly what: string;
  /** The request carries data of a Secret; its error repeats nothing of the answer. */
  readonly sensitive: boolean;
}

interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  /** The header `date`, if there was one. */
  readonly date: string | undefined;
}

interface TransportOptions {
  /** Upper bound of connections. Each watch holds one. */
  readonly connections?: number | undefined;
  readonly clock?: Clock | undefined;
}

const DEFAULT_CONNECTIONS = 32;
const HEADERS_TIMEOUT_MS = 10_000;
// kube-apiserver closes idle connections after 90 s; we have to be first.
const IDLE_MS = 45_000;

/** A fired deadline, told apart from the caller's own signal. */
const TIMED_OUT = Symbol('timed out');

export class Transport {
  readonly #config: ClusterConfig;
  readonly #credentials: Credentials;
  readonly #connections: number;
  readonly #origin: string;
  readonly #prefix: string;
  #dispatcher: Dispatcher | undefined;
  #tls: TlsMaterial | undefined;
  #closed = false;

  constructor(config: ClusterConfig, options: TransportOptions = {}) {
    this.#config = config;
    this.#credentials = new Credentials(config, options.clock ?? systemClock);
    this.#connections = options.connections ?? DEFAULT_CONNECTIONS;
    const url = new URL(config.server);
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '');
  }

  /** Sends and reads the whole answer. @throws KubeError; the caller's own EsaError if its signal holds one */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const deadline = timeLimit(request.timeoutMs, request.signal, TIMED_OUT);
    try {
      try {
        return await this.#attempt(request, deadline.signal);
      } catch (error) {
        const again = request.method === 'GET' && isConnectionLost(error) && !deadline.signal.aborted;
        if (!again) throw error;
        return await this.#attempt(request, deadline.signal);
      }
    } catch (error) {
      throw whyStopped(error, request);
    } finally {
      deadline.end();
    }
  }

  /**
   * Sends a GET and gives the body as it comes, for a watch. The deadline counts until the headers are
   * there; from then on only `request.signal` ends it, and the caller has to look after silence.
   */
  async open(request: HttpRequest): Promise<Readable> {
    const deadline = timeLimit(request.timeoutMs, request.signal, TIMED_OUT);
    try {
      const response = await this.#dispatch(request, deadline.signal, true);
      if (response.statusCode >= 300) return await this.#fail(request, response);
      deadline.disarm();
      response.body.once('close', () => deadline.end());
      return response.body;
    } catch (error) {
      deadline.end();
      throw whyStopped(error, request);
    }
  }

  /** PEM of the CAs that are trusted; undefined for those of the system. @throws EsaError CONFIGURATION */
  async certificateAuthority(): Promise<string | undefined> {
    return (await this.#credentials.current()).tls.ca;
  }

  /** Ends every connection at once; what is under way fails. Stop watches and work first. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#dispatcher?.destroy();
  }

  async #attempt(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const response = await this.#dispatch(request, signal, false);
    if (response.statusCode >= 300) return this.#fail(request, response);
    const { statusCode: status, headers } = response;
    return { status, text: await response.body.text(), date: oneValue(headers, 'date') };
  }

  async #fail(request: HttpRequest, response: Dispatcher.ResponseData): Promise<never> {
    if (response.statusCode === 401) this.#credentials.invalidate();
    throw responseError(request.what, {
      status: response.statusCode,
      retryAfter: oneValue(response.headers, 'retry-after'),
      text: await response.body.text(),
      sensitive: request.sensitive,
    });
  }

  async #dispatch(
    request: HttpRequest,
    signal: AbortSignal,
    stream: boolean,
  ): Promise<Dispatcher.ResponseData> {
    signal.throwIfAborted();
    const known = this.#credentials.current();
    const material = known instanceof Promise ? await known : known;
    const headers: Record<string, string> = {
      'user-agent': 'external-secrets-admission',
      accept: 'application/json',
      ...request.headers,
    };
    if (material.authorization !== undefined) headers['authorization'] = material.authorization;
    return await this.#pool(material).request({
      origin: this.#origin,
      path: this.#prefix + request.path,
      method: request.method,
      headers,
      body: request.body ?? null,
      signal,
      headersTimeout: Math.max(HEADERS_TIMEOUT_MS, request.timeoutMs),
      ...(stream ? { bodyTimeout: 0 } : {}),
    });
  }

  #pool(material: Material): Dispatcher {
    if (this.#closed) throw new KubeError('the API client is closed', { status: 0, reason: 'Aborted' });
    if (this.#dispatcher === undefined || this.#tls !== material.tls) {
      // A new CA or client certificate takes new connections; what runs on the old ones may end there.
      void this.#dispatcher?.close();
      this.#dispatcher = this.#createPool(material.tls);
      this.#tls = material.tls;
    }
    return this.#dispatcher;
  }

  #createPool(tls: TlsMaterial): Dispatcher {
    const { proxyUrl, tlsServerName, insecure } = this.#config;
    const secure = {
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
      ...(insecure ? { rejectUnauthorized: false } : {}),
    };
    const options = {
      connections: this.#connections,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: IDLE_MS,
      // HTTP/2 measured no faster here (one socket, 1.6-2.4 k reads/s against 1.6-2.1 k, more CPU one at a
      // time), and a stalled or lost connection would take every request and watch with it.
      allowH2: false,
      connect: { ...secure, keepAlive: true, keepAliveInitialDelay: 30_000 },
      // For the connection inside a proxy's tunnel; ignored without a proxy.
      requestTls: secure,
    };
    if (proxyUrl !== undefined) return new ProxyAgent({ ...options, uri: proxyUrl });
    return hasProxyEnvironment() ? new EnvHttpProxyAgent(options) : new Agent(options);
  }
}

const hasProxyEnvironment = (): boolean =>
  ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'].some((name) => Boolean(process.env[name]));

function oneValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function whyStopped(error: unknown, request: HttpRequest): EsaError {
  if (error instanceof KubeError) return error;
  const outer: unknown = request.signal?.aborted ? request.signal.reason : undefined;
  if (outer instanceof EsaError) return outer;
  if (error === TIMED_OUT) {
    return new KubeError(`${request.what}: the API server did not answer within ${request.timeoutMs} ms`, {
      status: 0,
      reason: 'Timeout',
    });
  }
  if (request.signal?.aborted) {
    return new KubeError(`${request.what}: given up by the caller`, { status: 0, reason: 'Aborted' });
  }
  return toKubeError(error, request.what);
}
