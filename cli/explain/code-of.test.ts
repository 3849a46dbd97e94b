/** The patterns, held against what the functions say that word the errors: neither can change alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EsaError } from '../../api/errors.ts';
import { readKesEnvironment } from '../../api/kubernetes-client/environment.ts';
import { kesOf } from '../../api/kubernetes-client/part.ts';
import { oneLine } from '../../api/kubernetes-client/status.ts';
import { kesToHub } from '../../api/kubernetes-client/to-hub.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { responseError } from '../../kube/errors.ts';
import { statusError } from '../../providers/answers.ts';
import { toAwsError } from '../../providers/aws/errors.ts';
import type { RemoteObject } from '../../providers/contract.ts';
import { toProviderError } from '../../providers/http-errors.ts';
import { errorOfAnswer } from '../../providers/vault/errors.ts';
import { type Stage, SyncError } from '../../sync/errors.ts';
import { admitKes, readKesCredentials } from '../../sync/kes/services.ts';
import { kesValues } from '../../sync/kes/values.ts';
import { checkKeys, convertKeys } from '../../sync/keys.ts';
import { PolicyDenied } from '../../sync/policy-gate.ts';
import { notServed } from '../../sync/scope.ts';
import { targetObstacle } from '../../sync/target-obstacle.ts';
import { decodeValue, refuseNullBytes } from '../../sync/values.ts';
import { codeOf } from './code-of.ts';

/** As it stands in a condition. */
function holds(error: EsaError, stage: Stage = 'fetch'): void {
  const { conditionMessage } =
    error instanceof SyncError
      ? error
      : new SyncError(stage, error, { location: 'spec.data[0] (key: app)', path: ['spec'] });
  assert.equal(codeOf(conditionMessage), error.code, conditionMessage);
}

