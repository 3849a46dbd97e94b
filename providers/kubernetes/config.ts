/** The block spec.provider.kubernetes: Secrets of another namespace or another cluster. */
import { z } from 'zod';
import {
  caProvider,
  exactlyOne,
  namespaceName,
  secretKeySelector,
  serviceAccountSelector,
} from '../../api/external-secrets/shared.ts';

const server = z
  .strictObject({
    url: z
      .string()
      .default('kubernetes.default')
      .describe('URL of the API server; left out, that of the cluster that the store is in.'),
    caBundle: z.string().optional().describe('CA certificates of the server: PEM in base64, or PEM.'),
    caProvider: caProvider.optional(),
  })
  .describe('The API server; left out, that of the cluster that the store is in.');

const auth = exactlyOne({
  cert: z
    .strictObject({
      clientCert: secretKeySelector.describe('Key of a Secret that holds the client certificate.').optional(),
      clientKey: secretKeySelector.describe('Key of a Secret that holds its private key.').optional(),
    })
    .optional()
    .describe('A TLS client certificate.'),
  token: z
    .strictObject({
      bearerToken: secretKeySelector.describe('Key of a Secret that holds the token.').optional(),
    })
    .optional()
    .describe('A token from a Secret.'),
  serviceAccount: serviceAccountSelector
    .describe('ServiceAccount whose token is requested (one hour).')
    .optional(),
}).describe('How to log in; exactly one method.');

export const kubernetesConfigSchema = z
  .strictObject({
    server: server.optional(),
    auth: auth.optional(),
    authRef: secretKeySelector
      .describe('Key of a Secret that holds a kubeconfig, in place of server and auth.')
      .optional(),
    remoteNamespace: namespaceName().default('default').describe('Namespace of the Secrets that are read.'),
  })
  .describe('Secrets of another namespace or another cluster.');

export type KubernetesConfig = z.output<typeof kubernetesConfigSchema>;
