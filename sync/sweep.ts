/** The last resort for Secrets that admission made and nobody came for. */

import { ANNOTATION_PENDING } from '../api/external-secrets/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { deleteSecret } from '../kube/objects.ts';
import { readTarget } from './apply.ts';
import { parseMarker } from './marker.ts';
import type { MarkerKeys } from './marker-keys.ts';
import { ownership } from './ownership.ts';

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
