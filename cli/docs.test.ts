/** The examples of the pages about `esa`: files, commands and what they print, as they stand there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FUNCTIONS } from '../template/functions/index.ts';

const pageOf = (name: string): string => readFileSync(join(import.meta.dirname, '../docs', name), 'utf8');

for (const name of ['templates.md', 'cli.md', 'converting.md', 'policies.md']) {
  const directory = mkdtempSync(join(tmpdir(), 'esa-docs-'));
  after(() => rmSync(directory, { recursive: true }));
  for (const [, language, block = ''] of pageOf(name).matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    const file = /^# (\S+\.yaml)\n/.exec(block)?.[1];
    if (file !== undefined) writeFileSync(join(directory, file), block);
    if (language !== 'console') continue;
    const [command = '', ...printed] = block.split('\n');
    test(`${name}: ${command}`, () => {
      // The name by which users know it; the output is what a terminal would show.
      const script = `exec 2>&1; esa() { "$NODE" "$MAIN" "$@"; }\n${command.replace(/^\$ /, '')}`;
      const { stdout } = spawnSync('bash', ['--norc', '-c', script], {
        cwd: directory,
        env: {
          PATH: process.env['PATH'],
          NODE: process.execPath,
          MAIN: join(import.meta.dirname, 'main.mjs'),
        },
        encoding: 'utf8',
      });
      assert.equal(stdout, printed.join('\n'));
    });
  }
}

test('every function stands in the tables, and no other', () => {
  const page = pageOf('templates.md');
  const functions = page.slice(page.indexOf('Those of [sprig]'), page.indexOf('`b64dec`, `b32dec` and'));
  const named = new Set<string>();
  for (const line of functions.split('\n').filter((one) => one.startsWith('| '))) {
    const [, first = '', second = ''] = line.split(/(?<!\\)\|/);
    // Of ESO's own the first column has the name with its arguments, of sprig's the second has names only.
    const own = first.includes('`');
    for (const [, code = ''] of (own ? first : second).matchAll(/`([^`]+)`/g))
      for (const word of own ? code.split(' ').slice(0, 1) : code.split(' ')) named.add(word);
  }
  const must = [...named]
    .filter((name) => /^regex(?!QuoteMeta)/.test(name))
    .map((name) => `must${name[0]?.toUpperCase()}${name.slice(1)}`);
  named.delete('must');
  assert.deepEqual([...named, ...must].sort(), [...FUNCTIONS.keys()].sort());
});
