import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readKesEnvironment } from '../../api/kubernetes-client/environment.ts';
import { kesOf } from '../../api/kubernetes-client/part.ts';
import { kesToHub } from '../../api/kubernetes-client/to-hub.ts';
import type { KesSpec } from '../../api/kubernetes-client/v1/external-secret.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { checkKes } from '../../policy/check-kes.ts';
import type { RemoteRef } from '../../providers/contract.ts';
import { entryValues } from '../fetch.ts';
import { plan } from '../plan.ts';
import { bindStore } from '../stores.ts';

const VARIABLES = {
  VAULT_ADDR: 'https://vault.example.com',
  VAULT_NAMESPACE: 'team',
  DEFAULT_VAULT_MOUNT_POINT: 'k8s',
  DEFAULT_VAULT_ROLE: 'default',
  AWS_REGION: 'us-west-2',
  AWS_INTERMEDIATE_ROLE_ARN: 'arn:aws:iam::123456789012:role/hub',
  AZURE_TENANT_ID: 'tenant',
  AZURE_CLIENT_ID: 'id',
  AZURE_CLIENT_SECRET: 'secret',
  GOOGLE_APPLICATION_CREDENTIALS: '/key.json',
};
const settings = { serviceAccount: { namespace: 'kes', name: 'kes' }, vaultAudience: 'vault' };
const environment = readKesEnvironment(VARIABLES, settings);
const hub = (spec: KesSpec, from = environment) =>
  kesToHub({ metadata: { name: 'app', namespace: 'shop', generation: 1 }, spec }, from).externalSecret;
const blockOf = (spec: KesSpec): unknown => kesOf(hub(spec))?.provider;
const remotes = (spec: KesSpec): RemoteRef[] =>
  plan(hub(spec)).reads.flatMap(({ source }) => (source.kind === 'read' ? [source.remote] : []));
/** What tells the uses of a store apart, logins among them. */
function identityOf(spec: KesSpec): string {
  const [read] = plan(hub(spec)).reads;
  assert.ok(read?.source.kind === 'read' && read.source.store.object !== undefined);
  return bindStore(read.source.store.object, 'shop').identity;
}

const sm = (item: object): KesSpec => ({
  backendType: 'secretsManager',
  data: [{ key: 'a', name: 'a', ...item }],
});
const vault = (more: Partial<KesSpec> = {}): KesSpec => ({
  backendType: 'vault',
  data: [{ key: 'secret/data/app', name: 'a' }],
  ...more,
});

describe('versions', () => {
  const rows: readonly (readonly [string, object, string | undefined])[] = [
    ['K52 none is the current one', {}, undefined],
    ['K56 K43 a stage', { versionStage: 'AWSPREVIOUS' }, 'AWSPREVIOUS'],
    ['K57 an id, whatever the stage', { versionId: 'v-1', versionStage: 'AWSPREVIOUS' }, 'uuid/v-1'],
    ['that of another backend', { version: 3 }, undefined],
  ];
  for (const [name, item, version] of rows)
    test(name, () => assert.deepEqual(remotes(sm(item)), [{ key: 'a', version }]));

  test('K45 dataFromWithOptions has both', () => {
    const dataFromWithOptions = [
      { key: 'a', versionStage: 's' },
      { key: 'b', versionId: 'v' },
    ];
    assert.deepEqual(remotes({ backendType: 'secretsManager', dataFromWithOptions }), [
      { key: 'a', version: 's' },
      { key: 'b', version: 'uuid/v' },
    ]);
  });

  test('a number for Google, and one that is part of the key for parameters (K58)', () => {
    const data = [{ key: 'a', name: 'a', version: 3 }];
    assert.deepEqual(remotes({ backendType: 'gcpSecretsManager', data }), [{ key: 'a', version: '3' }]);
    assert.deepEqual(remotes({ backendType: 'systemManager', data: [{ key: 'a:3', name: 'a' }] }), [
      { key: 'a:3', version: undefined },
    ]);
  });
});

