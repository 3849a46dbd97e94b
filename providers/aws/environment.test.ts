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
});
