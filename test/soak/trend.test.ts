import assert from 'node:assert/strict';
import { test } from 'node:test';
import { growthPercent } from './trend.ts';

test('growth is that of the line, whatever the noise around it', () => {
  const line = (slope: number, noise: number) =>
    Array.from({ length: 101 }, (_, index) => ({
      at: 5_000 + index * 1_000,
      value: 100 + slope * index + (index % 2 === 0 ? noise : -noise),
    }));
  assert.equal(growthPercent(line(0, 0)), 0);
  assert.equal(growthPercent(line(0.1, 0)), 10);
  assert.ok(Math.abs(growthPercent(line(0, 20))) < 1.5);
  assert.equal(growthPercent(line(-0.05, 0)), -5);
  assert.equal(growthPercent([{ at: 1, value: 1 }]), 0);
});
