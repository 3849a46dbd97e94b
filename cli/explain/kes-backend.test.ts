import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readKesEnvironment } from '../../api/kubernetes-client/environment.ts';
import type { KesSpec } from '../../api/kubernetes-client/v1/external-secret.ts';
import { describeBackend } from './kes-backend.ts';

const environment = (variables: Readonly<Record<string, string>>) =>
  readKesEnvironment(variables, {
    serviceAccount: { namespace: 'ops', name: 'kes' },
    vaultAudience: 'vault',
  });
const FULL = environment({
  VAULT_ADDR: 'https://vault.example.com',
  VAULT_NAMESPACE: 'admin',
  DEFAULT_VAULT_MOUNT_POINT: 'k8s',
  DEFAULT_VAULT_ROLE: 'reader',
  AWS_REGION: 'eu-west-1',
  AWS_INTERMEDIATE_ROLE_ARN: 'arn:aws:iam::1:role/first',
});

describe('where an object of KES reads, and as whom', () => {
  const rows: readonly (readonly [
    spec: KesSpec,
    from: ReturnType<typeof environment> | undefined,
    text: string,
  ])[] = [
    [
      { backendType: 'vault' },
      FULL,
      'vault at https://vault.example.com, namespace admin, KV version 2: role reader at the auth mount k8s, with the token of ops/kes (audience vault)',
    ],
    [
      { backendType: 'vault', vaultRole: 'own', vaultMountPoint: 'mine', kvVersion: 1 },
      undefined,
      'vault at the VAULT_ADDR of the poller, KV version 1: role own at the auth mount mine, with the token of a ServiceAccount',
    ],
    [
      { backendType: 'vault' },
      environment({}),
      'vault at no VAULT_ADDR of the poller, KV version 2: role no DEFAULT_VAULT_ROLE of the poller at the auth mount no DEFAULT_VAULT_MOUNT_POINT of the poller, with the token of ops/kes (audience vault)',
    ],
    [
      { backendType: 'secretsManager' },
      FULL,
      'secretsManager in eu-west-1, with the credentials of the poller',
    ],
    [
      { backendType: 'systemManager', region: 'us-east-2', roleArn: 'arn:aws:iam::1:role/last' },
      FULL,
      'systemManager in us-east-2, as arn:aws:iam::1:role/last, through arn:aws:iam::1:role/first',
    ],
    [
      { backendType: 'azureKeyVault', keyVaultName: 'shop' },
      undefined,
      'azureKeyVault: key vault shop, with AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of the poller',
    ],
    [
      { backendType: 'gcpSecretsManager', projectId: 'shop-1' },
      undefined,
      'gcpSecretsManager: project shop-1, with GOOGLE_APPLICATION_CREDENTIALS of the poller',
    ],
  ];
  for (const [spec, from, text] of rows)
    test(text.slice(0, 60), () => assert.equal(describeBackend(spec, from), text));
});
