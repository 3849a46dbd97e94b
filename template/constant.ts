/** Number constants of templates: which of Go's number types a literal can be. */
import { GoError } from './function.ts';
import type { NumberNode } from './nodes.ts';
import { quote, unquoteChar } from './quote.ts';
import { parseGoFloat, parseGoInt, parseUint } from './strconv.ts';
import { float64, GoComplex, type GoValue, int } from './value.ts';

type Values = Omit<NumberNode, 'kind' | 'position' | 'text'>;

/** All but the last, which follows from them and the text. */
type Candidates = Omit<Values, 'untyped'>;

const TWO_63 = 2 ** 63;
const TWO_64 = 2 ** 64;

function attempt<Value>(parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (thrown) {
    if (thrown instanceof GoError) return undefined;
    throw thrown;
  }
}

const intOf = (value: number): bigint | undefined =>
  Number.isInteger(value) && value >= -TWO_63 && value < TWO_63 ? BigInt(value) : undefined;

const uintOf = (value: number): bigint | undefined =>
  Number.isInteger(value) && value >= 0 && value < TWO_64 ? BigInt(value) : undefined;

/** A complex constant without an imaginary part is any number that its real part can be. */
function complex(real: number, imaginary: number): Candidates {
  const simple = imaginary === 0 ? { float: real, int: intOf(real), uint: uintOf(real) } : {};
  return { complex: [real, imaginary], ...simple };
}

/** `'x'` */
function character(text: string): Candidates {
  const char = unquoteChar(text, 1, "'");
  if (char === undefined) throw new GoError('invalid syntax');
  if (text.slice(1 + char.size) !== "'") throw new GoError(`malformed character constant: ${text}`);
  return { int: BigInt(char.value), uint: BigInt(char.value), float: char.value };
}

/** One number of a complex constant, as fmt.Sscan splits them. */
const COMPLEX_PART =
  /^[+-]?(?:0[xX][0-9a-fA-F_]*\.?[0-9a-fA-F_]*(?:[pP][+-]?[0-9_]*)?|[0-9_]*\.?[0-9_]*(?:[eEpP][+-]?[0-9_]*)?)/;

/** fmt.Sscan of `a+bi`. Other bases than ten and sixteen end the first number early. */
function pair(text: string): Candidates {
  const real = COMPLEX_PART.exec(text)?.[0] ?? '';
  const rest = text.slice(real.length);
  const sign = rest[0];
  const imaginary = COMPLEX_PART.exec(rest.slice(1))?.[0] ?? '';
  // Without digits the scanner takes the `i` for the beginning of `inf`.
  if ((sign !== '+' && sign !== '-') || imaginary === '' || rest[1 + imaginary.length] !== 'i') {
    throw new GoError('syntax error scanning complex number');
  }
  return complex(parseGoFloat(real, 64), parseGoFloat(sign + imaginary, 64));
}

function candidates(text: string, type: 'charConstant' | 'complex' | 'number'): Candidates {
  if (type === 'charConstant') return character(text);
  if (type === 'complex') return pair(text);
  if (text.endsWith('i')) {
    const imaginary = attempt(() => parseGoFloat(text.slice(0, -1), 64));
    if (imaginary !== undefined) return complex(0, imaginary);
  }
  const signed = attempt(() => parseGoInt(text, 0, 64));
  // -0 is an unsigned zero too.
  const uint = attempt(() => parseUint(text, 0, 64)) ?? (signed === 0n ? 0n : undefined);
  if (signed !== undefined || uint !== undefined) {
    return { int: signed, uint, float: Number(signed ?? uint) };
  }
  const float = attempt(() => parseGoFloat(text, 64));
  if (float === undefined) throw new GoError(`illegal number syntax: ${quote(text)}`);
  if (!/[.eEpP]/.test(text)) throw new GoError(`integer overflow: ${quote(text)}`);
  return { float, int: intOf(float), uint: uintOf(float) };
}

/** A constant without a context: complex if it has an `i`, a float if it looks like one, or else an int. */
function untyped(text: string, { complex: parts, float, int: value }: Candidates): GoValue | undefined {
  if (parts !== undefined) return new GoComplex(...parts);
  // A sign before 0x hides it, as in Go: -0x1e is a float.
  const isHexInteger = /^0[xX]./.test(text) && !/[pP]/.test(text);
  if (float !== undefined && !isHexInteger && text[0] !== "'" && /[.eEpP]/.test(text)) return float64(float);
  return value === undefined ? undefined : int(value);
}

/**
 * What the literal `text` can be.
 * @throws GoError with the text of Go's parser
 */
export function numberValues(text: string, type: 'charConstant' | 'complex' | 'number'): Values {
  const found = candidates(text, type);
  return { ...found, untyped: untyped(text, found) };
}
