/**
 * JSON to Go values as Go's encoding/json decodes into an `interface {}`: every number a float64, invalid UTF-8 and
 * lone surrogates U+FFFD, of two equal keys the later one, and Go's words for what is no JSON.
 */
import { type Call, GoError } from '../function.ts';
import { quote } from '../quote.ts';
import { encodeRune, fromRunes, runes, validUtf8 } from '../utf8.ts';
import { dict, float64, type GoValue, list } from '../value.ts';
import { descend, spendRunes } from './declare.ts';

export interface Decoded {
  readonly value: GoValue;
  /** The first number that is no float64; it stands in the value as nil. */
  readonly failure: GoError | undefined;
}

/**
 * @param text a Go string
 * @throws GoError Go's SyntaxError
 */
export function decodeJson(text: string, call: Call): Decoded {
  spendRunes(call, 2 * text.length);
  call.allocate(2 * text.length);
  return new Decoder(text, call).decode();
}

/** What a value costs besides its text. */
const BYTES_AN_ELEMENT = 40;

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;

const isDigit = (code: number): boolean => code >= ZERO && code <= 0x39;
const isWhite = (code: number): boolean => code === SPACE || code === 9 || code === 10 || code === 13;

const LITERALS: ReadonlyMap<string, readonly [string, GoValue]> = new Map<string, readonly [string, GoValue]>(
  [
    ['t', ['true', true]],
    ['f', ['false', false]],
    ['n', ['null', null]],
  ],
);

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['"', '"'],
  ['/', '/'],
  ['\\', '\\'],
]);

class Decoder {
  readonly #text: string;
  readonly #call: Call;
  #at = 0;
  #failure: GoError | undefined;

  constructor(text: string, call: Call) {
    this.#text = text;
    this.#call = call;
  }

  decode(): Decoded {
    const value = this.#value(0);
    this.#skipWhite();
    if (this.#at < this.#text.length) throw this.#invalid('after top-level value');
    return { value, failure: this.#failure };
  }

  /** The byte here; at the end of the text Go puts a space to its scanner. */
  #code(): number {
    return this.#at < this.#text.length ? this.#text.charCodeAt(this.#at) : SPACE;
  }

  #skipWhite(): void {
    while (this.#at < this.#text.length && isWhite(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  /** The next byte that is no white space, as a character. */
  #next(): string {
    this.#skipWhite();
    if (this.#at >= this.#text.length) throw new GoError('unexpected end of JSON input');
    return this.#text.charAt(this.#at);
  }

  #invalid(where: string): GoError {
    const code = this.#code();
    const shown = code === 0x27 ? `\\'` : code === QUOTE ? '"' : quote(encodeRune(code)).slice(1, -1);
    return new GoError(`invalid character [redacted] ${where}`, `invalid character '${shown}' ${where}`);
  }

  #value(depth: number): GoValue {
    const first = this.#next();
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#array(depth);
    if (first === '"') return this.#string();
    if (first === '-' || isDigit(this.#code())) return this.#number();
    const literal = LITERALS.get(first);
    if (literal === undefined) throw this.#invalid('looking for beginning of value');
    return this.#literal(...literal);
  }

  #literal(word: string, value: GoValue): GoValue {
    for (const letter of word) {
      if (this.#code() !== letter.charCodeAt(0)) {
        throw this.#invalid(`in literal ${word} (expecting '${letter}')`);
      }
      this.#at++;
    }
    return value;
  }

  #array(depth: number): GoValue {
    descend(depth, this.#call);
    this.#at++;
    const items: GoValue[] = [];
    if (this.#next() === ']') {
      this.#at++;
      return list(items);
    }
    for (;;) {
      items.push(this.#value(depth + 1));
      if (this.#ends(']', 'after array element')) return list(items);
    }
  }

  #object(depth: number): GoValue {
    descend(depth, this.#call);
    this.#at++;
    const map = dict();
    if (this.#next() === '}') {
      this.#at++;
      return map;
    }
    for (;;) {
      if (this.#next() !== '"') throw this.#invalid('looking for beginning of object key string');
      const key = this.#string();
      if (this.#next() !== ':') throw this.#invalid('after object key');
      this.#at++;
      map.entries.set(key, this.#value(depth + 1));
      if (this.#ends('}', 'after object key:value pair')) return map;
    }
  }

  /** True at the end of an array or object, false at a comma. */
  #ends(close: string, where: string): boolean {
    const next = this.#next();
    if (next !== close && next !== ',') throw this.#invalid(where);
    this.#at++;
    this.#call.spend(1);
    this.#call.allocate(BYTES_AN_ELEMENT);
    return next === close;
  }

  #digits(where: string): void {
    if (!isDigit(this.#code())) throw this.#invalid(where);
    while (isDigit(this.#code())) this.#at++;
  }

  #number(): GoValue {
    const start = this.#at;
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#code() === ZERO) this.#at++;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (/[eE]/.test(this.#text.charAt(this.#at))) {
      this.#at++;
      if (/[+-]/.test(this.#text.charAt(this.#at))) this.#at++;
      this.#digits('in exponent of numeric literal');
    }
    const digits = this.#text.slice(start, this.#at);
    const value = Number(digits);
    if (Number.isFinite(value)) return float64(value);
    const what = (number: string): string =>
      `json: cannot unmarshal number ${number} into Go value of type float64`;
    this.#failure ??= new GoError(what('[redacted]'), what(digits));
    return null;
  }

  #string(): string {
    this.#at++;
    let read = '';
    let start = this.#at;
    for (;;) {
      if (this.#at >= this.#text.length) throw new GoError('unexpected end of JSON input');
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      if (code < SPACE) throw this.#invalid('in string literal');
      if (code !== BACKSLASH) {
        this.#at++;
        continue;
      }
      read += valid(this.#text.slice(start, this.#at));
      this.#at++;
      read += this.#escape();
      start = this.#at;
    }
    read += valid(this.#text.slice(start, this.#at));
    this.#at++;
    return read;
  }

  /** What follows a backslash, as bytes. */
  #escape(): string {
    const letter = this.#text.charAt(this.#at);
    const plain = ESCAPES.get(letter);
    if (plain === undefined && letter !== 'u') throw this.#invalid('in string escape code');
    this.#at++;
    if (plain !== undefined) return plain;
    const unit = this.#fourHex();
    if (unit < 0xd800 || unit > 0xdbff) return encodeRune(unit);
    // A low surrogate right after makes one rune; anything else leaves this one alone, and is read for itself.
    const low = /^\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(this.#text.slice(this.#at, this.#at + 6))?.[1];
    if (low === undefined) return encodeRune(unit);
    this.#at += 6;
    return encodeRune(0x10000 + ((unit - 0xd800) << 10) + (Number.parseInt(low, 16) - 0xdc00));
  }

  #fourHex(): number {
    let unit = 0;
    for (let count = 0; count < 4; count++) {
      const digit = this.#text.charAt(this.#at);
      if (!/^[0-9a-fA-F]$/.test(digit)) throw this.#invalid('in \\u hexadecimal character escape');
      unit = unit * 16 + Number.parseInt(digit, 16);
      this.#at++;
    }
    return unit;
  }
}

const NON_ASCII = /[\x80-\xff]/;

/** The bytes with U+FFFD for each that is no UTF-8. */
const valid = (bytes: string): string =>
  !NON_ASCII.test(bytes) || validUtf8(bytes) ? bytes : fromRunes(runes(bytes));
