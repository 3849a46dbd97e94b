/**
 * YAML as go-yaml v2 writes it for Kubernetes: block style, keys in natural order, lists not indented in maps, lines
 * folded at blanks beyond column 80, and strings quoted where YAML 1.1 would read something else.
 */
import { resolvePlain } from '../go-yaml-resolve.ts';
import { isDigit, isLetter } from '../unicode.ts';
import { fromUtf8 } from '../value.ts';

/** Text is JavaScript's here; a number comes as it is to be written. */
export type Writable =
  | null
  | boolean
  | string
  | { readonly number: string }
  | readonly Writable[]
  | ReadonlyMap<string, Writable>;

/** Beyond this column a line is folded at the next single blank. */
const WIDTH = 80;
/** A key of more bytes stands on a line of its own behind `?`. */
const MAX_SIMPLE_KEY = 128;

/** The document, with a line break at its end. */
export function writeYaml(value: Writable): string {
  const writer = new Writer();
  writer.node(value, { inMap: false, asKey: false });
  writer.newLine();
  return writer.text;
}

interface Context {
  /** The node is a value of a map, so a list keeps the indentation of the map. */
  readonly inMap: boolean;
  /** The node is a key before a colon, so it stays on its line. */
  readonly asKey: boolean;
}

const isBreak = (character: string | undefined): boolean =>
  character === '\n' ||
  character === '\r' ||
  character === '\x85' ||
  character === '\u2028' ||
  character === '\u2029';

class Writer {
  text = '';
  #column = 0;
  #indent = -1;
  /** What was written last is blank, or an indicator after which none is needed. */
  #blank = true;
  /** Only indentation and indicators stand on the line so far. */
  #indention = true;

  node(value: Writable, context: Context): void {
    if (value instanceof Map) this.#map(value);
    else if (Array.isArray(value)) this.#list(value, context);
    else
      this.#scalar(value as Exclude<Writable, readonly Writable[] | ReadonlyMap<string, Writable>>, context);
  }

  /** Goes to a fresh line where the indentation wants it, and indents. */
  newLine(): void {
    const indent = Math.max(this.#indent, 0);
    if (!this.#indention || this.#column > indent || (this.#column === indent && !this.#blank))
      this.#lineBreak('\n');
    while (this.#column < indent) this.#put(' ');
    this.#blank = true;
    this.#indention = true;
  }

  #put(characters: string): void {
    this.text += characters;
    this.#column += characters.length === 1 ? 1 : Array.from(characters).length;
  }

  #lineBreak(character: string): void {
    this.text += character;
    this.#column = 0;
  }

  #indicator(indicator: string, blankBefore: boolean, blankAfter: boolean, indention: boolean): void {
    if (blankBefore && !this.#blank) this.#put(' ');
    this.#put(indicator);
    this.#blank = blankAfter;
    this.#indention = this.#indention && indention;
  }

  #indented(
    write: () => void,
    by: (indent: number) => number = (indent) => (indent < 0 ? 0 : indent + 2),
  ): void {
    const outer = this.#indent;
    this.#indent = by(outer);
    write();
    this.#indent = outer;
  }

