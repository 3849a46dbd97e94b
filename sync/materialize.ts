/**
 * The work of the hook that makes Secrets: values are fetched and the target Secret is created while the create
 * of the ExternalSecret is still on its way (design.md 3). It only ever adds a Secret, or replaces one that
 * nobody uses yet; everything else is the poller's.
 */
import type { Clock } from '../api/clock.ts';
import { EsaError, toEsaError } from '../api/errors.ts';
import { GROUP, HUB_VERSION } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { fieldManager } from '../api/go-hash.ts';
import { isKes, KES_GROUP, KES_PLURAL, KES_VERSION, qualifiedName } from '../api/kubernetes-client/names.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound } from '../kube/errors.ts';
import {
  createSecret,
  getExternalSecret,
  getSecret,
  replaceSecret,
  type SecretObject,
  type UserInfo,
} from '../kube/objects.ts';
import type { AccessReviews } from './access-reviews.ts';
import type { Source } from './audit.ts';
import type { Connections } from './connections.ts';
import { desire } from './desire.ts';
import { SyncError, toSyncError } from './errors.ts';
import { type Answer, type Fetched, fetchPlan } from './fetch.ts';
import type { FreshReads } from './fresh-reads.ts';
import { LeftToPoller } from './generators.ts';
import { asksToKeep, keepGenerated } from './keep-generated.ts';
import { admitKes, type KesServices, portsOf } from './kes/services.ts';
import type { LiveCluster } from './live.ts';
import { type MarkerKey, signMarker, specHash } from './marker.ts';
import type { MarkerKeys } from './marker-keys.ts';
import { type Ownership, ownership } from './ownership.ts';
import { deletionPolicyOf, leftToPoller, plan } from './plan.ts';
import type { PolicyGate } from './policies.ts';
import { enforce, objectOf, PolicyDenied } from './policy-gate.ts';
import { decodeData, revealData } from './secret-data.ts';
import { newSecret } from './secret-patch.ts';
import { type DesiredSecret, mergesKeys } from './shape.ts';
import type { StoreShares } from './store-shares.ts';
import type { ResolvedStore } from './stores.ts';
import { targetObstacle } from './target-obstacle.ts';

export type Materialized =
  /** The Secret stands, with a pending marker. */
  | {
      readonly outcome: 'created' | 'replaced';
      readonly keys: readonly string[];
      /** What the values are from. */
      readonly sources: readonly Source[];
    }
  /** Nothing to do or to say: the request will end otherwise, or the poller is right for it. */
  | { readonly outcome: 'skipped'; readonly why: string }
  /** Not now; the poller goes on. */
  | { readonly outcome: 'deferred'; readonly error: SyncError };

export interface MaterializeDeps {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly live: LiveCluster;
  readonly keys: MarkerKeys;
  readonly access: AccessReviews;
  readonly connections: Connections;
  readonly reads: FreshReads<Answer>;
  readonly policies: PolicyGate;
  /** May the caller do what the validating hook will ask of him beside creating the object? */
  readonly callerMay: (es: ExternalSecret, user: UserInfo, signal: AbortSignal) => Promise<boolean>;
  /** How many creates are served at a time; who comes beyond that is left to the poller at once. */
  readonly room: Room;
  /** How many of them may wait for one provider. */
  readonly shares: StoreShares;
  readonly controllerClass: string;
  /** Set where ExternalSecrets of KES are served. */
  readonly kes?: KesServices | undefined;
  /** Longest time of one read at a provider, milliseconds. */
  readonly readTimeoutMs: number;
}

/** Why what still runs is given up: the answer stands. */
const OVER = new EsaError('DEADLINE', 'the review is over');

/** Counts who is in. */
export class Room {
  readonly size: number;
  #inside = 0;

  constructor(size: number) {
    this.size = size;
  }

  get inside(): number {
    return this.#inside;
  }

