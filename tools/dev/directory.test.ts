import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { claimDevDirectory } from './directory.ts';

test('each start gets its own folder, and what a dead owner left is gone', () => {
  const base = join(mkdtempSync(join(tmpdir(), 'dev-directory-')), '.dev');
  assert.equal(claimDevDirectory(base), base);
  writeFileSync(join(base, 'env'), 'export A=1\n');
  assert.equal(claimDevDirectory(base), join(base, '2'));

  // A crash: the record of a process that is no more.
  const crashed = JSON.parse(readFileSync(join(base, 'owner.json'), 'utf8')) as { pid: number };
  crashed.pid = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
  writeFileSync(join(base, 'owner.json'), JSON.stringify(crashed));
  assert.equal(claimDevDirectory(base), base);
  assert.ok(!existsSync(join(base, 'env')), 'the env of the dead owner');
  rmSync(base, { recursive: true });
});
