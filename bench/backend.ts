/** A reverse proxy before OpenBao that is some milliseconds away and counts what is asked, by kind and by path. */
import { Agent, createServer, request as forward } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type RequestKind = 'login' | 'lookup' | 'renew' | 'revoke' | 'read' | 'other';

export interface BackendCall {
  readonly kind: RequestKind;
  readonly path: string;
  /** `performance.now()` when it came. */
  readonly at: number;
}

export interface Backend {
  readonly address: string;
  readonly calls: readonly BackendCall[];
  /** The most connections that were open at a time since the last reset. */
  readonly mostConnections: number;
  /** Connections that were opened since the last reset. */
  readonly opened: number;
  /** The most requests that were in flight at a time since the last reset. */
  readonly mostInFlight: number;
  /** Forgets what was counted. */
  reset(): void;
  /** Number of calls since the last reset. */
  count(kind?: RequestKind): number;
  stop(): Promise<void>;
}

const KINDS: readonly (readonly [RegExp, RequestKind])[] = [
  [/\/auth\/token\/lookup-self/, 'lookup'],
  [/\/auth\/token\/renew-self/, 'renew'],
  [/\/auth\/token\/revoke-self/, 'revoke'],
  [/\/auth\/[^/]+\/login/, 'login'],
  [/\/data\//, 'read'],
];

const kindOf = (url: string): RequestKind => KINDS.find(([pattern]) => pattern.test(url))?.[1] ?? 'other';

/** @param delayMs added to every answer */
export async function startBackend(target: string, delayMs: number): Promise<Backend> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const sockets = new Set<Socket>();
  let calls: BackendCall[] = [];
  let inFlight = 0;
  let mostConnections = 0;
  let opened = 0;
  let mostInFlight = 0;
  const server = createServer({ keepAliveTimeout: 120_000 }, (incoming, outgoing) => {
    const { url = '/', method, headers } = incoming;
    calls.push({ kind: kindOf(url), path: url, at: performance.now() });
    inFlight += 1;
    mostInFlight = Math.max(mostInFlight, inFlight);
    outgoing.once('close', () => {
      inFlight -= 1;
    });
    const onward = forward({ hostname, port, path: url, method, headers, agent }, (answer) => {
      const pass = (): void => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      };
      if (delayMs === 0) pass();
      else void sleep(delayMs).then(pass);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.on('connection', (socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    opened += 1;
    mostConnections = Math.max(mostConnections, sockets.size);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get calls() {
      return calls;
    },
    get mostConnections() {
      return mostConnections;
    },
    get opened() {
      return opened;
    },
    get mostInFlight() {
      return mostInFlight;
    },
    reset: () => {
      calls = [];
      opened = 0;
      mostConnections = sockets.size;
      mostInFlight = inFlight;
    },
    count: (kind) => (kind === undefined ? calls.length : calls.filter((call) => call.kind === kind).length),
    stop: () =>
      new Promise((resolve) => {
        agent.destroy();
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
