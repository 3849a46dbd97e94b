/**
 * The client for the API server: plain JSON on hot paths, client-node's generated APIs elsewhere, both
 * over one Transport.
 *
 * `request` is used for Secrets and custom resources: the generated serializer drops fields that it does
 * not know, cuts times to milliseconds and costs several times the parse. The generated APIs serve small
 * built-in kinds (reviews, tokens), whose shape they check at compile time. They run on our own
 * HTTP library instead of client-node's: its KubeConfig opens a TLS connection for every request, and its
 * ApiException repeats the answer's body in its message.
 */

import type { Readable } from 'node:stream';
import {
  AuthorizationV1Api,
  type ConfigurationOptions,
  CoreV1Api,
  createConfiguration,
  type RequestContext,
  ResponseContext,
  ServerConfiguration,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
import type { Clock } from '../api/clock.ts';
import { parseObject } from '../api/json.ts';
import type { ClusterConfig } from './config.ts';
import { KubeError, toKubeError } from './errors.ts';
import { type HttpRequest, type Method, Transport } from './transport.ts';

/** How a patch is meant; the value of Content-Type. */
export const PATCH = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
} as const;

/** Accept headers: metadata of objects instead of the objects. */
export const METADATA_ONLY = {
  object: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
  list: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
} as const;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the whole call; 10 s if absent. */
  readonly timeoutMs?: number | undefined;
}

export interface RequestOptions extends CallOptions {
  readonly query?: Query | undefined;
  /** Sent as JSON; RawNumbers keep their digits. */
  readonly body?: unknown;
  /** Of the body; application/json if absent. */
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  /** Names the attempt in errors; `<method> <path>` if absent. */
  readonly what?: string | undefined;
  /** The body holds something secret: nothing of an error's answer is repeated. Always so for Secrets. */
  readonly sensitive?: boolean | undefined;
}

interface ClientOptions {
  /** Upper bound of connections, 32 if absent; each running watch holds one. */
  readonly connections?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** See KubeClient.fenced. */
interface Fence {
  readonly transport: Transport;
  readonly mayWrite: () => boolean;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const SECRETS = /^\/api\/v1\/namespaces\/[^/]+\/secrets(?:[/?]|$)/;

export class KubeClient {
  readonly #config: ClusterConfig;
  readonly #transport: Transport;
  readonly #mayWrite: () => boolean;
  /** Generated APIs. Use them through `call`, which adds deadline, signal and a name for errors. */
  readonly core: CoreV1Api;
  readonly authorization: AuthorizationV1Api;
  /** Base URL of the API server, for messages. */
  readonly server: string;

