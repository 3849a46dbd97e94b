import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SSMClient } from '@aws-sdk/client-ssm';
import { endpointOf } from './client.ts';
import { KNOWN_REGIONS } from './regions.ts';

test('hosts of services whose client is not loaded are what their client would ask', () => {
  for (const region of KNOWN_REGIONS) {
    const client = new SSMClient({ region });
    const { url } = client.config.endpointProvider({ Region: region, UseDualStack: false, UseFIPS: false });
    assert.equal(endpointOf('SSM', { region }).href, url.href, region);
    client.destroy();
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
