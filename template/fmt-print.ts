/** How Go's fmt prints one value with one verb. */
import { budgetError } from './errors.ts';
import { type Flags, floatText, integerText, unicodeText } from './fmt-number.ts';
import type { Call } from './function.ts';
import { canBackquote, quote, quoteRune, quoteRuneToAscii, quoteToAscii } from './quote.ts';
import { decodeRune, encodeRune, MAX_RUNE, RUNE_ERROR, runeCount } from './utf8.ts';
import {
  GoComplex,
  GoFloat,
  GoInt,
  GoMap,
  GoObject,
  GoSlice,
  type GoType,
  type GoValue,
  typeOf,
} from './value.ts';

/** How deep values may be nested within each other; Go has no limit and dies of a map that contains itself. */
const MAX_DEPTH = 250;

/** How many bytes are written between two looks at the budget. */
const ACCOUNT_EVERY = 4096;
/** What quoting takes at worst: four characters for one, and the parts that they are put together from. */
const BYTES_A_QUOTED = 8;

const noFlags = (): Flags => ({
  sharp: false,
  zero: false,
  plus: false,
  minus: false,
  space: false,
  plusV: false,
  sharpV: false,
  width: undefined,
  precision: undefined,
});

const isUnsigned = (type: GoType): boolean => type.kind.startsWith('u');

const isBytes = (value: GoSlice): boolean => value.type.elem?.kind === 'uint8';

const bytesOf = (value: GoSlice): string =>
  value.items.map((item) => (item instanceof GoInt ? String.fromCharCode(Number(item.value)) : '')).join('');

/** The first `count` code points of `s`. */
function truncate(s: string, count: number | undefined): string {
  if (count === undefined) return s;
  let at = 0;
  for (let left = count; left > 0 && at < s.length; left--) at += decodeRune(s, at).size;
  return s.slice(0, at);
}

/** A text that grows by what is printed into it, within the budget of a call. */
export class Printer {
  flags: Flags = noFlags();
  readonly #call: Call | undefined;
  readonly #parts: string[] = [];
  #unaccounted = 0;
  /** While a wrong verb is explained no method of the value is asked. */
  #explaining = false;

  constructor(call: Call | undefined) {
    this.#call = call;
  }

  /** All that was printed. */
  text(): string {
    this.#account();
    return this.#parts.join('');
  }

  clearFlags(): void {
    this.flags = noFlags();
  }

  write(s: string): void {
    this.#parts.push(s);
    this.#unaccounted += s.length;
    if (this.#unaccounted > ACCOUNT_EVERY) this.#account();
  }

  #account(): void {
    this.#call?.allocate(this.#unaccounted);
    this.#unaccounted = 0;
  }

