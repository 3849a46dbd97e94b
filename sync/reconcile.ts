/**
 * One sync of one stored ExternalSecret: the guarantee that admission only accelerates. Values are read, the
 * Secret is compared and written if it differs; it is never touched when something failed before that.
 */
import { createHmac } from 'node:crypto';
import type { Clock } from '../api/clock.ts';
import { EsaError, toEsaError } from '../api/errors.ts';
import { ANNOTATION_DATA_HASH, ANNOTATION_PENDING, LABEL_MANAGED } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { dataHash, fieldManager } from '../api/go-hash.ts';
import { formatProblem } from '../api/problem.ts';
import type { SecretValue } from '../api/secret-value.ts';
import type { KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { createSecret, deleteSecret, getSecret, patchSecret, type SecretObject } from '../kube/objects.ts';
import { checkExternalSecret } from '../policy/check-object.ts';
import { SyncError, toSyncError } from './errors.ts';
import { type FetchContext, fetchPlan } from './fetch.ts';
import { parseMarker, specHash } from './marker.ts';
import type { MarkerKeys } from './marker-keys.ts';
import { type Ownership, ownerReference, ownership } from './ownership.ts';
import { plan } from './plan.ts';
import { decodeData } from './secret-data.ts';
import { diff, newSecret } from './secret-patch.ts';
import { type DesiredSecret, shape } from './shape.ts';
import type { ResolvedStore } from './stores.ts';

/** What is kept of an object between two syncs; no value is in it. */
export interface Memory {
  /** Keyed hash of the provider's answers and of what else shapes the Secret. */
  digest?: string;
  /** data-hash of what was applied last. */
  dataHash?: string;
  /** resourceVersion in which the Secret is known to be as applied; undefined = look. */
  secretVersion?: string | undefined;
}

export interface ReconcileDeps {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly keys: MarkerKeys;
  readonly fetch: Omit<FetchContext, 'namespace' | 'notBefore'>;
  /** Key of the digests; random for each process. */
  readonly digestKey: Buffer;
  /** What to do with a Secret of the target name that belongs to nobody. */
  readonly unmanagedTarget: 'refuse' | 'adopt';
}

export type SecretAction = 'created' | 'updated' | 'adopted' | 'unchanged';

export type Reconciled =
  | {
      readonly result: 'synced';
      readonly action: SecretAction;
      readonly memory: Memory;
      /** When the values were read, milliseconds since the epoch. */
      readonly refreshedAt: number;
      /** The stores that were used; empty after an adoption. */
      readonly stores: readonly ResolvedStore[];
      /** True if the Secret of an earlier target name was deleted. */
      readonly orphanDeleted: boolean;
    }
  /** It belongs to another controller class. */
  | { readonly result: 'ignored' }
  | { readonly result: 'failed'; readonly error: SyncError };

export interface ReconcileInput {
  readonly es: ExternalSecret;
  readonly memory: Memory;
  /** True if the object has never been synced: its Secret may be waiting to be adopted. */
  readonly first: boolean;
  /** Reads must have begun at or after this (monotonic milliseconds). */
  readonly notBefore: number;
}

/** @returns what became of it; it throws nothing */
export async function reconcile(
  input: ReconcileInput,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<Reconciled> {
  try {
    const checked = checkExternalSecret(input.es);
    if (checked.problems.length > 0) {
      throw new SyncError(
        'fetch',
        new EsaError('INVALID_OBJECT', checked.problems.map(formatProblem).join('; ')),
      );
    }
    return await sync({ ...input, es: checked.hub }, deps, signal);
  } catch (thrown) {
    const error = toSyncError('apply', thrown);
    return error.code === 'STORE_OTHER_CLASS' ? { result: 'ignored' } : { result: 'failed', error };
  }
}

async function sync(input: ReconcileInput, deps: ReconcileDeps, signal: AbortSignal): Promise<Reconciled> {
  const { es, memory } = input;
  const work = plan(es);
  const namespace = es.metadata.namespace ?? '';
  let live: SecretObject | undefined;
  if (input.first) {
    live = await readTarget(deps.kube, namespace, work.target, signal);
    const adopted = live === undefined ? undefined : await adopt(es, live, deps, signal);
    if (adopted !== undefined) return adopted;
  }
  const refreshedAt = deps.clock.now();
  const fetched = await fetchPlan(work, { ...deps.fetch, namespace, notBefore: input.notBefore }, signal);
  const desired = shape(es, fetched.data);
  const digest = digestOf(deps.digestKey, desired, es.metadata.uid ?? '');
  if (digest === memory.digest && memory.secretVersion !== undefined) {
    return {
      result: 'synced',
      action: 'unchanged',
      memory,
      refreshedAt,
      stores: fetched.stores,
      orphanDeleted: false,
    };
  }
  const applied = await apply(es, desired, live, deps, signal);
  const orphanDeleted = await deleteOrphan(es, work.target, deps, signal);
  return {
    result: 'synced',
    action: applied.action,
    memory: {
      digest,
      dataHash: desired.annotations[ANNOTATION_DATA_HASH] ?? '',
      secretVersion: applied.version,
    },
    refreshedAt,
    stores: fetched.stores,
    orphanDeleted,
  };
}

async function readTarget(
  kube: KubeClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<SecretObject | undefined> {
  try {
    return await getSecret(kube, namespace, name, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Keyed, since values may be guessable; it changes with everything that the Secret is made of. */
function digestOf(key: Buffer, desired: DesiredSecret, uid: string): string {
  const mac = createHmac('sha256', key);
  const add = (part: string | Buffer): void => {
    mac.update(`${Buffer.byteLength(part)}:`).update(part);
  };
  add(JSON.stringify([uid, desired.name, desired.type, desired.labels, desired.annotations]));
  const keys = [...desired.data.keys()].sort();
  for (const name of keys) {
    add(name);
    add((desired.data.get(name) as SecretValue).revealBytes());
  }
  return mac.digest('base64url');
}

const identityOf = (es: ExternalSecret) => ({
  namespace: es.metadata.namespace ?? '',
  name: es.metadata.name ?? '',
  uid: es.metadata.uid ?? '',
});

async function ownershipOf(
  es: ExternalSecret,
  live: SecretObject,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<Ownership> {
  const text = live.metadata.annotations?.[ANNOTATION_PENDING];
  const marker = text === undefined ? undefined : parseMarker(text);
  const keys = marker === undefined ? deps.keys.all : await deps.keys.forKeyId(marker.keyId, signal);
  return ownership(live, identityOf(es), keys);
}

/**
 * A Secret that admission made from this very spec becomes this object's without being read again: the marker
 * vouches for its data. Only metadata is written.
 */
async function adopt(
  es: ExternalSecret,
  live: SecretObject,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<Reconciled | undefined> {
  const owned = await ownershipOf(es, live, deps, signal);
  if (owned.kind !== 'pending' || owned.marker.specHash !== specHash(es.spec)) return undefined;
  const { namespace, name, uid } = identityOf(es);
  try {
    const patched = await patchSecret(
      deps.kube,
      { namespace, name: live.metadata.name ?? '', resourceVersion: live.metadata.resourceVersion ?? '' },
      {
        metadata: {
          uid: live.metadata.uid,
          annotations: { [ANNOTATION_PENDING]: null },
          ownerReferences: [...(live.metadata.ownerReferences ?? []), ownerReference({ name, uid })],
        },
      },
      { signal, fieldManager: fieldManager(name) },
    );
    return {
      result: 'synced',
      action: 'adopted',
      memory: { dataHash: dataHash(decodeData(live)), secretVersion: patched.metadata.resourceVersion },
      refreshedAt: Date.parse(live.metadata.creationTimestamp ?? '') || deps.clock.now(),
      stores: [],
      orphanDeleted: await deleteOrphan(es, live.metadata.name ?? '', deps, signal),
    };
  } catch (error) {
    // It changed under our hands: the ordinary way reads it again.
    if (isConflict(error) || isNotFound(error)) return undefined;
    throw error;
  }
}

const ATTEMPTS = 4;

async function apply(
  es: ExternalSecret,
  desired: DesiredSecret,
  read: SecretObject | undefined,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<{ action: SecretAction; version: string | undefined }> {
  const { kube } = deps;
  const { namespace, name, uid } = identityOf(es);
  const owner = ownerReference({ name, uid });
  const options = { signal, fieldManager: fieldManager(name) };
  let live = read ?? (await readTarget(kube, namespace, desired.name, signal));
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (live === undefined) {
        const created = await createSecret(kube, newSecret(desired, { owner }), options);
        return { action: 'created', version: created.metadata.resourceVersion };
      }
      refuseForeign(await ownershipOf(es, live, deps, signal), desired, deps.unmanagedTarget);
      const patch = diff(live, desired, owner);
      if (patch === undefined) return { action: 'unchanged', version: live.metadata.resourceVersion };
      const at = { namespace, name: desired.name, resourceVersion: live.metadata.resourceVersion ?? '' };
      const patched = await patchSecret(kube, at, { ...patch }, options);
      return { action: 'updated', version: patched.metadata.resourceVersion };
    } catch (error) {
      const again = isConflict(error) || isAlreadyExists(error) || isNotFound(error);
      if (!again || attempt === ATTEMPTS) throw applyError(error);
    }
    // The answer is read again and judged anew, never just sent again.
    live = await readTarget(kube, namespace, desired.name, signal);
  }
}

function applyError(thrown: unknown): SyncError {
  const error = toEsaError(thrown);
  return error.code === 'TARGET_IMMUTABLE' ? new SyncError('immutable', error) : toSyncError('apply', error);
}

function refuseForeign(owned: Ownership, desired: DesiredSecret, unmanaged: 'refuse' | 'adopt'): void {
  const where = `Secret ${desired.namespace}/${desired.name}`;
  if (owned.kind === 'other-external-secret') {
    throw new SyncError(
      'ownedByOther',
      new EsaError(
        'TARGET_OWNED',
        `${where} belongs to ExternalSecret ${owned.owner}; choose another target.name`,
      ),
    );
  }
  if (owned.kind === 'other-controller') {
    throw new SyncError(
      'ownership',
      new EsaError('TARGET_OWNED', `${where} belongs to ${owned.owner}; choose another target.name`),
    );
  }
  if (owned.kind === 'unmanaged' && unmanaged === 'refuse') {
    throw new SyncError(
      'apply',
      new EsaError(
        'TARGET_UNMANAGED',
        `${where} exists and belongs to nobody, it was left as it is; delete it, choose another target.name, or annotate it with external-secrets-admission.io/adopt: "true"`,
      ),
    );
  }
}

/** After a change of target.name the Secret of the old name goes, if it is this object's. */
async function deleteOrphan(
  es: ExternalSecret,
  target: string,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const before = es.status?.binding?.name ?? '';
  if (before === '' || before === target) return false;
  const { namespace } = identityOf(es);
  try {
    const old = await readTarget(deps.kube, namespace, before, signal);
    if (old === undefined || (await ownershipOf(es, old, deps, signal)).kind !== 'owned') return false;
    const { uid = '', resourceVersion = '' } = old.metadata;
    await deleteSecret(deps.kube, { namespace, name: before, uid, resourceVersion }, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw new SyncError('orphans', toEsaError(error));
  }
}

/**
 * Looks whether the Secret still is as it was applied, without asking the provider (eso.md 3.4: gone, label
 * lost, or data that does not match its hash means a full sync; here the hash is also compared with what was
 * applied, and the owner has to be there).
 * @returns its resourceVersion if all is well, else undefined
 */
export async function verifyTarget(
  es: ExternalSecret,
  memory: Memory,
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { namespace } = identityOf(es);
  const live = await readTarget(deps.kube, namespace, plan(es).target, signal);
  if (live === undefined || live.metadata.labels?.[LABEL_MANAGED] !== 'true') return undefined;
  const hash = dataHash(decodeData(live));
  if (hash !== live.metadata.annotations?.[ANNOTATION_DATA_HASH]) return undefined;
  if (memory.dataHash !== undefined && hash !== memory.dataHash) return undefined;
  return (await ownershipOf(es, live, deps, signal)).kind === 'owned'
    ? live.metadata.resourceVersion
    : undefined;
}

/**
 * Deletes a pending Secret whose ExternalSecret never came to be, or no longer wants it. Only a Secret with our
 * own signature can go, and only in the version that was read before the ExternalSecret was looked for: a
 * create that takes it up meanwhile writes a new version and wins.
 * @param wanted a live look: is there an ExternalSecret that wants this Secret?
 */
export async function sweepPending(
  kube: KubeClient,
  keys: MarkerKeys,
  at: { namespace: string; name: string },
  wanted: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<'deleted' | 'wanted' | 'not-pending'> {
  const live = await readTarget(kube, at.namespace, at.name, signal);
  const marker = parseMarker(live?.metadata.annotations?.[ANNOTATION_PENDING] ?? '');
  if (live === undefined || marker === undefined) return 'not-pending';
  const known = await keys.forKeyId(marker.keyId, signal);
  const owned = ownership(
    live,
    { namespace: at.namespace, name: marker.externalSecret, uid: undefined },
    known,
  );
  if (owned.kind !== 'pending') return 'not-pending';
  if (await wanted()) return 'wanted';
  const { uid = '', resourceVersion = '' } = live.metadata;
  try {
    await deleteSecret(kube, { ...at, uid, resourceVersion }, { signal });
    return 'deleted';
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return 'not-pending';
    throw error;
  }
}
