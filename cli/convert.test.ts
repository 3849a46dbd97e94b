// biome-ignore-all lint/suspicious/noTemplateCurlyInString: lodash's templates are written with them
/** `esa convert`, as it is called: one golden test for each row of what KES says and ESO means by it. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { run } from './run.ts';

const SEEDS = join(import.meta.dirname, '../test/e2e/seeds');

const directory = mkdtempSync(join(tmpdir(), 'esa-convert-'));
after(() => rmSync(directory, { recursive: true }));

interface Result {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function esa(args: readonly string[], input = ''): Promise<Result> {
  let out = '';
  let error = '';
  const code = await run(['convert', ...args], {
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
    readInput: async () => Buffer.from(input),
  });
  return { code, out, error };
}

type Fields = Readonly<Record<string, unknown>>;

interface Objects extends Result {
  readonly stores: readonly Fields[];
  readonly spec: Fields;
}

const FLAGS = [
  '--kes-service-account',
  'kes',
  '--kes-namespace',
  'ops',
  '--kes-env',
  'VAULT_ADDR=https://vault:8200',
];
const AWS = ['--kes-env', 'AWS_REGION=eu-central-1'];

const kes = (spec: object, metadata: object = {}): string =>
  JSON.stringify({
    apiVersion: 'kubernetes-client.io/v1',
    kind: 'ExternalSecret',
    metadata: { name: 'app', ...metadata },
    spec,
  });

/** Converts one object, and reads what comes out. */
async function convert(spec: object, more: readonly string[] = AWS, metadata: object = {}): Promise<Objects> {
  const result = await esa(['-', '-o', 'json', ...FLAGS, ...more], kes(spec, metadata));
  const objects = parseAllDocuments(result.out.replaceAll(/^}$/gm, '}\n---')).flatMap((document) => {
    const object: unknown = 'contents' in document ? document.toJS() : null;
    return object === null ? [] : [object as { kind: string; spec: Fields }];
  });
  return {
    ...result,
    stores: objects.filter(({ kind }) => kind === 'ClusterSecretStore').map((one) => one.spec),
    spec: objects.find(({ kind }) => kind === 'ExternalSecret')?.spec ?? {},
  };
}

/** What is said on standard error, without the summary. */
const said = ({ error }: Result): readonly string[] =>
  error
    .split('\n')
    .filter((line) => /: (?:error|warning|note): /.test(line))
    .map((line) => line.replace(/^[^ ]+ /, '').replace(/kes-([a-z-]+)-[0-9a-f]{8}/g, 'kes-$1-*'));

const NO_AWS =
  'note: spec: no credentials of AWS are known: the store uses those of the environment of webhook and poller (store kes-aws-sm-*)';
const NO_SSM = NO_AWS.replace('aws-sm', 'aws-ssm');

