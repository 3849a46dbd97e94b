/** ECRAuthorizationToken and STSSessionToken v1alpha1: fields of External Secrets Operator 2.9. */
import { z } from 'zod';
import { secretKeySelector, serviceAccountSelector } from '../../external-secrets/shared.ts';

const shared = {
  region: z.string().describe('AWS region, such as eu-central-1.'),
  role: z.string().optional().describe('ARN of a role to assume before the token is asked for.'),
  auth: z
    .strictObject({
      jwt: z
        .strictObject({
          serviceAccountRef: serviceAccountSelector
            .describe('ServiceAccount whose annotation names the IAM role.')
            .optional(),
        })
        .optional()
        .describe('Credentials of a ServiceAccount (IRSA).'),
      secretRef: z
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
        .optional()
        .describe('Static credentials.'),
    })
    .optional()
    .describe('Credentials; left out, those of this program, which only a ClusterGenerator may use.'),
};

export const ecrAuthorizationTokenSpec = z
  .strictObject({
    ...shared,
    scope: z
      .enum(['private', 'public'])
      .optional()
      .describe('Which registry: the private one of the account (left out), or public.ecr.aws.'),
  })
  .describe('A token to log in to a registry of Amazon ECR.');
export type EcrAuthorizationTokenSpec = z.output<typeof ecrAuthorizationTokenSpec>;

export const stsSessionTokenSpec = z
  .strictObject({
    ...shared,
    requestParameters: z
      .strictObject({
        sessionDuration: z
          .int()
          .optional()
          .describe('Seconds that the credentials last, 900 to 129600. Left out: AWS gives 12 hours.'),
        serialNumber: z.string().optional().describe('Serial number or ARN of an MFA device.'),
        tokenCode: z.string().optional().describe('What the MFA device shows; AWS takes it once.'),
      })
      .optional()
      .describe('What is asked of STS.'),
  })
  .describe('Temporary credentials of an IAM user.');
export type StsSessionTokenSpec = z.output<typeof stsSessionTokenSpec>;