describe('stores', () => {
  test('K54 K58 AWS: role, region, and the role before it', () => {
    const roleArn = 'arn:aws:iam::123456789012:role/app';
    assert.deepEqual(blockOf({ ...sm({}), roleArn, region: 'eu-west-1' }), {
      aws: {
        service: 'SecretsManager',
        region: 'eu-west-1',
        role: roleArn,
        additionalRoles: ['arn:aws:iam::123456789012:role/hub'],
      },
    });
  });

  test('K55 K88 a region only: no role is assumed; without one that of the controller', () => {
    const spec: KesSpec = { backendType: 'systemManager', dataFrom: ['a'] };
    assert.deepEqual(blockOf({ ...spec, region: 'eu-west-1' }), {
      aws: { service: 'ParameterStore', region: 'eu-west-1' },
    });
    assert.deepEqual(blockOf(spec), { aws: { service: 'ParameterStore', region: 'us-west-2' } });
  });

  test('K61 K62 K63 vault: mount and role of the controller, KV 2 unless the object says otherwise', () => {
    const kubernetes = { mountPath: 'k8s', role: 'default' };
    const serviceAccountRef = { namespace: 'kes', name: 'kes', audiences: ['vault'] };
    const block = { server: 'https://vault.example.com', namespace: 'team' };
    assert.deepEqual(blockOf(vault()), {
      vault: { ...block, version: 'v2', auth: { kubernetes: { ...kubernetes, serviceAccountRef } } },
    });
    const own = { mountPath: 'm', role: 'r' };
    assert.deepEqual(blockOf(vault({ vaultMountPoint: 'm', vaultRole: 'r', kvVersion: 1 })), {
      vault: { ...block, version: 'v1', auth: { kubernetes: { ...own, serviceAccountRef } } },
    });
  });

  test('K69 K70 K71 one login for each role and mount, and one for all objects of both', () => {
    const base = identityOf(vault());
    assert.notEqual(identityOf(vault({ vaultRole: 'other' })), base);
    assert.notEqual(identityOf(vault({ vaultMountPoint: 'other' })), base);
    assert.equal(identityOf(vault({ type: 'Opaque', dataFrom: ['secret/data/b'] })), base);
  });

  test('Azure and Google with what the environment has, which is no secret of the cluster', () => {
    const ref = { namespace: 'kes-environment', name: 'kes-environment' };
    assert.deepEqual(blockOf({ backendType: 'azureKeyVault', keyVaultName: 'shop', dataFrom: [] }), {
      azurekv: {
        vaultUrl: 'https://shop.vault.azure.net',
        tenantId: 'tenant',
        environmentType: 'PublicCloud',
        authType: 'ServicePrincipal',
        authSecretRef: {
          clientId: { ...ref, key: 'AZURE_CLIENT_ID' },
          clientSecret: { ...ref, key: 'AZURE_CLIENT_SECRET' },
        },
      },
    });
    assert.deepEqual(blockOf({ backendType: 'gcpSecretsManager', projectId: 'p', dataFrom: [] }), {
      gcpsm: {
        projectID: 'p',
        auth: { secretRef: { secretAccessKeySecretRef: { ...ref, key: 'GOOGLE_APPLICATION_CREDENTIALS' } } },
      },
    });
  });

  test('what is not set anywhere is said', () => {
    const empty = readKesEnvironment({}, settings);
    const lacking = (spec: KesSpec): string | undefined => kesOf(hub(spec, empty))?.lacking;
    assert.equal(lacking(vault()), 'VAULT_ADDR is not set for this controller');
    assert.equal(lacking(sm({})), 'neither spec.region nor AWS_REGION is set');
    assert.match(lacking({ backendType: 'azureKeyVault' }) ?? '', /^AZURE_CLIENT_ID and/);
    assert.match(lacking({ backendType: 'gcpSecretsManager' }) ?? '', /^GOOGLE_APPLICATION_CREDENTIALS/);
  });
});

describe('the order in which values are merged', () => {
  /** The values of a spec whose remote objects are these texts. */
  const merged = (spec: KesSpec, objects: Readonly<Record<string, string>>): Record<string, string> => {
    const out: Record<string, string> = {};
    for (const read of plan(hub(spec)).reads) {
      assert.ok(read.source.kind === 'read');
      const text = objects[read.source.remote.key] ?? '';
      const answer = { get: () => SecretValue.fromText(text), getMap: () => new Map<string, SecretValue>() };
      for (const [key, value] of entryValues(read, answer)) out[key] = value.revealText();
    }
    return out;
  };

  test('K46 dataFrom < dataFromWithOptions < data, and in each the later wins', () => {
    const objects = {
      a: '{"x":"a","y":"a","z":"a","w":"a"}',
      b: '{"y":"b","z":"b","w":"b"}',
      c: '{"z":"c","w":"c"}',
      d: 'd',
      e: 'e',
    };
    const spec: KesSpec = {
      backendType: 'secretsManager',
      data: [
        { key: 'd', name: 'w' },
        { key: 'e', name: 'w' },
      ],
      dataFromWithOptions: [{ key: 'c' }],
      dataFrom: ['a', 'b'],
    };
    assert.deepEqual(merged(spec, objects), { x: 'a', y: 'b', z: 'c', w: 'e' });
  });

  test('a key that no Secret can have is an error', () => {
    assert.throws(() => merged({ backendType: 'secretsManager', dataFrom: ['a'] }, { a: '{"a b":"x"}' }), {
      code: 'INVALID_KEYS',
    });
  });
});

test('a path is a find for the names in it', () => {
  const find = (item: object): unknown => {
    const [read] = plan(hub({ backendType: 'systemManager', data: [item] })).reads;
    return read?.source.kind === 'find' ? read.source.request : undefined;
  };
  assert.deepEqual(find({ path: '/a.b' }), { path: '/a.b', nameRegexp: '^/a\\.b/[^/]+$' });
  assert.deepEqual(find({ path: '/a/', recursive: true }), { path: '/a/', nameRegexp: '^/a/' });
});

describe('what only old versions of KES knew is refused, not ignored', () => {
  const problems = (object: object): string[] =>
    checkKes({ metadata: { name: 'a', namespace: 'b' }, ...object }, environment).problems.map(
      ({ rule, path }) => `${rule} ${path.join('.')}`,
    );
  test('K1 secretDescriptor in place of the spec', () => {
    assert.deepEqual(problems({ secretDescriptor: sm({}) }), ['kes-spec spec']);
  });
  test('K48 properties in place of data', () => {
    const spec = { backendType: 'secretsManager', properties: [{ key: 'a', name: 'a' }] };
    assert.deepEqual(problems({ spec }), ['schema-unknown-field spec.properties']);
  });
});
