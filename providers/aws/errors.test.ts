import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { ProviderError } from '../contract.ts';
import { codeOf, toAwsError, wordsOf } from './errors.ts';

const asked = { service: 'Secrets Manager', region: 'us-west-2', what: 'read prod/db' } as const;
const never = new AbortController().signal;

/** What the SDK throws: a named error with the status, and the whole answer in properties. */
function thrown(name: string, message = 'words', httpStatusCode = 400, headers: object = {}): Error {
  const error = Object.assign(new Error(message), {
    $metadata: { httpStatusCode },
    $response: { headers, body: 'SENTINEL-body' },
  });
  error.name = name;
  return error;
}

describe('what the codes of AWS mean', () => {
  for (const [name, code, message] of [
    [
      'ResourceNotFoundException',
      'PROVIDER_NOT_FOUND',
      /: no such secret, or not this version of it: words$/,
    ],
    ['AccessDeniedException', 'PROVIDER_DENIED', /: AccessDenied: words$/],
    ['AccessDenied', 'PROVIDER_DENIED', /: AccessDenied: words$/],
    ['SignatureDoesNotMatch', 'PROVIDER_UNAUTHENTICATED', /refused \(SignatureDoesNotMatch\)/],
    ['UnrecognizedClientException', 'PROVIDER_UNAUTHENTICATED', /refused \(UnrecognizedClient\)/],
    ['InvalidClientTokenId', 'PROVIDER_UNAUTHENTICATED', /refused \(InvalidClientTokenId\)/],
    ['ExpiredTokenException', 'PROVIDER_UNAUTHENTICATED', /expired \(ExpiredToken\)$/],
    ['ExpiredToken', 'PROVIDER_UNAUTHENTICATED', /expired \(ExpiredToken\)$/],
    [
      'InvalidIdentityTokenException',
      'PROVIDER_UNAUTHENTICATED',
      /token of the ServiceAccount was refused: words$/,
    ],
    ['ThrottlingException', 'PROVIDER_THROTTLED', /too many requests: words$/],
    ['Throttling', 'PROVIDER_THROTTLED', /too many requests/],
    ['TooManyRequestsException', 'PROVIDER_THROTTLED', /too many requests/],
    ['InternalServiceError', 'PROVIDER_UNREACHABLE', /the service failed: words$/],
    ['ServiceUnavailable', 'PROVIDER_UNREACHABLE', /cannot serve now: words$/],
    ['InvalidParameterException', 'PROVIDER_INVALID_CONFIG', /InvalidParameter.*words$/],
    ['InvalidRequestException', 'PROVIDER_INVALID_CONFIG', /InvalidRequest.*words$/],
    ['ValidationException', 'PROVIDER_INVALID_CONFIG', /Validation.*words$/],
    ['toString', 'PROVIDER_INVALID_RESPONSE', /toString \(status 400\): words$/],
    ['BrandNewException', 'PROVIDER_INVALID_RESPONSE', /BrandNewException \(status 400\): words$/],
  ] as const) {
    test(name, () => {
      // The status is not what decides: stand-ins answer 404 and 403 where AWS answers 400.
      for (const status of [400, 403, 404]) {
        const error = toAwsError(asked, thrown(name, 'words', status), never);
        assert.equal(error.code, code);
        if (status === 400) assert.match(error.message, message);
        assert.match(error.message, /^AWS Secrets Manager us-west-2: read prod\/db: /);
        assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /SENTINEL/);
      }
    });
  }

  test('a secret that waits for its deletion is not there', () => {
    for (const text of [
      "You can't perform this operation on the secret because it was marked for deletion.",
      "You tried to perform the operation on a secret that's currently marked deleted.",
    ]) {
      const error = toAwsError(asked, thrown('InvalidRequestException', text), never);
      assert.equal(error.code, 'PROVIDER_NOT_FOUND');
    }
  });

  test('an unknown code counts by its status', () => {
    assert.equal(toAwsError(asked, thrown('Odd', 'x', 429), never).code, 'PROVIDER_THROTTLED');
    assert.equal(toAwsError(asked, thrown('Odd', 'x', 503), never).code, 'PROVIDER_UNREACHABLE');
  });

  test('a page of somebody else is not quoted', () => {
    for (const [status, code] of [
      [200, 'PROVIDER_INVALID_RESPONSE'],
      [502, 'PROVIDER_UNREACHABLE'],
    ] as const) {
      const error = toAwsError(
        asked,
        thrown('SyntaxError', 'Unexpected token S, "SENTINEL" is not', status),
        never,
      );
      assert.equal(error.code, code);
      assert.doesNotMatch(error.message, /SENTINEL/);
    }
  });

  test('a refusal of credentials does not quote the signed request', () => {
    const text = 'The Canonical String for this request should have been SENTINEL';
    assert.doesNotMatch(toAwsError(asked, thrown('SignatureDoesNotMatch', text), never).message, /SENTINEL/);
  });

  test('how long to wait is what AWS asks for', () => {
    const error = (header: string) =>
      toAwsError(asked, thrown('ThrottlingException', 'x', 400, { 'retry-after': header }), never);
    assert.equal(error('7').retryAfterMs, 7_000);
    for (const odd of ['0', '-1', 'soon', '1e9']) assert.equal(error(odd).retryAfterMs, undefined);
  });

  test('a failure below HTTP keeps its code and gains the request', () => {
    const below = new ProviderError('PROVIDER_UNREACHABLE', 'https://x: connection refused');
    const error = toAwsError(asked, below, never);
    assert.equal(error.code, 'PROVIDER_UNREACHABLE');
    assert.equal(error.message, 'AWS Secrets Manager us-west-2: read prod/db: https://x: connection refused');
  });

  test('whatever is thrown after the deadline is the deadline', () => {
    const over = AbortSignal.abort(new DOMException('x', 'TimeoutError'));
    assert.equal(toAwsError(asked, thrown('AbortError'), over).code, 'PROVIDER_TIMEOUT');
    assert.equal(toAwsError(asked, 'text', never).code, 'PROVIDER_INVALID_RESPONSE');
  });
});

