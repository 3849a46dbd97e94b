import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readElf } from './elf.ts';

const elsewhere = process.platform === 'linux' ? false : `${process.platform} has no ELF files`;

test('the Node that runs this names its loader and the C library', { skip: elsewhere }, () => {
  const needs = readElf(readFileSync(process.execPath));
  assert.match(needs?.interpreter ?? '', /^\/lib.*\/ld-(linux|musl)/);
  assert.ok(needs?.libraries.some((name) => name.startsWith('libc.')));
});

test('what is no program or library needs nothing', () => {
  assert.equal(readElf(Buffer.from('#!/bin/sh\n'.repeat(20))), undefined);
  assert.equal(readElf(Buffer.from('\x7fELF')), undefined);
});
