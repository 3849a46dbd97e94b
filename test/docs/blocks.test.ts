/** Every block of every page is run, tried or excused; those that need no cluster run here. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ROOT } from '../../tools/setup/paths.mjs';
import { isAsPrinted, putInto, readPage } from './blocks.ts';
import { pageDirectory, programDirectory, runScript } from './commands.ts';
import { pageFiles, pageText, readPages } from './pages.ts';

const pages = readPages();

test('no block is left over, and every marker is understood', () => {
  assert.ok(pages.length > 20);
  assert.deepEqual(
    pages.flatMap(({ faults }) => faults),
    [],
  );
});

test('what another test is said to run, that test knows', () => {
  for (const { file, steps } of pages)
    for (const { line, treatment } of steps) {
      if (treatment.how !== 'elsewhere') continue;
      const path = join(ROOT, treatment.test);
      assert.ok(existsSync(path), `${file}:${line}: there is no ${treatment.test}`);
      assert.ok(
        readFileSync(path, 'utf8').includes(file),
        `${file}:${line}: ${treatment.test} does not name ${file}`,
      );
    }
});

test('blocks that nobody runs are few, and each says why', (t) => {
  const excused = pages.flatMap(({ file, steps }) =>
    steps.flatMap(({ line, treatment }) =>
      treatment.how === 'not run' ? [`${file}:${line}: ${treatment.reason}`] : [],
    ),
  );
  const all = pages.flatMap(({ steps }) => steps.filter(({ treatment }) => treatment.how !== 'shown'));
  t.diagnostic(
    `${all.length - excused.length} blocks and scripts are run or tried, ${excused.length} are not:`,
  );
  for (const line of excused) t.diagnostic(line);
  for (const line of excused)
    assert.ok(line.split(': ').slice(1).join(': ').length >= 15, `a reason, please: ${line}`);
  assert.ok(excused.length <= all.length / 3, 'more than a third of the blocks is run by nobody');
});

test('every target of make that a page names exists', () => {
  const targets = new Set(
    [...readFileSync(join(ROOT, 'Makefile'), 'utf8').matchAll(/^([a-z0-9-]+):/gm)].map(([, name]) => name),
  );
  for (const file of pageFiles())
    for (const [, target = ''] of pageText(file).matchAll(/(?:^|`|WATCH=1 )make ([a-z][a-z0-9-]*)/gm))
      assert.ok(targets.has(target), `${file}: make ${target}`);
});

describe('commands that need no cluster print what the page says', () => {
  const programs = programDirectory({});
  for (const page of pages) {
    const offline = page.steps.flatMap(({ line, treatment }) =>
      treatment.how === 'commands' && treatment.offline ? [{ line, commands: treatment.commands }] : [],
    );
    if (offline.length === 0) continue;
    const directory = pageDirectory(page);
    for (const { line, commands } of offline)
      for (const { script, printed = '' } of commands)
        test(`${page.file}:${line}: ${script}`, async () => {
          const { stdout } = await runScript(`set +e\n${script}`, { directory, programs });
          if (!isAsPrinted(printed, stdout)) assert.equal(stdout, printed);
        });
  }
});

describe('the reader of pages', () => {
  const page = (...lines: string[]) => readPage('page.md', lines.join('\n'));
  const how = (...lines: string[]) => page(...lines).steps.map(({ treatment }) => treatment.how);

  test('a block without a language, of an unknown one, or with an unknown marker is a fault', () => {
    for (const [text, words] of [
      [['```', 'x', '```'], /has no language/],
      [['```bash', 'x', '```'], /nobody knows what `bash` is/],
      [
        ['<!-- aply -->', '```yaml', 'apiVersion: v1', 'kind: A', 'metadata: {name: a}', '```'],
        /marker `aply`/,
      ],
      [['```yaml', 'auth: {}', '```'], /no manifest: mark it/],
      [['```console', 'printed', '```'], /begins with/],
      [['<!-- in: A/b spec -->', '```yaml', 'auth: {}', '```'], /no manifest A\/b/],
    ] as const) {
      const { faults, steps } = page(...text);
      assert.match(faults.join(), words);
      assert.deepEqual(steps, []);
    }
  });

  test('a marker holds for the next block only, and not across text', () => {
    const block = ['```sh', 'true', '```'];
    assert.deepEqual(how('<!-- not run: it is slow -->', '', ...block, ...block), ['not run', 'commands']);
    assert.deepEqual(how('<!-- not run: it is slow -->', 'text', ...block), ['commands']);
    assert.deepEqual(how('<!-- page run by: a.test.ts -->', ...block, '```json', '{}', '```'), [
      'elsewhere',
      'shown',
    ]);
  });

  test('hidden scripts are steps, named files are used by commands that name them', () => {
    const yaml = ['```yaml', '# a.yaml', 'apiVersion: v1', 'kind: A', 'metadata: {name: a}', '```'];
    assert.deepEqual(how(...yaml), ['dry-run']);
    const read = page('<!-- run', 'cat a.yaml', '-->', ...yaml);
    assert.deepEqual(
      read.steps.map(({ treatment }) => treatment.how),
      ['commands', 'file'],
    );
    assert.ok(read.files.get('a.yaml')?.startsWith('# a.yaml\napiVersion'));
  });

  test('a part replaces what it names, below metadata and spec it adds', () => {
    const whole = {
      apiVersion: 'v1',
      kind: 'A',
      metadata: { name: 'a' },
      spec: { p: { auth: { x: 1 }, s: 2 } },
    };
    assert.deepEqual(putInto(whole, 'spec.p', { auth: { y: 3 } }).spec, { p: { auth: { y: 3 }, s: 2 } });
    assert.deepEqual(putInto(whole, '.', { metadata: { annotations: { b: 'c' } } }).metadata, {
      name: 'a',
      annotations: { b: 'c' },
    });
  });

  test('`...` stands for anything, alone in its line for any lines', () => {
    assert.ok(isAsPrinted('a ... c\n', 'a b c\n'));
    assert.ok(isAsPrinted('a\n...\nc\n', 'a\nb\nb\nc\n'));
    assert.ok(isAsPrinted('a\n...\n', 'a\n'));
    assert.ok(!isAsPrinted('a\n...\nc\n', 'a\nb\n'));
    assert.ok(!isAsPrinted('a  b\n', 'a b\n'));
    assert.ok(isAsPrinted('a  b\n', 'a b\n', { blanks: true }));
  });
});
