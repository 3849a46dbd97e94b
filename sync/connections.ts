/** Connections to stores, and the number of requests that one store gets at a time. */
import type { EsaError } from '../api/errors.ts';
import type { Connection, ProviderPorts } from '../providers/contract.ts';
import { Semaphore } from './semaphore.ts';
import type { ResolvedStore } from './stores.ts';

interface Kept {
  readonly connection: Promise<Connection>;
  readonly expires: number;
}

interface ConnectionsOptions {
  /** Requests in flight to one store identity. */
  readonly perStore: number;
  /** Called once a request to a provider, for metrics. */
  readonly onCall?: (provider: string, error: EsaError | undefined) => void;
}

/** Credentials are read again at least this often, for what no watch tells (ConfigMaps, ServiceAccounts). */
const KEEP_MS = 5 * 60_000;

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #limits = new Map<string, { semaphore: Semaphore; users: number }>();
  /** By identity, then by store and version of its spec: stores of one identity may differ in what they prefix. */
  readonly #kept = new Map<string, Map<string, Kept>>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Connects with what the cluster says right now, uses the connection once, and closes it. */
  once<T>(
    store: ResolvedStore,
    ports: ProviderPorts,
    signal: AbortSignal,
    use: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    return this.#limited(store, signal, async () => {
      const connection = await store.provider.connect(store.config, store.context, ports, signal);
      try {
        return await use(connection);
      } finally {
        await connection.close();
      }
    });
  }

  /**
   * Uses a connection that is kept for the store's identity and spec; a failure of its credentials gives it
   * up, so that the next use reads them again.
   */
  kept<T>(
    store: ResolvedStore,
    ports: ProviderPorts,
    signal: AbortSignal,
    use: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    return this.#limited(store, signal, async () => {
      const kept = this.#keep(store, ports);
      try {
        return await use(await kept.connection);
      } catch (error) {
        const { code } = error as { code?: unknown };
        if (code === 'PROVIDER_UNAUTHENTICATED' || code === 'PROVIDER_DENIED') this.forget(store.identity);
        throw error;
      }
    });
  }

  /** Closes what is kept for an identity: its spec, its credentials or its CA have changed. */
  forget(identity: string): void {
    const kept = this.#kept.get(identity);
    this.#kept.delete(identity);
    for (const one of kept?.values() ?? []) closeQuietly(one);
  }

  close(): void {
    for (const identity of [...this.#kept.keys()]) this.forget(identity);
  }

  #keep(store: ResolvedStore, ports: ProviderPorts): Kept {
    const generation = `${store.context.uid}/${store.context.generation}`;
    const now = ports.clock.monotonic();
    const kept = this.#kept.get(store.identity) ?? new Map<string, Kept>();
    this.#kept.set(store.identity, kept);
    const present = kept.get(generation);
    if (present !== undefined && present.expires > now) return present;
    if (present !== undefined) closeQuietly(present);
    // Not the caller's signal: others will use the connection.
    const connection = store.provider.connect(
      store.config,
      store.context,
      ports,
      AbortSignal.timeout(10_000),
    );
    const fresh: Kept = { connection, expires: now + KEEP_MS };
    kept.set(generation, fresh);
    connection.catch(() => {
      if (kept.get(generation) === fresh) kept.delete(generation);
    });
    return fresh;
  }

  async #limited<T>(store: ResolvedStore, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    let limit = this.#limits.get(store.identity);
    if (limit === undefined) {
      limit = { semaphore: new Semaphore(this.#options.perStore), users: 0 };
      this.#limits.set(store.identity, limit);
    }
    limit.users += 1;
    try {
      const result = await limit.semaphore.run(work, signal);
      this.#options.onCall?.(store.provider.name, undefined);
      return result;
    } catch (error) {
      this.#options.onCall?.(store.provider.name, error as EsaError);
      throw error;
    } finally {
      limit.users -= 1;
      if (limit.users === 0) this.#limits.delete(store.identity);
    }
  }
}

function closeQuietly({ connection }: Kept): void {
  connection.then(
    (open) => open.close(),
    () => {},
  );
}
