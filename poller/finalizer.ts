import { FINALIZER_ESO } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { type KubeClient, PATCH } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import { externalSecretPath } from '../kube/objects.ts';

/** True if ESO left its finalizer on the object. */
export const hasEsoFinalizer = (es: ExternalSecret): boolean =>
  es.metadata.finalizers?.includes(FINALIZER_ESO) ?? false;

/**
 * Removes ESO's finalizer from an object that is being deleted, in the version that was seen. The Secret goes by
 * its ownerReference, as in ESO. @throws KubeError
 */
export async function removeEsoFinalizer(
  kube: KubeClient,
  es: ExternalSecret,
  signal: AbortSignal,
): Promise<void> {
  if (!hasEsoFinalizer(es)) return;
  const { namespace = '', name = '', uid, resourceVersion, finalizers = [] } = es.metadata;
  const metadata = {
    uid,
    resourceVersion,
    finalizers: finalizers.filter((finalizer) => finalizer !== FINALIZER_ESO),
  };
  try {
    await kube.request('PATCH', externalSecretPath(namespace, name), {
      contentType: PATCH.merge,
      body: { metadata },
      query: { fieldManager: 'external-secrets' },
      signal,
      what: `remove the finalizer of ExternalSecret ${namespace}/${name}`,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
