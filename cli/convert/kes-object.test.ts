// biome-ignore-all lint/suspicious/noTemplateCurlyInString: lodash's templates are written with them
/** One golden test for each row of what KES says and ESO means by it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AWS, convert, esa, type Fields, FLAGS, kes, said } from '../testing/convert.ts';

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

test("the worked example of KES's README: the converted object renders what KES wrote", async () => {
  const values = { s1: '{"intKey":11,"objKey":{"strKey":"hello world"}}', s2: '{"arrKey":[1,2,3]}' };
  const object = `apiVersion: kubernetes-client.io/v1
kind: ExternalSecret
metadata:
  name: tmpl-ext-sec
spec:
  backendType: vault
  data:
    - key: kv/data/extsec/secret1
      name: s1
    - key: kv/data/extsec/secret2
      name: s2
  kvVersion: 2
  template:
    data:
      file.txt: |
        <%= Buffer.from(JSON.stringify(JSON.parse(data.s1).objKey)).toString("base64") %>
    metadata:
      labels:
        label1: <%= JSON.parse(data.s1).intKey %>
        label2: <%= JSON.parse(data.s1).objKey.strKey.replace(" ", "-") %>
    stringData:
      file.yaml: |
        <%= yaml.dump(JSON.parse(data.s1)) %>
        <% let s2 = JSON.parse(data.s2) %><% s2.arrKey.forEach((e, i) => { %>arr_<%= i %>: <%= e %>
        <% }) %>\`
  vaultMountPoint: kubernetes
  vaultRole: demo
`;
  const { code, out, error } = await esa(['-', ...FLAGS], object);
  assert.equal(code, 0, error);
  const rendered = await esa(['-f', '-', '--values', JSON.stringify(values), '-o', 'json'], out, 'render');
  const secret = JSON.parse(rendered.out) as {
    readonly type: string;
    readonly metadata: { readonly labels: Fields };
    readonly data: Fields;
  };
  assert.equal(secret.type, 'Opaque');
  assert.deepEqual(
    [secret.metadata.labels['label1'], secret.metadata.labels['label2']],
    ['11', 'hello-world'],
  );
  assert.deepEqual(secret.data, {
    'file.txt': 'eyJzdHJLZXkiOiJoZWxsbyB3b3JsZCJ9',
    'file.yaml':
      'aW50S2V5OiAxMQpvYmpLZXk6CiAgc3RyS2V5OiBoZWxsbyB3b3JsZAoKYXJyXzA6IDEKYXJyXzE6IDIKYXJyXzI6IDMKYAo=',
    s1: 'eyJpbnRLZXkiOjExLCJvYmpLZXkiOnsic3RyS2V5IjoiaGVsbG8gd29ybGQifX0=',
    s2: 'eyJhcnJLZXkiOlsxLDIsM119',
  });
});
