import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as unicode from './unicode.ts';

// Made by test/oracles/go-unicode.
const golden = JSON.parse(readFileSync(new URL('unicode.golden.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>;

const LAST = 0x10ffff;

const { toUpper, toLower, toTitle, ...classes } = unicode;

for (const [name, isIn] of Object.entries(classes)) {
  test(`${name} as in Go, for every code point`, () => {
    const bits = Buffer.alloc(LAST + 1);
    for (let rune = 0; rune <= LAST; rune++) bits[rune] = isIn(rune) ? 0x31 : 0x30;
    assert.equal(createHash('sha256').update(bits).digest('hex'), golden[name]);
  });
}

for (const [name, map] of Object.entries({ toUpper, toLower, toTitle })) {
  test(`${name} as in Go, for every code point`, () => {
    const hash = createHash('sha256');
    for (let rune = 0; rune <= LAST; rune++) {
      const mapped = map(rune);
      if (mapped !== rune) hash.update(`${rune}>${mapped}\n`);
    }
    assert.equal(hash.digest('hex'), golden[name]);
  });
}

test('what is no code point belongs to no class and maps to itself', () => {
  for (const rune of [-1, LAST + 1, 0xd800]) {
    for (const isIn of Object.values(classes)) assert.equal(isIn(rune), false);
    for (const map of [toUpper, toLower, toTitle]) assert.equal(map(rune), rune);
  }
});