test('the name of a code without namespace, suffix and fault', () => {
  for (const name of [
    'Throttling',
    'ThrottlingException',
    'com.amazon#ThrottlingException',
    'ThrottlingException:http://x',
  ]) {
    assert.equal(codeOf(name), 'Throttling');
  }
});

describe('the words of AWS', () => {
  test('principal, action and resource stay', () => {
    const text =
      'User: arn:aws:sts::111122223333:assumed-role/reader/external-secrets-admission is not authorized to perform: secretsmanager:GetSecretValue on resource: prod/db because no identity-based policy allows the secretsmanager:GetSecretValue action';
    assert.equal(wordsOf(text), text);
  });

  test('what differs each time goes', () => {
    for (const text of [
      'denied (RequestId: 6f5e1b2a-0000-4000-8000-123456789abc)',
      'denied, request id: 6f5e1b2a-0000-4000-8000-123456789abc',
      'denied; AWS Request ID = "ABC123"',
      'denied. Encoded authorization failure message: AAAA-bbbb_CCCC',
    ]) {
      assert.equal(wordsOf(text), 'denied', text);
    }
    const version = 'cannot find VersionId: 6f5e1b2a-0000-4000-8000-123456789abc';
    assert.equal(wordsOf(version), version);
  });

  test('nothing that looks like a credential, one line, not endless', () => {
    assert.equal(
      wordsOf('key AKIAIOSFODNN7EXAMPLE, token eyJhbGci.eyJzdWIi.c2ln\nend'),
      'key [redacted], token [redacted] end',
    );
    assert.equal(wordsOf('x'.repeat(1_000)).length, 303);
  });
});
