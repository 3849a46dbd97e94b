import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { collector, formatFieldPath } from '../../api/problem.ts';
import { type AwsConfig, awsConfigSchema, resolveAwsAuth, validateAwsConfig } from './config.ts';

const parse = (auth: unknown): AwsConfig =>
  awsConfigSchema.parse({ service: 'SecretsManager', region: 'us-west-2', auth });
const store = { kind: 'SecretStore', namespace: 'default' } as const;
function problems(auth: unknown): string[] {
  const { report, problems } = collector();
  validateAwsConfig(parse(auth), store, report);
  return problems.map(({ path }) => formatFieldPath(path));
}

describe('auth.serviceAccount is another spelling of auth.jwt.serviceAccountRef', () => {
  const account = { name: 'external-secrets-sa' };

  test('either is read as the other, and stored as written', () => {
    for (const auth of [{ serviceAccount: account }, { jwt: { serviceAccountRef: account } }]) {
      assert.deepEqual(resolveAwsAuth(parse(auth)), { method: 'serviceAccount', serviceAccountRef: account });
      assert.deepEqual(parse(auth).auth, auth);
      assert.deepEqual(problems(auth), []);
    }
  });

  test('both at once may be equal but not different', () => {
    const both = (alias: unknown) => ({ jwt: { serviceAccountRef: account }, serviceAccount: alias });
    assert.deepEqual(problems(both({ ...account })), []);
    for (const alias of [
      { name: 'other' },
      { ...account, audiences: ['x'] },
      { ...account, namespace: 'default' },
    ]) {
      assert.deepEqual(problems(both(alias)), ['auth.serviceAccount']);
    }
  });
});

test('no reference leads into another namespace', () => {
  const foreign = { name: 'x', namespace: 'other' };
  assert.deepEqual(
    problems({
      jwt: { serviceAccountRef: foreign },
      serviceAccount: foreign,
      secretRef: {
        accessKeyIDSecretRef: foreign,
        secretAccessKeySecretRef: foreign,
        sessionTokenSecretRef: foreign,
      },
    }),
    [
      'auth.jwt.serviceAccountRef.namespace',
      'auth.serviceAccount.namespace',
      'auth.secretRef.accessKeyIDSecretRef.namespace',
      'auth.secretRef.secretAccessKeySecretRef.namespace',
      'auth.secretRef.sessionTokenSecretRef.namespace',
    ],
  );
});

test('a ServiceAccount outranks a Secret; without either the environment counts', () => {
  const secretRef = { accessKeyIDSecretRef: { name: 'a', key: 'id' } };
  assert.equal(resolveAwsAuth(parse({ secretRef, serviceAccount: { name: 'sa' } })).method, 'serviceAccount');
  assert.deepEqual(resolveAwsAuth(parse({ secretRef })), {
    method: 'secret',
    accessKeyId: { name: 'a', key: 'id' },
    secretAccessKey: undefined,
    sessionToken: undefined,
  });
  assert.deepEqual(resolveAwsAuth(parse(undefined)), { method: 'environment' });
});