  #list(items: readonly Writable[], context: Context): void {
    if (items.length === 0) {
      this.#indicator('[', true, true, false);
      this.#indicator(']', false, false, false);
      return;
    }
    const keepsIndent = context.inMap && !this.#indention;
    const write = (): void => {
      for (const item of items) {
        this.newLine();
        this.#indicator('-', true, false, true);
        this.node(item, { inMap: false, asKey: false });
      }
    };
    this.#indented(write, (indent) => (indent < 0 ? 0 : keepsIndent ? indent : indent + 2));
  }

  #map(map: ReadonlyMap<string, Writable>): void {
    if (map.size === 0) {
      this.#indicator('{', true, true, false);
      this.#indicator('}', false, false, false);
      return;
    }
    const keys = [...map.keys()].sort(compareKeys);
    this.#indented(() => {
      for (const key of keys) {
        this.newLine();
        const isSimple = !/[\n\r\x85\u2028\u2029]/.test(key) && Buffer.byteLength(key) <= MAX_SIMPLE_KEY;
        if (!isSimple) this.#indicator('?', true, false, true);
        this.#scalar(key, { inMap: true, asKey: isSimple });
        if (!isSimple) this.newLine();
        this.#indicator(':', !isSimple, false, !isSimple);
        this.node(map.get(key) ?? null, { inMap: true, asKey: false });
      }
    });
  }

  #scalar(value: null | boolean | string | { readonly number: string }, { asKey }: Context): void {
    this.#indented(
      () => {
        if (typeof value === 'string') this.#string(value, asKey);
        else
          this.#plain(
            value === null ? 'null' : typeof value === 'boolean' ? String(value) : value.number,
            asKey,
          );
      },
      (indent) => (indent < 0 ? 2 : indent + 2),
    );
  }

  #string(text: string, asKey: boolean): void {
    const style = styleOf(text, asKey);
    if (style === 'literal') this.#literal(text);
    else if (style === 'plain') this.#plain(text, asKey);
    else if (style === 'single') this.#singleQuoted(text, asKey);
    else this.#doubleQuoted(text, asKey);
  }

  #plain(text: string, asKey: boolean): void {
    if (!this.#blank) this.#put(' ');
    this.#folded(Array.from(text), asKey, false);
    this.#blank = false;
    this.#indention = false;
  }

  #singleQuoted(text: string, asKey: boolean): void {
    this.#indicator("'", true, false, false);
    this.#folded(Array.from(text), asKey, true);
    this.#indicator("'", false, false, false);
    this.#blank = false;
    this.#indention = false;
  }

  /** The characters of a plain or single-quoted scalar, folded where that is allowed. */
  #folded(characters: readonly string[], asKey: boolean, quoted: boolean): void {
    let afterSpace = false;
    let afterBreak = false;
    characters.forEach((character, index) => {
      if (character === ' ') {
        const inside = !quoted || (index > 0 && index < characters.length - 1);
        const folds =
          !asKey && !afterSpace && this.#column > WIDTH && inside && characters[index + 1] !== ' ';
        if (folds) this.newLine();
        else this.#put(' ');
        afterSpace = true;
      } else if (isBreak(character)) {
        if (!afterBreak && character === '\n') this.#lineBreak('\n');
        this.#lineBreak(character);
        this.#indention = true;
        afterBreak = true;
      } else {
        if (afterBreak) this.newLine();
        this.#put(quoted && character === "'" ? "''" : character);
        this.#indention = false;
        afterSpace = false;
        afterBreak = false;
      }
    });
  }

  #doubleQuoted(text: string, asKey: boolean): void {
    this.#indicator('"', true, false, false);
    const characters = Array.from(text);
    let afterSpace = false;
    characters.forEach((character, index) => {
      if (character !== ' ') {
        this.#put(needsEscape(character) ? escapeCharacter(character) : character);
        afterSpace = false;
        return;
      }
      const inside = index > 0 && index < characters.length - 1;
      if (!asKey && !afterSpace && this.#column > WIDTH && inside) {
        this.newLine();
        // A blank at the beginning of a line would be lost.
        if (characters[index + 1] === ' ') this.#put('\\');
      } else this.#put(' ');
      afterSpace = true;
    });
    this.#indicator('"', false, false, false);
    this.#blank = false;
    this.#indention = false;
  }

  #literal(text: string): void {
    this.#indicator('|', true, false, false);
    if (text.startsWith(' ') || isBreak(text[0])) this.#indicator('2', false, false, false);
    const last = text.at(-1);
    const chomping = !isBreak(last) ? '-' : text.length === 1 || isBreak(text.at(-2)) ? '+' : '';
    if (chomping !== '') this.#indicator(chomping, false, false, false);
    this.#lineBreak('\n');
    this.#indention = true;
    this.#blank = true;
    let afterBreak = true;
    for (const character of text) {
      if (isBreak(character)) {
        this.#lineBreak(character);
        this.#indention = true;
        afterBreak = true;
      } else {
        if (afterBreak) this.newLine();
        this.#put(character);
        this.#indention = false;
        afterBreak = false;
      }
    }
  }
}

