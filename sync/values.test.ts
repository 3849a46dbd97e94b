// The goldens come from Go: test/oracles/go-values
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SecretValue } from '../api/secret-value.ts';
import golden from './go-values.golden.json' with { type: 'json' };
import { decodeValue, refuseNullBytes } from './values.ts';

const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64');

describe('9.4 Decode: decodingStrategy takes what Go takes', () => {
  for (const { text, std, url } of golden.base64) {
    const value = SecretValue.fromBytes(bytes(text));
    test(JSON.stringify(value.revealText()), () => {
      for (const [strategy, expected] of [
        ['Base64', std],
        ['Base64URL', url],
      ] as const) {
        if (expected === null) {
          assert.throws(() => decodeValue('k', value, strategy), { code: 'INVALID_VALUE' });
        } else {
          assert.deepEqual(decodeValue('k', value, strategy).revealBytes(), bytes(expected), strategy);
        }
      }
      const auto = std ?? url ?? text;
      assert.deepEqual(decodeValue('k', value, 'Auto').revealBytes(), bytes(auto), 'Auto');
      assert.equal(decodeValue('k', value, 'None'), value);
    });
  }
});

test('binary values pass None and Auto, and come out of base64', () => {
  const binary = SecretValue.fromBytes(Buffer.from([0, 255, 254, 128]));
  assert.deepEqual(decodeValue('k', binary, 'Auto').revealBytes(), binary.revealBytes());
  const encoded = SecretValue.fromText(binary.revealBytes().toString('base64'));
  assert.deepEqual(decodeValue('k', encoded, 'Base64').revealBytes(), binary.revealBytes());
});

test('an error names the key and the strategy, never the value', () => {
  assert.throws(
    () => decodeValue('the-key', SecretValue.fromText('SENTINEL!'), 'Base64URL'),
    (error: Error) =>
      /the-key/.test(error.message) && /Base64URL/.test(error.message) && !/SENTINEL/.test(error.message),
  );
});

test('9.3 #25 a null byte is refused, and the first key in order is named', () => {
  const values = new Map(
    Object.entries({ b: 'x\0', a: 'ok', Z: '\0' }).map(([key, text]) => [key, SecretValue.fromText(text)]),
  );
  assert.throws(() => refuseNullBytes(values), { code: 'INVALID_VALUE', message: /key "Z"/ });
  values.delete('Z');
  assert.throws(() => refuseNullBytes(values), /key "b"/);
  values.delete('b');
  refuseNullBytes(values);
});
