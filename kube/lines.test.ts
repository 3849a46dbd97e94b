import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineSplitter } from './lines.ts';

test('lines survive any way of cutting the bytes', () => {
  const text = 'ä€😀\n{"k":"日本語"}\n\nlast\n';
  const bytes = Buffer.from(text);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const lines = new LineSplitter(1000);
      const out: string[] = [];
      let from = 0;
      for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
        out.push(...lines.push(bytes.subarray(from, cut)));
        from = cut;
      }
      assert.deepEqual(out, ['ä€😀', '{"k":"日本語"}', 'last']);
    }),
  );
});

test('a line without end is refused', () => {
  const lines = new LineSplitter(10);
  assert.throws(() => [...lines.push(Buffer.from('12345678901'))], RangeError);
});

test('an unfinished line waits', () => {
  const lines = new LineSplitter(100);
  assert.deepEqual([...lines.push(Buffer.from('ab'))], []);
  assert.deepEqual([...lines.push(Buffer.from('c\nd'))], ['abc']);
});
