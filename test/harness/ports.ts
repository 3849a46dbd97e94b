import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

const HOST = '127.0.0.1';
/**
 * Below what kernels give to outgoing connections (Linux from 32768, BSD from 49152). A port of those that was free a
 * moment ago may be somebody's connection by the time that the program that was told of it comes to bind it.
 */
const RANGE = { from: 15_000, to: 32_000 } as const;
/** The first port of a block is its lock: who listens on it has the others. */
const BLOCK = 100;
const BLOCKS = (RANGE.to - RANGE.from) / BLOCK;

/** undefined if somebody else listens there. */
function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, HOST, () => resolve(server));
  });
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  return server !== undefined;
}

/**
 * Ports that no other process draws from while this one lives, and none the next of another: OpenBao and Vault listen
 * for their cluster on the port after the one that they are told. @throws Error if all blocks are taken
 */
async function claimBlock(): Promise<number[]> {
  const first = randomInt(BLOCKS);
  for (let tries = 0; tries < BLOCKS; tries += 1) {
    const lock = RANGE.from + ((first + tries) % BLOCKS) * BLOCK;
    const server = await listen(lock);
    if (server === undefined) continue;
    server.unref();
    return Array.from({ length: BLOCK / 2 - 1 }, (_, i) => lock + 2 + 2 * i);
  }
  throw new Error(`all ports from ${RANGE.from} to ${RANGE.to} of ${HOST} are taken`);
}

async function takePort(ports: number[]): Promise<number> {
  for (;;) {
    if (ports.length === 0) ports.push(...(await claimBlock()));
    const port = ports.shift();
    if (port !== undefined && (await isFree(port)) && (await isFree(port + 1))) return port;
  }
}

const ports: number[] = [];
let last: Promise<unknown> = Promise.resolve();

/**
 * A TCP port of 127.0.0.1 that nobody listens on and no other caller is told of, in this process or in another that
 * draws its ports here. @throws Error if there is none
 */
export function freePort(): Promise<number> {
  // One after the other: two at a time would each claim a block.
  const port = last.then(() => takePort(ports));
  last = port.catch(() => undefined);
  return port;
}