describe('a row of the table: what the object says', () => {
  const vault = { backendType: 'vault', vaultRole: 'app', vaultMountPoint: 'k8s' };
  const manager = { backendType: 'secretsManager' };
  const parameters = { backendType: 'systemManager' };
  const entry = (more: object = {}): object => ({ data: [{ name: 'p', key: 'kv/data/team/app', ...more }] });
  const cases: readonly {
    readonly name: string;
    readonly spec: object;
    readonly flags?: readonly string[];
    readonly metadata?: object;
    /** Members of the new spec. */
    readonly gives: object;
    readonly says?: readonly string[];
  }[] = [
    {
      name: 'name, key and property; the whole JSON without a property',
      spec: {
        ...vault,
        data: [
          { name: 'p', key: 'kv/data/team/app', property: 'x' },
          { name: 'all', key: 'kv/data/team/app' },
        ],
      },
      gives: {
        refreshInterval: '10s',
        target: { name: 'app', creationPolicy: 'Owner' },
        data: [
          { secretKey: 'p', remoteRef: { key: 'team/app', property: 'x' } },
          { secretKey: 'all', remoteRef: { key: 'team/app' } },
        ],
      },
    },
    {
      name: 'a property in the syntax of lodash',
      spec: { ...vault, ...entry({ property: 'a[1]["b.c"].d*' }) },
      gives: { data: [{ secretKey: 'p', remoteRef: { key: 'team/app', property: 'a.1.b\\.c.d\\*' } }] },
    },
    {
      name: 'a property that is one name, whatever is in it',
      spec: { ...vault, ...entry({ property: 'a*b' }) },
      gives: { data: [{ secretKey: 'p', remoteRef: { key: 'team/app', property: 'a*b' } }] },
    },
    {
      name: 'kvVersion 1: the first segment is the mount',
      spec: { ...vault, kvVersion: 1, data: [{ name: 'p', key: 'kv/data/x' }], dataFrom: ['kv/all'] },
      gives: {
        data: [{ secretKey: 'p', remoteRef: { key: 'data/x' } }],
        dataFrom: [{ extract: { key: 'all' } }],
      },
    },
    {
      name: 'a mount of several segments, and dataFrom below it',
      spec: { ...vault, dataFrom: ['team/a/kv/data/x/y'] },
      gives: { dataFrom: [{ extract: { key: 'x/y' } }] },
    },
    {
      name: 'isBinary',
      spec: { ...vault, ...entry({ isBinary: true }) },
      gives: { data: [{ secretKey: 'p', remoteRef: { key: 'team/app', decodingStrategy: 'Base64' } }] },
    },
    {
      name: 'version of Google, a number or a word',
      spec: {
        backendType: 'gcpSecretsManager',
        projectId: 'p',
        data: [
          { name: 'a', key: 'k', version: 3 },
          { name: 'b', key: 'k', version: 'latest' },
        ],
      },
      gives: {
        data: [
          { secretKey: 'a', remoteRef: { key: 'k', version: '3' } },
          { secretKey: 'b', remoteRef: { key: 'k', version: 'latest' } },
        ],
      },
      says: [
        'note: spec: no credentials of Google are known: the store uses those of webhook and poller (store kes-gcp-*)',
      ],
    },
    {
      name: 'versionStage, and versionId, which wins',
      spec: {
        ...manager,
        data: [
          { name: 'a', key: 'k', versionStage: 'AWSPREVIOUS' },
          { name: 'b', key: 'k', versionStage: 'x', versionId: 'i-d' },
        ],
      },
      gives: {
        data: [
          { secretKey: 'a', remoteRef: { key: 'k', version: 'AWSPREVIOUS' } },
          { secretKey: 'b', remoteRef: { key: 'k', version: 'uuid/i-d' } },
        ],
      },
      says: [NO_AWS],
    },
    {
      name: 'dataFrom before dataFromWithOptions, whose isBinary had no effect',
      spec: {
        ...manager,
        dataFrom: ['one'],
        dataFromWithOptions: [{ key: 'two', versionId: 'v', isBinary: true }],
      },
      gives: { dataFrom: [{ extract: { key: 'one' } }, { extract: { key: 'two', version: 'uuid/v' } }] },
      says: [NO_AWS],
    },
    {
      name: 'the version in the name of a parameter, or its ARN',
      spec: {
        ...parameters,
        data: [
          { name: 'a', key: '/a/b:3' },
          { name: 'b', key: 'arn:aws:ssm:r:1:parameter/x' },
          { name: 'c', key: 'arn:aws:ssm:r:1:parameter/x:7' },
        ],
      },
      gives: {
        data: [
          { secretKey: 'a', remoteRef: { key: '/a/b', version: '3' } },
          { secretKey: 'b', remoteRef: { key: 'arn:aws:ssm:r:1:parameter/x' } },
          { secretKey: 'c', remoteRef: { key: 'arn:aws:ssm:r:1:parameter/x', version: '7' } },
        ],
      },
      says: [NO_SSM],
    },
    {
      name: 'path, with and without what is further down',
      spec: {
        ...parameters,
        data: [{ path: '/extra.people/' }, { path: '/all', recursive: true, isBinary: true }],
      },
      gives: {
        dataFrom: [
          {
            find: { path: '/extra.people', name: { regexp: '^/extra\\.people/[^/]+$' } },
            rewrite: [{ regexp: { source: '.*/(.+)', target: '$1' } }],
          },
          {
            find: { path: '/all', name: { regexp: '.*' }, decodingStrategy: 'Base64' },
            rewrite: [{ regexp: { source: '.*/(.+)', target: '$1' } }],
          },
        ],
      },
      says: [NO_SSM],
    },
    {
      name: 'secretType of IBM is part of the key',
      spec: {
        backendType: 'ibmcloudSecretsManager',
        keyByName: true,
        data: [{ name: 'a', key: 'k', secretType: 'arbitrary' }],
      },
      gives: { data: [{ secretKey: 'a', remoteRef: { key: 'arbitrary/k' } }] },
      says: [
        'warning: spec: not kept: the provider ibm is refused by external-secrets-admission; External Secrets Operator has it (store kes-ibm-*)',
      ],
    },
    {
      name: 'type, in its old and its new place',
      spec: { ...vault, type: 'old', template: { type: 'kubernetes.io/tls' }, ...entry() },
      gives: {
        target: {
          name: 'app',
          creationPolicy: 'Owner',
          template: { type: 'kubernetes.io/tls', mergePolicy: 'Merge' },
        },
      },
    },
    {
      name: 'spec.type alone',
      spec: { ...vault, type: 'old', ...entry() },
      gives: {
        target: { name: 'app', creationPolicy: 'Owner', template: { type: 'old', mergePolicy: 'Merge' } },
      },
    },
    {
      name: 'a template: base64 becomes text, texts become Go templates, fetched keys stay and win',
      spec: {
        ...vault,
        ...entry(),
        template: {
          immutable: true,
          metadata: {
            name: 'x',
            namespace: 'y',
            labels: { a: '<%= data.p %>', n: 5 },
            annotations: { ts: '2021-09-25T16:13:32.00Z' },
          },
          data: {
            p: 'eA==',
            text: 'aGkge3s=',
            binary: '/w==',
            bad: 'no base64!',
            code: '<%= Buffer.from(data.p).toString("base64") %>',
          },
          stringData: { url: 'x://${data.p}@h', odd: '<%= data.p.split("") %>' },
        },
      },
      gives: {
        target: {
          name: 'app',
          creationPolicy: 'Owner',
          immutable: true,
          template: {
            mergePolicy: 'Merge',
            metadata: { annotations: { ts: '2021-09-25T16:13:32.00Z' }, labels: { a: '{{ .p }}', n: '5' } },
            data: {
              text: 'hi {{ "{{" }}',
              binary: '{{ "/w==" | b64dec }}',
              code: '{{ .p }}',
              url: 'x://{{ .p }}@h',
            },
          },
        },
      },
      says: [
        'note: spec.template.data.p: had no effect beside the fetched value, and is left out',
        'warning: spec.template.data.bad: not kept: is no base64',
        'warning: spec.template.stringData.odd: not kept: `data.p.split("")` has no simple counterpart in a Go template',
        'note: spec.template.metadata.name: had no effect, and is left out',
        'warning: spec.template.metadata.namespace: not kept: cannot be set by a template',
      ],
    },
    {
      name: 'labels of the object, which ESO would copy to the Secret',
      spec: { ...vault, ...entry() },
      metadata: { labels: { team: 'a' } },
      gives: { target: { name: 'app', creationPolicy: 'Owner', template: { mergePolicy: 'Merge' } } },
    },
    {
      name: 'POLLER_INTERVAL_MILLISECONDS',
      spec: { ...vault, ...entry() },
      flags: ['--kes-env', 'POLLER_INTERVAL_MILLISECONDS=90500'],
      gives: { refreshInterval: '90500ms' },
    },
    {
      name: 'DISABLE_POLLING, which KES only asks whether it is there',
      spec: { ...vault, ...entry() },
      flags: ['--kes-env', 'DISABLE_POLLING=false'],
      gives: { refreshPolicy: 'OnChange', refreshInterval: undefined },
    },
    {
      name: 'the names of long ago: properties, secretManager',
      spec: { backendType: 'secretManager', properties: [{ name: 'a', key: 'k' }] },
      gives: { data: [{ secretKey: 'a', remoteRef: { key: 'k' } }] },
      says: [NO_AWS],
    },
    {
      name: 'what is no field of KES is named',
      spec: { ...vault, nonsense: 1, ...entry({ other: 2 }) },
      gives: { data: [{ secretKey: 'p', remoteRef: { key: 'team/app' } }] },
      says: [
        'warning: spec.nonsense: not kept: is no field of kubernetes-external-secrets',
        'warning: spec.data[0].other: not kept: is no field of kubernetes-external-secrets',
      ],
    },
  ];
  for (const { name, spec, flags, metadata, gives, says = [] } of cases) {
    test(name, async () => {
      const result = await convert(spec, flags ?? AWS, metadata);
      for (const [field, value] of Object.entries(gives)) assert.deepEqual(result.spec[field], value, field);
      assert.deepEqual(said(result).toSorted(), says.toSorted());
      assert.equal(result.code, says.some((line) => !line.startsWith('note')) ? 1 : 0);
    });
  }

  test('several mounts of Vault: a store each, named by the entry', async () => {
    const { spec, stores } = await convert({
      ...vault,
      data: [
        { name: 'a', key: 'kv/data/x' },
        { name: 'b', key: 'other/data/y' },
      ],
    });
    const mounts = stores.map((store) => (store['provider'] as { vault: Fields }).vault['path']);
    assert.deepEqual(new Set(mounts), new Set(['kv', 'other']));
    const [a, b] = spec['data'] as readonly Fields[];
    assert.equal(a?.['sourceRef'], undefined);
    assert.match(
      JSON.stringify(b?.['sourceRef']),
      /^\{"storeRef":\{"kind":"ClusterSecretStore","name":"kes-vault-[0-9a-f]{8}"\}\}$/,
    );
  });
});

