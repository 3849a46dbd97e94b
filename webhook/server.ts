/**
 * The HTTPS server of the three hooks: express on node:https (HTTP/1.1, which is all that the API server
 * speaks to a Service), with limits that hold before a body is read, and a shutdown that loses no call.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import express, { type NextFunction, type Request, type Response } from 'express';
import { toEsaError } from '../api/errors.ts';
import { parseObject } from '../api/json.ts';
import { pause } from '../kube/backoff.ts';
import { listen } from '../runtime/listen.ts';
import type { Log } from '../runtime/log.ts';
import { Semaphore } from '../sync/semaphore.ts';

/** object and oldObject of 3 MiB each, and what surrounds them. */
const BODY_LIMIT = 7 * 1024 * 1024;
const BODIES_AT_ONCE = 16;
/** The API server keeps idle connections for 90 s; who closes first must not be us. */
const KEEP_ALIVE_MS = 120_000;
const HEADERS_MS = 32_000;
const REQUEST_MS = 35_000;
const DRAIN_POLL_MS = 20;

export interface Credentials {
  readonly key: string;
  readonly cert: string;
}

export interface HookCall {
  readonly body: unknown;
  /** What the API server gives us, milliseconds (`?timeout=`); undefined if it does not say. */
  readonly timeoutMs: number | undefined;
  /** Aborts when the caller has hung up. */
  readonly signal: AbortSignal;
}

export interface Hook {
  /** Path with the secret token, e.g. `/validate/<token>`; asked anew for each request. */
  readonly path: () => string | undefined;
  readonly handle: (call: HookCall) => Promise<unknown>;
}

export interface ServerOptions {
  readonly address: string;
  readonly port: number;
  readonly credentials: Credentials;
  readonly hooks: readonly Hook[];
  readonly log: Log;
  /** How long requests are still served after stop() began, milliseconds. */
  readonly lameDuckMs: number;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const readRaw = express.raw({ type: () => true, limit: BODY_LIMIT, inflate: false });

function timeoutOf(request: Request): number | undefined {
  const { timeout } = request.query;
  if (typeof timeout !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?)s$/.exec(timeout);
  return match === null ? undefined : Number(match[1]) * 1000;
}

export class WebhookServer {
  readonly #options: ServerOptions;
  readonly #server: Server;
  readonly #bodies = new Semaphore(BODIES_AT_ONCE);
  /** Of the paths as they were last, by hook: they change with the token only. */
  readonly #digests = new Map<Hook, { readonly path: string; readonly digest: Buffer }>();
  #stopping = false;
  #inFlight = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        ...this.#tls(options.credentials),
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: HEADERS_MS,
        requestTimeout: REQUEST_MS,
      },
      this.#app(),
    );
    // Handshakes of port scanners and of clients with an old CA are the network's business.
    this.#server.on('tlsClientError', (error) => options.log.debug({ err: error }, 'TLS handshake failed'));
  }

  /** Starts to listen; resolves with the port. @throws EsaError CONFIGURATION, see listen() */
  listen(): Promise<number> {
    const { address, port } = this.#options;
    return listen(this.#server, { address, port, flag: 'port' });
  }

  /** New connections use these; those that are open go on. @throws if key and certificate do not fit */
  reload(credentials: Credentials): void {
    // All options every time: setSecureContext forgets what it is not told (minVersion among it).
    this.#server.setSecureContext(this.#tls(credentials));
  }

  /**
   * Serves on while the endpoints of the Service are taken away, asking every client to reconnect elsewhere,
   * then closes. Until then idle connections are not cut: the API server would send a call into them.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    const never = new AbortController().signal;
    await pause(this.#options.lameDuckMs, never);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // close() waits for connections without a request, too, as the API server opens them ahead of need.
    const deadline = performance.now() + REQUEST_MS;
    while (this.#inFlight > 0 && performance.now() < deadline) await pause(DRAIN_POLL_MS, never);
    this.#server.closeAllConnections();
    await closed;
  }

  #tls(credentials: Credentials) {
    return { key: credentials.key, cert: credentials.cert, minVersion: 'TLSv1.2' as const };
  }

  #app(): express.Express {
    const app = express();
    app.disable('x-powered-by');
    app.disable('etag');
    app.use((_request, response, next) => {
      this.#inFlight += 1;
      response.once('close', () => {
        this.#inFlight -= 1;
      });
      next();
    });
    app.use((request, response, next) => this.#authorize(request, response, next));
    app.use((request, response, next) => {
      this.#readBody(request, response).then(() => next(), next);
    });
    app.use((request: Request, response: Response, next: NextFunction) => {
      this.#dispatch(request, response).catch(next);
    });
    app.use((thrown: unknown, _request: Request, response: Response, _next: NextFunction) =>
      this.#fail(thrown, response),
    );
    return app;
  }

  /** The path holds a token: nobody but the API server, which has it from the configuration, gets a body read. */
  #authorize(request: Request, response: Response, next: NextFunction): void {
    if (this.#stopping) response.setHeader('connection', 'close');
    const given = digest(request.path);
    const hook = this.#options.hooks.find((candidate) => {
      const wanted = this.#digestOf(candidate);
      return wanted !== undefined && timingSafeEqual(wanted, given);
    });
    if (hook === undefined || request.method !== 'POST') {
      response.setHeader('connection', 'close');
      response.status(404).json({ error: 'not found' });
      return;
    }
    response.locals['hook'] = hook;
    next();
  }

  #digestOf(hook: Hook): Buffer | undefined {
    const path = hook.path();
    const known = this.#digests.get(hook);
    if (path === undefined || known?.path === path) return path === undefined ? undefined : known?.digest;
    const next = { path, digest: digest(path) };
    this.#digests.set(hook, next);
    return next.digest;
  }

  async #readBody(request: Request, response: Response): Promise<void> {
    const hungUp = new AbortController();
    response.on('close', () => {
      // Every response closes; only one that was not written yet was hung up on.
      if (!response.writableEnded) hungUp.abort();
    });
    response.locals['hungUp'] = hungUp.signal;
    await this.#bodies.run(
      () =>
        new Promise<void>((resolve, reject) =>
          readRaw(request, response, (error?: unknown) =>
            error instanceof Error ? reject(error) : resolve(),
          ),
        ),
      hungUp.signal,
    );
  }

  async #dispatch(request: Request, response: Response): Promise<void> {
    const hook = response.locals['hook'] as Hook;
    const text = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
    let body: unknown;
    try {
      body = parseObject(text);
    } catch {
      response.status(400).json({ error: 'the body is not JSON' });
      return;
    }
    const answer = await hook.handle({
      body,
      timeoutMs: timeoutOf(request),
      signal: response.locals['hungUp'] as AbortSignal,
    });
    if (response.destroyed) return;
    response.status(200).type('application/json').send(JSON.stringify(answer));
  }

  #fail(thrown: unknown, response: Response): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    // http-errors of the body parser carry a status: too large, an encoding we do not inflate.
    const status = (thrown as { status?: unknown } | null)?.status;
    if (typeof status === 'number' && status >= 400 && status < 500) {
      response
        .status(status)
        .json({ error: status === 413 ? 'the body is too large' : 'the request cannot be read' });
      return;
    }
    const error = toEsaError(thrown);
    if (error.code === 'INVALID_OBJECT') {
      response.status(400).json({ error: error.message });
      return;
    }
    this.#options.log.error({ err: error }, 'hook failed');
    response.status(500).json({ error: 'internal error' });
  }
}
