import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { ambientCredentials, endpointOverride, takeAwsEnvironment } from './environment.ts';

afterEach(() => takeAwsEnvironment({ ambient: false }, {}));

const NOTHING_ELSE = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };

describe('the environment', () => {
  test('nothing of AWS stays in it, and nothing else goes', () => {
    const environment = {
      PATH: '/bin',
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
      AWS_PROFILE: 'x',
      AWS_REGION: 'x',
      AWS_CONFIG_FILE: '.aws/config',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: 'x',
      aws_max_attempts: '9',
    };
    takeAwsEnvironment({ ambient: false }, environment);
    assert.deepEqual(environment, { PATH: '/bin', ...NOTHING_ELSE });
    assert.equal(ambientCredentials(), undefined);
  });

  test("9.4 resolver: endpoints: the SDK's name for the service, then ESO's, then the one for all", () => {
    const take = (environment: NodeJS.ProcessEnv): (string | undefined)[] => {
      takeAwsEnvironment({ ambient: false }, environment);
      return [endpointOverride('SecretsManager'), endpointOverride('STS')];
    };
    assert.deepEqual(take({}), [undefined, undefined]);
    assert.deepEqual(take({ AWS_ENDPOINT_URL: 'http://all' }), ['http://all', 'http://all']);
    assert.deepEqual(
      take({
        AWS_ENDPOINT_URL: 'http://all',
        AWS_SECRETSMANAGER_ENDPOINT: 'http://sm',
        AWS_STS_ENDPOINT: 'http://sts',
      }),
      ['http://sm', 'http://sts'],
    );
    assert.deepEqual(
      take({
        AWS_SECRETSMANAGER_ENDPOINT: 'http://eso',
        AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://sdk',
        AWS_ENDPOINT_URL: '',
      }),
      ['http://sdk', undefined],
    );
  });

  test('credentials are kept only where the program was told so, and are not printed', () => {
    const keys = {
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'SENTINEL',
      AWS_SESSION_TOKEN: 'SENTINEL',
    };
    takeAwsEnvironment({ ambient: true }, { ...keys });
    const ambient = ambientCredentials();
    assert.ok(ambient?.method === 'keys');
    assert.equal(ambient.secretAccessKey.revealText(), 'SENTINEL');
    assert.doesNotMatch(inspect(ambient), /SENTINEL/);
    takeAwsEnvironment({ ambient: true }, { AWS_ROLE_ARN: 'arn', AWS_WEB_IDENTITY_TOKEN_FILE: '/token' });
    assert.deepEqual(ambientCredentials(), { method: 'webIdentity', roleArn: 'arn', tokenFile: '/token' });
    // Half of a pair is nothing; the metadata service of the node is never asked.
    takeAwsEnvironment({ ambient: true }, { AWS_ACCESS_KEY_ID: 'id', AWS_ROLE_ARN: 'arn' });
    assert.equal(ambientCredentials(), undefined);
  });

  test('EKS Pod Identity: only where the agent can be, and behind keys and a web identity', () => {
    const take = (url: string, more: NodeJS.ProcessEnv = {}) => {
      const environment = {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: url,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/var/run/token',
        ...more,
      };
      takeAwsEnvironment({ ambient: true }, environment);
      return ambientCredentials()?.method;
    };
    for (const host of ['169.254.170.23', '[fd00:ec2::23]', '127.0.0.1:8080']) {
      assert.equal(take(`http://${host}/v1/credentials`), 'podIdentity', host);
    }
    for (const host of ['169.254.169.254', '169.254.170.2', 'example.com', '10.0.0.1']) {
      assert.equal(take(`http://${host}/v1/credentials`), undefined, host);
    }
    assert.equal(take('no url'), undefined);
    const agent = 'http://169.254.170.23/v1/credentials';
    assert.equal(take(agent, { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '' }), undefined);
    assert.equal(take(agent, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }), 'keys');
    assert.equal(
      take(agent, { AWS_ROLE_ARN: 'r', AWS_WEB_IDENTITY_TOKEN_FILE: '/var/run/other' }),
      'webIdentity',
    );
    takeAwsEnvironment({ ambient: false }, { AWS_CONTAINER_CREDENTIALS_FULL_URI: agent });
    assert.equal(ambientCredentials(), undefined);
  });
});