describe('what cannot be converted stays as it is, and is named', () => {
  const cases: readonly (readonly [object, string])[] = [
    [{ data: [] }, 'error: spec: not converted: it has no backendType'],
    [
      { backendType: 'akeyless', data: [{ name: 'a', key: 'k' }] },
      'error: spec: not converted: the backend akeyless has no counterpart that is served here',
    ],
    [
      { backendType: 'alicloudSecretsManager', data: [] },
      'error: spec: not converted: the backend alicloudSecretsManager has no counterpart that is served here',
    ],
    [
      { backendType: 'vault', data: [{ name: 'a', key: 'kv/data/k' }] },
      'error: spec: not converted: no role of Vault is known: say --kes-env DEFAULT_VAULT_ROLE=...',
    ],
    [
      { backendType: 'vault', vaultRole: 'r', data: [{ name: 'a', key: 'nomount' }] },
      'error: spec.data[0].key: not converted: the key has to be <mount>/data/<path> with kvVersion 2',
    ],
    [
      { backendType: 'secretsManager', data: [{ path: '/x' }] },
      'error: spec.data[0].path: not converted: the backend secretsManager reads no paths',
    ],
    [
      { backendType: 'secretsManager', data: [{ key: 'x' }] },
      'error: spec.data[0]: not converted: an entry needs a name',
    ],
    [
      { backendType: 'azureKeyVault', data: [{ name: 'a', key: 'x' }] },
      'error: spec: not converted: keyVaultName is missing',
    ],
  ];
  for (const [spec, message] of cases) {
    test(message, async () => {
      const result = await esa(['-', ...FLAGS, ...AWS], kes(spec));
      assert.deepEqual(
        said(result).filter((line) => line.startsWith('error')),
        [message],
      );
      assert.equal(result.code, 1);
      assert.match(result.out, /kubernetes-client\.io\/v1/);
      assert.doesNotMatch(result.out, /SecretStore/);
    });
  }

  test('what the webhook would refuse of the result', async () => {
    const result = await convert({ backendType: 'secretsManager', data: [] });
    assert.match(result.error, /error: spec: the result is refused: /);
  });
});

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

