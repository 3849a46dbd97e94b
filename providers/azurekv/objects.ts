/** What is read from a vault: values, and what is known about them. */
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type RemoteObject } from '../contract.ts';
import { JsonText } from '../property.ts';
import { jsonObjectOf, textsOf } from '../rest.ts';
import type { ObjectKey } from './keys.ts';

const missing = (what: string, property: string, name: string): never => {
  throw new ProviderError(
    'PROVIDER_PROPERTY_NOT_FOUND',
    `${what}: property ${JSON.stringify(property)} does not exist in key ${JSON.stringify(name)}`,
  );
};

/** A secret, a certificate (its bytes) or a key (its public half as JSON). */
export class VaultObject implements RemoteObject {
  readonly #value: SecretValue;
  readonly #key: ObjectKey;
  readonly #what: string;
  readonly version: string | undefined;
  #json: JsonText | undefined;

  /** `what` names the object in errors. */
  constructor(value: SecretValue, version: string | undefined, key: ObjectKey, what: string) {
    this.#value = value;
    this.version = version;
    this.#key = key;
    this.#what = what;
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return this.#value;
    this.#json ??= new JsonText(this.#value, this.#what, { paths: 'dots-first' });
    return this.#json.value(property) ?? missing(this.#what, property, this.#key.name);
  }

  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    const { type } = this.#key;
    if (type === 'secret') return new JsonText(this.get(property), this.#what).members('source');
    throw new ProviderError(
      'PROVIDER_INVALID_RESPONSE',
      `${this.#what}: a ${type === 'cert' ? 'certificate' : 'key'} has no members to extract; use spec.data for it`,
    );
  }
}

/** Times of an object, as tags of these names (ESO); in the answer they are seconds. */
const TIMES = {
  'attribute.expires': 'exp',
  'attribute.created': 'created',
  'attribute.updated': 'updated',
  'attribute.notBefore': 'nbf',
} as const;

/** Tags and times of an object by name. */
export function metadataOf({ tags, attributes }: JsonObject): Readonly<Record<string, string>> {
  const times = Object.entries(TIMES).flatMap(([name, member]) => {
    const seconds = isJsonObject(attributes) ? attributes[member] : undefined;
    if (typeof seconds !== 'number' || !(Math.abs(seconds) < 8e12)) return [];
    return [[name, new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z')] as const];
  });
  return { ...textsOf(tags), ...Object.fromEntries(times) };
}

/** metadataPolicy Fetch: tags and times. */
export class VaultMetadata implements RemoteObject {
  readonly #tags: ReadonlyMap<string, string>;
  readonly #key: ObjectKey;
  readonly #what: string;

  constructor(tags: Readonly<Record<string, string>>, key: ObjectKey, what: string) {
    this.#tags = new Map(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)));
    this.#key = key;
    this.#what = what;
  }

  /** One tag, or what a path finds in one whose value is JSON; all of them as a JSON object. */
  get(property: string | undefined): SecretValue {
    if (property === undefined) return SecretValue.fromText(JSON.stringify(Object.fromEntries(this.#tags)));
    const whole = this.#tags.get(property);
    if (whole !== undefined) return SecretValue.fromText(whole);
    const dot = property.indexOf('.');
    const text = dot > 0 ? this.#tags.get(property.slice(0, dot)) : undefined;
    const found =
      text === undefined ? undefined : new JsonText(text, this.#what).value(property.slice(dot + 1));
    return found ?? missing(this.#what, property, this.#key.name);
  }

  /** Keys are `<name>_<tag>`, as in ESO; a tag whose value is an object of texts gives one for each of them. */
  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    const { name } = this.#key;
    if (property !== undefined) return new Map([[`${name}_${property}`, this.get(property)]]);
    const entries = [...this.#tags].flatMap(([tag, text]): [string, SecretValue][] => {
      const members = Object.entries(jsonObjectOf(text) ?? {});
      const isTexts = members.length > 0 && members.every(([, value]) => typeof value === 'string');
      if (!isTexts) return [[`${name}_${tag}`, SecretValue.fromText(text)]];
      return members.map(([member, value]) => [
        `${name}_${tag}_${member}`,
        SecretValue.fromText(String(value)),
      ]);
    });
    return new Map(entries);
  }
}
