/** Connections to stores, how many requests one store gets at a time and in a second, and whether it gets any. */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import type { StoreKind } from '../api/external-secrets/names.ts';
import { formatProblem } from '../api/problem.ts';
import { type StoreLimits, storeLimits } from '../policy/store-limits.ts';
import type { Connection, ProviderPorts } from '../providers/contract.ts';
import { type BreakerState, CircuitBreaker, StoreUnavailable } from './breaker.ts';
import { type GateLimits, StoreGate } from './store-gate.ts';
import { type ResolvedStore, storeLabel } from './stores.ts';

interface Kept {
  readonly connection: Promise<Connection>;
  readonly expires: number;
}

interface Guarded {
  readonly breaker: CircuitBreaker;
  readonly store: Pick<ResolvedStore, 'identity' | 'context'>;
  users: number;
  waiting: number;
  usedAt: number;
}

interface Gated {
  readonly gate: StoreGate;
  /** What each store of the identity wants, by its uid; the least of it holds. */
  readonly wishes: Map<string, StoreLimits>;
  users: number;
  usedAt: number;
}

/** A store that is in use, or fails now, or did a moment ago. */
export interface StoreState {
  readonly kind: StoreKind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly state: BreakerState;
  /** Requests that wait for a place, or for the next moment that its rate allows. */
  readonly waiting: number;
}

/** What a program logs then. */
export const BAD_LIMITS = 'annotations of a store make no sense; the defaults hold in their place';

interface ConnectionsOptions {
  readonly clock: Clock;
  /** What holds for a store that says nothing else. */
  readonly limits: StoreLimits;
  /** Called once a request to a provider, for metrics. */
  readonly onCall?: (provider: string, error: EsaError | undefined) => void;
  /** A store that was left alone after failures answers again. One that had asked to be is not in a hurry. */
  readonly onRecovered?: (store: ResolvedStore['context']) => void;
  /** Called once for annotations of a store that make no sense: it came while no webhook judged it. */
  readonly onBadLimits?: (store: string, problems: string) => void;
}

/** Credentials are read again at least this often, for what no watch tells (ConfigMaps, ServiceAccounts). */
const KEEP_MS = 5 * 60_000;
/** A store that failed and was not asked since is forgotten: it may be gone. */
const FORGET_MS = 10 * 60_000;
/** So many stores are remembered whose annotations were complained about. */
const MAX_COMPLAINTS = 1_000;

