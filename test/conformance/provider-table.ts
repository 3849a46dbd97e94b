/** The table of docs/providers/README.md: a row a provider, a column a part of the conformance kit. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareUtf8 } from '../../providers/go-json.ts';
import { ROOT } from '../../tools/setup/paths.mjs';

/** In the order of the table. */
export const COLUMNS = [
  'live check',
  'whole secret',
  'property',
  'gjson',
  'map',
  'Fetch',
  'find name',
  'find tags',
  'find path',
  'unicode',
  'bytes',
  'any key',
  'big value',
  'absent',
  '50 at once',
  '1,000 rounds',
  'cancelled',
  'hanging',
  'failures',
  'redirect',
  'TLS',
] as const;
export type Column = (typeof COLUMNS)[number];

const TABLE_FILE = join(ROOT, 'docs/providers/README.md');

const HEAD = `| provider | ${COLUMNS.join(' | ')} |`;

const isRow = (line: string): boolean => /^\| `[^`]+`/.test(line);

/** The rows as they stand in the page, by their label. */
export function tableRows(): ReadonlyMap<string, string> {
  const lines = readFileSync(TABLE_FILE, 'utf8').split('\n');
  assert.ok(lines.includes(HEAD), `the head of the table is not: ${HEAD}`);
  return new Map(lines.filter(isRow).map((line) => [line.split('`')[1] ?? '', line]));
}

/** The columns that the page says something about, in its order. */
export function explainedColumns(): readonly string[] {
  const page = readFileSync(TABLE_FILE, 'utf8');
  const [, legend = ''] = page.split('| column | |\n|---|---|\n');
  const [lines = ''] = legend.split('\n\n');
  return lines.split('\n').flatMap((line) => line.slice(2).split(' | ')[0]?.split(', ') ?? []);
}

/** What one provider has shown. */
export class Row {
  readonly #cells = new Map<Column, string>();

  set(column: Column, cell: string): void {
    this.#cells.set(column, cell);
  }

  text(label: string): string {
    return `| \`${label}\` | ${COLUMNS.map((column) => this.#cells.get(column) ?? 'FAILED').join(' | ')} |`;
  }

  /** Compares the row with that of the page; with ESA_TABLE=write puts it there, if all of it was shown. */
  check(label: string): void {
    const text = this.text(label);
    if (process.env['ESA_TABLE'] === 'write' && !text.includes('FAILED')) {
      const page = readFileSync(TABLE_FILE, 'utf8').split('\n');
      const rows = [...new Map(tableRows()).set(label, text)];
      const sorted = rows.toSorted(([a], [b]) => compareUtf8(a, b)).map(([, row]) => row);
      const start = page.indexOf(HEAD) + 2;
      const kept = page.filter((line) => !isRow(line));
      writeFileSync(TABLE_FILE, [...kept.slice(0, start), ...sorted, ...kept.slice(start)].join('\n'));
    }
    assert.equal(
      tableRows().get(label),
      text,
      'the row has changed: run the file with ESA_TABLE=write, look at the change, and commit it',
    );
  }
}
