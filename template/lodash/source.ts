/**
 * The text of a lodash template as the program that it stands for: text and values are printed, code stands as it
 * is written, so that blocks may open in one tag and close in another. Delimiters and their order are those of
 * lodash 4: `<%- %>` escapes for HTML, `<%= %>` and `${ }` print, `<% %>` runs.
 */

const DELIMITERS = /<%-([\s\S]+?)%>|<%=([\s\S]+?)%>|\$\{([^\\}]*(?:\\.[^\\}]*)*)\}|<%([\s\S]+?)%>/g;

/** What the program calls to print; nobody else may use the names. */
export const PRINT_TEXT = '$esa_text';
export const PRINT_VALUE = '$esa_value';
export const PRINT_ESCAPED = '$esa_escaped';
export const PRINTERS: ReadonlySet<string> = new Set([PRINT_TEXT, PRINT_VALUE, PRINT_ESCAPED]);

/** Code of the template's author: where it stands in the program and where in the template. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly at: number;
}

export interface Source {
  readonly template: string;
  readonly program: string;
  /** What `$esa_text(n)` prints. */
  readonly texts: readonly string[];
  readonly pieces: readonly Piece[];
}

export function programOf(template: string): Source {
  const texts: string[] = [];
  const pieces: Piece[] = [];
  const parts: string[] = [];
  let length = 0;
  let done = 0;
  const add = (part: string): void => {
    parts.push(part);
    length += part.length;
  };
  const text = (end: number): void => {
    if (end > done) add(`${PRINT_TEXT}(${texts.push(template.slice(done, end)) - 1});\n`);
  };
  const code = (piece: string, at: number): void => {
    pieces.push({ start: length, end: length + piece.length, at });
    add(piece);
  };
  for (const match of template.matchAll(DELIMITERS)) {
    const [all, escaped, printed, interpolated, evaluated] = match;
    text(match.index);
    done = match.index + all.length;
    const value = escaped ?? printed ?? interpolated;
    if (evaluated !== undefined) {
      code(evaluated, match.index + '<%'.length);
      // As lodash ends a statement, on a new line for the sake of comments.
      add('\n;');
    } else if (value !== undefined && value !== '') {
      add(`${escaped === undefined ? PRINT_VALUE : PRINT_ESCAPED}((\n`);
      code(value, match.index + (interpolated === undefined ? '<%='.length : '${'.length));
      add('\n));\n');
    }
  }
  text(template.length);
  return { template, program: parts.join(''), texts, pieces };
}

/** The last piece that begins at or before an offset of the program: there may be thousands. */
function pieceBefore({ pieces }: Source, offset: number): Piece | undefined {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pieces[middle]?.start ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return pieces[low - 1];
}

/** The piece of the author's code that a character of the program belongs to. */
export function pieceAt(source: Source, offset: number): Piece | undefined {
  const piece = pieceBefore(source, offset);
  return piece !== undefined && offset < piece.end ? piece : undefined;
}

/** Where in the template something stands; what belongs to no piece stands where the one before it ends. */
export function templateOffset(source: Source, offset: number): number {
  const piece = pieceBefore(source, offset) ?? source.pieces[0];
  if (piece === undefined) return 0;
  return piece.at + Math.min(Math.max(offset - piece.start, 0), piece.end - piece.start);
}

/** `line 2, column 5`, both 1-based. */
export function lineAndColumn(template: string, offset: number): { line: number; column: number } {
  const before = template.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}
