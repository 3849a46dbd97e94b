/** How commands print: colours, tables, ages, progress. */
import { styleText } from 'node:util';
import type { Terminal } from '../terminal.ts';

type Style = Parameters<typeof styleText>[0];
/** Paints text, or leaves it as it is. */
export type Painter = (style: Style, text: string) => string;

/** Paints on terminals that show colours, and nowhere else. */
export const painter =
  ({ colours }: Pick<Terminal, 'colours'>): Painter =>
  (style, text) =>
    colours ? styleText(style, text, { validateStream: false }) : text;

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** Like kubectl's ages, two units at most: `3d4h`, `5m`, `12s`; below a second `0s`. @param ms milliseconds */
export function formatAge(ms: number): string {
  const first = UNITS.findIndex(([, size]) => ms >= size);
  if (first === -1) return '0s';
  let rest = ms;
  return UNITS.slice(first, first + 2)
    .map(([name, size]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return count === 0 ? '' : `${count}${name}`;
    })
    .join('');
}

/** Columns of the width that they need, two spaces between them; a line each. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** One line on the terminal that is written anew; nothing at all where the terminal shows none. */
export class Progress {
  readonly #terminal: Terminal;
  #shown = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(text: string): void {
    if (this.#terminal.progress !== true) return;
    this.#terminal.error(`\r\x1b[K${text}`);
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) this.#terminal.error('\r\x1b[K');
    this.#shown = false;
  }
}
