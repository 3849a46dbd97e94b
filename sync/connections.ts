/** Connections to stores, the number of requests that one store gets at a time, and whether it gets any. */
import type { Clock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import type { StoreKind } from '../api/external-secrets/names.ts';
import type { Connection, ProviderPorts } from '../providers/contract.ts';
import { type BreakerState, CircuitBreaker, StoreUnavailable } from './breaker.ts';
import { Semaphore } from './semaphore.ts';
import { type ResolvedStore, storeLabel } from './stores.ts';

interface Kept {
  readonly connection: Promise<Connection>;
  readonly expires: number;
}

interface Guarded {
  readonly breaker: CircuitBreaker;
  readonly store: Pick<ResolvedStore, 'identity' | 'context'>;
  users: number;
  usedAt: number;
}

/** A store that fails now, or did a moment ago. */
export interface StoreState {
  readonly kind: StoreKind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly state: BreakerState;
}

interface ConnectionsOptions {
  readonly clock: Clock;
  /** Requests in flight to one store identity. */
  readonly perStore: number;
  /** Called once a request to a provider, for metrics. */
  readonly onCall?: (provider: string, error: EsaError | undefined) => void;
}

/** Credentials are read again at least this often, for what no watch tells (ConfigMaps, ServiceAccounts). */
const KEEP_MS = 5 * 60_000;
/** A store that failed and was not asked since is forgotten: it may be gone. */
const FORGET_MS = 10 * 60_000;

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #limits = new Map<string, { semaphore: Semaphore; users: number }>();
  /** By identity, then by store and version of its spec: stores of one identity may differ in what they prefix. */
  readonly #kept = new Map<string, Map<string, Kept>>();
  /** By identity and version of the spec (a store that was corrected starts anew); only of those that are in use or fail. */
  readonly #guards = new Map<string, Guarded>();

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
    for (const [key, { store }] of this.#guards) if (store.identity === identity) this.#guards.delete(key);
  }

  /** Stores that are in use or failed lately; several identities of one store are one entry each. */
  states(): readonly StoreState[] {
    const oldest = this.#options.clock.monotonic() - FORGET_MS;
    for (const [key, { users, usedAt }] of this.#guards)
      if (users === 0 && usedAt < oldest) this.#guards.delete(key);
    return [...this.#guards.values()].map(({ breaker, store: { context } }) => ({
      kind: context.kind,
      namespace: context.namespace,
      name: context.name,
      state: breaker.state,
    }));
  }

  close(): void {
    for (const identity of [...this.#kept.keys()]) this.forget(identity);
  }

  #keep(store: ResolvedStore, ports: ProviderPorts): Kept {
    const generation = generationOf(store);
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
    const { kind, namespace, name } = store.context;
    const label = storeLabel(kind, namespace, name);
    const guarded = this.#guard(store);
    let limit = this.#limits.get(store.identity);
    if (limit === undefined) {
      limit = { semaphore: new Semaphore(this.#options.perStore), users: 0 };
      this.#limits.set(store.identity, limit);
    }
    limit.users += 1;
    guarded.users += 1;
    let asked = false;
    const { breaker } = guarded;
    try {
      // Before the wait for a place: those who have one may be waiting for the store themselves.
      breaker.check(label);
      const result = await limit.semaphore.run(
        () =>
          breaker.run(label, () => {
            asked = true;
            return work();
          }),
        signal,
      );
      this.#options.onCall?.(store.provider.name, undefined);
      return result;
    } catch (thrown) {
      if (asked) this.#options.onCall?.(store.provider.name, thrown as EsaError);
      else if (!(thrown instanceof StoreUnavailable) && signal.aborted) {
        throw new EsaError('STORE_BUSY', `no request to ${label} was possible in time: others wait for it`);
      }
      throw thrown;
    } finally {
      limit.users -= 1;
      if (limit.users === 0) this.#limits.delete(store.identity);
      guarded.users -= 1;
      if (guarded.users === 0 && breaker.idle) this.#release(store, guarded);
    }
  }

  #guard(store: ResolvedStore): Guarded {
    const key = guardKey(store);
    const now = this.#options.clock.monotonic();
    const present = this.#guards.get(key);
    if (present !== undefined) {
      present.usedAt = now;
      return present;
    }
    const { identity, context } = store;
    const breaker = new CircuitBreaker({ clock: this.#options.clock });
    const guarded: Guarded = { breaker, store: { identity, context }, users: 0, usedAt: now };
    this.#guards.set(key, guarded);
    return guarded;
  }

  #release(store: ResolvedStore, guarded: Guarded): void {
    const key = guardKey(store);
    if (this.#guards.get(key) === guarded) this.#guards.delete(key);
  }
}

const generationOf = ({ context }: ResolvedStore): string => `${context.uid}/${context.generation}`;

const guardKey = (store: ResolvedStore): string => `${generationOf(store)} ${store.identity}`;

function closeQuietly({ connection }: Kept): void {
  connection.then(
    (open) => open.close(),
    () => {},
  );
}
