/** ESO's finalizers on what it left behind. We add none; these are removed when the object is to go. */
import {
  FINALIZER_ESO,
  FINALIZER_ESO_CLUSTER,
  FINALIZER_ESO_NAMESPACE,
  GROUP,
  HUB_VERSION,
} from '../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { qualifiedName } from '../api/kubernetes-client/names.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { type KubeClient, PATCH } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import { externalSecretPath } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';

type Finalized = Pick<ExternalSecret, 'metadata'>;

/** True if ESO left its finalizer on the object. */
export const hasEsoFinalizer = (es: Finalized): boolean =>
  es.metadata.finalizers?.includes(FINALIZER_ESO) ?? false;

/** The same of a ClusterExternalSecret. */
export const hasEsoClusterFinalizer = (ces: Pick<ClusterExternalSecret, 'metadata'>): boolean =>
  ces.metadata.finalizers?.includes(FINALIZER_ESO_CLUSTER) ?? false;

const isNamespaceFinalizer = (finalizer: string): boolean => finalizer.startsWith(FINALIZER_ESO_NAMESPACE);

/** The same of a namespace, for whichever ClusterExternalSecret it was. */
export const hasEsoNamespaceFinalizer = ({ finalizers = [] }: ObjectMeta): boolean =>
  finalizers.some(isNamespaceFinalizer);

/**
 * Removes ESO's finalizer from an object that is being deleted, in the version that was seen. The Secret goes by
 * its ownerReference, as in ESO. @throws KubeError
 */
export async function removeEsoFinalizer(
  kube: KubeClient,
  es: ExternalSecret,
  signal: AbortSignal,
): Promise<void> {
  const { metadata } = es;
  const { namespace = '', name = '' } = metadata;
  const at = {
    path: externalSecretPath(namespace, qualifiedName(es)),
    label: `ExternalSecret ${namespace}/${name}`,
  };
  await remove(kube, at, metadata, (finalizer) => finalizer === FINALIZER_ESO, signal);
}

/** The same of a ClusterExternalSecret: what it made goes by its ownerReferences. @throws KubeError */
export async function removeEsoClusterFinalizer(
  kube: KubeClient,
  { metadata }: ClusterExternalSecret,
  signal: AbortSignal,
): Promise<void> {
  const { name = '' } = metadata;
  const resource = 'clusterexternalsecrets';
  const at = {
    path: resourcePath({ group: GROUP, version: HUB_VERSION, resource, name }),
    label: `ClusterExternalSecret ${name}`,
  };
  await remove(kube, at, metadata, (finalizer) => finalizer === FINALIZER_ESO_CLUSTER, signal);
}

/** The same of a namespace, which otherwise never goes. @throws KubeError */
export async function removeEsoNamespaceFinalizers(
  kube: KubeClient,
  metadata: ObjectMeta,
  signal: AbortSignal,
): Promise<void> {
  const { name = '' } = metadata;
  const at = {
    path: resourcePath({ version: 'v1', resource: 'namespaces', name }),
    label: `Namespace ${name}`,
  };
  await remove(kube, at, metadata, isNamespaceFinalizer, signal);
}

async function remove(
  kube: KubeClient,
  { path, label }: { readonly path: string; readonly label: string },
  { uid, resourceVersion, finalizers = [] }: ObjectMeta,
  isOurs: (finalizer: string) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const others = finalizers.filter((finalizer) => !isOurs(finalizer));
  if (others.length === finalizers.length) return;
  try {
    await kube.request('PATCH', path, {
      contentType: PATCH.merge,
      body: { metadata: { uid, resourceVersion, finalizers: others } },
      query: { fieldManager: 'external-secrets' },
      signal,
      what: `remove the finalizer of ${label}`,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