  #pad(s: string, zeros = this.flags.zero): void {
    const { width, minus } = this.flags;
    const missing = width === undefined || width === 0 ? 0 : width - runeCount(s);
    if (missing <= 0) {
      this.write(s);
      return;
    }
    this.#call?.allocate(missing);
    // Zeros stand on the left only.
    this.write(minus ? s + ' '.repeat(missing) : (zeros ? '0' : ' ').repeat(missing) + s);
  }

  /** One argument of Printf and its like. */
  argument(value: GoValue, verb: string): void {
    if (value === null) {
      if (verb === 'T' || verb === 'v') this.#pad('<nil>');
      else this.write(`%!${verb}(<nil>)`);
      return;
    }
    if (verb === 'T') {
      this.#string(typeOf(value)?.name ?? '', 's');
      return;
    }
    if (verb === 'p') {
      this.#pointer(value, verb);
      return;
    }
    if (value instanceof GoSlice && isBytes(value)) this.#bytes(value, verb, '[]byte');
    else this.#value(value, verb, 0);
  }

  /** Why `verb` does not fit `value`. */
  #badVerb(value: GoValue, verb: string): void {
    this.write(`%!${verb}(`);
    this.#explaining = true;
    this.write(`${typeOf(value)?.name ?? ''}=`);
    if (value instanceof GoSlice && isBytes(value)) this.#bytes(value, 'v', '[]byte');
    else this.#value(value, 'v', 0);
    this.#explaining = false;
    this.write(')');
  }

  #value(value: GoValue, verb: string, depth: number): void {
    if (depth > MAX_DEPTH) throw budgetError(`values nested more than ${MAX_DEPTH} deep cannot be printed`);
    if (value === null) {
      this.write(this.flags.sharpV ? 'interface {}(nil)' : '<nil>');
    } else if (typeof value === 'string') {
      this.#string(value, verb);
    } else if (typeof value === 'boolean') {
      if (verb === 't' || verb === 'v') this.#pad(String(value));
      else this.#badVerb(value, verb);
    } else if (value instanceof GoInt) {
      this.#integer(value, verb);
    } else if (value instanceof GoFloat) {
      this.#float(value, verb);
    } else if (value instanceof GoComplex) {
      this.#complex(value, verb);
    } else if (verb === 'w' && !this.#explaining) {
      this.#badVerb(value, verb);
    } else {
      this.#call?.spend(1);
      if (value instanceof GoMap) this.#map(value, verb, depth);
      else if (value instanceof GoSlice) this.#slice(value, verb, depth);
      else this.#object(value, verb, depth);
    }
  }

  #string(value: string, verb: string): void {
    switch (verb) {
      case 'v':
        if (this.flags.sharpV) this.#quoted(value);
        else this.#pad(truncate(value, this.flags.precision));
        break;
      case 's':
        this.#pad(truncate(value, this.flags.precision));
        break;
      case 'q':
        this.#quoted(value);
        break;
      case 'x':
      case 'X':
        this.#hex(value, verb);
        break;
      default:
        this.#badVerb(value, verb);
    }
  }

  #quoted(value: string): void {
    const s = truncate(value, this.flags.precision);
    // `#` asks for backquotes; in %#v it has another meaning already.
    if (s.length > ACCOUNT_EVERY) this.#call?.allocate(BYTES_A_QUOTED * s.length);
    if (this.flags.sharp && canBackquote(s)) this.#pad(`\`${s}\``);
    else this.#pad(this.flags.plus ? quoteToAscii(s) : quote(s));
  }

  /** Two digits a byte; the precision counts bytes of the input, and no width is kept free for the separators. */
  #hex(value: string, verb: 'x' | 'X'): void {
    const { space, sharp, width, minus, precision, zero } = this.flags;
    const input = precision === undefined ? value : value.slice(0, precision);
    this.#call?.allocate(2 * input.length);
    const digits = Buffer.from(input, 'latin1').toString('hex');
    const cased = verb === 'X' ? digits.toUpperCase() : digits;
    const prefix = sharp && input.length > 0 ? `0${verb}` : '';
    const text = space ? (cased.match(/../g) ?? []).map((pair) => prefix + pair).join(' ') : prefix + cased;
    const missing = Math.max(0, (width ?? 0) - text.length);
    if (minus) this.write(text + ' '.repeat(missing));
    else this.write((zero ? '0' : ' ').repeat(missing) + text);
  }

  #bytes(value: GoSlice, verb: string, typeName: string): void {
    switch (verb) {
      case 's':
        this.#pad(truncate(bytesOf(value), this.flags.precision));
        break;
      case 'q':
        this.#quoted(bytesOf(value));
        break;
      case 'x':
      case 'X':
        this.#hex(bytesOf(value), verb);
        break;
      case 'v':
      case 'd':
        this.#elements(value, verb, 0, typeName);
        break;
      default:
        this.#value(value, verb, 0);
    }
  }

  #integer(value: GoInt, verb: string): void {
    const { text } = value.type;
    if (text !== undefined && !this.#explaining && !this.flags.sharpV && 'vsxXq'.includes(verb)) {
      this.#string(text(value.value), verb);
      return;
    }
    const unsigned = isUnsigned(value.type);
    switch (verb) {
      case 'v':
        if (this.flags.sharpV && unsigned) {
          this.#padInteger(integerText(value.value, 'x', { ...this.flags, sharp: true }));
          break;
        }
        this.#padInteger(integerText(value.value, 'd', this.flags));
        break;
      case 'd':
      case 'b':
      case 'o':
      case 'O':
      case 'x':
      case 'X':
        this.#padInteger(integerText(value.value, verb, this.flags));
        break;
      case 'U':
        this.#padInteger(unicodeText(value.value, this.flags));
        break;
      case 'c':
        this.#pad(encodeRune(asRune(value.value)));
        break;
      case 'q': {
        const rune = asRune(value.value);
        this.#pad(this.flags.plus ? quoteRuneToAscii(rune) : quoteRune(rune));
        break;
      }
      default:
        this.#badVerb(value, verb);
    }
  }

  #padInteger(text: string): void {
    if (text.length > ACCOUNT_EVERY) this.#call?.allocate(text.length);
    this.#pad(text, false);
  }

  #float(value: GoFloat, verb: string): void {
    if (!'vbgGxXfFeE'.includes(verb)) this.#badVerb(value, verb);
    else this.#floatPart(value.value, value.type.kind === 'float32' ? 32 : 64, verb);
  }

  #floatPart(value: number, bits: 32 | 64, verb: string): void {
    this.#call?.allocate(this.flags.precision ?? 0);
    const { text, zeroPad } = floatText(value, bits, verb, this.flags);
    const { zero, minus, width } = this.flags;
    const hasSign = text[0] === '-' || text[0] === '+' || text[0] === ' ';
    if (hasSign && zeroPad && zero && !minus && width !== undefined && width > text.length) {
      this.#call?.allocate(width);
      this.write(text.slice(0, 1) + text.slice(1).padStart(width - 1, '0'));
      return;
    }
    this.#pad(text, zero && zeroPad);
  }

  #complex(value: GoComplex, verb: string): void {
    if (!'vbgGxXfFeE'.includes(verb)) {
      this.#badVerb(value, verb);
      return;
    }
    const { plus } = this.flags;
    this.write('(');
    this.#floatPart(value.real, 64, verb);
    this.flags.plus = true;
    this.#floatPart(value.imaginary, 64, verb);
    this.flags.plus = plus;
    this.write('i)');
  }

  #map(value: GoMap, verb: string, depth: number): void {
    const { sharpV } = this.flags;
    if (sharpV && value.isNil) {
      this.write(`${value.type.name}(nil)`);
      return;
    }
    this.write(sharpV ? `${value.type.name}{` : 'map[');
    const keys = [...value.entries.keys()].sort();
    this.#call?.spend(keys.length);
    keys.forEach((key, i) => {
      if (i > 0) this.write(sharpV ? ', ' : ' ');
      this.#string(key, verb);
      this.write(':');
      this.#value(value.entries.get(key) ?? null, verb, depth + 1);
    });
    this.write(sharpV ? '}' : ']');
  }

  #slice(value: GoSlice, verb: string, depth: number): void {
    if (isBytes(value) && 'sqxX'.includes(verb)) this.#bytes(value, verb, value.type.name);
    else this.#elements(value, verb, depth, value.type.name);
  }

  #elements(value: GoSlice, verb: string, depth: number, typeName: string): void {
    const { sharpV } = this.flags;
    if (sharpV && value.isNil) {
      this.write(`${typeName}(nil)`);
      return;
    }
    this.#call?.spend(value.items.length);
    this.write(sharpV ? `${typeName}{` : '[');
    value.items.forEach((item, i) => {
      if (i > 0) this.write(sharpV ? ', ' : ' ');
      this.#value(item, verb, depth + 1);
    });
    this.write(sharpV ? '}' : ']');
  }

  #object(value: GoObject, verb: string, depth: number): void {
    if (!this.#explaining) {
      if (this.flags.sharpV) {
        if (value.goSyntax !== undefined) {
          this.#string(value.goSyntax(), 's');
          return;
        }
      } else if (value.text !== undefined && 'vsxXq'.includes(verb)) {
        this.#string(value.text(), verb);
        return;
      }
    }
    const pointer = value.type.kind === 'ptr';
    if (pointer && depth > 0) {
      this.#pointer(value, verb);
      return;
    }
    const { sharpV, plusV } = this.flags;
    if (pointer) this.write('&');
    if (sharpV) this.write(pointer ? value.type.name.slice(1) : value.type.name);
    this.write('{');
    let first = true;
    for (const [name, field] of value.fields) {
      if (!first) this.write(sharpV ? ', ' : ' ');
      first = false;
      if (sharpV || plusV) this.write(`${name}:`);
      this.#value(field, verb, depth + 1);
    }
    this.write('}');
  }

  /** An address means nothing here: it is the same for everything, and zero for nil. */
  #pointer(value: GoValue, verb: string): void {
    if (!(value instanceof GoMap || value instanceof GoSlice || value instanceof GoObject)) {
      this.#badVerb(value, verb);
      return;
    }
    const isNil = !(value instanceof GoObject) && value.isNil;
    this.#pad(isNil ? '0x0' : '0xc000000000');
  }
}

const asRune = (value: bigint): number => {
  const unsigned = BigInt.asUintN(64, value);
  return unsigned > BigInt(MAX_RUNE) ? RUNE_ERROR : Number(unsigned);
};
