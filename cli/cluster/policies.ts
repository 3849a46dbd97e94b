/** The ClusterSecretPolicies of a cluster, as somebody sees them who may not see all of it. */
import { EsaError } from '../../api/errors.ts';
import {
  type ClusterSecretPolicy,
  POLICY_GROUP,
  POLICY_PLURAL,
  POLICY_VERSION,
} from '../../api/policy/cluster-secret-policy.ts';
import { isNotFound } from '../../kube/errors.ts';
import { getNamespace } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/path.ts';
import { selects } from '../../policy/cluster-policy.ts';
import { type NamespacePolicies, PolicyBook, type PolicyDefault } from '../../sync/policies.ts';
import type { Cluster } from './access.ts';
import { listObjects } from './list.ts';

export interface PoliciesInForce {
  /** Those that are about the namespace. */
  readonly policies: readonly ClusterSecretPolicy[];
  readonly inForce: NamespacePolicies;
}

/** @returns why they cannot be read, in place of them */
export async function policiesOf(
  { kube, call }: Cluster,
  namespace: string,
  policyDefault: PolicyDefault,
): Promise<PoliciesInForce | string> {
  const book = new PolicyBook(policyDefault);
  const all: ClusterSecretPolicy[] = [];
  const path = resourcePath({ group: POLICY_GROUP, version: POLICY_VERSION, resource: POLICY_PLURAL });
  try {
    for await (const policy of listObjects<ClusterSecretPolicy & { metadata: object }>(kube, path, call))
      all.push(policy);
  } catch (error) {
    // Without the CRD there are none.
    if (!isNotFound(error)) {
      if (error instanceof EsaError) return error.message;
      throw error;
    }
  }
  for (const policy of all) book.upsert(policy);
  try {
    const labels = book.needsLabels
      ? ((await getNamespace(kube, namespace, call)).metadata.labels ?? {})
      : {};
    return {
      policies: all.filter((policy) => selects(policy, labels)),
      inForce: await book.of(namespace, async () => labels),
    };
  } catch (error) {
    if (error instanceof EsaError) return error.message;
    throw error;
  }
}
