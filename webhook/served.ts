/** Which reviews are judged: a configuration may send more, and what is another installation's is let through. */
import type { Scope } from '../sync/scope.ts';
import type { AdmissionRequest } from './admission.ts';

export function isServed(
  { kind: { kind }, namespace }: Pick<AdmissionRequest, 'kind' | 'namespace'>,
  scope: Scope,
): boolean {
  // Objects of the cluster have none.
  if (namespace !== undefined && namespace !== '')
    return scope.namespace === undefined || namespace === scope.namespace;
  switch (kind) {
    case 'ClusterSecretStore':
      return scope.clusterStores;
    case 'ClusterGenerator':
      return scope.clusterGenerators;
    case 'ClusterExternalSecret':
      // Nobody who serves one namespace carries it out.
      return scope.namespace === undefined;
    default:
      return true;
  }
}
