/** The block spec.provider.gcpsm, as External Secrets Operator 2.9 has it (eso.md 4.5). */
import { z } from 'zod';
import {
  dataKey,
  namespaceName,
  objectName,
  type SecretKeySelector,
  type ServiceAccountSelector,
  secretKeySelector,
  serviceAccountSelector,
} from '../../api/external-secrets/shared.ts';

const OWN_NAMESPACE =
  'A SecretStore may only name its own. In a ClusterSecretStore, absent means the namespace of the ExternalSecret ' +
  'that uses the store.';

const workloadIdentity = z
  .strictObject({
    serviceAccountRef: serviceAccountSelector.describe(
      'ServiceAccount that stands for the identity; its annotation iam.gke.io/gcp-service-account names the service account to impersonate.',
    ),
    clusterLocation: z.string().optional().describe('Location of the GKE cluster.'),
    clusterName: z.string().optional().describe('Name of the GKE cluster.'),
    clusterProjectID: z.string().optional().describe('Project of the GKE cluster. Absent means projectID.'),
  })
  .describe('Workload Identity of GKE.');

const workloadIdentityFederation = z
  .strictObject({
    credConfig: z
      .strictObject({
        name: objectName().describe('Name of the ConfigMap.'),
        namespace: namespaceName().optional().describe(`Namespace of the ConfigMap. ${OWN_NAMESPACE}`),
        key: dataKey().describe('Key in the data of the ConfigMap.'),
      })
      .optional()
      .describe('A credential configuration. Not supported: use serviceAccountRef.'),
    serviceAccountRef: serviceAccountSelector
      .optional()
      .describe('ServiceAccount whose token the pool accepts.'),
    awsSecurityCredentials: z
      .strictObject({
        region: z.string().min(1).max(50).describe('AWS region.'),
        awsCredentialsSecretRef: z
          .strictObject({
            name: objectName().describe('Name of the Secret.'),
            namespace: namespaceName().optional().describe(`Namespace of the Secret. ${OWN_NAMESPACE}`),
          })
          .describe('Secret with aws_access_key_id, aws_secret_access_key and perhaps aws_session_token.'),
      })
      .optional()
      .describe('AWS credentials that the pool accepts.'),
    audience: z
      .string()
      .optional()
      .describe('Full name of the provider in the pool: //iam.googleapis.com/projects/...'),
    externalTokenEndpoint: z.string().optional().describe('Belongs to credConfig. Not supported.'),
    gcpServiceAccountEmail: z
      .string()
      .optional()
      .describe('Service account to impersonate; outranks the annotation of the ServiceAccount.'),
  })
  .describe('Workload Identity Federation.');

export const gcpsmConfigSchema = z
  .strictObject({
    projectID: z.string().optional().describe('Project of the secrets.'),
    location: z.string().optional().describe('Location of regional secrets, such as europe-west3.'),
    secretVersionSelectionPolicy: z
      .enum(['LatestOrFail', 'LatestOrFetch'])
      .default('LatestOrFail')
      .describe(
        'What to do where the latest version is disabled or destroyed: fail, or take the latest that is enabled.',
      ),
    auth: z
      .strictObject({
        secretRef: z
          .strictObject({
            secretAccessKeySecretRef: secretKeySelector
              .optional()
              .describe('Key of a Secret that holds the JSON key of a service account.'),
          })
          .optional()
          .describe('The key of a service account.'),
        workloadIdentity: workloadIdentity.optional(),
        workloadIdentityFederation: workloadIdentityFederation.optional(),
      })
      .optional()
      .describe('Credentials; left out, those of this program.'),
  })
  .describe('Google Cloud Secret Manager.');

export type GcpsmConfig = z.output<typeof gcpsmConfigSchema>;

/** A Secret that a store names, with or without a namespace. */
export interface ObjectReference {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** The credentials a block asks for. */
export type GcpAuth =
  | { readonly method: 'environment' }
  | { readonly method: 'key'; readonly key: SecretKeySelector | undefined }
  | {
      readonly method: 'workloadIdentity';
      readonly serviceAccountRef: ServiceAccountSelector;
      readonly project: string;
      readonly location: string;
      readonly cluster: string;
    }
  | {
      readonly method: 'federation';
      readonly serviceAccountRef: ServiceAccountSelector | undefined;
      readonly aws: { readonly region: string; readonly secret: ObjectReference } | undefined;
      readonly audience: string;
      readonly email: string | undefined;
    };

/** Project of the secrets; that of the cluster where the store names none, as in ESO. */
export const projectOf = (config: GcpsmConfig): string =>
  config.projectID || config.auth?.workloadIdentity?.clusterProjectID || '';

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** Reads the auth block; of several methods, which validateGcpBlock refuses, the first of these counts. */
export function resolveGcpAuth(config: GcpsmConfig): GcpAuth {
  const { secretRef, workloadIdentity: identity, workloadIdentityFederation: federation } = config.auth ?? {};
  if (secretRef !== undefined) return { method: 'key', key: secretRef.secretAccessKeySecretRef };
  if (identity !== undefined) {
    return {
      method: 'workloadIdentity',
      serviceAccountRef: identity.serviceAccountRef,
      project: identity.clusterProjectID || config.projectID || '',
      location: identity.clusterLocation ?? '',
      cluster: identity.clusterName ?? '',
    };
  }
  if (federation === undefined) return { method: 'environment' };
  const { serviceAccountRef, awsSecurityCredentials: aws, audience, gcpServiceAccountEmail } = federation;
  return {
    method: 'federation',
    serviceAccountRef,
    aws: aws && { region: aws.region, secret: aws.awsCredentialsSecretRef },
    audience: audience ?? '',
    email: filled(gcpServiceAccountEmail),
  };
}
