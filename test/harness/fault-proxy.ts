/**
 * An HTTP proxy that makes the faults which a real server cannot be made to show: hanging, dripping, flooding,
 * nonsense, refusals. Stands before OpenBao or an API server; streams (watches) pass as they come.
 */
import { createServer, type IncomingMessage, request as overHttp, type ServerResponse } from 'node:http';
import { Agent, createServer as createSecureServer, request as overHttps } from 'node:https';
import { freePort } from './ports.ts';

export type Fault =
  /** Answers nothing, ever. */
  | { readonly kind: 'hang' }
  /** A good head, then one byte after the other. */
  | { readonly kind: 'drip'; readonly everyMs: number }
  /** A good head, then as much as the client takes, up to so many bytes. */
  | { readonly kind: 'flood'; readonly bytes: number }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body: string;
    }
  /** A good head that promises more than comes before the connection is closed. */
  | { readonly kind: 'truncate'; readonly body: string }
  /** Closes the connection without an answer. */
  | { readonly kind: 'reset' }
  /** Passes the request on, later. */
  | { readonly kind: 'delay'; readonly ms: number };

export interface ProxiedCall {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** When it came, by performance.now(). */
  readonly at: number;
}

/** PEM of a server's key and certificate. */
export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface FaultProxy {
  readonly address: string;
  /** What to do with a call; undefined passes it on. */
  fault: ((call: ProxiedCall) => Fault | undefined) | undefined;
  /** Every call so far. */
  readonly calls: readonly ProxiedCall[];
  /** Bytes of floods that clients have taken. */
  readonly floodedBytes: number;
  /** The most calls that were under way at a time since somebody set it. */
  mostInFlight: number;
  /** Closes all connections; new ones are taken. */
  cut(): void;
  /** Closes all connections and takes no new ones, until listen(). */
  refuse(): Promise<void>;
  /** Takes connections again, on the same port. */
  listen(): Promise<void>;
  /** Shows this certificate from now on, on new connections; there are no others. */
  replaceCertificate(certificate: ServerCertificate): void;
  stop(): Promise<void>;
}

const JSON_HEAD = { 'content-type': 'application/json' };
const FLOOD_CHUNK = Buffer.alloc(64 * 1024, 'x');

/**
 * Listens on a free port of 127.0.0.1.
 * @param target URL of the server
 * @param ca PEM, for a target with https
 * @param certificate with one it speaks TLS; its address is then that of `localhost`
 */
export async function startFaultProxy(
  target: string,
  ca?: string,
  certificate?: ServerCertificate,
): Promise<FaultProxy> {
  const calls: ProxiedCall[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let floodedBytes = 0;
  const secure = target.startsWith('https:');
  const agent = secure ? new Agent({ keepAlive: true, ca }) : undefined;

  const later = (response: ServerResponse, ms: number, work: () => void, repeat = false): void => {
    const timer = repeat ? setInterval(work, ms) : setTimeout(work, ms);
    timers.add(timer);
    response.once('close', () => {
      clearInterval(timer);
      timers.delete(timer);
    });
  };

  const flood = (response: ServerResponse, bytes: number): void => {
    response.writeHead(200, JSON_HEAD);
    let sent = 0;
    const push = (): void => {
      while (sent < bytes && !response.destroyed) {
        sent += FLOOD_CHUNK.byteLength;
        floodedBytes += FLOOD_CHUNK.byteLength;
        if (!response.write(FLOOD_CHUNK)) {
          response.once('drain', push);
          return;
        }
      }
      response.end();
    };
    response.write('{"data":"');
    push();
  };

  const forward = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', target);
    const { host: _, ...headers } = request.headers;
    const upstream = (secure ? overHttps : overHttp)(
      url,
      { method: request.method, headers, ...(agent === undefined ? {} : { agent }) },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
        answer.once('error', () => response.destroy());
      },
    );
    upstream.once('error', () => response.destroy());
    response.once('close', () => upstream.destroy());
    request.pipe(upstream);
  };

  let inFlight = 0;
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const call = { method: request.method ?? '', url: request.url ?? '', at: performance.now() };
    calls.push(call);
    inFlight += 1;
    proxy.mostInFlight = Math.max(proxy.mostInFlight, inFlight);
    response.once('close', () => {
      inFlight -= 1;
    });
    const fault = proxy.fault?.(call);
    switch (fault?.kind) {
      case 'hang':
        break;
      case 'drip':
        response.writeHead(200, JSON_HEAD);
        later(response, fault.everyMs, () => response.write(' '), true);
        break;
      case 'flood':
        flood(response, fault.bytes);
        break;
      case 'answer':
        response.writeHead(fault.status, { ...JSON_HEAD, ...fault.headers }).end(fault.body);
        break;
      case 'truncate':
        response.writeHead(200, {
          ...JSON_HEAD,
          'content-length': String(Buffer.byteLength(fault.body) + 1_000),
        });
        response.write(fault.body, () => response.destroy());
        break;
      case 'reset':
        request.socket.resetAndDestroy();
        break;
      case 'delay':
        later(response, fault.ms, () => forward(request, response));
        break;
      case undefined:
        forward(request, response);
    }
  };
  const secureServer = certificate === undefined ? undefined : createSecureServer(certificate, handle);
  const server = secureServer ?? createServer(handle);
  // A watch may be silent for as long as it likes.
  server.requestTimeout = 0;
  server.timeout = 0;
  // One that nobody's connection takes while refuse() has it closed.
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const proxy: FaultProxy = {
    address: secureServer === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    mostInFlight: 0,
    cut: () => server.closeAllConnections(),
    refuse: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
    listen: () =>
      server.listening
        ? Promise.resolve()
        : new Promise((resolve) => server.listen(port, '127.0.0.1', resolve)),
    replaceCertificate: (next) => {
      secureServer?.setSecureContext(next);
      server.closeAllConnections();
    },
    fault: undefined,
    calls,
    get floodedBytes() {
      return floodedBytes;
    },
    stop: () =>
      new Promise((done) => {
        for (const timer of timers) clearInterval(timer);
        agent?.destroy();
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return proxy;
}
