import type { AddressInfo, Server } from 'node:net';
import { EsaError } from '../api/errors.ts';

/** Every address. */
const ANY = '::';
/** What to do about the codes that listen(2) and bind(2) fail with. */
const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there; end it, or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address; correct --bind-address',
  EACCES: 'ports below 1024 need the capability NET_BIND_SERVICE; choose another port',
};

/** Where a server of a program is to listen. */
export interface Listening {
  readonly address: string;
  /** 0: one that is free. */
  readonly port: number;
  /** The flag that sets the port, without dashes. */
  readonly flag: string;
}

/**
 * Has a server listen. With `hostNetwork` it shares its ports with all that runs on the node, so that one in use is
 * nothing unusual. @returns the port
 * @throws EsaError CONFIGURATION with address, port, flag and what to do
 */
export async function listen(server: Server, { address, port, flag }: Listening): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const { code = error.name } = error;
      const where = `${address.includes(':') ? `[${address}]` : address}:${port}`;
      const remedy = REMEDIES[code] ?? 'see listen(2) for this code';
      reject(
        new EsaError('CONFIGURATION', `cannot listen on ${where} (--${flag}): ${code}: ${remedy}`, {
          cause: error,
        }),
      );
    };
    // It stays: what fails later is the taking of one connection (no descriptor left), and not the server.
    server.on('error', fail);
    // Not by its name, which a kernel without IPv6 refuses; Node then listens on every address of IPv4.
    if (address === ANY) server.listen(port, resolve);
    else server.listen(port, address, resolve);
  });
  return (server.address() as AddressInfo).port;
}