export class Connections {
  readonly #options: ConnectionsOptions;
  /** By identity; only of those that are in use, or have spent what comes back with time. */
  readonly #gates = new Map<string, Gated>();
  /** By the annotations themselves: a store that changes has new ones. */
  readonly #limits = new WeakMap<object, StoreLimits>();
  /** By the store's uid: what was complained about. */
  readonly #complaints = new LRUCache<string, string>({ max: MAX_COMPLAINTS });
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
    return this.#limited(store, signal, true, async () => {
      const paced = { ...ports, pace: this.#paceOf(store) };
      const connection = await store.provider.connect(store.config, store.context, paced, signal);
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
   * @param signal for the wait; the use has limits of its own
   * @param urgent somebody waits for it: it goes before what is only due
   */
  kept<T>(
    store: ResolvedStore,
    ports: ProviderPorts,
    signal: AbortSignal,
    use: (connection: Connection) => Promise<T>,
    urgent = false,
  ): Promise<T> {
    return this.#limited(store, signal, urgent, async () => {
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
    // One of its stores may be gone; those that are not say again what they want.
    this.#gates.get(identity)?.wishes.clear();
  }

  /** What holds for a store: its annotations over the defaults. */
  limitsOf({ object, context }: Pick<ResolvedStore, 'object' | 'context'>): StoreLimits {
    const { annotations } = object.metadata;
    if (annotations === undefined) return this.#options.limits;
    const known = this.#limits.get(annotations);
    if (known !== undefined) return known;
    const { limits, problems } = storeLimits(annotations, this.#options.limits);
    this.#limits.set(annotations, limits);
    if (problems.length > 0) {
      const text = problems.map(formatProblem).join('; ');
      if (this.#complaints.get(context.uid) !== text) {
        this.#complaints.set(context.uid, text);
        this.#options.onBadLimits?.(storeLabel(context.kind, context.namespace, context.name), text);
      }
    }
    return limits;
  }

  /** Stores that are in use or failed lately; several identities of one store are one entry each. */
  states(): readonly StoreState[] {
    const oldest = this.#options.clock.monotonic() - FORGET_MS;
    for (const [key, { users, usedAt }] of this.#guards)
      if (users === 0 && usedAt < oldest) this.#guards.delete(key);
    for (const [identity, { gate, users, usedAt }] of this.#gates)
      if (users === 0 && (gate.idle || usedAt < oldest)) this.#gates.delete(identity);
    return [...this.#guards.values()].map(({ breaker, waiting, store: { context } }) => ({
      kind: context.kind,
      namespace: context.namespace,
      name: context.name,
      state: breaker.state,
      waiting,
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
      { ...ports, pace: this.#paceOf(store) },
      AbortSignal.timeout(10_000),
    );
    const fresh: Kept = { connection, expires: now + KEEP_MS };
    kept.set(generation, fresh);
    connection.catch(() => {
      if (kept.get(generation) === fresh) kept.delete(generation);
    });
    return fresh;
  }

  async #limited<T>(
    store: ResolvedStore,
    signal: AbortSignal,
    urgent: boolean,
    work: () => Promise<T>,
  ): Promise<T> {
    const { kind, namespace, name } = store.context;
    const label = storeLabel(kind, namespace, name);
    const limits = this.limitsOf(store);
    const gated = this.#gate(store, limits);
    const guarded = this.#guard(store, limits);
    gated.users += 1;
    guarded.users += 1;
    guarded.waiting += 1;
    let asked = false;
    const { breaker } = guarded;
    try {
      const result = await breaker.run(label, (recheck) =>
        gated.gate.run(
          () => {
            // Those who were let in before may have found that nobody is there.
            recheck();
            asked = true;
            guarded.waiting -= 1;
            return work();
          },
          signal,
          urgent,
        ),
      );
      this.#options.onCall?.(store.provider.name, undefined);
      return result;
    } catch (thrown) {
      // Who waited in vain for a moment that its rate allows has not asked, either.
      const waited = thrown instanceof EsaError && thrown.code === 'STORE_BUSY';
      if (asked && !waited) this.#options.onCall?.(store.provider.name, thrown as EsaError);
      else if (!asked && !(thrown instanceof StoreUnavailable) && signal.aborted) throw busy(label);
      throw thrown;
    } finally {
      if (!asked) guarded.waiting -= 1;
      gated.users -= 1;
      if (gated.users === 0 && gated.gate.idle) this.#gates.delete(store.identity);
      guarded.users -= 1;
      if (guarded.users === 0 && breaker.idle) this.#release(store, guarded);
    }
  }

  #gate(store: ResolvedStore, limits: StoreLimits): Gated {
    let gated = this.#gates.get(store.identity);
    // Nothing is lost with one that is idle, but what stores wanted that are gone.
    if (gated === undefined || (gated.users === 0 && gated.gate.idle)) {
      gated = { gate: new StoreGate(this.#options.clock, limits), wishes: new Map(), users: 0, usedAt: 0 };
      this.#gates.set(store.identity, gated);
    }
    gated.usedAt = this.#options.clock.monotonic();
    const { gate, wishes } = gated;
    if (wishes.get(store.context.uid) !== limits) {
      wishes.set(store.context.uid, limits);
      gate.configure(leastOf([...wishes.values()]));
    }
    return gated;
  }

  /** What a provider calls before each of its requests, logins included. */
  #paceOf(store: ResolvedStore): NonNullable<ProviderPorts['pace']> {
    const { kind, namespace, name } = store.context;
    return (signal) => {
      const turn = this.#gates.get(store.identity)?.gate.pace(signal);
      if (turn === undefined) return undefined;
      const guarded = this.#guards.get(guardKey(store));
      if (guarded !== undefined) guarded.waiting += 1;
      return turn
        .catch(() => Promise.reject(busy(storeLabel(kind, namespace, name))))
        .finally(() => {
          if (guarded !== undefined) guarded.waiting -= 1;
        });
    };
  }

  #guard(store: ResolvedStore, limits: StoreLimits): Guarded {
    const key = guardKey(store);
    const now = this.#options.clock.monotonic();
    const present = this.#guards.get(key);
    if (present !== undefined) {
      present.usedAt = now;
      present.breaker.configure(limits);
      return present;
    }
    const { identity, context } = store;
    const breaker = new CircuitBreaker({
      clock: this.#options.clock,
      settings: limits,
      onRecovered: (asked) => {
        this.#gates.get(identity)?.gate.startSlowly();
        if (!asked) this.#options.onRecovered?.(context);
      },
    });
    const guarded: Guarded = { breaker, store: { identity, context }, users: 0, waiting: 0, usedAt: now };
    this.#guards.set(key, guarded);
    return guarded;
  }

  #release(store: ResolvedStore, guarded: Guarded): void {
    const key = guardKey(store);
    if (this.#guards.get(key) === guarded) this.#guards.delete(key);
  }
}

const busy = (label: string): EsaError =>
  new EsaError('STORE_BUSY', `no request to ${label} was possible in time: others wait for it`);

/** Stores of one identity are one to the provider: what the most careful of them wants holds for all. */
function leastOf(wishes: readonly StoreLimits[]): GateLimits {
  const rates = wishes.flatMap(({ rate }) => rate ?? []);
  return {
    maxInFlight: Math.min(...wishes.map(({ maxInFlight }) => maxInFlight)),
    rate: rates.length === 0 ? undefined : Math.min(...rates),
    burst: Math.min(...wishes.map(({ burst }) => burst)),
  };
}

const generationOf = ({ context }: ResolvedStore): string => `${context.uid}/${context.generation}`;

const guardKey = (store: ResolvedStore): string => `${generationOf(store)} ${store.identity}`;

function closeQuietly({ connection }: Kept): void {
  connection.then(
    (open) => open.close(),
    () => {},
  );
}
