/** Figures of ours in docs/comparison.md are those of docs/performance.md, where they are measured. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageText } from './pages.ts';

test('every figure of ours in the comparison stands in the page on performance', () => {
  const [, table = ''] = pageText('docs/comparison.md').split('## Figures\n');
  const measured = pageText('docs/performance.md');
  const rows = table.split('\n').filter((line) => /^\| (?!\||---)/.test(line) && line.includes('`'));
  assert.ok(rows.length >= 8);
  for (const row of rows) {
    const [, here = ''] = row.split(' | ');
    for (const [figure] of here.matchAll(/\d[\d.,]*\d|\d/g))
      assert.ok(
        new RegExp(`(?<![\\d.,])${figure.replaceAll('.', '\\.')}(?![\\d])`).test(measured),
        `${figure} is not in docs/performance.md any more: ${row}`,
      );
  }
});