  /** @returns false if there is no room; then do not leave() */
  enter(): boolean {
    if (this.#inside >= this.size) return false;
    this.#inside += 1;
    return true;
  }

  leave(): void {
    this.#inside -= 1;
  }
}

const kindOf = (es: ExternalSecret) =>
  isKes(es)
    ? { group: KES_GROUP, version: KES_VERSION, resource: KES_PLURAL }
    : { group: GROUP, version: HUB_VERSION, resource: 'externalsecrets' };

const skipped = (why: string): Materialized => ({ outcome: 'skipped', why });

/**
 * @param es the object that is being created, in the hub version; it passed validation and has a name
 * @param user who creates it
 * @param signal the deadline, and the caller's hanging up
 * @returns what became of it; it throws nothing
 */
export async function materialize(
  es: ExternalSecret,
  user: UserInfo,
  deps: MaterializeDeps,
  signal: AbortSignal,
): Promise<Materialized> {
  const namespace = es.metadata.namespace ?? '';
  const name = qualifiedName(es);
  if (leftToPoller(es.spec)) return skipped('left-to-the-poller');
  if (!deps.room.enter()) {
    // Waiting would only make all of them late: the API server holds a seat for each.
    return {
      outcome: 'deferred',
      error: new SyncError('fetch', new EsaError('OVERLOADED', 'the webhook is busy')),
    };
  }
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  try {
    // All of it is needed, none of it has a side effect: side by side.
    const exists = objectExists(deps.kube, namespace, name, until);
    const allowed = deps.access.mayCreate(user, { ...kindOf(es), namespace }, until);
    const permitted = deps.callerMay(es, user, until);
    const wanted = fetchDesired(es, deps, until);
    for (const one of [wanted, allowed, permitted]) one.catch(() => {});
    if (await exists) return skipped('exists');
    if (!(await allowed)) return skipped('caller-may-not-create');
    if (!(await permitted)) return skipped('caller-not-authorized');
    const work = await wanted;
    return work === undefined ? skipped('nothing-to-write') : await write(es, work, deps, until);
  } catch (thrown) {
    const error = toSyncError('apply', thrown);
    // The validating hook says the same, and words it.
    if (error.cause instanceof PolicyDenied && error.cause.foreseen) return skipped('denied-by-policy');
    // A store of another controller class: not ours to judge. A namespace on its way out: nobody waits for it.
    if (error.code === 'STORE_OTHER_CLASS') return skipped('other-class');
    if (error.cause instanceof LeftToPoller) return skipped('left-to-the-poller');
    if (isNamespaceTerminating(error.cause)) return skipped('namespace-terminating');
    if (!signal.aborted || error.code === 'DEADLINE') return { outcome: 'deferred', error };
    const last = error.code === 'INTERNAL' ? '' : ` (${error.reason})`;
    return {
      outcome: 'deferred',
      error: new SyncError('fetch', new EsaError('DEADLINE', `out of time${last}`)),
    };
  } finally {
    // With a reason of our own: abort() would build an exception with a stack for each review.
    stop.abort(OVER);
    deps.room.leave();
  }
}

async function objectExists(
  kube: KubeClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await getExternalSecret(kube, namespace, name, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

interface Work {
  readonly fetched: Fetched;
  readonly desired: DesiredSecret;
  /** Renders again, from other values. */
  readonly redo: (values: Fetched['data']) => Promise<DesiredSecret>;
}

async function fetchDesired(
  es: ExternalSecret,
  deps: MaterializeDeps,
  signal: AbortSignal,
): Promise<Work | undefined> {
  const namespace = es.metadata.namespace ?? '';
  const policies = await deps.policies(namespace, signal);
  enforce(policies.judge({ object: objectOf(es) }), true);
  const work = plan(es);
  if (work.kes !== undefined) await admitKes(es, work.kes, deps.kes, signal);
  const notBefore = deps.clock.monotonic();
  const ports = deps.live.ports(() => notBefore);
  const fetched = await fetchPlan(
    work,
    {
      namespace,
      policies,
      controllerClass: deps.controllerClass,
      reader: deps.live.reader(notBefore),
      generators: deps.live.generators(() => notBefore),
      withConnection: (store: ResolvedStore, limit, use) =>
        deps.connections.once(store, portsOf(store, ports, deps.kes), limit, use),
      kes: deps.kes,
      reads: deps.reads,
      shares: deps.shares,
      notBefore,
      urgent: true,
      waitTimeoutMs: deps.readTimeoutMs,
      readTimeoutMs: deps.readTimeoutMs,
      findTimeoutMs: deps.readTimeoutMs,
    },
    signal,
  );
  // Everything is gone at the provider: only deletionPolicy Merge wants a Secret then, an empty one.
  const mayBeEmpty = deletionPolicyOf(es.spec) === 'Merge' || work.kes !== undefined;
  if (fetched.data.size === 0 && !mayBeEmpty) return undefined;
  const redo = async (values: Fetched['data']): Promise<DesiredSecret> =>
    (await desire(es, values, deps.live.templates(notBefore), deps.clock, policies, signal)).secret;
  return { fetched, desired: await redo(fetched.data), redo };
}

const made = (outcome: 'created' | 'replaced', { fetched, desired }: Work): Materialized => ({
  outcome,
  keys: [...desired.data.keys()],
  sources: fetched.sources,
});

function pendingSecret(es: ExternalSecret, desired: DesiredSecret, key: MarkerKey): SecretObject {
  const pending = signMarker(key, {
    namespace: desired.namespace,
    secret: desired.name,
    externalSecret: qualifiedName(es),
    specHash: specHash(es.spec),
    data: revealData(desired.data),
  });
  return newSecret(desired, { pending });
}

async function write(
  es: ExternalSecret,
  work: Work,
  deps: MaterializeDeps,
  signal: AbortSignal,
): Promise<Materialized> {
  const { kube, keys } = deps;
  const name = qualifiedName(es);
  if (keys.current === undefined) await keys.load(signal);
  const key = keys.current;
  if (key === undefined) throw new EsaError('INTERNAL', 'no key to sign the pending marker');
  const body = pendingSecret(es, work.desired, key);
  const options = { signal, fieldManager: fieldManager(name) };
  // Twice: a Secret that is in the way may vanish (garbage collection of an earlier object of this name).
  for (let attempt = 0; ; attempt += 1) {
    // Who no longer waits gets no Secret: its ExternalSecret may never come to be.
    signal.throwIfAborted();
    try {
      await createSecret(kube, body, options);
      return made('created', work);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const result = await replaceUnused(es, work, key, deps, signal);
    if (result !== 'retry') return result;
    if (attempt > 0) return skipped('target-changes');
  }
}

/**
 * What the Secret in place of a live one is to hold. Generated values stay if this is the same create once more
 * (somebody may have read them when the first try returned), or if the user asks for it.
 */
async function replacement(
  es: ExternalSecret,
  { fetched, desired, redo }: Work,
  live: SecretObject,
  owned: Ownership,
): Promise<DesiredSecret> {
  if (fetched.generated.size === 0) return desired;
  const again = owned.kind === 'pending' && owned.marker.specHash === specHash(es.spec);
  if (again && fetched.generated.size === fetched.data.size) {
    // Nothing in it can have changed at a provider: whatever the templates made of it is right as it is.
    const data = [...decodeData(live)].map(([key, bytes]) => [key, SecretValue.fromBytes(bytes)] as const);
    return { ...desired, data: new Map(data) };
  }
  return again || asksToKeep(es) ? redo(keepGenerated(es, fetched, live, owned)) : desired;
}

/** The target exists: it is replaced only if it is pending for this object, or left by an earlier one. */
async function replaceUnused(
  es: ExternalSecret,
  work: Work,
  key: MarkerKey,
  deps: MaterializeDeps,
  signal: AbortSignal,
): Promise<Materialized | 'retry'> {
  const { kube, keys } = deps;
  const { desired } = work;
  const name = qualifiedName(es);
  let live: SecretObject;
  try {
    live = await getSecret(kube, desired.namespace, desired.name, { signal });
  } catch (error) {
    if (isNotFound(error)) return 'retry';
    throw error;
  }
  const owned = ownership(live, { namespace: desired.namespace, name, uid: undefined }, keys.all);
  const where = `Secret ${desired.namespace}/${desired.name}`;
  const obstacle = targetObstacle(owned, where, mergesKeys(desired));
  if (obstacle !== undefined) throw obstacle;
  // The poller looks after a Secret that is this object's already, and adds keys to one that exists.
  const unused = owned.kind === 'pending' || (owned.kind === 'dangling' && !mergesKeys(desired));
  if (!unused) return skipped('target-is-the-pollers');
  if (live.immutable === true || (live.type !== undefined && live.type !== (desired.type ?? 'Opaque')))
    return skipped('target-is-the-pollers');
  const body = pendingSecret(es, await replacement(es, work, live, owned), key);
  // Seen from here an adopted Secret looks like one whose owner is gone. If another create of this name has won
  // since we looked, the Secret is that object's.
  if (await objectExists(kube, desired.namespace, name, signal)) return skipped('exists');
  signal.throwIfAborted();
  try {
    // Without ownerReferences: what it had points to an object that is gone.
    await replaceSecret(
      kube,
      {
        ...body,
        metadata: {
          ...body.metadata,
          uid: live.metadata.uid,
          resourceVersion: live.metadata.resourceVersion,
        },
      },
      { signal, fieldManager: fieldManager(name) },
    );
    return made('replaced', work);
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return 'retry';
    throw toEsaError(error);
  }
}