function thrownBy(run: () => unknown): EsaError {
  try {
    run();
  } catch (error) {
    if (error instanceof EsaError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('the code of a message', () => {
  test('of Vault', () => {
    const json = { headers: {}, isJson: true, body: {}, errors: ['permission denied'] };
    for (const isLogin of [false, true]) {
      const asked = { server: 'https://vault.example', what: 'read secret/data/app', isLogin };
      for (const status of [301, 400, 401, 403, 404, 405, 418, 429, 472, 500, 501, 503])
        holds(errorOfAnswer(asked, { ...json, status }, 0));
      holds(errorOfAnswer(asked, { ...json, isJson: false, status: 200 }, 0));
    }
  });

  test('of AWS', () => {
    const asked = { service: 'Secrets Manager', region: 'eu-west-1', what: 'read prod/app' } as const;
    const { signal } = new AbortController();
    for (const name of [
      'ResourceNotFoundException',
      'ParameterNotFound',
      'AccessDeniedException',
      'SignatureDoesNotMatch',
      'UnrecognizedClientException',
      'InvalidClientTokenId',
      'ExpiredTokenException',
      'RequestExpired',
      'InvalidIdentityToken',
      'ThrottlingException',
      'InternalServiceError',
      'ServiceUnavailable',
      'RequestTimeout',
      'InvalidParameterException',
      'InvalidKeyId',
      'DecryptionFailure',
      'UnknownOperationException',
      'NeverHeardOf',
    ]) {
      const thrown = Object.assign(new Error('some words'), { name, $metadata: { httpStatusCode: 400 } });
      holds(toAwsError(asked, thrown, signal));
    }
  });

  test('of servers and connections', () => {
    for (const status of [302, 401, 403, 418, 429, 500, 503])
      holds(statusError('webhook x: read k', { status, headers: {} }, 0));
    const context = {
      label: 'Vault x: read app',
      signal: undefined,
      connectTimeoutMs: 5,
      responseTimeoutMs: 9,
    };
    for (const code of [
      'ECONNREFUSED',
      'ECONNRESET',
      'ENOTFOUND',
      'EHOSTUNREACH',
      'ETIMEDOUT',
      'UND_ERR_HEADERS_TIMEOUT',
      'CERT_HAS_EXPIRED',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'EPROTO',
      'HPE_INVALID',
      'SOMETHING',
    ])
      holds(toProviderError(Object.assign(new Error('x'), { code }), context));
  });

  test('of the engine', () => {
    const value = SecretValue.fromText('a\0b');
    holds(thrownBy(() => decodeValue('k', value, 'Base64')));
    holds(thrownBy(() => refuseNullBytes(new Map([['k', value]]))));
    holds(thrownBy(() => checkKeys(new Map([['a b', value]]))));
    holds(
      thrownBy(() =>
        convertKeys(
          new Map([
            ['a/b', value],
            ['a.b', value],
            ['a:b', value],
            ['a_b', value],
          ]),
          'Default',
        ),
      ),
    );
    const verdict = { policy: 'p', rule: 'keys', effect: 'Deny', path: ['spec'], message: 'no' } as const;
    holds(new PolicyDenied([verdict], true));
    holds(new PolicyDenied([{ ...verdict, rule: 'policyDefault' }], true));
    const owners = [
      { kind: 'unmanaged' },
      { kind: 'shared', owner: 'x' },
      { kind: 'other-external-secret', owner: 'x' },
      { kind: 'other-controller', owner: 'Deployment x' },
    ] as const;
    for (const owner of owners) {
      const obstacle = targetObstacle(owner, 'Secret a/b', false);
      assert.ok(obstacle !== undefined);
      holds(obstacle);
    }
  });

  test('of kinds that are not served', () => {
    const none = { namespace: 'shop', clusterStores: false, clusterGenerators: false };
    for (const kind of ['ClusterSecretStore', 'ClusterGenerator'] as const) {
      const error = notServed(none, kind, 'shared');
      assert.ok(error !== undefined);
      holds(error);
    }
  });

  test('of the API server', () => {
    const text = JSON.stringify({
      kind: 'Status',
      reason: 'Forbidden',
      message:
        'secrets "x" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=1, limited: secrets=1',
    });
    holds(responseError('create Secret a/b', { status: 403, text, sensitive: true }), 'apply');
  });

  test('of a template', () => {
    const text = 'template: key:1:3: executing "key" at <.a>: map has no entry for key "a"';
    holds(new EsaError('TEMPLATE_EXEC', text), 'apply');
  });

  test('of KES', async () => {
    /** As it stands in status.status, behind `ERROR, `. */
    const stands = (error: EsaError): void => {
      const { reason, code } = new SyncError('fetch', error);
      assert.equal(codeOf(oneLine(reason)), code, reason);
    };
    const value = { get: () => SecretValue.fromText('{}') } as unknown as RemoteObject;
    const entry = { name: 'a', key: 'k', property: 'p', binary: false, json: false };
    stands(thrownBy(() => kesValues({ kind: 'value', ...entry }, value)));
    const environment = readKesEnvironment(
      { ENFORCE_NAMESPACE_ANNOTATIONS: 'true' },
      { serviceAccount: { namespace: 's', name: 's' }, vaultAudience: undefined },
    );
    const services = { environment, credentials: readKesCredentials({}), annotations: async () => ({}) };
    for (const backendType of ['vault', 'secretsManager', 'azureKeyVault', 'gcpSecretsManager'] as const) {
      const object = { metadata: { name: 'n', namespace: 's' }, spec: { backendType, keyVaultName: 'kv' } };
      const { externalSecret } = kesToHub(object, environment);
      const part = kesOf(externalSecret);
      assert.ok(part?.lacking !== undefined, backendType);
      stands(new EsaError('CONFIGURATION', part.lacking));
      const whole = { ...part, lacking: undefined };
      const admitting = admitKes(externalSecret, whole, services, new AbortController().signal);
      await assert.rejects(admitting, (error: EsaError) => {
        assert.equal(codeOf((error as SyncError).reason), 'POLICY_DENIED');
        return true;
      });
    }
  });

  test("of text that is nobody's", () => {
    assert.equal(codeOf('something else'), undefined);
  });
});
