import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../setup/paths.mjs';
import { changedFiles, readSourceGraph } from './source-graph.ts';

test('what a program loads, and no more', () => {
  const directory = mkdtempSync(join(tmpdir(), 'source-graph-'));
  const write = (file: string, text: string): void => writeFileSync(join(directory, file), text);
  mkdirSync(join(directory, 'sub'));
  write(
    'main.mjs',
    `import 'node:fs';\nimport './a.ts';\nawait import('./main.ts');\nimport pkg from 'package';\n`,
  );
  write('main.ts', `import type { T } from './types.ts';\nimport {\n  b,\n  c,\n} from './sub/b.ts';\n`);
  write('a.ts', `new Worker(new URL('./worker.ts', import.meta.url));\nexport * from './missing.ts';\n`);
  write('sub/b.ts', `import '../main.ts';\n`);
  for (const file of ['worker.ts', 'types.ts', 'unused.ts']) write(file, '');
  const names = (files: Iterable<string>): string[] =>
    [...files].map((file) => relative(directory, file)).toSorted();

  const before = readSourceGraph(join(directory, 'main.mjs'));
  assert.deepEqual(names(before.keys()), [
    'a.ts',
    'main.mjs',
    'main.ts',
    'missing.ts',
    'sub/b.ts',
    'worker.ts',
  ]);

  write('unused.ts', '// changed');
  write('types.ts', '// changed');
  assert.deepEqual(changedFiles(before, readSourceGraph(join(directory, 'main.mjs'))), []);
  write('worker.ts', '// changed');
  write('missing.ts', '// there now');
  const after = readSourceGraph(join(directory, 'main.mjs'));
  assert.deepEqual(names(changedFiles(before, after)), ['missing.ts', 'worker.ts']);
  rmSync(directory, { recursive: true });
});

test('of the real programs every file is found', () => {
  const webhook = readSourceGraph(join(ROOT, 'webhook/main.mjs'));
  const poller = readSourceGraph(join(ROOT, 'poller/main.mjs'));
  const has = (graph: ReadonlyMap<string, string>, file: string): boolean => graph.has(join(ROOT, file));
  assert.ok(
    [...webhook.values(), ...poller.values()].every((hash) => hash !== ''),
    'a file is missing',
  );
  assert.ok(
    has(webhook, 'certs/build-worker.ts') && has(webhook, 'api/errors.ts') && has(poller, 'api/errors.ts'),
  );
  assert.ok(has(webhook, 'webhook/server.ts') && !has(poller, 'webhook/server.ts'));
  assert.ok(has(poller, 'poller/queue.ts') && !has(webhook, 'poller/queue.ts'));
});
