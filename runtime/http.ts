import { createServer, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Registry } from 'prom-client';
import { listen } from './listen.ts';
import { readyMetric } from './metrics.ts';

/** What the plain HTTP port of a program serves. */
export interface OperationalEndpoints {
  readonly registry: Registry;
  /** More lines for /metrics, made piece by piece at each scrape; undefined = none. */
  readonly series?: () => AsyncIterable<string> | undefined;
  /** undefined = fine, else a short reason for a 503. */
  readonly healthz: () => string | undefined;
  readonly readyz: () => string | undefined;
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}

async function answerMetrics(
  response: ServerResponse,
  { registry, series }: Pick<OperationalEndpoints, 'registry' | 'series'>,
): Promise<void> {
  const text = await registry.metrics();
  const more = series?.();
  if (more === undefined) return answer(response, 200, registry.contentType, text);
  response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' });
  const pieces = async function* (): AsyncGenerator<string> {
    yield text;
    yield* more;
  };
  await pipeline(Readable.from(pieces()), response);
}

/**
 * Serves /metrics, /healthz and /readyz. It has its own port, without TLS, because kubelet and Prometheus
 * must reach it while certificates are not there yet; it says nothing about any secret.
 */
export async function serveOperational(
  options: OperationalEndpoints & { port: number; address: string },
): Promise<{ port: number; close(): Promise<void> }> {
  readyMetric(options.registry, () => options.readyz() === undefined);
  const probe = (response: ServerResponse, reason: string | undefined): void =>
    answer(response, reason === undefined ? 200 : 503, 'text/plain; charset=utf-8', `${reason ?? 'ok'}\n`);
  const server: Server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'text/plain', '');
    if (path === '/healthz') return probe(response, options.healthz());
    if (path === '/readyz') return probe(response, options.readyz());
    if (path !== '/metrics') return answer(response, 404, 'text/plain', 'not found\n');
    answerMetrics(response, options).catch(() => {
      // Who scrapes has gone away, or sees by the end of the connection that the rest is missing.
      if (response.headersSent) response.destroy();
      else answer(response, 500, 'text/plain', 'metrics failed\n');
    });
  });
  const { address, port } = options;
  return {
    port: await listen(server, { address, port, flag: 'metrics-port' }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
