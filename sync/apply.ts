/** The writing half of a sync: the live Secret is judged, compared, and written if it differs. */
import { EsaError, toEsaError } from '../api/errors.ts';
import { ANNOTATION_PENDING } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { fieldManager } from '../api/go-hash.ts';
import { qualifiedName } from '../api/kubernetes-client/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import {
  createSecret,
  deleteSecret,
  getExternalSecret,
  getSecret,
  type KubeObject,
  patchSecret,
  type SecretObject,
} from '../kube/objects.ts';
import { SyncError, toSyncError } from './errors.ts';
import { parseMarker, specHash } from './marker.ts';
import type { MarkerKeys } from './marker-keys.ts';
import { type Ownership, ownerReference, ownership } from './ownership.ts';
import { creationPolicyOf } from './plan.ts';
import { diff, newSecret } from './secret-patch.ts';
import { type DesiredSecret, mergesKeys } from './shape.ts';

export interface ApplyDeps {
  readonly kube: KubeClient;
  readonly keys: MarkerKeys;
  /** What to do with a Secret of the target name that belongs to nobody. */
  readonly unmanagedTarget: 'refuse' | 'adopt';
}

/** What became of the Secret. */
export type Applied =
  | {
      readonly action: 'created' | 'updated' | 'unchanged';
      /** As it stands now. */
      readonly secret: SecretObject;
    }
  /** Policy Merge makes no Secret: there is none to merge into yet. */
  | { readonly action: 'missing' };

/** As `sync` knows the object: what the writes are for. */
export const identityOf = (es: ExternalSecret) => ({
  namespace: es.metadata.namespace ?? '',
  name: qualifiedName(es),
  uid: es.metadata.uid ?? '',
});