/** Not printable by YAML 1.1 (a tab neither), or a byte order mark. */
const UNPRINTABLE = /[^\n -~\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/;

const needsEscape = (character: string): boolean =>
  character === '"' || character === '\\' || isBreak(character) || isUnprintable(character);

/** go-yaml holds characters beyond the basic plane for unprintable too. */
const isUnprintable = (character: string): boolean => character.length > 1 || UNPRINTABLE.test(character);

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\0', '0'],
  ['\x07', 'a'],
  ['\b', 'b'],
  ['\t', 't'],
  ['\n', 'n'],
  ['\v', 'v'],
  ['\f', 'f'],
  ['\r', 'r'],
  ['\x1b', 'e'],
  ['"', '"'],
  ['\\', '\\'],
  ['\x85', 'N'],
  ['\u2028', 'L'],
  ['\u2029', 'P'],
]);

function escapeCharacter(character: string): string {
  const known = ESCAPES.get(character);
  if (known !== undefined) return `\\${known}`;
  const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** Sexagesimal numbers are no numbers to go-yaml, but to others, so it quotes them. */
const BASE60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

type Style = 'plain' | 'single' | 'double' | 'literal';

function styleOf(text: string, asKey: boolean): Style {
  if (text === '') return 'double';
  const spaceBeforeBreak = / [\n\r\x85\u2028\u2029]/.test(text);
  const breakBeforeSpace = /[\n\r\x85\u2028\u2029] /.test(text);
  const isSpecial = spaceBeforeBreak || Array.from(text).some(isUnprintable);
  const isMultiline = /[\n\r\x85\u2028\u2029]/.test(text);
  if (text.includes('\n')) {
    return isSpecial || text.endsWith(' ') || asKey ? 'double' : 'literal';
  }
  if (asKey && isMultiline) return 'double';
  if (resolvePlain(fromUtf8(text)).tag !== 'str' || BASE60.test(text)) return 'double';
  if (!isSpecial && !isMultiline && !/^ | $/.test(text) && !hasIndicator(text)) return 'plain';
  return isSpecial || breakBeforeSpace ? 'double' : 'single';
}

/** Whether a plain scalar in a block would be taken for something else. */
const hasIndicator = (text: string): boolean =>
  /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[-?:](?:[ \t]|$))/.test(text) || /:(?:[ \t]|$)|[ \t]#/.test(text);

/** Letters behind other characters, numbers in the text by their value. */
function compareKeys(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)];
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [x, y] = [codeAt(a, at), codeAt(b, at)];
    if (x === y) continue;
    const [xLetter, yLetter] = [isLetter(x), isLetter(y)];
    if (xLetter && yLetter) return x - y;
    if (xLetter || yLetter) return yLetter ? -1 : 1;
    return compareNumbers(a, b, at) || x - y;
  }
  return a.length - b.length;
}

const codeAt = (characters: readonly string[], at: number): number => characters[at]?.codePointAt(0) ?? 0;
const ZERO = 0x30;

/** Of the numbers that begin, or go on, at the first difference: by value, then the shorter one first. */
function compareNumbers(a: readonly string[], b: readonly string[], at: number): number {
  let inNumber = false;
  if (codeAt(a, at) === ZERO || codeAt(b, at) === ZERO) {
    for (let before = at - 1; before >= 0 && isDigit(codeAt(a, before)); before--) {
      if (codeAt(a, before) !== ZERO) inNumber = true;
    }
  }
  const read = (characters: readonly string[]): [value: bigint, end: number] => {
    let value = inNumber ? 1n : 0n;
    let end = at;
    for (; end < characters.length && isDigit(codeAt(characters, end)); end++) {
      value = BigInt.asIntN(64, value * 10n + BigInt(codeAt(characters, end) - ZERO));
    }
    return [value, end];
  };
  const [left, leftEnd] = read(a);
  const [right, rightEnd] = read(b);
  if (left !== right) return left < right ? -1 : 1;
  return leftEnd - rightEnd;
}
