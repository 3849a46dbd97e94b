/**
 * Gathers the reads of one moment and one store identity into requests for several secrets, where the store asks for
 * it and the provider can. What is read is the same, each error is that of its own secret.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../api/clock.ts';
import type { Connection, RemoteObject, RemoteRef } from '../providers/contract.ts';
import { ProviderError } from '../providers/contract.ts';
import { type ResolvedStore, storeLabel } from './stores.ts';

type Reference = Omit<RemoteRef, 'property'>;

/** Runs one use of a connection to the store, within its limits. */
export type RunRead = <T>(use: (connection: Connection, limit: AbortSignal) => Promise<T>) => Promise<T>;

interface Wanted {
  readonly ref: Reference;
  readonly resolve: (object: RemoteObject) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly wanted: Wanted[];
  readonly timer: ReturnType<typeof setTimeout>;
}

export interface BatchReadsOptions {
  readonly clock: Clock;
  /** True if the store wants its reads in batches. */
  readonly wants: (store: ResolvedStore) => boolean;
  /** Called when a server refuses batches: not more often than it is tried. */
  readonly onRefused: (store: string) => void;
}

/** So long it is waited for others to come. Objects of one moment come within a millisecond or two. */
const GATHER_MS = 5;
/** After a server has refused batches they are not tried for so long: somebody has to change a policy first. */
const REFUSED_MS = 10 * 60_000;
const MAX_REFUSED = 1_000;

export class BatchReads {
  readonly #options: BatchReadsOptions;
  /** By identity. */
  readonly #open = new Map<string, Batch>();
  /** By identity: until when (monotonic). */
  readonly #refused = new LRUCache<string, number>({ max: MAX_REFUSED });
  /** Identities that were answered so. */
  readonly #allowed = new LRUCache<string, true>({ max: MAX_REFUSED });
  /** By identity: the batch that finds out whether these credentials may read so; others wait for it. */
  readonly #trials = new Map<string, Promise<void>>();

  constructor(options: BatchReadsOptions) {
    this.#options = options;
  }

  /** True if this read is to be gathered. */
  takes(store: ResolvedStore, ref: Reference): boolean {
    if (store.provider.batch?.(store.config)?.accepts(ref) !== true) return false;
    return this.#options.wants(store) && !this.#isRefused(store.identity);
  }

  #isRefused(identity: string): boolean {
    return this.#options.clock.monotonic() < (this.#refused.get(identity) ?? Number.NEGATIVE_INFINITY);
  }

  /** @throws what a read of it alone would */
  read(store: ResolvedStore, ref: Reference, run: RunRead): Promise<RemoteObject> {
    const { promise, resolve, reject } = Promise.withResolvers<RemoteObject>();
    const { identity } = store;
    const size = store.provider.batch?.(store.config)?.size ?? 1;
    const send = (): void => {
      clearTimeout(batch.timer);
      this.#open.delete(identity);
      this.#send(store, batch.wanted, run).catch((error: unknown) => {
        for (const one of batch.wanted) one.reject(error);
      });
    };
    const batch: Batch = this.#open.get(identity) ?? { wanted: [], timer: setTimeout(send, GATHER_MS) };
    this.#open.set(identity, batch);
    batch.wanted.push({ ref, resolve, reject });
    if (batch.wanted.length >= size) send();
    return promise;
  }

  async #send(store: ResolvedStore, wanted: readonly Wanted[], run: RunRead): Promise<void> {
    const answers = wanted.length === 1 ? undefined : await this.#ask(store, wanted, run);
    for (const [index, { ref, resolve, reject }] of wanted.entries()) {
      const answer = answers?.[index];
      if (answer === undefined) run((connection, limit) => connection.read(ref, limit)).then(resolve, reject);
      else if (answer instanceof ProviderError) reject(answer);
      else resolve(answer);
    }
  }

  /** undefined: one by one. */
  async #ask(
    store: ResolvedStore,
    wanted: readonly Wanted[],
    run: RunRead,
  ): Promise<readonly (RemoteObject | ProviderError | undefined)[] | undefined> {
    const { identity } = store;
    for (let trial = this.#trials.get(identity); trial !== undefined; trial = this.#trials.get(identity))
      await trial;
    if (this.#isRefused(identity)) return undefined;
    if (this.#allowed.has(identity)) return this.#request(store, wanted, run);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#trials.set(identity, promise);
    try {
      return await this.#request(store, wanted, run);
    } finally {
      this.#trials.delete(identity);
      resolve();
    }
  }

  async #request(
    store: ResolvedStore,
    wanted: readonly Wanted[],
    run: RunRead,
  ): Promise<readonly (RemoteObject | ProviderError | undefined)[] | undefined> {
    const refs = wanted.map(({ ref }) => ref);
    const answers = await run(async (connection, limit) => {
      try {
        return await connection.readMany?.(refs, limit);
      } catch (error) {
        // One of them makes no sense to the server, and the others are not to suffer for it.
        if (error instanceof ProviderError && error.code === 'PROVIDER_INVALID_CONFIG') return [];
        throw error;
      }
    });
    if (answers !== undefined) this.#allowed.set(store.identity, true);
    else {
      const { kind, namespace, name } = store.context;
      this.#allowed.delete(store.identity);
      // Where it was allowed before several may have been under way.
      const isKnown = this.#isRefused(store.identity);
      this.#refused.set(store.identity, this.#options.clock.monotonic() + REFUSED_MS);
      if (!isKnown) this.#options.onRefused(storeLabel(kind, namespace, name));
    }
    return answers;
  }
}
