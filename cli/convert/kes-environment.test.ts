/** What the Deployment of KES says about its stores. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { convert, esa, kes, said } from '../testing/convert.ts';

const directory = mkdtempSync(join(tmpdir(), 'esa-convert-'));
after(() => rmSync(directory, { recursive: true }));

describe('the environment of KES', () => {
  const deployment = (env: readonly object[], more: object = {}, objects: readonly object[] = []): string => {
    const container = {
      name: 'kes',
      image: 'ghcr.io/external-secrets/kubernetes-external-secrets:8.5.5',
      env,
      ...more,
    };
    const spec = {
      serviceAccountName: 'kes-sa',
      containers: [{ name: 'sidecar', image: 'x' }, container],
      volumes: [
        { name: 'ca', secret: { secretName: 'vault-ca' } },
        { name: 'gcp', secret: { secretName: 'gcp', items: [{ key: 'json', path: 'creds.json' }] } },
      ],
    };
    const all = [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'other' },
        spec: { template: { spec: { containers: [] } } },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'kes', namespace: 'kes-ns' },
        spec: { template: { spec } },
      },
      ...objects,
    ];
    return all.map((one) => JSON.stringify(one)).join('\n---\n');
  };
  const account = (annotations: object): object => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'kes-sa', namespace: 'kes-ns', annotations },
  });
  const fromSecret = (name: string, key = 'k'): object => ({
    name,
    valueFrom: { secretKeyRef: { name: 'creds', key } },
  });
  const ref = (key = 'k'): object => ({ name: 'creds', key, namespace: 'kes-ns' });

  async function storeOf(spec: object, text: string): Promise<{ store: unknown; says: readonly string[] }> {
    const file = join(directory, 'deployment.yaml');
    writeFileSync(file, text);
    const result = await esa(
      ['-', '-o', 'json', '--kes-deployment', file],
      kes({ data: [{ name: 'a', key: 'kv/data/k' }], ...spec }),
    );
    const [store] = parseAllDocuments(result.out.replaceAll(/^}$/gm, '}\n---'));
    const object =
      store !== undefined && 'contents' in store ? (store.toJS() as { spec?: { provider?: unknown } }) : {};
    return { store: object.spec?.provider, says: said(result) };
  }

  const mounts = {
    volumeMounts: [
      { name: 'ca', mountPath: '/etc/ca/' },
      { name: 'gcp', mountPath: '/app/gcp' },
    ],
  };
  const cases: readonly {
    readonly name: string;
    readonly spec: object;
    readonly text: string;
    readonly store: object;
    readonly says?: readonly RegExp[];
  }[] = [
    {
      name: 'Vault: address, defaults, namespace, CA, and the ServiceAccount',
      spec: { backendType: 'vault' },
      text: deployment(
        [
          { name: 'VAULT_ADDR', value: 'https://v' },
          { name: 'VAULT_NAMESPACE', value: 'team' },
          { name: 'DEFAULT_VAULT_ROLE', value: 'r' },
          { name: 'DEFAULT_VAULT_MOUNT_POINT', valueFrom: { configMapKeyRef: { name: 'cm', key: 'm' } } },
          { name: 'NODE_EXTRA_CA_CERTS', value: '/etc/ca/ca.pem' },
        ],
        mounts,
        [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm' }, data: { m: 'k8s' } }],
      ),
      store: {
        vault: {
          server: 'https://v',
          path: 'kv',
          version: 'v2',
          namespace: 'team',
          auth: {
            kubernetes: {
              mountPath: 'k8s',
              role: 'r',
              serviceAccountRef: { name: 'kes-sa', namespace: 'kes-ns' },
            },
          },
          caProvider: { type: 'Secret', name: 'vault-ca', key: 'ca.pem', namespace: 'kes-ns' },
        },
      },
    },
    {
      name: 'AWS: keys of a Secret, region, roles',
      spec: { backendType: 'secretsManager', roleArn: 'arn:r', region: 'us-east-1' },
      text: deployment([
        fromSecret('AWS_ACCESS_KEY_ID', 'id'),
        fromSecret('AWS_SECRET_ACCESS_KEY'),
        { name: 'AWS_REGION', value: 'eu-west-1' },
        { name: 'AWS_INTERMEDIATE_ROLE_ARN', value: 'arn:i' },
      ]),
      store: {
        aws: {
          service: 'SecretsManager',
          region: 'us-east-1',
          auth: { secretRef: { accessKeyIDSecretRef: ref('id'), secretAccessKeySecretRef: ref() } },
          role: 'arn:r',
          additionalRoles: ['arn:i'],
        },
      },
    },
    {
      name: 'AWS: keys in the open are not written out',
      spec: { backendType: 'systemManager' },
      text: deployment([
        { name: 'AWS_ACCESS_KEY_ID', value: 'AKIDSENTINEL' },
        { name: 'AWS_SECRET_ACCESS_KEY', value: 'sentinel' },
      ]),
      store: {
        aws: {
          service: 'ParameterStore',
          region: 'us-west-2',
          auth: {
            secretRef: {
              accessKeyIDSecretRef: {
                name: 'kes-credentials',
                key: 'AWS_ACCESS_KEY_ID',
                namespace: 'kes-ns',
              },
              secretAccessKeySecretRef: {
                name: 'kes-credentials',
                key: 'AWS_SECRET_ACCESS_KEY',
                namespace: 'kes-ns',
              },
            },
          },
        },
      },
      says: [
        /no region is known/,
        /AWS_ACCESS_KEY_ID stands in the Deployment in the open/,
        /AWS_SECRET_ACCESS_KEY stands/,
      ],
    },
    {
      name: 'AWS: the role of the ServiceAccount',
      spec: { backendType: 'secretsManager', region: 'x' },
      text: deployment([], {}, [account({ 'eks.amazonaws.com/role-arn': 'arn:x' })]),
      store: {
        aws: {
          service: 'SecretsManager',
          region: 'x',
          auth: { jwt: { serviceAccountRef: { name: 'kes-sa', namespace: 'kes-ns' } } },
        },
      },
    },
    {
      name: 'Azure: a client secret, another cloud',
      spec: { backendType: 'azureKeyVault', keyVaultName: 'shop' },
      text: deployment([
        { name: 'AZURE_TENANT_ID', value: 't' },
        { name: 'AZURE_ENVIRONMENT', value: 'AzureChinaCloud' },
        fromSecret('AZURE_CLIENT_ID', 'id'),
        fromSecret('AZURE_CLIENT_SECRET'),
      ]),
      store: {
        azurekv: {
          vaultUrl: 'https://shop.vault.azure.cn',
          environmentType: 'ChinaCloud',
          authType: 'ServicePrincipal',
          tenantId: 't',
          authSecretRef: { clientId: ref('id'), clientSecret: ref() },
        },
      },
    },
    {
      name: 'Google: a mounted key',
      spec: { backendType: 'gcpSecretsManager', projectId: 'p' },
      text: deployment([{ name: 'GOOGLE_APPLICATION_CREDENTIALS', value: '/app/gcp/creds.json' }], mounts),
      store: {
        gcpsm: {
          projectID: 'p',
          auth: {
            secretRef: { secretAccessKeySecretRef: { name: 'gcp', key: 'json', namespace: 'kes-ns' } },
          },
        },
      },
    },
    {
      name: 'Google: workload identity',
      spec: { backendType: 'gcpSecretsManager', projectId: 'p' },
      text: deployment([], {}, [account({ 'iam.gke.io/gcp-service-account': 'x' })]),
      store: {
        gcpsm: {
          projectID: 'p',
          auth: { workloadIdentity: { serviceAccountRef: { name: 'kes-sa', namespace: 'kes-ns' } } },
        },
      },
    },
    {
      name: 'IBM',
      spec: { backendType: 'ibmcloudSecretsManager' },
      text: deployment([
        fromSecret('IBM_CLOUD_SECRETS_MANAGER_API_APIKEY'),
        { name: 'IBM_CLOUD_SECRETS_MANAGER_API_ENDPOINT', value: 'https://ibm' },
      ]),
      store: { ibm: { serviceUrl: 'https://ibm', auth: { secretRef: { secretApiKeySecretRef: ref() } } } },
      says: [/the provider ibm is refused/],
    },
  ];
  for (const { name, spec, text, store, says = [] } of cases) {
    test(name, async () => {
      const result = await storeOf(spec, text);
      assert.deepEqual(result.store, store);
      assert.equal(result.says.length, says.length, result.says.join('\n'));
      for (const [index, pattern] of says.entries()) assert.match(result.says[index] ?? '', pattern);
      assert.doesNotMatch(result.says.join(), /sentinel/i);
    });
  }

  test('controllerId is the class of the store', async () => {
    const { stores } = await convert({
      backendType: 'secretsManager',
      controllerId: 'blue',
      dataFrom: ['x'],
    });
    assert.equal(stores[0]?.['controller'], 'blue');
  });
});
