/** From a plan to values: resolves stores and generators, reads each remote object once, and merges in order. */
import { type ErrorCode, EsaError, toEsaError } from '../api/errors.ts';
import type { SecretValue } from '../api/secret-value.ts';
import { timeLimit } from '../api/time-limit.ts';
import type { Verdict } from '../policy/policy-subject.ts';
import {
  type Connection,
  type FoundObject,
  ProviderError,
  type RemoteObject,
} from '../providers/contract.ts';
import { orAbort } from './abort.ts';
import type { Source } from './audit.ts';
import type { BatchReads, RunRead } from './batch-reads.ts';
import { SyncError } from './errors.ts';
import type { FreshReads } from './fresh-reads.ts';
import { type GeneratorCaller, type GeneratorReader, generate, LeftToPoller } from './generators.ts';
import type { KesServices } from './kes/services.ts';
import { kesValues } from './kes/values.ts';
import { checkKeys, convertKeys } from './keys.ts';
import type { Plan, PlannedRead, StoreReference } from './plan.ts';
import type { NamespacePolicies } from './policies.ts';
import { enforce, useOf } from './policy-gate.ts';
import { rewriteKeys } from './rewrite.ts';
import type { Place, StoreShares } from './store-shares.ts';
import { type ResolvedStore, resolveStore, type StoreReader, storeLabel } from './stores.ts';
import { decodeValue, refuseNullBytes } from './values.ts';

/** What one question to a provider brings: a `read` an object, a `find` a list. */
export type Answer = RemoteObject | readonly FoundObject[];

export interface FetchContext {
  readonly namespace: string;
  readonly controllerClass: string;
  readonly reader: StoreReader;
  readonly generators: GeneratorReader;
  /** Takes the leases of generated values, see `generate`; absent in admission, which leaves them to the poller. */
  readonly leased?: GeneratorCaller['leased'];
  /** What is in force for the namespace; the ExternalSecret itself has been judged already. */
  readonly policies: NamespacePolicies;
  /**
   * Runs `use` with a connection for the store, within the store's limits.
   * @param signal how long it may wait for that; `use` has limits of its own
   * @param urgent somebody waits for it
   */
  withConnection<T>(
    store: ResolvedStore,
    signal: AbortSignal,
    use: (connection: Connection) => Promise<T>,
    urgent: boolean,
  ): Promise<T>;
  readonly reads: FreshReads<Answer>;
  /** Gathers reads where stores ask for that; absent: each is sent by itself. */
  readonly batches?: BatchReads | undefined;
  /** Places at the providers; absent if whoever asks is few by himself. */
  readonly shares?: StoreShares | undefined;
  /** Set where ExternalSecrets of KES are served. */
  readonly kes?: KesServices | undefined;
  /** Answers must have been asked for at or after this moment (monotonic milliseconds). */
  readonly notBefore: number;
  /** True if somebody waits for the values, so that their reads go before those that are only due. */
  readonly urgent: boolean;
  /** Longest time a request may wait until the limits of its store allow it, milliseconds. */
  readonly waitTimeoutMs: number;
  /** Longest time one read may take from then on, whoever waits for it, milliseconds. */
  readonly readTimeoutMs: number;
  /** The same for a find, which is many requests, milliseconds. */
  readonly findTimeoutMs: number;
}

export interface Fetched {
  readonly data: ReadonlyMap<string, SecretValue>;
  /** Keys of `data` whose value a generator has made for this very sync, and that could be kept instead. */
  readonly generated: ReadonlySet<string>;
  readonly stores: readonly ResolvedStore[];
  /** What the values are from, in the order of the entries. */
  readonly sources: readonly Source[];
  /** Entries that were left out since their secret is gone, as the event about it names them. */
  readonly missing: readonly string[];
  /** What policies say about it without denying it. */
  readonly verdicts: readonly Verdict[];
}