  constructor(config: ClusterConfig, options: ClientOptions = {}, fence?: Fence) {
    this.#config = config;
    this.#transport = fence?.transport ?? new Transport(config, options);
    this.#mayWrite = fence?.mayWrite ?? (() => true);
    this.server = config.server;
    const configuration = createConfiguration({
      baseServer: new ServerConfiguration(BASE, {}),
      httpApi: wrapHttpLibrary({ send: (context) => this.#sendTyped(context, undefined, {}) }),
    });
    this.core = new CoreV1Api(configuration);
    this.authorization = new AuthorizationV1Api(configuration);
  }

  /**
   * One request with plain JSON both ways. `path` is encoded already (see resourcePath).
   * @throws KubeError; or the EsaError that the caller's signal was aborted with
   */
  async request<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    const request = toHttpRequest(method, path, options);
    if (method !== 'GET' && !this.#mayWrite()) {
      throw new KubeError(`${request.what}: not sent, since this process must not write now`, {
        status: 0,
        reason: 'Fenced',
      });
    }
    const { text } = await this.#transport.send(request);
    try {
      return parseObject(text) as T;
    } catch (error) {
      throw toKubeError(error, request.what);
    }
  }

  /**
   * Opens a streaming GET (a watch) and gives its body once the API server has accepted it. Only
   * `options.signal` ends it afterwards. @throws KubeError
   */
  stream(path: string, options: Omit<RequestOptions, 'body' | 'contentType'> = {}): Promise<Readable> {
    return this.#transport.open(toHttpRequest('GET', path, options));
  }

  /**
   * Calls a generated API: `kube.call('review access', o, (options) => kube.authorization.create...(x, options))`.
   * @throws KubeError
   */
  async call<T>(
    what: string,
    options: CallOptions,
    send: (options: ConfigurationOptions) => Promise<T>,
  ): Promise<T> {
    const httpApi = wrapHttpLibrary({ send: (context) => this.#sendTyped(context, what, options) });
    try {
      return await send({ httpApi });
    } catch (error) {
      throw toKubeError(error, what);
    }
  }

  /**
   * A client over the same connections whose `request` sends no write while `mayWrite` says no. It is asked right
   * before, so a process that was paused, and is not the leader any more without knowing, is told from its clock.
   */
  fenced(mayWrite: () => boolean): KubeClient {
    return new KubeClient(this.#config, {}, { transport: this.#transport, mayWrite });
  }

  /**
   * What the API server says of itself: its version, `v1.36.3`, and its clock, milliseconds since the epoch in whole
   * seconds (undefined if something on the way has dropped it). @throws KubeError
   */
  async serverVersion(options: CallOptions = {}): Promise<{ version: string; time: number | undefined }> {
    const request = toHttpRequest('GET', '/version', {
      ...options,
      what: 'ask the API server for its version',
    });
    const { text, date } = await this.#transport.send(request);
    try {
      const { gitVersion = '' } = parseObject(text) as { readonly gitVersion?: string };
      const time = Date.parse(date ?? '');
      return { version: gitVersion, time: Number.isNaN(time) ? undefined : time };
    } catch (error) {
      throw toKubeError(error, request.what);
    }
  }

  /** PEM of the CAs that the API server is trusted by; undefined for those of the system. */
  certificateAuthority(): Promise<string | undefined> {
    return this.#transport.certificateAuthority();
  }

  /** Cuts every connection. Stop reflectors, leases and work before. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  async #sendTyped(context: RequestContext, what: string | undefined, options: CallOptions) {
    const path = context.getUrl().slice(BASE.length);
    const method = context.getHttpMethod() as Method;
    const body = context.getBody();
    const { status, text } = await this.#transport.send({
      method,
      path,
      headers: lowerCaseNames(context.getHeaders()),
      body: typeof body === 'string' ? body : undefined,
      signal: options.signal,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      what: what ?? `${method} ${pathOnly(path)}`,
      sensitive: body !== undefined && SECRETS.test(path),
    });
    const text$ = Promise.resolve(text);
    return new ResponseContext(
      status,
      { 'content-type': 'application/json' },
      {
        text: () => text$,
        binary: async () => Buffer.from(await text$),
        stream: () => null,
      },
    );
  }
}

// The generated code wants a base URL to put before its paths; the transport knows the real one.
const BASE = 'https://api-server';

const pathOnly = (path: string): string => path.split('?', 1)[0] ?? path;

const lowerCaseNames = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

function withQuery(path: string, query: Query | undefined): string {
  if (query === undefined) return path;
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value));
  const text = params.toString();
  return text === '' ? path : `${path}?${text}`;
}

function toHttpRequest(method: Method, path: string, options: RequestOptions): HttpRequest {
  const headers: Record<string, string> = {};
  if (options.accept !== undefined) headers['accept'] = options.accept;
  const hasBody = options.body !== undefined;
  if (hasBody) headers['content-type'] = options.contentType ?? 'application/json';
  return {
    method,
    path: withQuery(path, options.query),
    headers,
    body: hasBody ? JSON.stringify(options.body) : undefined,
    signal: options.signal,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    what: options.what ?? `${method} ${pathOnly(path)}`,
    sensitive: options.sensitive ?? (hasBody && SECRETS.test(path)),
  };
}
