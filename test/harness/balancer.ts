/** A small TCP balancer on loopback: stands where a Service of the cluster would, before several replicas. */
import { connect, createServer, type Socket } from 'node:net';

export interface Balancer {
  readonly port: number;
  /** Backends in turn get the new connections; connections that exist stay where they are. */
  add(port: number): void;
  /** No new connection goes to this backend; existing ones live on, as with a removed endpoint. */
  remove(port: number): void;
  /** Connections that were handed to this backend so far. */
  connections(port: number): number;
  stop(): Promise<void>;
}

/** Listens on 127.0.0.1; a connection that no backend accepts is closed. */
export function startBalancer(backends: readonly number[] = []): Promise<Balancer> {
  const ports = [...backends];
  const counts = new Map<number, number>();
  const open = new Set<Socket>();
  let turn = 0;

  const link = (from: Socket, to: Socket): void => {
    open.add(from);
    from.on('error', () => to.destroy());
    from.once('close', () => {
      open.delete(from);
      to.destroy();
    });
    from.pipe(to);
  };

  const dispatch = (client: Socket, triesLeft: number): void => {
    const port = ports[turn++ % Math.max(ports.length, 1)];
    if (port === undefined || triesLeft === 0) {
      client.destroy();
      return;
    }
    const backend = connect({ host: '127.0.0.1', port });
    const refused = (): void => dispatch(client, triesLeft - 1);
    backend.once('error', refused);
    backend.once('connect', () => {
      backend.removeListener('error', refused);
      counts.set(port, (counts.get(port) ?? 0) + 1);
      link(client, backend);
      link(backend, client);
    });
  };

  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    client.on('error', () => client.destroy());
    dispatch(client, ports.length);
  });

  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') {
        reject(new Error('no port was assigned'));
        return;
      }
      resolve({
        port: address.port,
        add: (port) => {
          if (!ports.includes(port)) ports.push(port);
        },
        remove: (port) => {
          const index = ports.indexOf(port);
          if (index >= 0) ports.splice(index, 1);
        },
        connections: (port) => counts.get(port) ?? 0,
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of open) socket.destroy();
          }),
      });
    });
  });
}
