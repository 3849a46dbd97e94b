/** What docs/templates.md lists is what templates have. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FUNCTIONS } from '../template/functions/index.ts';

const pageOf = (name: string): string => readFileSync(join(import.meta.dirname, '../docs', name), 'utf8');

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
