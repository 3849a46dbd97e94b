import type { ExternalSecret, ExternalSecretStatus } from '../api/external-secrets/v1/index.ts';
import { isKes, qualifiedName } from '../api/kubernetes-client/names.ts';
import { statusFromKes, statusToKes } from '../api/kubernetes-client/status.ts';
import type { KesStatus } from '../api/kubernetes-client/v1/external-secret.ts';
import { type KubeClient, PATCH } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { externalSecretPath } from '../kube/objects.ts';
import type { PollerMetrics } from '../runtime/metrics.ts';

/**
 * Writes a status (undefined = nothing to write) as a merge patch of the status subresource. It is bound to the
 * uid, not to the version: what was synced is said in the status itself, and an edit of the spec meanwhile must
 * not lose it. An object that is gone, or was made anew, needs no status.
 * @returns the status as it stands now; undefined if nothing was written
 * @throws KubeError
 */
export async function writeStatus(
  kube: KubeClient,
  es: ExternalSecret,
  status: ExternalSecretStatus | undefined,
  metrics: Pick<PollerMetrics, 'statusWrites'>,
  signal: AbortSignal,
): Promise<ExternalSecret['status']> {
  if (status === undefined) return undefined;
  const { namespace = '', name = '', uid, generation } = es.metadata;
  try {
    const updated = await kube.request<ExternalSecret>(
      'PATCH',
      externalSecretPath(namespace, qualifiedName(es), 'status'),
      {
        contentType: PATCH.merge,
        body: { metadata: { uid }, status: isKes(es) ? statusToKes(status, generation) : status },
        query: { fieldManager: 'external-secrets' },
        signal,
        what: `write the status of ExternalSecret ${namespace}/${name}`,
      },
    );
    metrics.statusWrites.inc();
    return isKes(es)
      ? statusFromKes((updated as { status?: KesStatus }).status, updated.metadata)
      : updated.status;
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return;
    throw error;
  }
}