describe('files', () => {
  const SEED = join(SEEDS, '../support/seed003-kes-cool-secret.yaml');

  test('S99 the manifest of the article becomes its equivalent, with its comments', async () => {
    const { code, out } = await esa([
      SEED,
      ...[
        '--kes-env',
        'VAULT_ADDR=http://vault.vault.svc.cluster.local:8200',
        '--kes-namespace',
        'external-secretes',
      ],
      ...[
        '--kes-service-account',
        'external-secrets-kubernetes-external-secrets',
        '--vault-audience',
        'vault',
      ],
    ]);
    assert.equal(code, 0);
    assert.match(out, /key: cool\/secrets # The full path/);
    const read = (text: string): readonly Fields[] =>
      parseAllDocuments(text).map((document) => document.toJS() as Fields);
    const [store, es] = read(out) as readonly { metadata: { name: string }; spec: Fields }[];
    const [wantedStore, wanted] = read(readFileSync(join(SEEDS, 'seed003-eso-equivalent.yaml'), 'utf8'));
    assert.deepEqual(store?.spec, (wantedStore as typeof store)?.spec);
    const name = store?.metadata.name;
    // The equivalent has the annotations of the article's trigger besides.
    const { template: _trigger, ...target } = (wanted as { spec: { target: Fields } }).spec.target;
    assert.deepEqual(es?.spec, {
      ...(wanted as typeof es)?.spec,
      target,
      secretStoreRef: { kind: 'ClusterSecretStore', name },
    });
  });

  test('old versions of ESO: what is not theirs stays to the letter', async () => {
    const text = `# Two objects.
---
apiVersion: external-secrets.io/v1alpha1 # old
kind: ExternalSecret
metadata: {name: a, namespace: x}
spec:
  secretStoreRef: {name: s}
  target: {name: a}
  dataFrom:
  # all of it
  - key: one
    property: "010"
---
apiVersion: v1
kind: ConfigMap
metadata:
    name: untouched
data: {on: "yes", port: 0x10}
---
apiVersion: external-secrets.io/v1alpha1
kind: PushSecret
metadata: {name: push}
spec: {}
`;
    const { code, out, error } = await esa(['-'], text);
    assert.equal(
      out,
      text
        .replaceAll('{name: a, namespace: x}', '{ name: a, namespace: x }')
        .replaceAll(/\{(name: [as]|name: push)\}/g, '{ $1 }')
        .replace('external-secrets.io/v1alpha1 # old', 'external-secrets.io/v1 # old')
        .replace('    name: untouched', '  name: untouched')
        .replace('{on: "yes", port: 0x10}', '{ on: "yes", port: 0x10 }')
        .replace('  - key: one\n    property: "010"', '  - extract:\n      key: one\n      property: "010"'),
    );
    assert.match(error, /note: is left as it is: external-secrets-admission does not serve it/);
    assert.equal(code, 0);
  });

  test('a directory into another one, the same in every run', async () => {
    const from = join(directory, 'in');
    mkdirSync(join(from, 'deep'), { recursive: true });
    const spec = { backendType: 'vault', vaultRole: 'r', data: [{ name: 'a', key: 'kv/data/k' }] };
    writeFileSync(join(from, 'a.json'), kes(spec));
    writeFileSync(join(from, 'deep', 'b.yaml'), kes(spec, { name: 'b' }));
    writeFileSync(join(from, 'other.yaml'), 'kind: ConfigMap\napiVersion: v1\n');
    writeFileSync(join(from, 'chart.yaml'), '{{ if .Values.x }}\n');
    const before = process.cwd();
    process.chdir(from);
    try {
      for (const out of ['one', 'two']) {
        const { code, error } = await esa([
          'a.json',
          'deep',
          'other.yaml',
          '--out',
          join(directory, out),
          ...FLAGS,
        ]);
        assert.equal(code, 0, error);
        assert.match(error, /^2 objects converted, 1 store made: 0 errors, 0 warnings$/m);
      }
      const clash = await esa([
        'a.json',
        join(directory, 'one', 'a.json'),
        '--out',
        join(directory, 'three'),
        ...FLAGS,
      ]);
      assert.equal(clash.code, 2);
      assert.equal(existsSync(join(directory, 'three')), false);
    } finally {
      process.chdir(before);
    }
    const tree = (root: string): Record<string, string> =>
      Object.fromEntries(
        readdirSync(join(directory, root), { recursive: true, encoding: 'utf8' })
          .filter((file) => /\.\w+$/.test(file))
          .toSorted()
          .map((file) => [file, readFileSync(join(directory, root, file), 'utf8')]),
      );
    assert.deepEqual(tree('one'), tree('two'));
    assert.deepEqual(Object.keys(tree('one')), ['a.json', 'deep/b.yaml', 'stores.yaml']);
    assert.doesNotThrow(() => JSON.parse(tree('one')['a.json'] ?? ''));
  });

  test('an export of a cluster loses what only a cluster writes', async () => {
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [
        {
          apiVersion: 'kubernetes-client.io/v1',
          kind: 'ExternalSecret',
          metadata: {
            name: 'a',
            uid: 'u',
            resourceVersion: '1',
            generation: 1,
            annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
          },
          spec: { backendType: 'vault', vaultRole: 'r', data: [{ name: 'a', key: 'kv/data/k' }] },
          status: { lastSync: 'x' },
        },
      ],
    };
    const { out } = await esa(['-', ...FLAGS], JSON.stringify(list));
    for (const word of [
      'uid',
      'resourceVersion',
      'generation',
      'last-applied',
      'lastSync',
      'kubernetes-client',
    ])
      assert.ok(!out.includes(word), word);
  });

  test('aliases, and texts that YAML would take for something else', async () => {
    const text = `apiVersion: kubernetes-client.io/v1
kind: ExternalSecret
metadata: &meta {name: "123", labels: {a: b}}
spec: {backendType: vault, vaultRole: "true", data: [{name: a, key: kv/data/0x1f}]}
other: *meta
`;
    const { out } = await esa(['-', ...FLAGS], text);
    const [, es] = parseAllDocuments(out).map(
      (one) => one.toJS() as { metadata: Fields; spec: { data: readonly Fields[] } },
    );
    assert.equal(es?.metadata['name'], '123');
    assert.deepEqual(es?.spec.data, [{ secretKey: 'a', remoteRef: { key: '0x1f' } }]);
  });

  test('called wrongly', async () => {
    for (const args of [
      [],
      ['none.yaml'],
      ['-', '--kes-env', 'X'],
      ['-', '--kes-deployment', join(SEEDS, 'seed003-eso-equivalent.yaml')],
    ])
      assert.equal((await esa(args, '{}')).code, 2, args.join(' '));
  });

  test('a text that is no YAML', async () => {
    const { code, error, out } = await esa(['-'], 'a: [');
    assert.equal(code, 1);
    assert.match(error, /^<stdin>:\d+:\d+: error: no YAML/);
    assert.equal(out, '');
  });
});
