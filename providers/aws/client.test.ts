import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import { SecretValue } from '../../api/secret-value.ts';
import type { ServerGuard } from '../contract.ts';
import { perCredentials } from './client.ts';
import { endpointOf } from './reach.ts';
import { KNOWN_REGIONS } from './regions.ts';

test('hosts of services are what their client would ask', () => {
  const settings = { UseDualStack: false, UseFIPS: false };
  for (const region of [...KNOWN_REGIONS, 'us-east-99', 'eu-west-17']) {
    const ssm = new SSMClient({ region });
    const secretsManager = new SecretsManagerClient({ region });
    const sts = new STSClient({ region });
    for (const [service, client] of [
      ['SSM', ssm],
      ['SecretsManager', secretsManager],
      ['STS', sts],
    ] as const) {
      const { url } = client.config.endpointProvider({ Region: region, ...settings });
      assert.equal(endpointOf(service, { region }).href, url.href, `${service} ${region}`);
      client.destroy();
    }
  }
  assert.equal(endpointOf('ECR', { region: 'cn-north-1' }).host, 'api.ecr.cn-north-1.amazonaws.com.cn');
  assert.equal(
    endpointOf('ECRPublic', { region: 'us-east-1' }).host,
    'api.ecr-public.us-east-1.amazonaws.com',
  );
});

test('a store may have moved a service', () => {
  const endpoints = { SSM: 'https://vpce-1.ssm.us-west-2.vpce.amazonaws.com' };
  const reach = { region: 'us-west-2', endpoints };
  assert.equal(endpointOf('SSM', reach).host, 'vpce-1.ssm.us-west-2.vpce.amazonaws.com');
  assert.equal(endpointOf('STS', reach).host, 'sts.us-west-2.amazonaws.com');
});

test('credentials of the program have a client for each region, endpoint and guard, and one only', () => {
  const credentials = { accessKeyId: 'AKIA', secretAccessKey: SecretValue.fromText('secret') };
  const guard: ServerGuard = {
    id: 'team',
    needsAddress: false,
    refusesServer: () => undefined,
    refusesAddress: () => undefined,
  };
  const client = perCredentials((reach) => ({ reach }));
  const reaches = [
    { region: 'us-west-2' },
    { region: 'eu-central-1' },
    { region: 'us-west-2', guard },
    { region: 'us-west-2', endpoints: { SSM: 'https://ssm.example.com' } },
  ];
  for (const reach of reaches) assert.deepEqual(client(reach, credentials).reach, reach);
  assert.equal(new Set(reaches.map((reach) => client(reach, credentials))).size, reaches.length);
  const [first = { region: '' }] = reaches;
  assert.equal(client({ ...first }, credentials), client(first, credentials));
  assert.notEqual(client(first, { ...credentials }), client(first, credentials));
});
