/**
 * The lexer of Go's text/template over Go strings: delimiters with trim markers, comments, and the tokens between.
 * It hands out one token at a time, since the parser stops at the first that is wrong.
 */
import { unicodeText } from './fmt-number.ts';
import { quote } from './quote.ts';
import { isDigit, isLetter, isPrint } from './unicode.ts';
import { decodeRune, fromRunes, runes } from './utf8.ts';

const KEYWORDS = [
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'nil',
  'range',
  'template',
  'with',
] as const;

export type Keyword = (typeof KEYWORDS)[number];

export type TokenType =
  | Keyword
  | 'error'
  | 'bool'
  | 'char'
  | 'charConstant'
  | 'complex'
  | 'assign'
  | 'declare'
  | 'eof'
  | 'field'
  | 'identifier'
  | 'leftDelim'
  | 'leftParen'
  | 'number'
  | 'pipe'
  | 'rawString'
  | 'rightDelim'
  | 'rightParen'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'
  | 'dot';

export interface Token {
  readonly type: TokenType;
  /** Byte offset of its first character in the source. */
  readonly position: number;
  /** As in the source; of an error, what is wrong. */
  readonly text: string;
  /** 1-based line of its first character. */
  readonly line: number;
}

const keywords: ReadonlySet<string> = new Set(KEYWORDS);

const isKeyword = (word: string): word is Keyword => keywords.has(word);

