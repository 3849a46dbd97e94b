/** Where an API server that runs elsewhere finds a webhook on this machine. */
import { connect, isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { freePort } from '../../test/harness/ports.ts';
import { UsageError } from './options.ts';

const CONNECT_MS = 3000;
const LOOPBACK = '127.0.0.1';

export interface Reach {
  /** Name or IPv4 address that the API server connects to. */
  readonly host: string;
  readonly port: number;
  /** Address of this machine to listen on. */
  readonly listen: string;
}

const ownAddresses = (): readonly { readonly address: string; readonly internal: boolean }[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === 'IPv4');

const isLoopback = (address: string): boolean => address.startsWith('127.');

/** The address that this machine has towards `server`; undefined if there is no connection. */
function addressTowards(server: string): Promise<string | undefined> {
  const { hostname, port, protocol } = new URL(server);
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port || (protocol === 'http:' ? 80 : 443)),
      timeout: CONNECT_MS,
    });
    const end = (address?: string): void => {
      socket.destroy();
      resolve(address);
    };
    socket.once('connect', () => end(socket.localAddress));
    socket.once('timeout', () => end());
    socket.once('error', () => end());
  });
}

/**
 * An API server on loopback mostly runs in a container of this machine (kind, k3d, minikube), which has a
 * loopback of its own; from there the machine is reached by its address in the network.
 */
async function findHost(server: string): Promise<string> {
  const towards = await addressTowards(server);
  if (towards !== undefined && isIPv4(towards) && !isLoopback(towards)) return towards;
  return ownAddresses().find(({ internal }) => !internal)?.address ?? LOOPBACK;
}

/**
 * @param server URL of the API server
 * @param wanted name or IPv4 address, if the user knows better
 * @throws UsageError for an IPv6 address, which a Service cannot lead to by name
 */
export async function reachFrom(server: string, wanted: string | undefined): Promise<Reach> {
  if (wanted !== undefined && (isIP(wanted) === 6 || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(wanted))) {
    throw new UsageError(
      `--webhook-host: "${wanted}" is not an IPv4 address or a DNS name in lower case (a Service leads to no other)`,
    );
  }
  const host = wanted ?? (await findHost(server));
  const isOwn = isLoopback(host) || ownAddresses().some(({ address }) => address === host);
  const listen = host === 'localhost' ? LOOPBACK : isOwn ? host : '0.0.0.0';
  return { host, port: await freePort(), listen };
}
