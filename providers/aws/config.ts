/**
 * The block spec.provider.aws. `auth.serviceAccount` is another spelling of `auth.jwt.serviceAccountRef`
 * that published manifests use; it is stored as written and resolved when read (resolveAwsAuth).
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  type SecretKeySelector,
  type ServiceAccountSelector,
  secretKeySelector,
  serviceAccountSelector,
} from '../../api/external-secrets/shared.ts';
import type { Report } from '../../api/problem.ts';
import type { StoreContext } from '../contract.ts';
import { checkReference } from '../references.ts';
import type { AwsService } from './environment.ts';

const secretRef = z
  .strictObject({
    accessKeyIDSecretRef: secretKeySelector
      .describe('Key of a Secret that holds the access key id.')
      .optional(),
    secretAccessKeySecretRef: secretKeySelector
      .describe('Key of a Secret that holds the secret access key.')
      .optional(),
    sessionTokenSecretRef: secretKeySelector
      .describe('Key of a Secret that holds the session token of temporary credentials.')
      .optional(),
  })
  .describe('Static credentials.');

/** Session tags that sessionTagsPolicy sets itself. */
const OWN_TAGS = ['esoNamespace', 'esoStoreName', 'esoStoreKind'];
const OWN_TAGS_RESERVED =
  'esoNamespace, esoStoreName and esoStoreKind are set by the policy and cannot be given here';

export const awsConfigSchema = z
  .strictObject({
    service: z
      .enum(['SecretsManager', 'ParameterStore', 'CertificateManager'])
      .describe('The AWS service to read from.'),
    region: z.string().describe('AWS region, such as eu-central-1.'),
    auth: z
      .strictObject({
        secretRef: secretRef.optional(),
        jwt: z
          .strictObject({
            serviceAccountRef: serviceAccountSelector
              .describe('ServiceAccount whose annotation names the IAM role.')
              .optional(),
          })
          .optional()
          .describe('Credentials of a ServiceAccount (IRSA).'),
        serviceAccount: serviceAccountSelector
          .describe('Another spelling of jwt.serviceAccountRef.')
          .optional(),
      })
      .optional()
      .describe('Credentials; left out, those of the environment of this program.'),
    role: z.string().optional().describe('ARN of a role to assume.'),
    additionalRoles: z
      .array(z.string())
      .optional()
      .describe('ARNs of roles to assume one after the other before role.'),
    externalID: z.string().optional().describe('External id for role.'),
    sessionTags: z
      .array(
        z.strictObject({
          key: z.string().describe('Name of the tag.'),
          value: z.string().describe('Value of the tag.'),
        }),
      )
      .optional()
      .describe('Session tags for role.'),
    transitiveTagKeys: z
      .array(z.string())
      .optional()
      .describe('Session tags that stay through a chain of roles.'),
    sessionTagsPolicy: z
      .enum(['None', 'Simple', 'Custom'])
      .default('None')
      .describe(
        'Simple adds esoNamespace, esoStoreName and esoStoreKind as session tags, Custom also customSessionTags.',
      ),
    customSessionTags: z
      .record(z.string(), z.string())
      .refine((tags) => !OWN_TAGS.some((tag) => Object.hasOwn(tags, tag)), { error: OWN_TAGS_RESERVED })
      .optional()
      .meta({
        description: 'Session tags added by the policy Custom.',
        'x-kubernetes-validations': [
          {
            rule: "!('esoNamespace' in self) && !('esoStoreName' in self) && !('esoStoreKind' in self)",
            message: OWN_TAGS_RESERVED,
          },
        ],
      }),
    prefix: z.string().optional().describe('Put before every remoteRef.key.'),
    secretsManager: z
      .strictObject({
        forceDeleteWithoutRecovery: z.boolean().optional().describe('Delete pushed secrets at once.'),
        recoveryWindowInDays: z
          .int()
          .optional()
          .describe('Days (7 to 30) a deleted pushed secret can be recovered.'),
      })
      .optional()
      .describe('How pushed secrets are deleted.'),
  })
  .describe('AWS Secrets Manager or Systems Manager Parameter Store.');

/** Where services are in place of the region's own endpoints. */
export type AwsEndpoints = Readonly<Partial<Record<AwsService, string>>>;

export type AwsConfig = z.output<typeof awsConfigSchema> & {
  /** From annotations of the store (endpoints.ts); no field of the block says it. */
  readonly endpoints?: AwsEndpoints | undefined;
};

/** The credentials a block asks for, with both spellings of the ServiceAccount resolved to one. */
export type AwsAuth =
  | { readonly method: 'environment' }
  | { readonly method: 'serviceAccount'; readonly serviceAccountRef: ServiceAccountSelector }
  | {
      readonly method: 'secret';
      readonly accessKeyId: SecretKeySelector | undefined;
      readonly secretAccessKey: SecretKeySelector | undefined;
      readonly sessionToken: SecretKeySelector | undefined;
    };

/**
 * Reads the auth block. A ServiceAccount outranks a Secret, as in ESO. Of two different spellings, which
 * validateAwsConfig refuses, jwt.serviceAccountRef counts.
 */
export function resolveAwsAuth(config: AwsConfig): AwsAuth {
  const serviceAccountRef = config.auth?.jwt?.serviceAccountRef ?? config.auth?.serviceAccount;
  if (serviceAccountRef !== undefined) return { method: 'serviceAccount', serviceAccountRef };
  const secret = config.auth?.secretRef;
  if (secret === undefined) return { method: 'environment' };
  return {
    method: 'secret',
    accessKeyId: secret.accessKeyIDSecretRef,
    secretAccessKey: secret.secretAccessKeySecretRef,
    sessionToken: secret.sessionTokenSecretRef,
  };
}

/** Rules beyond the schema, without I/O. Paths are relative to the block. */
export function validateAwsConfig(
  config: AwsConfig,
  store: Pick<StoreContext, 'kind' | 'namespace'>,
  report: Report,
): void {
  const { auth } = config;
  const jwt = auth?.jwt?.serviceAccountRef;
  const alias = auth?.serviceAccount;
  if (jwt !== undefined && alias !== undefined && !isDeepStrictEqual(jwt, alias)) {
    report(
      'aws-auth-spelling',
      ['auth', 'serviceAccount'],
      'is another spelling of auth.jwt.serviceAccountRef, and the two differ; keep one of them, or make them equal',
    );
  }
  checkReference(store, jwt, ['auth', 'jwt', 'serviceAccountRef'], report);
  checkReference(store, alias, ['auth', 'serviceAccount'], report);
  for (const field of [
    'accessKeyIDSecretRef',
    'secretAccessKeySecretRef',
    'sessionTokenSecretRef',
  ] as const) {
    checkReference(store, auth?.secretRef?.[field], ['auth', 'secretRef', field], report);
  }
}
