import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SMALL_STEPS_OF_THE_HEAP } from './node-flags.ts';

test('this Node has every flag of V8 that a program sets for itself', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--v8-options'], { maxBuffer: 1 << 24 });
  // Of one that it does not know V8 writes a line and goes on: the program would just take more memory.
  for (const flag of [SMALL_STEPS_OF_THE_HEAP, '--semi-space-growth-factor=1']) {
    const name = flag.replace(/=.*/, '');
    assert.ok(stdout.includes(`  ${name} `), `V8 of Node ${process.version} has no ${name}`);
  }
});
