/**
 * ClusterExternalSecret v1: one ExternalSecret for many namespaces. Fields, bounds and the shape of the status are
 * those of External Secrets Operator 2.9 (eso.md 1.1).
 */
import { z } from 'zod';
import type { ObjectMeta } from '../../meta.ts';
import { labelSelector, namespaceName, objectName } from '../shared.ts';
import { externalSecretSpec } from './external-secret.ts';

const externalSecretMetadata = z.strictObject({
  annotations: z.record(z.string(), z.string()).optional().describe('Annotations of the ExternalSecrets.'),
  labels: z.record(z.string(), z.string()).optional().describe('Labels of the ExternalSecrets.'),
});

export const clusterExternalSecretSpec = z.strictObject({
  externalSecretSpec: externalSecretSpec.describe('The spec of the ExternalSecrets that are made.'),
  externalSecretName: objectName()
    .optional()
    .describe('Name of the ExternalSecrets that are made. Absent means the name of this object.'),
  externalSecretMetadata: externalSecretMetadata
    .optional()
    .describe('Labels and annotations of the ExternalSecrets that are made; they have these and no others.'),
  namespaceSelectors: z
    .array(labelSelector)
    .optional()
    .describe('Namespaces by label: those that any of the selectors matches. An empty one matches all.'),
  namespaceSelector: labelSelector
    .optional()
    .describe('One more selector. Deprecated: add it to namespaceSelectors.'),
  namespaces: z
    .array(namespaceName())
    .optional()
    .describe(
      'Namespaces by name, beside those that a selector matches. Deprecated: select the label ' +
        'kubernetes.io/metadata.name.',
    ),
  refreshTime: z
    .string()
    .optional()
    .describe(
      'How often all namespaces are checked, beside at each change (Go duration). Absent or 0 means 1h.',
    ),
});

export const clusterExternalSecretStatus = z.strictObject({
  externalSecretName: z.string().optional().describe('Name of the ExternalSecrets that were made.'),
  provisionedNamespaces: z
    .array(z.string())
    .optional()
    .describe('Namespaces that have the ExternalSecret as it is wanted.'),
  failedNamespaces: z
    .array(
      z.strictObject({
        namespace: z.string().describe('Name of the namespace.'),
        reason: z.string().optional().describe('Why the ExternalSecret could not be made or changed there.'),
      }),
    )
    .optional()
    .describe('Namespaces that should have the ExternalSecret and do not.'),
  conditions: z
    .array(
      z.strictObject({
        type: z.string().describe('Ready.'),
        status: z.string().describe('True, False or Unknown.'),
        message: z.string().optional().describe('A sentence for people.'),
      }),
    )
    .optional()
    .describe('Whether every namespace has its ExternalSecret.'),
});

export type ClusterExternalSecretSpec = z.input<typeof clusterExternalSecretSpec>;
export type ClusterExternalSecretStatus = z.input<typeof clusterExternalSecretStatus>;
export type LabelSelectorSpec = z.input<typeof labelSelector>;

export interface ClusterExternalSecret {
  readonly apiVersion: 'external-secrets.io/v1';
  readonly kind: 'ClusterExternalSecret';
  readonly metadata: ObjectMeta;
  readonly spec: ClusterExternalSecretSpec;
  readonly status?: ClusterExternalSecretStatus | undefined;
}