type Outcome<T> = { readonly value: T } | { readonly error: EsaError };

const settle = async <T>(promise: Promise<T>): Promise<Outcome<T>> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: toEsaError(error) }),
  );

/** An entry that asks a store. */
export type StoreSource = Exclude<PlannedRead['source'], { kind: 'generator' }>;

/** What an entry asks for, as one name: equal names are one request. */
function readKey({ identity, provider, config }: ResolvedStore, source: StoreSource): string {
  if (source.kind === 'find') {
    const { path, nameRegexp, tags } = source.request;
    const sorted = Object.entries(tags ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify([identity, 'find', path, nameRegexp, sorted]);
  }
  const { remote } = source;
  return JSON.stringify([
    identity,
    provider.canonicalKey(config, remote),
    remote.version ?? '',
    remote.metadata ?? false,
    ...(provider.readsProperty?.(config) === true ? [remote.property ?? ''] : []),
  ]);
}

function readShared(
  key: string,
  store: ResolvedStore,
  source: StoreSource,
  context: FetchContext,
  signal: AbortSignal,
): Promise<Answer> {
  const shared = context.reads.get(key, context.notBefore, () => ask(store, source, context));
  const what = source.kind === 'read' ? `reading ${source.remote.key}` : 'the find';
  return orAbort(shared, signal, `${what} from ${source.store.kind} ${source.store.name}`);
}

/** With time limits of its own, not the caller's: others may be waiting for the same answer. */
async function ask(store: ResolvedStore, source: StoreSource, context: FetchContext): Promise<Answer> {
  const { batches, readTimeoutMs, findTimeoutMs, urgent } = context;
  const run = <T>(
    use: (connection: Connection, limit: AbortSignal) => Promise<T>,
    ms: number,
  ): Promise<T> => {
    const wait = timeLimit(context.waitTimeoutMs);
    const timed = (connection: Connection): Promise<T> => {
      const limit = timeLimit(ms);
      return use(connection, limit.signal).finally(() => limit.end());
    };
    return context.withConnection(store, wait.signal, timed, urgent).finally(() => wait.end());
  };
  if (source.kind === 'find')
    return run((connection, limit) => connection.find(source.request, limit), findTimeoutMs);
  const { remote } = source;
  const read: RunRead = (use) => run(use, readTimeoutMs);
  return batches?.takes(store, remote) === true
    ? batches.read(store, remote, read)
    : read((connection, limit) => connection.read(remote, limit));
}

/** The error that an entry will always have with this store, as its provider can tell without being asked. */
export function impossibleRead(store: ResolvedStore, source: StoreSource): ProviderError | undefined {
  const { provider, config, context } = store;
  const why =
    source.kind === 'find'
      ? provider.validateFind(config, source.request)
      : provider.validateRef?.(config, source.remote);
  if (why === undefined) return undefined;
  const label = storeLabel(context.kind, context.namespace, context.name);
  return new ProviderError('PROVIDER_INVALID_CONFIG', `${label}: ${why}`);
}

/** What one entry brought: values of its own from a generator, else an answer that others may share. */
type Brought =
  | { readonly generated: ReadonlyMap<string, SecretValue>; readonly isLeased: boolean }
  | { readonly store: ResolvedStore; readonly answer: Answer };

const storeName = ({ kind, name }: StoreReference): string => `${kind}/${name}`;

/**
 * All values of the plan, or the error of the first entry (in the order of the spec) that has none: a sync is
 * all or nothing, but for entries whose secret is gone where the plan says so. Nothing is read before the
 * policies have let every store and every key pass; what a find brings is judged by its canonical keys.
 * @throws SyncError stage `fetch`, POLICY_DENIED among its codes; with code STORE_OTHER_CLASS the object is not ours to judge
 */
export async function fetchPlan(plan: Plan, context: FetchContext, signal: AbortSignal): Promise<Fetched> {
  const stores = await resolveStores(plan, context, signal);
  const verdicts = [...judgeStores(plan, stores, context)];
  const place = enterStores(stores, context);
  const resolved = (reference: StoreReference): Outcome<ResolvedStore> =>
    stores.get(storeName(reference)) ?? { error: new EsaError('INTERNAL', 'a store was not resolved') };
  // Most entries of an object pick from one remote object.
  const answers = new Map<string, Promise<Outcome<Answer>>>();
  const bring = async ({ source }: PlannedRead): Promise<Outcome<Brought>> => {
    if (source.kind === 'generator') {
      const { ref } = source;
      const leases: unknown[] = [];
      const leased: GeneratorCaller['leased'] =
        context.leased &&
        ((...lease) => {
          leases.push(lease);
          context.leased?.(...lease);
        });
      const { guard } = context.policies;
      const caller = { ...context, guard, timeoutMs: context.readTimeoutMs, leased };
      return settle(
        generate(ref, caller, context.generators, signal).then((generated) => ({
          generated,
          isLeased: leases.length > 0,
        })),
      );
    }
    const store = resolved(source.store);
    if ('error' in store) return store;
    const impossible = impossibleRead(store.value, source);
    if (impossible !== undefined) return { error: impossible };
    const key = readKey(store.value, source);
    const pending = answers.get(key) ?? settle(readShared(key, store.value, source, context, signal));
    answers.set(key, pending);
    const answer = await pending;
    if (!('error' in answer && isSilence(answer.error.code))) place?.answered(store.value);
    return 'error' in answer ? answer : { value: { store: store.value, answer: answer.value } };
  };

  const settled = await Promise.all(plan.reads.map(bring)).finally(() => place?.leave());
  // Of another class is the whole object as soon as one of its stores or generators is (eso.md 3.5, 6).
  for (const outcome of settled) {
    if (!('error' in outcome)) continue;
    if (outcome.error.code === 'STORE_OTHER_CLASS' || outcome.error instanceof LeftToPoller)
      throw outcome.error;
  }
  const data = new Map<string, SecretValue>();
  const generated = new Set<string>();
  const used = new Set<ResolvedStore>();
  const sources: Source[] = [];
  const missing: string[] = [];
  for (const [index, outcome] of settled.entries()) {
    const read = plan.reads[index];
    if (read === undefined) continue;
    try {
      if ('error' in outcome) throw outcome.error;
      const { value } = outcome;
      if ('store' in value) {
        used.add(value.store);
        verdicts.push(...judgeFound(read, value.answer, context.policies));
      }
      for (const [key, one] of entryValues(read, 'store' in value ? value.answer : value.generated)) {
        data.set(key, one);
        // A leased value cannot be kept when another one is there: it ends.
        if ('store' in value || value.isLeased) generated.delete(key);
        else generated.add(key);
      }
      if (read.source.kind === 'generator') sources.push({ generator: read.source.ref });
      else if ('store' in value) sources.push({ ...value, source: read.source });
    } catch (thrown) {
      const error = toEsaError(thrown);
      if (plan.skipsMissing && error.code === 'PROVIDER_NOT_FOUND' && read.source.kind !== 'generator') {
        missing.push(read.missing);
        const store = resolved(read.source.store);
        if ('value' in store) used.add(store.value);
        continue;
      }
      throw new SyncError('fetch', error, { location: read.location, path: read.path });
    }
  }
  return { data, generated, stores: [...used], sources, missing, verdicts };
}

type Stores = ReadonlyMap<string, Outcome<ResolvedStore>>;

/** @throws EsaError STORE_OTHER_CLASS: the whole object is as soon as one of its stores is (eso.md 3.5) */
async function resolveStores(plan: Plan, context: FetchContext, signal: AbortSignal): Promise<Stores> {
  const { namespace, reader, controllerClass, policies } = context;
  const references = new Map(
    plan.reads.flatMap(({ source }) =>
      source.kind === 'generator' ? [] : [[storeName(source.store), source.store] as const],
    ),
  );
  const resolved = new Map(
    await Promise.all(
      [...references].map(async ([key, reference]) => {
        const store = resolveStore(reference, namespace, reader, controllerClass, signal, policies.guard);
        return [key, await settle(store)] as const;
      }),
    ),
  );
  for (const outcome of resolved.values()) {
    if ('error' in outcome && outcome.error.code === 'STORE_OTHER_CLASS') throw outcome.error;
  }
  return resolved;
}

/** @throws SyncError STORE_BUSY */
function enterStores(stores: Stores, { shares }: FetchContext): Place | undefined {
  const usable = [...stores.values()].flatMap((outcome) => ('value' in outcome ? [outcome.value] : []));
  try {
    return shares?.enter(usable);
  } catch (thrown) {
    throw new SyncError('fetch', toEsaError(thrown));
  }
}

/** True if the provider itself has said nothing. */
const isSilence = (code: ErrorCode): boolean =>
  code === 'DEADLINE' || code === 'PROVIDER_TIMEOUT' || code === 'STORE_UNAVAILABLE' || code === 'STORE_BUSY';

/** @throws SyncError POLICY_DENIED */
function judgeStores(plan: Plan, stores: Stores, { policies }: FetchContext): readonly Verdict[] {
  if (!policies.needsStores) return [];
  const uses = [...stores.values()].flatMap((outcome) => {
    if ('error' in outcome) return [];
    const { object } = outcome.value;
    return useOf({ kind: object.kind, name: object.metadata.name ?? '' }, object, plan.reads) ?? [];
  });
  return enforce(policies.judge({ stores: uses }), true);
}

/** @throws SyncError POLICY_DENIED if one of the results may not be read: then none is used */
function judgeFound(read: PlannedRead, answer: Answer, policies: NamespacePolicies): readonly Verdict[] {
  if (read.source.kind !== 'find' || !policies.needsStores) return [];
  const keys = (answer as readonly FoundObject[]).map(({ canonicalKey }) => canonicalKey);
  return enforce(policies.judge({ found: { path: read.path, keys } }), false);
}

/**
 * The keys and values that one entry contributes: rewritten or converted, decoded, checked (eso.md 2.6).
 * @param brought what its provider answered, or what its generator made
 */
export function entryValues(
  read: PlannedRead,
  brought: Answer | ReadonlyMap<string, SecretValue>,
): ReadonlyMap<string, SecretValue> {
  const { into, source } = read;
  if (into.kind === 'kes') return checkKeys(kesValues(into.entry, brought as Answer));
  let values: ReadonlyMap<string, SecretValue>;
  if (into.kind === 'key') {
    const object = brought as RemoteObject;
    values = new Map([
      [into.secretKey, object.get(source.kind === 'read' ? source.remote.property : undefined)],
    ]);
  } else {
    values = mapOf(source, brought);
    if (into.rewrite.length > 0) values = checkKeys(rewriteKeys(values, into.rewrite));
    else values = into.conversion === undefined ? checkKeys(values) : convertKeys(values, into.conversion);
  }
  if (read.decoding !== 'None') {
    values = new Map([...values].map(([key, value]) => [key, decodeValue(key, value, read.decoding)]));
  }
  if (read.nullBytes === 'Fail') refuseNullBytes(values);
  return values;
}

function mapOf(
  source: PlannedRead['source'],
  brought: Answer | ReadonlyMap<string, SecretValue>,
): ReadonlyMap<string, SecretValue> {
  switch (source.kind) {
    case 'read':
      return (brought as RemoteObject).getMap(source.remote.property);
    case 'find':
      return new Map(
        (brought as readonly FoundObject[]).map(({ key, object }) => [key, object.get(undefined)]),
      );
    case 'generator':
      return brought as ReadonlyMap<string, SecretValue>;
  }
}
