/**
 * The provider openBao: the same server protocol under ESO's own, smaller block. It is read as the vault block that
 * means the same.
 */
import { z } from 'zod';
import { caProvider, secretKeySelector, serviceAccountSelector } from '../../api/external-secrets/shared.ts';
import type { FieldPath } from '../../api/problem.ts';
import type { NamedDependency, Provider } from '../contract.ts';
import { type VaultConfig, vaultConfigSchema } from './config.ts';
import { vaultProvider } from './provider.ts';

const appRole = z
  .strictObject({
    path: z.string().default('approle').describe('Mount of the auth method.'),
    roleId: z.string().min(1).optional().describe('The role id, in the open.'),
    roleRef: secretKeySelector.describe('Key of a Secret that holds the role id.').optional(),
    secretRef: secretKeySelector.describe('Key of a Secret that holds the secret id.'),
  })
  .describe('Login with AppRole.');

const kubernetes = z
  .strictObject({
    path: z.string().default('kubernetes').describe('Mount of the auth method.'),
    role: z.string().min(1).describe('Role of the auth method to log in as.'),
    serviceAccountRef: serviceAccountSelector
      .describe('ServiceAccount whose token is requested (10 minutes) for the login.')
      .optional(),
    secretRef: secretKeySelector
      .describe('Key of a Secret that holds the token of a ServiceAccount; the key defaults to "token".')
      .optional(),
  })
  .describe('Login with the token of a Kubernetes ServiceAccount.');

const userPass = z
  .strictObject({
    path: z.string().default('userpass').describe('Mount of the auth method.'),
    username: z.string().describe('Name to log in with.'),
    secretRef: secretKeySelector.describe('Key of a Secret that holds the password.').optional(),
  })
  .describe('Login with a name and a password.');

export const openBaoConfigSchema = z
  .strictObject({
    server: z.string().describe('URL of the server, such as https://openbao.example.com:8200.'),
    path: z
      .string()
      .optional()
      .describe('Mount of the KV engine, such as "secret". Left out, every remoteRef.key starts with it.'),
    version: z.enum(['v1', 'v2']).default('v2').describe('Version of the KV engine.'),
    namespace: z.string().optional().describe('Namespace of OpenBao that the secrets are in.'),
    auth: z
      .strictObject({
        namespace: z
          .string()
          .optional()
          .describe('Namespace of the login, where it differs from that of the secrets.'),
        tokenSecretRef: secretKeySelector.describe('Key of a Secret that holds a token.').optional(),
        appRole: appRole.optional(),
        kubernetes: kubernetes.optional(),
        userPass: userPass.optional(),
      })
      .optional()
      .describe('How to log in; exactly one method.'),
    caBundle: z
      .string()
      .optional()
      .describe('PEM of the CAs to trust, in base64; those of the system when left out.'),
    caProvider: caProvider.describe('Where the CAs to trust are kept.').optional(),
  })
  .describe('OpenBao, KV engine version 1 or 2.');

export type OpenBaoConfig = z.output<typeof openBaoConfigSchema>;

/** One block of vault for one of openBao, so that what is kept by block stays with it. */
const blocks = new WeakMap<OpenBaoConfig, VaultConfig>();

/** The vault block that means the same. */
function vaultBlockOf(config: OpenBaoConfig): VaultConfig {
  const known = blocks.get(config);
  if (known !== undefined) return known;
  const { kubernetes: account, ...auth } = config.auth ?? {};
  const { path: mountPath, ...rest } = account ?? {};
  const block = vaultConfigSchema.parse({
    ...config,
    auth: config.auth && { ...auth, ...(account && { kubernetes: { mountPath, ...rest } }) },
  });
  blocks.set(config, block);
  return block;
}

/** A path in the vault block as the openBao block spells it. */
const ownPath = (path: FieldPath): FieldPath =>
  path[1] === 'kubernetes' && path[2] === 'mountPath' ? ['auth', 'kubernetes', 'path'] : path;

export const openBaoProvider: Provider<OpenBaoConfig> = {
  name: 'openBao',
  schema: openBaoConfigSchema,
  capabilities: 'ReadOnly',
  validateConfig: (config, store) =>
    vaultProvider
      .validateConfig(vaultBlockOf(config), store)
      .map((problem) => ({ ...problem, path: ownPath(problem.path) })),
  validateRef: (config, ref) => vaultProvider.validateRef?.(vaultBlockOf(config), ref),
  validateFind: (config, request) => vaultProvider.validateFind(vaultBlockOf(config), request),
  canonicalKey: (config, ref) => vaultProvider.canonicalKey(vaultBlockOf(config), ref),
  // A store of vault with the same server and credentials is the same use.
  identity: (config, store) => vaultProvider.identity(vaultBlockOf(config), store),
  servers: (config) => vaultProvider.servers(vaultBlockOf(config)),
  role: (config) => vaultProvider.role?.(vaultBlockOf(config)),
  dependencies: (config, store): readonly NamedDependency[] =>
    vaultProvider.dependencies(vaultBlockOf(config), store),
  canValidate: (config, store) => vaultProvider.canValidate(vaultBlockOf(config), store),
  connect: (config, store, ports, signal) =>
    vaultProvider.connect(vaultBlockOf(config), store, ports, signal),
};
