/**
 * ExternalSecret of kubernetes-external-secrets 8.5: fields and meaning are those of its CRD. What that says in one
 * unreadable oneOf, and what it does not say at all, is said by rules (policy/check-kes.ts).
 */
import { z } from 'zod';
import { intOrString } from '../../external-secrets/shared.ts';

const KES_BACKENDS = [
  'secretsManager',
  'systemManager',
  'vault',
  'azureKeyVault',
  'gcpSecretsManager',
  'alicloudSecretsManager',
  'ibmcloudSecretsManager',
  'akeyless',
] as const;
export type KesBackend = (typeof KES_BACKENDS)[number];

/** Those that are served; the others are refused by name. */
export const KES_SERVED_BACKENDS = [
  'secretsManager',
  'systemManager',
  'vault',
  'azureKeyVault',
  'gcpSecretsManager',
] as const satisfies readonly KesBackend[];

const versionStage = z
  .string()
  .optional()
  .describe('Stage of the version to read, such as AWSPREVIOUS; only for secretsManager.');
const versionId = z.string().optional().describe('Id of the version to read; only for secretsManager.');
const isBinary = z
  .boolean()
  .optional()
  .describe('The value is base64 text of bytes; the Secret gets the bytes.');

const dataItem = z.strictObject({
  key: z.string().optional().describe('Name of the secret at the backend; for vault the whole API path.'),
  name: z.string().optional().describe('Key in the Secret that is made.'),
  property: z
    .string()
    .optional()
    .describe('Member of the secret, which has to be JSON then: a name, or a path such as a[0].b.'),
  path: z.string().optional().describe('Reads all parameters under this path; only for systemManager.'),
  recursive: z.boolean().optional().describe('With path: also those in deeper folders.'),
  isBinary,
  secretType: z.string().optional().describe('Kind of the secret; only for ibmcloudSecretsManager.'),
  version: intOrString()
    .optional()
    .describe('Version of the secret; only for gcpSecretsManager. Absent means latest.'),
  versionStage,
  versionId,
});

export const kesSpec = z.strictObject({
  controllerId: z.string().optional().describe('INSTANCE_ID of the controller that serves this object.'),
  type: z.string().optional().describe('Type of the Secret. Use template.type.'),
  template: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      'Template which will be deep merged without mutating any existing fields. into generated secret, can be used to ' +
        'set for example annotations or type on the generated secret',
    ),
  backendType: z.enum(KES_BACKENDS).describe('Where the secrets are kept.'),
  vaultRole: z.string().optional().describe('Role of the Kubernetes auth method; only for vault.'),
  vaultMountPoint: z.string().optional().describe('Mount of the Kubernetes auth method; only for vault.'),
  kvVersion: z
    .int()
    .min(1)
    .max(2)
    .optional()
    .describe('Version of the KV engine, 2 if absent; only for vault.'),
  keyVaultName: z.string().optional().describe('Name of the key vault; for azureKeyVault, which needs it.'),
  roleArn: z
    .string()
    .optional()
    .describe('ARN of the IAM role to assume; for secretsManager and systemManager.'),
  region: z
    .string()
    .optional()
    .describe('AWS region, that of the controller if absent; for secretsManager and systemManager.'),
  projectId: z.string().optional().describe('Google Cloud project; for gcpSecretsManager.'),
  keyByName: z.boolean().optional().describe('Keys are names, not ids; only for ibmcloudSecretsManager.'),
  dataFrom: z
    .array(z.string())
    .optional()
    .describe('Secrets that are JSON objects: each member becomes a key of the Secret.'),
  dataFromWithOptions: z
    .array(
      z.strictObject({
        key: z.string().describe('Name of the secret at the backend.'),
        isBinary,
        versionStage,
        versionId,
      }),
    )
    .optional()
    .describe('As dataFrom, with options. They win over dataFrom.'),
  data: z
    .array(dataItem)
    .optional()
    .describe(
      'Single values: each names a key of the Secret and what to read for it. They win over the others.',
    ),
});

export const kesStatus = z.strictObject({
  lastSync: z.string().optional().describe('When the values were read, or could not be read.'),
  status: z.string().optional().describe('SUCCESS, or ERROR with the reason.'),
  observedGeneration: z.number().optional().describe('Generation of this object that this is about.'),
});

export type KesSpec = z.output<typeof kesSpec>;
export type KesDataItem = z.output<typeof dataItem>;
export type KesStatus = z.output<typeof kesStatus>;
