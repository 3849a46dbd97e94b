/**
 * remoteRef.property: a top-level key of the secret if there is one of exactly that name (dots and all), else a path
 * in the syntax of gjson. Results are slices of the source text, so white space, order and the digits of numbers stay.
 */
import { EsaError } from '../api/errors.ts';
import { parseKeepingNumbers } from '../api/json.ts';
import { SecretValue } from '../api/secret-value.ts';
import { fromUtf8 } from '../template/value.ts';
import { ProviderError } from './contract.ts';
import { formatFloat64 } from './gjson/numbers.ts';
import { type Found, GjsonLimitError, gjson } from './gjson.ts';
import { marshalGo } from './go-json.ts';

/** End of the JSON value that starts at `start`. The text must be valid JSON. */
function valueEnd(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return stringEnd(text, start);
  if (first !== '{' && first !== '[') {
    let i = start;
    while (i < text.length && !',]} \t\n\r'.includes(text[i] ?? '')) i++;
    return i;
  }
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (char === '"') i = stringEnd(text, i) - 1;
    else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return i + 1;
  }
  return text.length;
}

function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i + 1;
}

function skipSpace(text: string, start: number): number {
  let i = start;
  while (i < text.length && ' \t\n\r'.includes(text[i] ?? '')) i++;
  return i;
}

/** The members of an object as slices of the text, which must be valid JSON; nothing else has members. */
function* members(text: string): Generator<readonly [name: string, raw: string]> {
  const open = skipSpace(text, 0);
  if (text[open] !== '{') return;
  let i = skipSpace(text, open + 1);
  while (i < text.length && text[i] !== '}') {
    const nameEnd = stringEnd(text, i);
    const name = JSON.parse(text.slice(i, nameEnd)) as string;
    i = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = valueEnd(text, i);
    yield [name, text.slice(i, end)];
    i = skipSpace(text, end);
    if (text[i] === ',') i = skipSpace(text, i + 1);
  }
}

/** How a JSON value becomes the bytes of a Secret: strings bare, null empty, all else as it is written. */
function bytesOf(raw: string): SecretValue {
  if (raw.startsWith('"')) return SecretValue.fromText((JSON.parse(raw) as string).toWellFormed());
  return SecretValue.fromText(raw === 'null' ? '' : raw);
}

/** The same for what a path found, as gjson writes it: integers keep their digits, 1.50 becomes 1.5. */
const bytesOfFound = ({ text }: Found): SecretValue => SecretValue.fromBytes(Buffer.from(text, 'latin1'));

const JSON_NUMBER = /^-?\d/;

/** How numbers, objects and arrays inside a map are written: as in the source, or as Go writes what it read. */
export type NestedStyle = 'source' | 'go';

/** How a property that is no key of the secret is looked up: as a path, or before that with its dots taken as dots. */
export type PathStyle = 'path' | 'dots-first';

export interface PropertyRules {
  readonly paths?: PathStyle;
  /** How a number at the top level is written: as in the source, which Vault's client does, or as gjson writes it. */
  readonly numbers?: 'source' | 'gjson';
}

/** A secret that is, or should be, JSON text. What it is parsed into is kept for the next question. */
export class JsonText {
  readonly #text: string;
  readonly #what: string;
  readonly #rules: Required<PropertyRules>;
  /** Members of the top level by name; empty if it is no object, null if the text is not JSON. */
  #top: ReadonlyMap<string, string> | null | undefined;
  /** The text with one character a byte, for paths. */
  #bytes: string | undefined;

  /** `what` names the secret in errors. */
  constructor(
    text: string | SecretValue,
    what: string,
    { paths = 'path', numbers = 'gjson' }: PropertyRules = {},
  ) {
    this.#text = typeof text === 'string' ? text : text.revealText();
    this.#bytes = typeof text === 'string' ? undefined : text.revealBytes().toString('latin1');
    this.#what = what;
    this.#rules = { paths, numbers };
  }

  /**
   * The value at `property`; undefined if there is none. Text that is not JSON has no keys, but a path finds in it
   * what gjson finds, which never validates.
   * @throws ProviderError PROVIDER_INVALID_CONFIG for a path that would take too much work
   */
  value(property: string): SecretValue | undefined {
    const exact = this.#topLevel()?.get(property);
    if (exact !== undefined) return this.#bytesOfExact(exact, property);
    const escaped =
      this.#rules.paths === 'dots-first' && property.includes('.')
        ? this.#find(property.replaceAll('.', '\\.'), property)
        : undefined;
    const found = escaped ?? this.#find(property, property);
    return found === undefined ? undefined : bytesOfFound(found);
  }

  #bytesOfExact(raw: string, property: string): SecretValue {
    if (this.#rules.numbers === 'source' || !JSON_NUMBER.test(raw)) return bytesOf(raw);
    const number = gjson(raw, '@this');
    if (number === undefined) throw new EsaError('INTERNAL', `${this.#what}: no number at ${property}`);
    return bytesOfFound(number);
  }

  /**
   * The members of the object as values of a Secret.
   * @throws ProviderError PROVIDER_INVALID_RESPONSE if the text is anything but a JSON object
   */
  members(nested: NestedStyle): Map<string, SecretValue> {
    const top = this.#topLevel();
    if (top === null || this.#text[skipSpace(this.#text, 0)] !== '{') {
      throw new ProviderError(
        'PROVIDER_INVALID_RESPONSE',
        `${this.#what}: the value is not a JSON object, so it has no keys to extract; use spec.data for a single value`,
      );
    }
    const asGo = (raw: string): string => {
      if (nested === 'source') return raw;
      if (/^[[{]/.test(raw)) return marshalGo(parseKeepingNumbers(raw));
      // ESO's client reads a number of a map as a double; whole ones keep their digits here (docs/differences.md).
      return JSON_NUMBER.test(raw) && /[.e]/i.test(raw) ? formatFloat64(Number(raw)) : raw;
    };
    return new Map([...top].map(([name, raw]) => [name, bytesOf(asGo(raw))]));
  }

  #topLevel(): ReadonlyMap<string, string> | null {
    if (this.#top !== undefined) return this.#top;
    try {
      JSON.parse(this.#text);
      // Of two members with one name the last counts, as for everyone who parses the whole.
      this.#top = new Map(members(this.#text));
    } catch {
      this.#top = null;
    }
    return this.#top;
  }

  #find(path: string, property: string): Found | undefined {
    this.#bytes ??= fromUtf8(this.#text);
    try {
      return gjson(this.#bytes, fromUtf8(path));
    } catch (error) {
      if (!(error instanceof GjsonLimitError)) throw error;
      throw new ProviderError(
        'PROVIDER_INVALID_CONFIG',
        `${this.#what}: property ${JSON.stringify(property.slice(0, 100))}: ${error.message}; use a simpler path`,
      );
    }
  }
}
