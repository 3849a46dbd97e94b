/** What is no key; keys are in testdata/jwk.*. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GoError } from '../function.ts';
import { JWK } from './jwk.ts';

const budget = {
  clock: { now: () => 0, monotonic: () => 0 },
  spend: () => undefined,
  allocate: () => undefined,
};

test('what is no JSON Web Key is refused without its content', () => {
  const texts = [
    '',
    's3cret',
    '[]',
    'null',
    '{}',
    '{"kty":"s3cret"}',
    '{"kty":1}',
    '{"kty":"RSA"}',
    '{"kty":"RSA","n":"s3cret!","e":"AQAB"}',
    '{"kty":"EC","crv":"P-256","x":"s3cr","y":"s3cr"}',
    '{"kty":"RSA","n":"s3cr","e":"AQAB","d":"s3cr"}',
    '{"kty":"RSA","n":"s3cr","e":"AQAB","d":"s3cr","p":"AQ","q":"AQ"}',
    '{"__proto__":{"kty":"RSA"}}',
  ];
  for (const name of ['jwkPublicKeyPem', 'jwkPrivateKeyPem']) {
    for (const text of texts) {
      assert.throws(
        () => JWK.get(name)?.call([text], budget),
        (error) => error instanceof GoError && !error.goText.includes('s3cr'),
        `${name} ${text}`,
      );
    }
  }
});
