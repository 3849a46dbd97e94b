import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameHash } from './name-hash.ts';

test('the same name has the same number, others have others, another process has all others', () => {
  const [hash, other] = [nameHash(), nameHash()];
  const names = Array.from({ length: 100_000 }, (_, index) => `team-${index % 100}/app-${index}`);
  const numbers = new Set(names.map(hash));
  assert.equal(numbers.size, names.length);
  assert.ok([...numbers].every((number) => Number.isSafeInteger(number) && number >= 0));
  assert.equal(hash('team-1/app-1'), hash('team-1/app-1'));
  assert.notEqual(hash('team-1/app-1'), other('team-1/app-1'));
});

test('all bits vary', () => {
  const hash = nameHash();
  for (const bit of [0, 1, 20, 31, 32, 40, 52]) {
    let ones = 0;
    for (let index = 0; index < 2_000; index += 1) ones += Math.floor(hash(`a/b${index}`) / 2 ** bit) % 2;
    assert.ok(ones > 700 && ones < 1_300, `bit ${bit}: ${ones} of 2000`);
  }
});
