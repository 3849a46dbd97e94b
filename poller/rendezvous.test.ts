import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rendezvous } from './rendezvous.ts';

const KEYS = Array.from({ length: 20_000 }, (_, index) => `team-${index % 573}/app-${index}`);
const pods = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `poller-6f7c9d8b54-${'bcdfghjklm'[index]}-${index}a3`);

test('objects are spread evenly', () => {
  for (const count of [2, 3, 5, 10]) {
    const hash = new Rendezvous(pods(count));
    const shares = new Map<string, number>();
    for (const key of KEYS) {
      const owner = hash.ownerOf(key) ?? '';
      shares.set(owner, (shares.get(owner) ?? 0) + 1);
    }
    assert.equal(shares.size, count);
    for (const [member, share] of shares) {
      const ratio = share / (KEYS.length / count);
      assert.ok(ratio > 0.9 && ratio < 1.1, `${member} of ${count} has ${ratio} of its share`);
    }
  }
});

test('whoever comes or goes moves only what it gains or had', () => {
  const [three, four] = [new Rendezvous(pods(3)), new Rendezvous(pods(4))];
  const [, , , fourth] = pods(4);
  let moved = 0;
  for (const key of KEYS) {
    if (three.ownerOf(key) === four.ownerOf(key)) continue;
    assert.equal(four.ownerOf(key), fourth);
    moved += 1;
  }
  assert.ok(moved > KEYS.length / 5 && moved < (KEYS.length * 3) / 10, `${moved} moved`);
});

test('the order in which members are named does not matter, and nobody owns nothing', () => {
  const one = new Rendezvous(pods(5));
  const other = new Rendezvous([...pods(5).toReversed(), ...pods(2)]);
  for (const key of KEYS.slice(0, 500)) assert.equal(one.ownerOf(key), other.ownerOf(key));
  assert.deepEqual(one.members, other.members);
  assert.equal(new Rendezvous([]).ownerOf('a/b'), undefined);
});
