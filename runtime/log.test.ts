import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { lineWriter } from './log.ts';

/** A device that takes what it is told to. */
function device() {
  let text = Buffer.alloc(0);
  let refuse: string | undefined;
  let most = Number.POSITIVE_INFINITY;
  return {
    write: (_fd: number, bytes: Uint8Array): number => {
      if (refuse !== undefined) throw Object.assign(new Error(refuse), { code: refuse });
      const taken = bytes.subarray(0, most);
      text = Buffer.concat([text, taken]);
      return taken.byteLength;
    },
    text: () => text.toString(),
    refuse: (code: string | undefined) => {
      refuse = code;
    },
    atATime: (bytes: number) => {
      most = bytes;
    },
  };
}

test('the device is full: nothing is thrown, and the first line that gets through tells how many were lost', () => {
  const full = openSync('/dev/full', 'w');
  try {
    lineWriter(full).write('one\n');
  } finally {
    closeSync(full);
  }
  const { write, text, refuse } = device();
  const log = lineWriter(1, write);
  log.write('one\n');
  for (const code of ['ENOSPC', 'EPIPE', 'EIO']) {
    refuse(code);
    log.write('lost\n');
  }
  refuse(undefined);
  log.write('two\n');
  log.write('three\n');
  const lines = text().split('\n').filter(Boolean);
  assert.deepEqual([lines[0], lines[2], lines[3]], ['one', 'two', 'three']);
  const { lost, level } = JSON.parse(lines[1] ?? '') as { lost: number; level: string };
  assert.deepEqual({ lost, level }, { lost: 3, level: 'warn' });
});

test('a line that is taken piece by piece is written whole, its characters too', () => {
  const { text, write, atATime } = device();
  atATime(3);
  lineWriter(1, write).write('grün und weiß\n');
  assert.equal(text(), 'grün und weiß\n');
});

test('a pipe that is full is waited for, but not for ever', () => {
  let calls = 0;
  const busy = lineWriter(1, (_fd, bytes) => {
    calls += 1;
    if (calls <= 3) throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
    return bytes.byteLength;
  });
  busy.write('one\n');
  assert.equal(calls, 4);
  calls = 0;
  const stuck = lineWriter(1, () => {
    calls += 1;
    throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
  });
  stuck.write('one\n');
  const [first] = [calls];
  stuck.write('two\n');
  assert.equal(calls, first + 1, 'the second line does not wait any more');
});
