import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecretValue } from '../api/secret-value.ts';
import { checkKeys, convertKeys } from './keys.ts';

const map = (...keys: string[]): Map<string, SecretValue> =>
  new Map(keys.map((key) => [key, SecretValue.fromText('v')]));

test('9.4 ConvertKeys: Default turns what a Secret cannot have into an underscore', () => {
  assert.deepEqual(
    [...convertKeys(map('a/b', 'c d', 'e-f._G1'), 'Default').keys()],
    ['a_b', 'c_d', 'e-f._G1'],
  );
});

test('9.4 ConvertKeys: Unicode writes the code point', () => {
  assert.deepEqual([...convertKeys(map('a/b', '😀'), 'Unicode').keys()], ['a_U002f_b', '_U1f600_']);
});

test('letters of other alphabets pass the conversion and are then refused', () => {
  assert.throws(() => convertKeys(map('ключ'), 'Default'), { code: 'INVALID_KEYS' });
});

test('9.4 ConvertKeys, collision: two keys that become one are refused', () => {
  assert.throws(() => convertKeys(map('a/b', 'a:b'), 'Default'), /"a\/b" and "a:b" both become "a_b"/);
});

test('an empty key is dropped, a long one refused', () => {
  assert.equal(convertKeys(map(''), 'Default').size, 0);
  assert.throws(() => convertKeys(map('x'.repeat(254)), 'Default'), { code: 'INVALID_KEYS' });
});

test('after a rewrite keys are only checked', () => {
  assert.deepEqual([...checkKeys(map('a.b', '', 'C_d-1')).keys()], ['a.b', 'C_d-1']);
  for (const key of ['a/b', 'ключ', 'a b', 'x'.repeat(254), 'x\n'])
    assert.throws(() => checkKeys(map(key)), { code: 'INVALID_KEYS' });
  assert.equal(checkKeys(map('x'.repeat(253))).size, 1);
});
