import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

/** Runs the real runner on one test file made of `source`. */
function runSource(source: string): Promise<{ code: number; stdout: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'test-report-'));
  const file = join(directory, 'sample.test.ts');
  writeFileSync(file, `import { describe, test, before } from 'node:test';\n${source}`);
  // Otherwise the runner believes that it is inside itself and runs nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, ['tools/test.ts', file], { env }, (error, stdout) => {
      rmSync(directory, { recursive: true });
      resolve({ code: error === null ? 0 : Number(error.code), stdout });
    });
  });
}

const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);

describe('test report', () => {
  test('success: one line a file, the counts last, exit code 0', async () => {
    const { code, stdout } = await runSource(
      `describe('s', () => { test('a', () => {}); test('b', () => {}); });`,
    );
    assert.equal(code, 0);
    assert.match(stdout, /^ok {3}\S+sample\.test\.ts: 2 passed \(\d/m);
    assert.equal(lastLine(stdout), '2 passed, 0 failed');
  });

  test('failure: the path of names, the error and its cause in full, exit code 1', async () => {
    const { code, stdout } = await runSource(
      `describe('s', () => { test('a', () => { throw new Error('outer', { cause: new Error('inner') }); }); });`,
    );
    assert.equal(code, 1);
    assert.match(stdout, /FAIL \S+: s > a\n {4}Error: outer\n[\s\S]*caused by: Error: inner/);
    assert.equal(lastLine(stdout), '0 passed, 1 failed');
  });

  test('skipped tests are named, and counted apart', async () => {
    const { code, stdout } = await runSource(
      `test('a', () => {}); test('b', { skip: 'no disk' }, () => {});`,
    );
    assert.equal(code, 0);
    assert.match(stdout, /skipped:\n {2}\S+: b \(no disk\)\n/);
    assert.equal(lastLine(stdout), '1 passed, 0 failed, 1 skipped');
  });

  test('a failing hook fails the suite and what it kept from running', async () => {
    const { stdout } = await runSource(
      `describe('s', () => { before(() => { throw new Error('no server'); }); test('a', () => {}); });`,
    );
    assert.match(stdout, /FAIL \S+: s\n {4}Error: no server/);
    assert.equal(lastLine(stdout), '0 passed, 2 failed');
  });

  test('a file that crashes fails with its output', async () => {
    const { code, stdout } = await runSource(`import './absent.ts'; test('a', () => {});`);
    assert.equal(code, 1);
    assert.match(stdout, /ERR_MODULE_NOT_FOUND/);
    assert.equal(lastLine(stdout), '0 passed, 1 failed');
  });

  test('a file without a test fails', async () => {
    const { code, stdout } = await runSource('');
    assert.equal(code, 1);
    assert.match(stdout, /this file has no test/);
  });

  test('an error after the end of its test fails', async () => {
    const { stdout } = await runSource(
      `test('a', () => { setTimeout(() => { throw new Error('late'); }, 1); });`,
    );
    assert.match(stdout, /Error: late/);
    assert.equal(lastLine(stdout), '1 passed, 1 failed');
  });
});
