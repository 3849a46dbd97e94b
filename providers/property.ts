/**
 * remoteRef.property: a top-level key of the secret if there is one of exactly that name (dots and all),
 * else a path in the subset of gjson that names members: `a.b`, `list.0.x`, `a\.b` for a dot in a name.
 * Results are slices of the source text, so white space, order and the digits of numbers stay.
 */
import { parseKeepingNumbers } from '../api/json.ts';
import { SecretValue } from '../api/secret-value.ts';
import { ProviderError } from './contract.ts';
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

/** The children of an object (with their names) or an array (with their indexes) as slices of the text. */
function* children(text: string): Generator<readonly [name: string, raw: string]> {
  const open = skipSpace(text, 0);
  const isObject = text[open] === '{';
  if (!isObject && text[open] !== '[') return;
  let i = skipSpace(text, open + 1);
  for (let index = 0; i < text.length && text[i] !== '}' && text[i] !== ']'; index++) {
    let name = String(index);
    if (isObject) {
      const end = stringEnd(text, i);
      name = JSON.parse(text.slice(i, end)) as string;
      i = skipSpace(text, skipSpace(text, end) + 1);
    }
    const end = valueEnd(text, i);
    yield [name, text.slice(i, end)];
    i = skipSpace(text, end);
    if (text[i] === ',') i = skipSpace(text, i + 1);
  }
}

const isArray = (text: string): boolean => text[skipSpace(text, 0)] === '[';

/** Splits a path at its dots; undefined where it uses a part of gjson beyond plain members. */
function splitPath(path: string): string[] | undefined {
  const parts: string[] = [];
  let part = '';
  let atStart = true;
  for (let i = 0; i < path.length; i++) {
    const char = path[i] ?? '';
    if (char === '\\' && i + 1 < path.length) {
      i++;
      part += path[i] ?? '';
      atStart = false;
      continue;
    }
    if (char === '.') {
      parts.push(part);
      part = '';
      atStart = true;
      continue;
    }
    if ('*?|'.includes(char) || (atStart && '#@{[!'.includes(char))) return undefined;
    part += char;
    atStart = false;
  }
  if (path.startsWith('..')) return undefined;
  return [...parts, part];
}

function step(raw: string, part: string): string | undefined {
  // As gjson: leading zeros are fine in an index, signs are not.
  const name = isArray(raw) ? (/^\d+$/.test(part) ? String(Number(part)) : undefined) : part;
  if (name === undefined) return undefined;
  for (const [child, value] of children(raw)) if (child === name) return value;
  return undefined;
}

/** How a JSON value becomes the bytes of a Secret: strings bare, null empty, all else as it is written. */
function bytesOf(raw: string): SecretValue {
  if (raw.startsWith('"')) return SecretValue.fromText((JSON.parse(raw) as string).toWellFormed());
  return SecretValue.fromText(raw === 'null' ? '' : raw);
}

/** How objects and arrays inside a map are written: as the source has them, or as Go would write them. */
export type NestedStyle = 'source' | 'go';

/** A secret that is, or should be, JSON text. What it is parsed into is kept for the next question. */
export class JsonText {
  readonly #text: string;
  readonly #what: string;
  /** Members or elements of the top level by name or index; null if the text is not JSON. */
  #top: ReadonlyMap<string, string> | null | undefined;

  /** `what` names the secret in errors. */
  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
  }

  /**
   * The value at `property`; undefined if there is none or the text is not JSON.
   * @throws ProviderError PROVIDER_INVALID_CONFIG for a path in gjson syntax that is not supported yet
   */
  value(property: string): SecretValue | undefined {
    const raw = this.#lookup(property);
    return raw === undefined ? undefined : bytesOf(raw);
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
    const asGo = (raw: string): string =>
      nested === 'go' && /^[[{]/.test(raw) ? marshalGo(parseKeepingNumbers(raw)) : raw;
    return new Map([...top].map(([name, raw]) => [name, bytesOf(asGo(raw))]));
  }

  #topLevel(): ReadonlyMap<string, string> | null {
    if (this.#top !== undefined) return this.#top;
    try {
      JSON.parse(this.#text);
      // Of two members with one name the last counts, as for everyone who parses the whole.
      this.#top = new Map(children(this.#text));
    } catch {
      this.#top = null;
    }
    return this.#top;
  }

  #lookup(property: string): string | undefined {
    const top = this.#topLevel();
    if (top === null) return undefined;
    if (!isArray(this.#text)) {
      const exact = top.get(property);
      if (exact !== undefined) return exact;
    }
    const parts = splitPath(property);
    if (parts === undefined) {
      throw new ProviderError(
        'PROVIDER_INVALID_CONFIG',
        `${this.#what}: property ${JSON.stringify(property)} is no key of the secret, and as a path it uses syntax that is not supported yet; use names and indexes separated by dots`,
      );
    }
    let raw: string | undefined = this.#text;
    for (const part of parts) {
      if (raw === undefined) return undefined;
      raw = step(raw, part);
    }
    return raw;
  }
}
