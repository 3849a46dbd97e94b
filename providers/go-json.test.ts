// The goldens come from Go: test/oracles/go-json
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKeepingNumbers } from '../api/json.ts';
import { compareUtf8, marshalGo } from './go-json.ts';
import golden from './go-values.golden.json' with { type: 'json' };

for (const { input, output } of golden.marshal) {
  test(`marshals as Go does: ${JSON.stringify(input)}`, () => {
    assert.equal(marshalGo(parseKeepingNumbers(input)), output);
  });
}

test('compareUtf8 orders as the bytes of UTF-8 do', () => {
  const samples = [
    '',
    'a',
    'aa',
    'b',
    'A',
    'é',
    '\u{1f600}',
    '\uffee',
    '\ud7ff',
    '\ue000',
    '\u{10ffff}a',
    'a\u{1f600}',
    'a\uffee',
  ];
  for (const a of samples) {
    for (const b of samples) {
      assert.equal(
        Math.sign(compareUtf8(a, b)),
        Buffer.compare(Buffer.from(a), Buffer.from(b)),
        `${JSON.stringify(a)} and ${JSON.stringify(b)}`,
      );
    }
  }
});
