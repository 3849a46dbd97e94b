// The goldens come from Go: go run test/oracles/go-hash/main.go > api/go-values.golden.json
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatGoDuration, parseGoDuration } from './duration.ts';
import goldens from './go-values.golden.json' with { type: 'json' };

const milliseconds = (nanoseconds: string): number => {
  const ns = BigInt(nanoseconds);
  return Number(ns / 1_000_000n) + Number(ns % 1_000_000n) / 1e6;
};

describe('parseGoDuration reads what Go reads', () => {
  for (const { text, nanoseconds } of goldens.parse) {
    it(JSON.stringify(text), () =>
      assert.equal(parseGoDuration(text), nanoseconds === null ? undefined : milliseconds(nanoseconds)),
    );
  }
});

describe('formatGoDuration writes what Go writes', () => {
  for (const { text, nanoseconds } of goldens.format) {
    it(text, () => assert.equal(formatGoDuration(milliseconds(nanoseconds)), text));
  }
});

it('what is written is read as the same duration', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), (ns) => {
      const ms = milliseconds(String(ns));
      assert.equal(parseGoDuration(formatGoDuration(ms)), ms);
    }),
  );
});

it('long garbage is refused in linear time', () => {
  const started = performance.now();
  assert.equal(parseGoDuration('1'.repeat(200_000)), undefined);
  assert.equal(parseGoDuration('0'.repeat(200_000)), undefined);
  assert.equal(parseGoDuration(`${'0'.repeat(200_000)}1s`), 1000);
  assert.equal(parseGoDuration(`1.${'1'.repeat(200_000)}x`), undefined);
  assert.equal(parseGoDuration(`${'1h'.repeat(100_000)}x`), undefined);
  assert.ok(performance.now() - started < 2_000);
});
