import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from './terminal.ts';
import { parseValues } from './values.ts';

const revealed = (text: string): Record<string, string> =>
  Object.fromEntries([...parseValues(text)].map(([key, value]) => [key, value.revealText()]));

test('strings are the values, null is empty, all else is its JSON text with the digits it came with', () => {
  assert.deepEqual(revealed('{"s": "x\\ny", "e": null, "n": 12345678901234567890, "f": 1.50, "b": true}'), {
    s: 'x\ny',
    e: '',
    n: '12345678901234567890',
    f: '1.50',
    b: 'true',
  });
  assert.deepEqual(revealed('{"o": {"b": 1, "a": [1, 2]}}'), { o: '{"a":[1,2],"b":1}' });
});

test('what is no JSON object is refused without a word of it', () => {
  for (const text of ['{"password": "s3cr3t"', '"s3cr3t"', '["s3cr3t"]', '']) {
    assert.throws(
      () => parseValues(text),
      (error) =>
        error instanceof UsageError && !error.message.includes('"s3cr3t"]') && /--values/.test(error.message),
    );
  }
});
