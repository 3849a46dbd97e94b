import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { systemClock } from '../../api/clock.ts';
import { readKesEnvironment } from '../../api/kubernetes-client/environment.ts';
import { kesOf } from '../../api/kubernetes-client/part.ts';
import { KES_CREDENTIALS } from '../../api/kubernetes-client/to-hub.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { checkKes } from '../../policy/check-kes.ts';
import type { ProviderPorts } from '../../providers/contract.ts';
import { admitKes, type KesServices, portsOf, readKesCredentials } from './services.ts';

const never = new AbortController().signal;
const directory = mkdtempSync(join(tmpdir(), 'kes-'));
const keyFile = join(directory, 'key.json');
after(() => rmSync(directory, { recursive: true }));
const variables = {
  VAULT_ADDR: 'https://vault.example.com',
  AZURE_CLIENT_ID: 'id',
  AZURE_CLIENT_SECRET: 'secret',
  GOOGLE_APPLICATION_CREDENTIALS: keyFile,
};
const environment = readKesEnvironment(variables, {
  serviceAccount: { namespace: 's', name: 's' },
  vaultAudience: undefined,
});
const services = (annotations: Readonly<Record<string, string>> = {}): KesServices => ({
  environment,
  credentials: readKesCredentials({ ...variables }),
  annotations: () => Promise.resolve(annotations),
});

describe('the environment as stores of KES find it', () => {
  const cluster = {
    clock: systemClock,
    secretKey: () => Promise.resolve({ value: SecretValue.fromText('of the cluster'), version: '1' }),
  } as unknown as ProviderPorts;
  const ports = (store: string): ProviderPorts =>
    portsOf(
      {
        context: {
          kind: 'ClusterSecretStore',
          name: store,
          namespace: undefined,
          uid: '',
          generation: 0,
          callerNamespace: 'shop',
        },
      },
      cluster,
      services(),
    );
  const { namespace, name } = KES_CREDENTIALS;
  const read = async (store: string, key: string, where: string = namespace): Promise<string> =>
    (await ports(store).secretKey({ namespace: where, name, key }, never)).value.revealText();

  test('what the variables hold, and the file that one names, as it is now', async () => {
    assert.equal(await read('kes:azureKeyVault:shop', 'AZURE_CLIENT_SECRET'), 'secret');
    for (const text of ['{"a":1}', '{"b":2}']) {
      writeFileSync(keyFile, text);
      assert.equal(await read('kes:gcpSecretsManager', 'GOOGLE_APPLICATION_CREDENTIALS'), text);
    }
    await assert.rejects(read('kes:vault', 'VAULT_TOKEN'), { code: 'CONFIGURATION' });
  });

  test('nobody else finds it, and they find the Secrets of the cluster', async () => {
    assert.equal(await read('azure', 'AZURE_CLIENT_SECRET'), 'of the cluster');
    assert.equal(await read('kes:azureKeyVault:shop', 'key', 'shop'), 'of the cluster');
  });
});

describe('before anything is read', () => {
  const admitted = async (spec: object, services_: KesServices | undefined): Promise<void> => {
    const { hub } = checkKes({ metadata: { name: 'app', namespace: 'shop' }, spec }, environment);
    const part = kesOf(hub);
    assert.ok(part);
    await admitKes(hub, part, services_, never);
  };
  const vault = { backendType: 'vault', vaultMountPoint: 'm', vaultRole: 'r', dataFrom: ['secret/data/a'] };

  test('a sound object that is permitted is served', () => admitted(vault, services()));

  test('what is not permitted, lacks something, or breaks a rule is not, and says why', async () => {
    const rows: readonly (readonly [object, KesServices | undefined, string, RegExp])[] = [
      [
        vault,
        services({ 'iam.amazonaws.com/permitted': 'other' }),
        'POLICY_DENIED',
        /^not allowed to fetch secret: shop\/app: namespace does not allow to assume role r$/,
      ],
      [
        { ...vault, vaultRole: '' },
        services(),
        'CONFIGURATION',
        /^neither spec\.vaultRole nor DEFAULT_VAULT_ROLE/,
      ],
      [
        { ...vault, backendType: 'akeyless' },
        services(),
        'INVALID_OBJECT',
        /^spec\.backendType: akeyless is not/,
      ],
      [vault, undefined, 'CONFIGURATION', /not served/],
    ];
    for (const [spec, with_, code, message] of rows)
      await assert.rejects(admitted(spec, with_), { code, message });
  });
});
