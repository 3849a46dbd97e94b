/**
 * How an answer becomes keys and values of a Secret as in KES: JSON that cannot be read is no error, its keys are left
 * out; null is the text "null". Pure.
 */
import { isRawNumber, parseKeepingNumbers } from '../../api/json.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { type FoundObject, ProviderError, type RemoteObject } from '../../providers/contract.ts';
import { atPath } from './lodash-path.ts';

/** What an entry of a KES spec makes of what it reads. */
export type KesEntry =
  /** data with key and name. */
  | {
      readonly kind: 'value';
      readonly name: string;
      readonly key: string;
      readonly property: string | undefined;
      readonly binary: boolean;
      /** The whole value is JSON of the backend's making, and written as KES writes it. */
      readonly json: boolean;
    }
  /** dataFrom and dataFromWithOptions. */
  | { readonly kind: 'members'; readonly binary: boolean }
  /** data with path. */
  | { readonly kind: 'path'; readonly path: string; readonly recursive: boolean; readonly binary: boolean };

type Answer = RemoteObject | readonly FoundObject[];

const NOTHING: ReadonlyMap<string, SecretValue> = new Map();
/** In place of text that is not JSON. */
const NOT_JSON = Symbol('not JSON');

/** @throws ProviderError PROVIDER_PROPERTY_NOT_FOUND */
export function kesValues(entry: KesEntry, answer: Answer): ReadonlyMap<string, SecretValue> {
  switch (entry.kind) {
    case 'value':
      return oneValue(entry, (answer as RemoteObject).get(undefined));
    case 'members':
      return members(entry.binary, (answer as RemoteObject).get(undefined));
    case 'path':
      return parameters(entry, answer as readonly FoundObject[]);
  }
}

function oneValue(
  entry: Extract<KesEntry, { kind: 'value' }>,
  whole: SecretValue,
): ReadonlyMap<string, SecretValue> {
  const { name, key, property, binary } = entry;
  if (property === undefined) {
    const value = entry.json ? SecretValue.fromText(textOf(parsed(whole))) : whole;
    return new Map([[name, binary ? fromBase64(value) : value]]);
  }
  const json = parsed(whole);
  if (json === NOT_JSON) return NOTHING;
  const found = atPath(json, property);
  if (found === undefined)
    throw new ProviderError('PROVIDER_PROPERTY_NOT_FOUND', `Could not find property ${property} in ${key}`);
  const value = SecretValue.fromText(textOf(found.value));
  return new Map([[name, binary ? fromBase64(value) : value]]);
}

/** A text or a list spreads to the keys 0, 1 and so on; what has no members brings nothing. */
function members(binary: boolean, whole: SecretValue): ReadonlyMap<string, SecretValue> {
  const json = parsed(whole);
  if (json === NOT_JSON || json === null) return NOTHING;
  const entries = typeof json === 'string' ? Object.entries(json.split('')) : Object.entries(membersOf(json));
  return new Map(
    entries.map(([name, member]) => {
      const value = SecretValue.fromText(textOf(member));
      return [name, binary ? fromBase64(value) : value];
    }),
  );
}

const membersOf = (json: unknown): object =>
  typeof json === 'object' && json !== null && !isRawNumber(json) ? json : {};

/** Each parameter under the last part of its name; of two that become one the later one, by name, counts. */
function parameters(
  { path, recursive, binary }: Extract<KesEntry, { kind: 'path' }>,
  found: readonly FoundObject[],
): ReadonlyMap<string, SecretValue> {
  const folder = path.endsWith('/') ? path : `${path}/`;
  const values = new Map<string, SecretValue>();
  for (const { key, object } of found) {
    if (!key.startsWith(folder)) continue;
    const rest = key.slice(folder.length);
    if (!recursive && rest.includes('/')) continue;
    const value = object.get(undefined);
    values.set(rest.slice(rest.lastIndexOf('/') + 1), binary ? fromBase64(value) : value);
  }
  return values;
}

function parsed(value: SecretValue): unknown {
  try {
    return parseKeepingNumbers(value.revealText());
  } catch {
    return NOT_JSON;
  }
}

/** Texts as they are, all else as compact JSON with the digits of numbers as they were. */
const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '');

const BASE64 = /^[\sA-Za-z0-9+/_-]*={0,2}\s*$/;

/** isBinary. Bytes that are no base64 text are what the backend keeps as bytes, and stay. */
function fromBase64(value: SecretValue): SecretValue {
  const text = value.revealBytes().toString('latin1');
  return BASE64.test(text) ? SecretValue.fromBytes(Buffer.from(text, 'base64')) : value;
}
