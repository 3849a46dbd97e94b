/**
 * A client of its own process: posts one body over so many kept-alive connections, as fast as they answer.
 *
 *   node bench/webhook/load.ts '{"port":1,"path":"/","connections":32,"reviews":3000}' < body
 *
 * Prints the latencies in milliseconds, and what was not answered with 200.
 */
import { Agent, request } from 'node:https';
import { buffer } from 'node:stream/consumers';

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly reviews: number;
}

export interface LoadResult {
  readonly latencies: readonly number[];
  readonly failed: number;
}

const load = JSON.parse(process.argv[2] ?? '{}') as Load;
const body = await buffer(process.stdin);
const agent = new Agent({ keepAlive: true, maxSockets: load.connections, rejectUnauthorized: false });
const headers = { 'content-type': 'application/json', 'content-length': body.length };
const latencies: number[] = [];
let failed = 0;

const once = (): Promise<void> =>
  new Promise((resolve) => {
    const started = performance.now();
    const fail = (): void => {
      failed += 1;
      resolve();
    };
    const sent = request(
      { host: '127.0.0.1', port: load.port, path: load.path, method: 'POST', agent, headers },
      (answer) => {
        answer.resume().once('error', fail);
        answer.once('end', () => {
          latencies.push(performance.now() - started);
          if (answer.statusCode !== 200) failed += 1;
          resolve();
        });
      },
    );
    sent.once('error', fail);
    sent.end(body);
  });

let left = load.reviews;
const worker = async (): Promise<void> => {
  for (; left > 0; await once()) left -= 1;
};
await Promise.all(Array.from({ length: load.connections }, worker));
agent.destroy();
process.stdout.write(JSON.stringify({ latencies, failed } satisfies LoadResult));
