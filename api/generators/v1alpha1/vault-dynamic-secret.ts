/** VaultDynamicSecret v1alpha1: fields and defaults of External Secrets Operator 2.9. */
import { z } from 'zod';
import { opaqueObject } from '../../external-secrets/shared.ts';

export const vaultDynamicSecretSpec = z
  .strictObject({
    controller: z
      .string()
      .optional()
      .describe('Controller class that serves the generator. Absent means that every controller does.'),
    path: z.string().describe('Path at Vault that gives the secret, such as database/creds/app.'),
    method: z.string().optional().describe('GET, LIST, DELETE, POST or PUT. Absent means GET.'),
    parameters: opaqueObject().optional().describe('Sent as the body by POST and PUT.'),
    getParameters: z.record(z.string(), z.array(z.string())).optional().describe('Sent in the query by GET.'),
    resultType: z
      .enum(['Data', 'Auth', 'Raw'])
      .default('Data')
      .describe('Which part of the answer the values are: its data, its auth, or all of it.'),
    allowEmptyResponse: z
      .boolean()
      .default(false)
      .describe('An answer without values is no error, and gives none.'),
    retrySettings: z
      .strictObject({
        maxRetries: z
          .int32()
          .optional()
          .describe('How often a failed request is repeated. Absent means never.'),
        retryInterval: z.string().optional().describe('Time between two tries (Go duration).'),
      })
      .optional()
      .describe('Whether a request is repeated when Vault fails or cannot be reached.'),
    provider: opaqueObject().describe('Server and login: the block `vault` of a SecretStore.'),
  })
  .describe('A request to Vault whose answer is the secret.');
