/** From a plan to values: resolves the stores, reads each remote object once, and merges in order. */
import { type EsaError, toEsaError } from '../api/errors.ts';
import type { SecretValue } from '../api/secret-value.ts';
import type { Connection, RemoteObject } from '../providers/contract.ts';
import { orAbort } from './abort.ts';
import { SyncError } from './errors.ts';
import type { FreshReads } from './fresh-reads.ts';
import { convertKeys } from './keys.ts';
import type { Plan, PlannedRead } from './plan.ts';
import { type ResolvedStore, resolveStore, type StoreReader } from './stores.ts';

export interface FetchContext {
  readonly namespace: string;
  readonly controllerClass: string;
  readonly reader: StoreReader;
  /** Runs `use` with a connection for the store, within the store's limits. */
  withConnection<T>(
    store: ResolvedStore,
    signal: AbortSignal,
    use: (connection: Connection) => Promise<T>,
  ): Promise<T>;
  readonly reads: FreshReads<RemoteObject>;
  /** Answers must have been asked for at or after this moment (monotonic milliseconds). */
  readonly notBefore: number;
  /** Longest time one read may take, whoever waits for it. */
  readonly readTimeoutMs: number;
}

export interface Fetched {
  readonly data: ReadonlyMap<string, SecretValue>;
  readonly stores: readonly ResolvedStore[];
}

type Outcome<T> = { readonly value: T } | { readonly error: EsaError };

const settle = async <T>(promise: Promise<T>): Promise<Outcome<T>> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: toEsaError(error) }),
  );

/** The remote object an entry reads, as one name: equal names are one request. */
function readKey(store: ResolvedStore, read: PlannedRead): string {
  const { provider, config } = store;
  return JSON.stringify([
    store.identity,
    provider.canonicalKey(config, read.remote),
    read.remote.version ?? '',
    read.remote.metadata ?? false,
  ]);
}

function readShared(
  store: ResolvedStore,
  read: PlannedRead,
  context: FetchContext,
  signal: AbortSignal,
): Promise<RemoteObject> {
  const shared = context.reads.get(readKey(store, read), context.notBefore, async () => {
    // Its own time limit, not the caller's: others may be waiting for the same answer.
    const limit = AbortSignal.timeout(context.readTimeoutMs);
    return context.withConnection(store, limit, (connection) => connection.read(read.remote, limit));
  });
  return orAbort(shared, signal, `reading ${read.remote.key} from ${read.store.kind} ${read.store.name}`);
}

/**
 * All values of the plan, or the error of the first entry (in the order of the spec) that has none: a sync is
 * all or nothing.
 * @throws SyncError stage `fetch`; with code STORE_OTHER_CLASS the object is not ours to judge
 */
export async function fetchPlan(plan: Plan, context: FetchContext, signal: AbortSignal): Promise<Fetched> {
  const stores = new Map<string, Promise<Outcome<ResolvedStore>>>();
  const outcomes = plan.reads.map(
    async (read): Promise<Outcome<{ store: ResolvedStore; object: RemoteObject }>> => {
      const key = `${read.store.kind}/${read.store.name}`;
      let store = stores.get(key);
      if (store === undefined) {
        store = settle(
          resolveStore(read.store, context.namespace, context.reader, context.controllerClass, signal),
        );
        stores.set(key, store);
      }
      const resolved = await store;
      if ('error' in resolved) return resolved;
      const object = await settle(readShared(resolved.value, read, context, signal));
      return 'error' in object ? object : { value: { store: resolved.value, object: object.value } };
    },
  );

  const data = new Map<string, SecretValue>();
  const used = new Set<ResolvedStore>();
  for (const [index, outcome] of (await Promise.all(outcomes)).entries()) {
    const read = plan.reads[index];
    if (read === undefined) continue;
    try {
      if ('error' in outcome) throw outcome.error;
      used.add(outcome.value.store);
      merge(data, read, outcome.value.object);
    } catch (error) {
      throw new SyncError('fetch', toEsaError(error), { location: read.location, path: read.path });
    }
  }
  return { data, stores: [...used] };
}

function merge(data: Map<string, SecretValue>, read: PlannedRead, object: RemoteObject): void {
  if (read.into.kind === 'key') {
    data.set(read.into.secretKey, object.get(read.remote.property));
    return;
  }
  for (const [key, value] of convertKeys(object.getMap(read.remote.property), read.into.conversion))
    data.set(key, value);
}
