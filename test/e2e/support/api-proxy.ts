/** A program's way to the API server, which a test can cut or hold: the program dies, hangs or is suspended. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface ApiProxy {
  /** Plain HTTP, in place of the API server's URL. */
  readonly url: string;
  /** Writes that reached the API server, Leases left out: `PATCH crd-name`. */
  readonly writes: readonly string[];
  /** Nothing goes either way any more, for ever: as if the program had been killed. */
  cut(): void;
  /** From now on everything waits, what is on its way included. */
  hold(): void;
  /** Ends hold(). */
  release(): void;
  stop(): Promise<void>;
}

interface ApiProxyOptions {
  readonly server: string;
  readonly ca: string;
  /** Cuts after so many writes; the answer of the last one does not come back. */
  readonly cutAfter?: number;
}

const isLease = (url: string): boolean => url.includes('/leases');

export async function startApiProxy({ server, ca, cutAfter }: ApiProxyOptions): Promise<ApiProxy> {
  const target = new URL(server);
  const agent = new Agent({ ca, keepAlive: true });
  const writes: string[] = [];
  const open = new Set<ServerResponse>();
  let isCut = false;
  let held: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  const cut = (): void => {
    isCut = true;
    for (const response of open) response.destroy();
  };

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    await held?.promise;
    if (isCut) {
      outgoing.destroy();
      return;
    }
    open.add(outgoing);
    outgoing.once('close', () => open.delete(outgoing));
    const { hostname, port } = target;
    const sent = request({
      hostname,
      port,
      method,
      path: url,
      agent,
      headers: { ...headers, host: target.host },
    });
    outgoing.once('close', () => sent.destroy());
    sent.once('error', () => outgoing.destroy());
    sent.end(Buffer.concat(chunks));
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    if (method !== 'GET' && !isLease(url) && (answer.statusCode ?? 500) < 300) {
      writes.push(`${method} ${new URL(url, server).pathname.split('/').at(-1) ?? ''}`);
      if (writes.length === cutAfter) cut();
    }
    await held?.promise;
    if (isCut) return;
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    outgoing.flushHeaders();
    for await (const chunk of answer) {
      await held?.promise;
      if (isCut || outgoing.destroyed) return;
      outgoing.write(chunk);
    }
    outgoing.end();
  }

  const proxy = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const release = (): void => {
    held?.resolve();
    held = undefined;
  };
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    writes,
    cut,
    hold: () => {
      held ??= Promise.withResolvers<void>();
    },
    release,
    stop: async () => {
      cut();
      release();
      agent.destroy();
      proxy.close();
      proxy.closeAllConnections();
    },
  };
}
