/** The CustomResourceDefinition of ClusterSecretPolicy, built from its zod schema. */
import { z } from 'zod';
import {
  clusterSecretPolicySpec,
  POLICY_GROUP,
  POLICY_KIND,
  POLICY_PLURAL,
  POLICY_VERSION,
} from '../policy/cluster-secret-policy.ts';
import type { CustomResourceDefinition } from './crds.ts';
import { toStructural } from './structural.ts';

const schema = z
  .strictObject({
    apiVersion: z.string().optional().describe(`${POLICY_GROUP}/${POLICY_VERSION}.`),
    kind: z.string().optional().describe(`${POLICY_KIND}.`),
    metadata: z.strictObject({}).optional(),
    spec: clusterSecretPolicySpec.describe('What is allowed.'),
  })
  .describe('ClusterSecretPolicy says what the ExternalSecrets of some namespaces may use.');

/** There is one version and no conversion; a policy has no status, since nothing is done with it by itself. */
export function buildPolicyCrd(): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${POLICY_PLURAL}.${POLICY_GROUP}`,
      labels: { 'app.kubernetes.io/part-of': 'external-secrets-admission' },
    },
    spec: {
      group: POLICY_GROUP,
      names: {
        kind: POLICY_KIND,
        listKind: `${POLICY_KIND}List`,
        plural: POLICY_PLURAL,
        singular: POLICY_KIND.toLowerCase(),
        shortNames: ['csp'],
        categories: ['external-secrets'],
      },
      scope: 'Cluster',
      conversion: { strategy: 'None' },
      versions: [
        {
          name: POLICY_VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: toStructural(schema) },
          additionalPrinterColumns: [
            { name: 'Effect', type: 'string', jsonPath: '.spec.effect' },
            { name: 'Namespaces', type: 'string', jsonPath: '.spec.namespaceSelector' },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  };
}