/** A token as Go's parse errors print it. */
export function tokenText({ type, text }: Token): string {
  if (type === 'eof') return 'EOF';
  if (type === 'error') return text;
  if (type === 'dot' || keywords.has(type)) return `<${text}>`;
  return text.length > 10 ? `${quote(fromRunes(runes(text).slice(0, 10)))}...` : quote(text);
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BLANK = 0x20;
const MINUS = 0x2d;

const isSpaceCode = (code: number): boolean =>
  code === BLANK || code === TAB || code === RETURN || code === NEWLINE;

const isDigitCode = (code: number): boolean => code >= 0x30 && code <= 0x39;

const isAlphaNumeric = (rune: number): boolean => rune === 0x5f || isLetter(rune) || isDigit(rune);

/** What may follow an identifier, besides white space, the right delimiter and the end. */
const TERMINATORS: ReadonlySet<string> = new Set(['.', ',', '|', ':', ')', '(']);

const NUMBER_DIGITS: Readonly<Record<string, string>> = {
  x: '0123456789abcdefABCDEF_',
  o: '01234567_',
  b: '01_',
};

const codePoint = (rune: number): string =>
  unicodeText(BigInt(rune), {
    sharp: true,
    zero: false,
    plus: false,
    minus: false,
    space: false,
    plusV: false,
    sharpV: false,
    width: undefined,
    precision: undefined,
  });

export class Lexer {
  readonly #input: string;
  readonly #left: string;
  readonly #right: string;
  /** Functions of these names take precedence over the keywords. */
  readonly #plainWords: ReadonlySet<string>;
  /** Where the token in the making starts, and how far it goes. */
  #start = 0;
  #at = 0;
  #insideAction = false;
  #parens = 0;
  /** The line of `#start`, and where the next line begins. */
  #line = 1;
  #nextLine: number;
  #failed = false;

  constructor(
    input: string,
    left: string = '{{',
    right: string = '}}',
    plainWords: ReadonlySet<string> = new Set(),
  ) {
    this.#input = input;
    this.#left = left;
    this.#right = right;
    this.#plainWords = plainWords;
    this.#nextLine = this.#lineAfter(0);
  }

  /** The next token; after an error or the end, `eof`. */
  next(): Token {
    if (this.#failed) return { type: 'eof', position: this.#start, text: '', line: this.#line };
    return this.#insideAction ? this.#action() : this.#text();
  }

  #token(type: TokenType, text = this.#input.slice(this.#start, this.#at)): Token {
    while (this.#nextLine <= this.#start) {
      this.#line++;
      this.#nextLine = this.#lineAfter(this.#nextLine);
    }
    const token: Token = { type, position: this.#start, text, line: this.#line };
    this.#start = this.#at;
    return token;
  }

  #lineAfter(at: number): number {
    const newline = this.#input.indexOf('\n', at);
    return newline < 0 ? Number.POSITIVE_INFINITY : newline + 1;
  }

  #error(what: string): Token {
    const token = this.#token('error', what);
    this.#failed = true;
    return token;
  }

  #code(at: number = this.#at): number {
    return at < this.#input.length ? this.#input.charCodeAt(at) : -1;
  }

  #startsWith(text: string, at: number = this.#at): boolean {
    return this.#input.startsWith(text, at);
  }

  #skipSpace(): void {
    while (isSpaceCode(this.#code())) this.#at++;
  }

  /** Text up to the next action; comments are dropped on the way. */
  #text(): Token {
    for (;;) {
      const found = this.#input.indexOf(this.#left, this.#at);
      if (found < 0) {
        this.#at = this.#input.length;
        return this.#token(this.#at > this.#start ? 'text' : 'eof');
      }
      const inside = found + this.#left.length;
      const trims = this.#code(inside) === MINUS && isSpaceCode(this.#code(inside + 1));
      if (found > this.#start) {
        let end = found;
        if (trims) while (end > this.#start && isSpaceCode(this.#code(end - 1))) end--;
        this.#at = end;
        const text = this.#at > this.#start ? this.#token('text') : undefined;
        this.#start = found;
        this.#at = found;
        if (text !== undefined) return text;
      }
      const body = inside + (trims ? 2 : 0);
      if (!this.#startsWith('/*', body)) {
        this.#at = inside;
        const token = this.#token('leftDelim');
        this.#at = body;
        this.#start = body;
        this.#insideAction = true;
        this.#parens = 0;
        return token;
      }
      this.#start = body;
      const error = this.#comment(body);
      if (error !== undefined) return this.#error(error);
    }
  }

  /** Skips a comment and its right delimiter. @returns what is wrong with it */
  #comment(body: number): string | undefined {
    const close = this.#input.indexOf('*/', body + 2);
    if (close < 0) return 'unclosed comment';
    this.#at = close + 2;
    const delim = this.#rightDelim();
    if (delim === 0) return 'comment ends before closing delimiter';
    this.#at += delim;
    if (delim > this.#right.length) this.#skipSpace();
    this.#start = this.#at;
    return undefined;
  }

  /** The length of the right delimiter here, its trim marker included; 0 if there is none. */
  #rightDelim(): number {
    const marked = isSpaceCode(this.#code()) && this.#code(this.#at + 1) === MINUS;
    if (marked && this.#startsWith(this.#right, this.#at + 2)) return this.#right.length + 2;
    return this.#startsWith(this.#right) ? this.#right.length : 0;
  }

  #action(): Token {
    const delim = this.#rightDelim();
    if (delim > 0) return this.#parens === 0 ? this.#close(delim) : this.#error('unclosed left paren');
    const code = this.#code();
    if (code < 0) return this.#error('unclosed action');
    if (isSpaceCode(code)) return this.#space();
    const char = String.fromCharCode(code);
    switch (char) {
      case '=':
        this.#at++;
        return this.#token('assign');
      case ':':
        if (this.#code(this.#at + 1) !== 0x3d) return this.#error('expected :=');
        this.#at += 2;
        return this.#token('declare');
      case '|':
        this.#at++;
        return this.#token('pipe');
      case '"':
        return this.#quoted('"', 'string', 'unterminated quoted string');
      case "'":
        return this.#quoted("'", 'charConstant', 'unterminated character constant');
      case '`':
        return this.#rawString();
      case '$':
        this.#at++;
        return this.#atTerminator() ? this.#token('variable') : this.#name('variable');
      case '(':
        this.#at++;
        this.#parens++;
        return this.#token('leftParen');
      case ')':
        this.#at++;
        this.#parens--;
        return this.#parens < 0 ? this.#error('unexpected right paren') : this.#token('rightParen');
      case '.':
        // A digit makes it a number; at the very end it is one too, without digits.
        if (this.#at + 1 < this.#input.length && !isDigitCode(this.#code(this.#at + 1))) {
          this.#at++;
          return this.#atTerminator() ? this.#token('dot') : this.#name('field');
        }
        return this.#number();
      case '+':
      case '-':
        return this.#number();
      default:
        return this.#other(code);
    }
  }

  #other(code: number): Token {
    if (isDigitCode(code)) return this.#number();
    const { rune, size } = decodeRune(this.#input, this.#at);
    if (isAlphaNumeric(rune)) return this.#word();
    this.#at += size;
    if (rune < 0x80 && isPrint(rune)) return this.#token('char');
    return this.#error(`unrecognized character in action: ${codePoint(rune)}`);
  }

  #close(delim: number): Token {
    const trims = delim > this.#right.length;
    if (trims) this.#start = this.#at + 2;
    this.#at += delim;
    const token = this.#token('rightDelim');
    if (trims) this.#skipSpace();
    this.#start = this.#at;
    this.#insideAction = false;
    return token;
  }

  /** A run of white space, without the blank that belongs to a trim marker after it. */
  #space(): Token {
    this.#skipSpace();
    if (this.#code() === MINUS && this.#startsWith(this.#right, this.#at + 1)) this.#at--;
    return this.#token('space');
  }

  #atTerminator(): boolean {
    const code = this.#code();
    return (
      code < 0 ||
      isSpaceCode(code) ||
      TERMINATORS.has(String.fromCharCode(code)) ||
      this.#startsWith(this.#right)
    );
  }

  /** Skips letters and digits. @returns the code point that ended them */
  #skipAlphaNumeric(): number {
    for (;;) {
      const { rune, size } = decodeRune(this.#input, this.#at);
      if (size === 0 || !isAlphaNumeric(rune)) return rune;
      this.#at += size;
    }
  }

  #word(): Token {
    const rune = this.#skipAlphaNumeric();
    if (!this.#atTerminator()) return this.#error(`bad character ${codePoint(rune)}`);
    const word = this.#input.slice(this.#start, this.#at);
    if (isKeyword(word) && !this.#plainWords.has(word)) return this.#token(word);
    return this.#token(word === 'true' || word === 'false' ? 'bool' : 'identifier');
  }

  /** The rest of a field or variable, its first character being past. */
  #name(type: 'field' | 'variable'): Token {
    const rune = this.#skipAlphaNumeric();
    return this.#atTerminator() ? this.#token(type) : this.#error(`bad character ${codePoint(rune)}`);
  }

  /** A literal in quotation marks on one line; whether its escapes are right is found by the parser. */
  #quoted(mark: string, type: 'string' | 'charConstant', unterminated: string): Token {
    this.#at++;
    for (;;) {
      let code = this.#code();
      const escaped = code === 0x5c;
      if (escaped) {
        this.#at++;
        code = this.#code();
      }
      if (code < 0 || code === NEWLINE) return this.#error(unterminated);
      this.#at++;
      if (!escaped && code === mark.charCodeAt(0)) return this.#token(type);
    }
  }

  #rawString(): Token {
    const close = this.#input.indexOf('`', this.#at + 1);
    if (close < 0) return this.#error('unterminated raw quoted string');
    this.#at = close + 1;
    return this.#token('rawString');
  }

  #accept(chars: string): boolean {
    const char = this.#input[this.#at];
    if (char === undefined || !chars.includes(char)) return false;
    this.#at++;
    return true;
  }

  #acceptRun(chars: string): void {
    while (this.#accept(chars));
  }

  /** A number, or two with a sign between them that end in `i`. Nonsense such as 0x.i gets through to the parser. */
  #number(): Token {
    if (!this.#scanNumber()) return this.#badNumber();
    const code = this.#code();
    if (code !== 0x2b && code !== MINUS) return this.#token('number');
    if (!this.#scanNumber() || this.#input[this.#at - 1] !== 'i') return this.#badNumber();
    return this.#token('complex');
  }

  #badNumber(): Token {
    return this.#error(`bad number syntax: ${quote(this.#input.slice(this.#start, this.#at))}`);
  }

  #scanNumber(): boolean {
    this.#accept('+-');
    let base = '';
    if (this.#accept('0')) {
      const letter = this.#input[this.#at]?.toLowerCase() ?? '';
      if (letter in NUMBER_DIGITS) {
        base = letter;
        this.#at++;
      }
    }
    const digits = NUMBER_DIGITS[base] ?? '0123456789_';
    this.#acceptRun(digits);
    if (this.#accept('.')) this.#acceptRun(digits);
    if ((base === '' && this.#accept('eE')) || (base === 'x' && this.#accept('pP'))) {
      this.#accept('+-');
      this.#acceptRun('0123456789_');
    }
    this.#accept('i');
    const { rune, size } = decodeRune(this.#input, this.#at);
    if (size === 0 || !isAlphaNumeric(rune)) return true;
    this.#at += size;
    return false;
  }
}
