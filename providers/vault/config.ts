/**
 * The block spec.provider.vault, whole: every field and auth method of ESO's v1 API is declared, so that
 * nothing a manifest says is pruned. What this provider cannot do yet is refused by name (validate.ts).
 */
import { z } from 'zod';
import { caProvider, secretKeySelector, serviceAccountSelector } from '../../api/external-secrets/shared.ts';

const appRole = z
  .strictObject({
    path: z.string().default('approle').describe('Mount of the auth method.'),
    roleId: z.string().optional().describe('The role id, in the open.'),
    roleRef: secretKeySelector.describe('Key of a Secret that holds the role id.').optional(),
    secretRef: secretKeySelector.describe('Key of a Secret that holds the secret id.'),
  })
  .describe('Login with AppRole.');

const kubernetes = z
  .strictObject({
    mountPath: z.string().default('kubernetes').describe('Mount of the auth method.'),
    role: z.string().describe('Role of the auth method to log in as.'),
    serviceAccountRef: serviceAccountSelector
      .describe('ServiceAccount whose token is requested (10 minutes) for the login.')
      .optional(),
    secretRef: secretKeySelector
      .describe('Key of a Secret that holds the token of a ServiceAccount; the key defaults to "token".')
      .optional(),
  })
  .describe('Login with the token of a Kubernetes ServiceAccount.');

const ldap = z
  .strictObject({
    path: z.string().default('ldap').describe('Mount of the auth method.'),
    username: z.string().describe('Name to log in with.'),
    secretRef: secretKeySelector.describe('Key of a Secret that holds the password.').optional(),
  })
  .describe('Login with LDAP.');

const userPass = z
  .strictObject({
    path: z.string().default('userpass').describe('Mount of the auth method.'),
    username: z.string().describe('Name to log in with.'),
    secretRef: secretKeySelector.describe('Key of a Secret that holds the password.').optional(),
  })
  .describe('Login with a name and a password.');

const jwt = z
  .strictObject({
    path: z.string().default('jwt').describe('Mount of the auth method.'),
    role: z.string().optional().describe('Role of the auth method to log in as.'),
    secretRef: secretKeySelector.describe('Key of a Secret that holds the JWT.').optional(),
    kubernetesServiceAccountToken: z
      .strictObject({
        serviceAccountRef: serviceAccountSelector.describe(
          'ServiceAccount whose token is requested for the login.',
        ),
        audiences: z.array(z.string()).optional().describe('Audiences of the token; "vault" when left out.'),
        expirationSeconds: z
          .int()
          .optional()
          .describe('Life of the requested token in seconds; 600 when left out.'),
      })
      .optional()
      .describe('Log in with a requested token of a ServiceAccount.'),
  })
  .describe('Login with a JWT.');

const cert = z
  .strictObject({
    path: z.string().default('cert').describe('Mount of the auth method.'),
    clientCert: secretKeySelector.describe('Key of a Secret that holds the client certificate.').optional(),
    secretRef: secretKeySelector.describe('Key of a Secret that holds the private key.').optional(),
    vaultRole: z.string().optional().describe('Role of the auth method to log in as.'),
  })
  .describe('Login with a TLS client certificate.');

const iam = z
  .strictObject({
    path: z.string().optional().describe('Mount of the auth method; "aws" when left out.'),
    region: z.string().optional().describe('AWS region; us-east-1 when left out.'),
    role: z.string().optional().describe('ARN of an AWS role to assume before the login.'),
    vaultRole: z.string().describe('Role of the auth method to log in as.'),
    externalID: z.string().optional().describe('External id for the assumed AWS role.'),
    vaultAwsIamServerID: z.string().optional().describe('Value of the header X-Vault-AWS-IAM-Server-ID.'),
    secretRef: z
      .strictObject({
        accessKeyIDSecretRef: secretKeySelector
          .describe('Key of a Secret that holds the access key id.')
          .optional(),
        secretAccessKeySecretRef: secretKeySelector
          .describe('Key of a Secret that holds the access key.')
          .optional(),
        sessionTokenSecretRef: secretKeySelector
          .describe('Key of a Secret that holds the session token.')
          .optional(),
      })
      .optional()
      .describe('Static AWS credentials.'),
    jwt: z
      .strictObject({
        serviceAccountRef: serviceAccountSelector.describe('ServiceAccount with an IAM role.').optional(),
      })
      .optional()
      .describe('AWS credentials of a ServiceAccount.'),
  })
  .describe('Login with a signed AWS request.');

