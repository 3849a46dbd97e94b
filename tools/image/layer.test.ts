import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLayer, createTar, type Entry } from './layer.ts';
import { readTar } from './tar.ts';

const ENTRIES: [string, Entry][] = [
  ['usr/bin/node', { type: 'file', content: Buffer.from('binary'), executable: true }],
  ['etc/passwd', { type: 'file', content: Buffer.from('nonroot\n') }],
  ['lib', { type: 'symlink', target: 'usr/lib' }],
];

test('a layer depends on its entries and the time, not on their order', async () => {
  const one = await createLayer('one', new Map(ENTRIES), 1000);
  const other = await createLayer('other', new Map(ENTRIES.toReversed()), 1000);
  assert.deepEqual([one.diffId, one.blob.digest], [other.diffId, other.blob.digest]);
  const later = await createLayer('later', new Map(ENTRIES), 1001);
  assert.notEqual(later.diffId, one.diffId);
});

test('what is written is read again; folders are there before what is in them', async () => {
  const tar = await createTar(new Map(ENTRIES), 1000);
  const read = await readTar(tar, () => true);
  assert.deepEqual([...read.keys()], ['etc/passwd', 'lib', 'usr/bin/node']);
  assert.deepEqual(read.get('lib'), { type: 'symlink', target: 'usr/lib' });
  const binary = read.get('usr/bin/node');
  assert.deepEqual(binary, { type: 'file', content: Buffer.from('binary'), executable: true });
  const at = (name: string): number => tar.indexOf(`${name}\0`);
  assert.ok(at('usr/') !== -1 && at('usr/') < at('usr/bin/') && at('usr/bin/') < at('usr/bin/node'));
});
