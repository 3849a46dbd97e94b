import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatProblem } from '../../api/problem.ts';
import { awsConfigSchema } from './config.ts';
import { validateAwsBlock, validateAwsRef, versionOf, warnAwsBlock } from './validate.ts';

const KEYS = {
  secretRef: {
    accessKeyIDSecretRef: { name: 'a', key: 'id' },
    secretAccessKeySecretRef: { name: 'a', key: 'secret' },
  },
};
const base = { service: 'SecretsManager', region: 'us-west-2', auth: KEYS };
const parse = (more: object) => awsConfigSchema.parse({ ...base, ...more });
const namespaced = { kind: 'SecretStore', namespace: 'default' } as const;
const clusterWide = { kind: 'ClusterSecretStore', namespace: undefined } as const;
const problems = (more: object, store: typeof namespaced | typeof clusterWide = namespaced): string[] =>
  validateAwsBlock(parse(more), store).map(formatProblem);

test('a service that nothing can be read from is refused by name, with the reason', () => {
  assert.deepEqual(problems({ service: 'ParameterStore' }), []);
  assert.deepEqual(problems({ service: 'CertificateManager' }), [
    'service: service CertificateManager serves only to push certificates into AWS, which is not done here; nothing can be read from it; supported: SecretsManager, ParameterStore',
  ]);
});

describe('regions', () => {
  test('those of every partition, and new ones of the same form', () => {
    for (const region of [
      'us-east-1',
      'ap-southeast-7',
      'mx-central-1',
      'il-central-1',
      'cn-northwest-1',
      'us-gov-west-1',
      'us-iso-east-1',
      'us-isob-east-1',
      'us-isof-south-1',
      'eu-isoe-west-1',
      'eusc-de-east-1',
      'eu-somewhere-12',
    ]) {
      assert.deepEqual(problems({ region }), [], region);
    }
  });

  test('nothing that would become another host', () => {
    for (const region of [
      '',
      'atlantis',
      'us-east-1.evil.example.com',
      'us-east-1/',
      'us_east_1',
      'us-east-1\n',
      'xx-foo-1',
    ]) {
      assert.deepEqual(problems({ region }), [
        'region: region not found; name an AWS region, such as eu-central-1',
      ]);
    }
  });
});

test('a region that nobody has heard of is warned of, and so are credentials that are not used', () => {
  const warnings = (more: object): string[] => warnAwsBlock(parse(more)).map(formatProblem);
  assert.deepEqual(warnings({ region: 'eu-centrl-1' }), [
    'region: "eu-centrl-1" is none of AWS\'s regions as known here; is it misspelt?',
  ]);
  // What is refused is not warned of, too.
  assert.deepEqual(warnings({ region: 'atlantis' }), []);
  for (const region of ['us-west-2', 'cn-north-1', 'us-gov-west-1', 'eusc-de-east-1'])
    assert.deepEqual(warnings({ region }), [], region);
  assert.deepEqual(warnings({ auth: { ...KEYS, jwt: { serviceAccountRef: { name: 'sa' } } } }), [
    'auth.secretRef: the ServiceAccount outranks it; it is not used',
  ]);
});

describe('credentials', () => {
  test('a SecretStore brings them, a ClusterSecretStore may be lent those of the program', () => {
    assert.match(problems({ auth: undefined })[0] ?? '', /^auth: a SecretStore brings its own credentials/);
    assert.match(problems({ auth: {} })[0] ?? '', /^auth: /);
    assert.deepEqual(problems({ auth: undefined }, clusterWide), []);
  });

  test('static ones need both halves, and the keys of the Secret', () => {
    const secretRef = { secretAccessKeySecretRef: { name: 'a' } };
    assert.deepEqual(problems({ auth: { secretRef } }), [
      'auth.secretRef.accessKeyIDSecretRef: static credentials need both accessKeyIDSecretRef and secretAccessKeySecretRef',
      'auth.secretRef.secretAccessKeySecretRef.key: name the key of the Secret',
    ]);
    // What a ServiceAccount outranks is not asked for.
    assert.deepEqual(problems({ auth: { secretRef, serviceAccount: { name: 'x' } } }), []);
  });

  test('roles are ARNs', () => {
    const role = 'arn:aws:iam::111122223333:role/path/reader';
    assert.deepEqual(problems({ role, additionalRoles: ['arn:aws-cn:iam::111122223333:role/x', role] }), []);
    assert.deepEqual(problems({ role: '' }), []);
    assert.deepEqual(problems({ role: 'reader', additionalRoles: [role, 'arn:aws:iam::1:user/x'] }), [
      'additionalRoles[1]: must be the ARN of a role: arn:aws:iam::<account>:role/<name>',
      'role: must be the ARN of a role: arn:aws:iam::<account>:role/<name>',
    ]);
  });
});

test('a version is a stage, or uuid/ and the id; AWSCURRENT is always said', () => {
  assert.deepEqual(versionOf(undefined), { VersionStage: 'AWSCURRENT' });
  assert.deepEqual(versionOf('AWSPREVIOUS'), { VersionStage: 'AWSPREVIOUS' });
  assert.deepEqual(versionOf('uuid/1-2'), { VersionId: '1-2' });
  assert.equal(versionOf('uuid/'), undefined);
  const config = parse({});
  assert.match(validateAwsRef(config, { key: 'k', version: 'uuid/' }) ?? '', /names no version/);
  assert.equal(validateAwsRef(config, { key: 'k', version: 'uuid/x' }), undefined);
  assert.equal(validateAwsRef(config, { key: 'k', version: 'uuid/', metadata: true }), undefined);
});

test('how pushed secrets are deleted: checked as AWS does, and warned of since nothing is pushed', () => {
  assert.deepEqual(problems({ secretsManager: { forceDeleteWithoutRecovery: true } }), []);
  assert.deepEqual(problems({ secretsManager: { recoveryWindowInDays: 7 } }), []);
  assert.deepEqual(
    problems({ secretsManager: { forceDeleteWithoutRecovery: true, recoveryWindowInDays: 31 } }),
    [
      'secretsManager: forceDeleteWithoutRecovery and recoveryWindowInDays exclude each other; leave one of them out',
      'secretsManager.recoveryWindowInDays: AWS takes 7 to 30 days',
    ],
  );
  assert.deepEqual(warnAwsBlock(parse({ secretsManager: {} })).map(formatProblem), [
    'secretsManager: only pushing secrets uses this, which is not done here; it changes nothing',
  ]);
  assert.deepEqual(warnAwsBlock(parse({})), []);
});