/** The Secret as it is now; undefined = there is none. @throws KubeError */
export async function readTarget(
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

/** Whose the Secret is, seen from this object. */
export async function ownershipOf(
  es: ExternalSecret,
  live: SecretObject,
  keys: MarkerKeys,
  signal: AbortSignal,
): Promise<Ownership> {
  const text = live.metadata.annotations?.[ANNOTATION_PENDING];
  const marker = text === undefined ? undefined : parseMarker(text);
  const known = marker === undefined ? keys.all : await keys.forKeyId(marker.keyId, signal);
  return ownership(live, identityOf(es), known);
}

/**
 * A Secret that admission made from this very spec becomes this object's without being read again: the marker
 * vouches for its data. Only metadata is written.
 * @returns the Secret, or undefined if it is no such Secret (any more)
 */
export async function adopt(
  es: ExternalSecret,
  live: SecretObject,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<SecretObject | undefined> {
  const owned = await ownershipOf(es, live, deps.keys, signal);
  if (owned.kind !== 'pending' || owned.marker.specHash !== specHash(es.spec)) return undefined;
  const { namespace, name, uid } = identityOf(es);
  try {
    return await patchSecret(
      deps.kube,
      { namespace, name: live.metadata.name ?? '', resourceVersion: live.metadata.resourceVersion ?? '' },
      {
        metadata: {
          uid: live.metadata.uid,
          annotations: { [ANNOTATION_PENDING]: null },
          ...(creationPolicyOf(es.spec) === 'Owner'
            ? {
                ownerReferences: [...(live.metadata.ownerReferences ?? []), ownerReference({ name, uid })],
              }
            : {}),
        },
      },
      { signal, fieldManager: fieldManager(name) },
    );
  } catch (error) {
    // It changed under our hands: the ordinary way reads it again.
    if (isConflict(error) || isNotFound(error)) return undefined;
    throw error;
  }
}

/** The object has gone, is going, or was made anew since it was seen: nothing may be made for what was seen. */
export class OwnerGone extends Error {}

/**
 * A watch that was cut may tell that a Secret has gone before it tells that its object went first. A Secret that is made then
 * is nobody's: with an owner until the garbage collector comes, without one for good.
 * @throws OwnerGone, KubeError
 */
async function confirmOwner(es: ExternalSecret, kube: KubeClient, signal: AbortSignal): Promise<void> {
  const { namespace, name, uid } = identityOf(es);
  const gone = new OwnerGone(`ExternalSecret ${namespace}/${name} is not there any more`);
  const live = await getExternalSecret<KubeObject>(kube, namespace, name, { signal }).catch(
    (error: unknown) => {
      throw isNotFound(error) ? gone : error;
    },
  );
  if (live.metadata.uid !== uid || live.metadata.deletionTimestamp !== undefined) throw gone;
}

const ATTEMPTS = 4;

/**
 * @param read the Secret as it was read a moment ago, undefined if it was not
 * @throws SyncError with the stage whose words ESO uses for the outcome; OwnerGone if it would have to be made
 */
export async function apply(
  es: ExternalSecret,
  desired: DesiredSecret,
  read: SecretObject | undefined,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<Applied> {
  const { kube } = deps;
  const { namespace, name, uid } = identityOf(es);
  const options = { signal, fieldManager: fieldManager(name) };
  let live = read ?? (await readTarget(kube, namespace, desired.name, signal));
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (live === undefined) {
        if (desired.policy === 'Merge') return { action: 'missing' };
        await confirmOwner(es, kube, signal);
        const owner = desired.policy === 'Owner' ? { owner: ownerReference({ name, uid }) } : {};
        return { action: 'created', secret: await createSecret(kube, newSecret(desired, owner), options) };
      }
      refuseForeign(await ownershipOf(es, live, deps.keys, signal), desired, deps.unmanagedTarget);
      const { patch, blocked } = diff(live, desired, { name, uid });
      let secret = live;
      if (patch !== undefined) {
        const at = { namespace, name: desired.name, resourceVersion: live.metadata.resourceVersion ?? '' };
        secret = await patchSecret(kube, at, { ...patch }, options);
      }
      if (blocked !== undefined) throw new SyncError('immutable', blocked);
      return { action: patch === undefined ? 'unchanged' : 'updated', secret };
    } catch (error) {
      if (error instanceof OwnerGone) throw error;
      const again = isConflict(error) || isAlreadyExists(error) || isNotFound(error);
      if (!again || attempt === ATTEMPTS) throw toSyncError('apply', error);
    }
    // The answer is read again and judged anew, never just sent again.
    live = await readTarget(kube, namespace, desired.name, signal);
  }
}

/** @throws SyncError if the Secret is not one that this object may write with its policy */
function refuseForeign(owned: Ownership, desired: DesiredSecret, unmanaged: 'refuse' | 'adopt'): void {
  const where = `Secret ${desired.namespace}/${desired.name}`;
  const refuse = (stage: 'ownedByOther' | 'ownership', owner: string): SyncError =>
    new SyncError(
      stage,
      new EsaError('TARGET_OWNED', `${where} belongs to ${owner}; choose another target.name`),
    );
  if (owned.kind === 'other-external-secret') throw refuse('ownedByOther', `ExternalSecret ${owned.owner}`);
  // Who only adds keys needs no more than that nobody else of our kind keeps the whole Secret.
  if (mergesKeys(desired)) return;
  if (owned.kind === 'shared') {
    throw new SyncError(
      'ownedByOther',
      new EsaError(
        'TARGET_OWNED',
        `${where} is written by ExternalSecret ${owned.owner}; choose another target.name, or creationPolicy Merge to share it`,
      ),
    );
  }
  if (owned.kind === 'other-controller') throw refuse('ownership', owned.owner);
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

/**
 * deletionPolicy Delete: everything is gone at the provider, so the Secret goes, if it is this object's.
 * @returns true if there was one to delete
 * @throws SyncError stage `delete`
 */
export async function deleteTarget(
  es: ExternalSecret,
  target: string,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace } = identityOf(es);
  const policy = creationPolicyOf(es.spec);
  if (policy !== 'Owner') {
    throw new SyncError(
      'delete',
      new EsaError(
        'INVALID_OBJECT',
        `deletionPolicy Delete cannot delete Secret ${namespace}/${target}: with creationPolicy ${policy} it is not the ExternalSecret's own; use creationPolicy Owner`,
      ),
    );
  }
  try {
    const live = await readTarget(deps.kube, namespace, target, signal);
    if (live === undefined) return false;
    const owned = await ownershipOf(es, live, deps.keys, signal);
    if (!MINE.has(owned.kind)) {
      throw new EsaError(
        'TARGET_UNMANAGED',
        `Secret ${namespace}/${target} is not this ExternalSecret's and was not deleted; choose another target.name`,
      );
    }
    const { uid = '', resourceVersion = '' } = live.metadata;
    await deleteSecret(deps.kube, { namespace, name: target, uid, resourceVersion }, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw new SyncError('delete', toEsaError(error));
  }
}

/** Kinds of ownership that make the whole Secret this object's own. */
export const MINE: ReadonlySet<Ownership['kind']> = new Set(['owned', 'dangling', 'labelled', 'pending']);

/** After a change of target.name the Secret of the old name goes, if it is this object's. @throws SyncError */
export async function deleteOrphan(
  es: ExternalSecret,
  target: string,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const before = es.status?.binding?.name ?? '';
  if (before === '' || before === target || creationPolicyOf(es.spec) !== 'Owner') return false;
  const { namespace } = identityOf(es);
  try {
    const old = await readTarget(deps.kube, namespace, before, signal);
    if (old === undefined || (await ownershipOf(es, old, deps.keys, signal)).kind !== 'owned') return false;
    const { uid = '', resourceVersion = '' } = old.metadata;
    await deleteSecret(deps.kube, { namespace, name: before, uid, resourceVersion }, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw new SyncError('orphans', toEsaError(error));
  }
}