const gcp = z
  .strictObject({
    path: z.string().default('gcp').describe('Mount of the auth method.'),
    role: z.string().describe('Role of the auth method to log in as.'),
    projectID: z.string().optional().describe('Google Cloud project.'),
    location: z.string().optional().describe('Google Cloud location.'),
    secretRef: z
      .strictObject({
        secretAccessKeySecretRef: secretKeySelector
          .describe('Key of a Secret that holds the key of the Google service account.')
          .optional(),
      })
      .optional()
      .describe('Static Google credentials.'),
    workloadIdentity: z
      .strictObject({
        serviceAccountRef: serviceAccountSelector.describe('ServiceAccount with a Google identity.'),
        clusterLocation: z.string().optional().describe('Location of the cluster.'),
        clusterName: z.string().optional().describe('Name of the cluster.'),
        clusterProjectID: z.string().optional().describe('Project of the cluster.'),
      })
      .optional()
      .describe('Google credentials of a ServiceAccount.'),
    serviceAccountRef: serviceAccountSelector.describe('ServiceAccount to impersonate.').optional(),
  })
  .describe('Login with a Google Cloud identity.');

const auth = z
  .strictObject({
    namespace: z
      .string()
      .optional()
      .describe('Vault namespace of the login, where it differs from that of the secrets.'),
    tokenSecretRef: secretKeySelector.describe('Key of a Secret that holds a Vault token.').optional(),
    appRole: appRole.optional(),
    kubernetes: kubernetes.optional(),
    ldap: ldap.optional(),
    userPass: userPass.optional(),
    jwt: jwt.optional(),
    cert: cert.optional(),
    iam: iam.optional(),
    gcp: gcp.optional(),
  })
  .describe('How to log in; exactly one method.');

export const vaultConfigSchema = z
  .strictObject({
    server: z.string().describe('URL of the server, such as https://vault.example.com:8200.'),
    path: z
      .string()
      .optional()
      .describe('Mount of the KV engine, such as "secret". Left out, every remoteRef.key starts with it.'),
    version: z.enum(['v1', 'v2']).default('v2').describe('Version of the KV engine.'),
    namespace: z.string().optional().describe('Vault namespace of the secrets.'),
    auth: auth.optional(),
    caBundle: z
      .string()
      .optional()
      .describe('CA certificates of the server: PEM in base64, or PEM. Left out, those of the system.'),
    caProvider: caProvider.optional(),
    tls: z
      .strictObject({
        certSecretRef: secretKeySelector
          .describe('Key of a Secret that holds the client certificate; the key defaults to tls.crt.')
          .optional(),
        keySecretRef: secretKeySelector
          .describe('Key of a Secret that holds the private key; the key defaults to tls.key.')
          .optional(),
      })
      .optional()
      .describe('TLS client certificate for servers that demand one.'),
    headers: z.record(z.string(), z.string()).optional().describe('Further headers of every request.'),
    readYourWrites: z
      .boolean()
      .optional()
      .describe('Ask the server for reads that are not older than our last write.'),
    forwardInconsistent: z
      .boolean()
      .optional()
      .describe('With readYourWrites: let a standby forward such reads to the active node.'),
    checkAndSet: z
      .strictObject({
        required: z.boolean().optional().describe('Writes must name the version they replace.'),
      })
      .optional()
      .describe('Check-and-set when pushing to KV version 2.'),
  })
  .describe('HashiCorp Vault or OpenBao, KV engine version 1 or 2.');

export type VaultConfig = z.output<typeof vaultConfigSchema>;
export type VaultAuth = NonNullable<VaultConfig['auth']>;
