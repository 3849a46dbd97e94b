/** The block spec.provider.azurekv, as External Secrets Operator 2.9 has it (eso.md 4.6). */
import { z } from 'zod';
import { secretKeySelector, serviceAccountSelector } from '../../api/external-secrets/shared.ts';

const authSecretRef = z
  .strictObject({
    clientId: secretKeySelector.optional().describe('Key of a Secret that holds the client id.'),
    tenantId: secretKeySelector.optional().describe('Key of a Secret that holds the tenant id.'),
    clientSecret: secretKeySelector.optional().describe('Key of a Secret that holds the client secret.'),
    clientCertificate: secretKeySelector
      .optional()
      .describe('Key of a Secret that holds the client certificate and its private key, as PEM.'),
  })
  .describe('The service principal.');

export const azurekvConfigSchema = z
  .strictObject({
    vaultUrl: z.string().describe('URL of the vault: https://my-vault.vault.azure.net.'),
    authType: z
      .enum(['ServicePrincipal', 'ManagedIdentity', 'WorkloadIdentity'])
      .default('ServicePrincipal')
      .describe('Whose credentials are used.'),
    tenantId: z.string().optional().describe('Tenant of the service principal.'),
    environmentType: z
      .enum(['PublicCloud', 'USGovernmentCloud', 'ChinaCloud', 'GermanCloud', 'AzureStackCloud'])
      .default('PublicCloud')
      .describe('Which of the clouds of Azure the vault is in.'),
    authSecretRef: authSecretRef.optional(),
    serviceAccountRef: serviceAccountSelector
      .optional()
      .describe(
        'ServiceAccount for WorkloadIdentity; its annotations azure.workload.identity/client-id and azure.workload.identity/tenant-id name the identity.',
      ),
    identityId: z
      .string()
      .optional()
      .describe('Client id of the managed identity, where the node has several.'),
    useAzureSDK: z
      .boolean()
      .default(false)
      .describe('Which library External Secrets Operator uses. Changes nothing here.'),
    customCloudConfig: z
      .strictObject({
        activeDirectoryEndpoint: z.string().describe('Where tokens are asked for.'),
        keyVaultEndpoint: z.string().optional().describe('The service of vaults.'),
        keyVaultDNSSuffix: z.string().optional().describe('How the names of vaults end.'),
        resourceManagerEndpoint: z.string().optional().describe('The resource manager.'),
        audience: z.string().optional().describe('Audience of the token of the ServiceAccount.'),
      })
      .optional()
      .describe('A cloud of your own (AzureStackCloud). Not supported.'),
  })
  .describe('Azure Key Vault.');

export type AzurekvConfig = z.output<typeof azurekvConfigSchema>;

export interface Cloud {
  /** Host that gives tokens. */
  readonly login: string;
  /** What tokens are for, and how the names of vaults end. */
  readonly vaults: string;
}

const CLOUDS: Readonly<Record<Exclude<AzurekvConfig['environmentType'], 'AzureStackCloud'>, Cloud>> = {
  PublicCloud: { login: 'login.microsoftonline.com', vaults: 'vault.azure.net' },
  USGovernmentCloud: { login: 'login.microsoftonline.us', vaults: 'vault.usgovcloudapi.net' },
  ChinaCloud: { login: 'login.chinacloudapi.cn', vaults: 'vault.azure.cn' },
  GermanCloud: { login: 'login.microsoftonline.de', vaults: 'vault.microsoftazure.de' },
};

/** The cloud of the vault. AzureStackCloud, which validateAzureBlock refuses, has none of its own. */
export const cloudOf = ({ environmentType }: Pick<AzurekvConfig, 'environmentType'>): Cloud =>
  environmentType === 'AzureStackCloud' ? CLOUDS.PublicCloud : CLOUDS[environmentType];

/** True if the credentials are those of the program, or of its node. */
export const usesOwnIdentity = ({ authType, serviceAccountRef }: AzurekvConfig): boolean =>
  authType === 'ManagedIdentity' || (authType === 'WorkloadIdentity' && serviceAccountRef === undefined);
