import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRawNumber, mayLoseDigits, parseObject } from './json.ts';

test('integers that a double cannot hold keep their digits wherever they stand', () => {
  const big = '12345678901234567890';
  for (const text of [
    big,
    `-${big}`,
    `[${big}]`,
    `[1,${big}]`,
    `[-${big}]`,
    `{"a":${big}}`,
    `{"a": ${big}}`,
    `{"a":\n\t-${big}}`,
    ` ${big}`,
  ]) {
    assert.equal(mayLoseDigits(text), true, text);
    assert.equal(JSON.stringify(parseObject(text)), text.replaceAll(/\s/g, ''), text);
  }
  const parsed = parseObject(`{"a":${big}}`) as { a: unknown };
  assert.ok(isRawNumber(parsed.a));
});

test('a page of objects with hashes in them is read the fast way', () => {
  const hash = '1-7a1234567890123456789b';
  for (const text of [
    `{"status":{"syncedResourceVersion":"${hash}"}}`,
    `{"status":{"syncedResourceVersion":"1-1234567890123456789b"}}`,
    '{"annotations":{"external-secrets.io/data-hash":"1234567890123456789012345678"}}',
  ]) {
    assert.equal(mayLoseDigits(text), false, text);
    assert.deepEqual(parseObject(text), JSON.parse(text));
  }
});
