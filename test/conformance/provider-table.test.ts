import assert from 'node:assert/strict';
import { test } from 'node:test';
import { providers } from '../../providers/registry.ts';
import { COLUMNS, explainedColumns, tableRows } from './provider-table.ts';

test('S87 every provider has run the conformance kit, 1,000 rounds among it: it has a row in docs/providers/README.md', () => {
  const labels = [...tableRows().keys()];
  for (const name of providers.keys())
    assert.ok(
      labels.some((label) => label === name || label.startsWith(`${name} `)),
      `no row for ${name}`,
    );
});

test('every row has all columns, and every column is explained', () => {
  for (const [label, row] of tableRows()) assert.equal(row.split(' | ').length, COLUMNS.length + 1, label);
  assert.deepEqual(explainedColumns(), [...COLUMNS]);
});
