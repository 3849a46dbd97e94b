/** What was read at AWS, of either service: text or bytes, which may be a JSON object (eso.md 4.4). */
import type { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type RemoteObject } from '../contract.ts';
import { JsonText } from '../property.ts';

/** What was read, and how AWS names its version. */
export interface AwsRead {
  readonly value: SecretValue;
  readonly version?: string | undefined;
}

export class AwsObject implements RemoteObject {
  readonly #value: SecretValue;
  readonly #key: string;
  readonly #what: string;
  readonly version: string | undefined;
  #json: JsonText | undefined;

  /** @param what how errors begin: service and request */
  constructor({ value, version }: AwsRead, key: string, what: string) {
    this.#value = value;
    this.version = version;
    this.#key = key;
    this.#what = what;
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return this.#value;
    // A property with dots in it is a name first, and a path only where there is no such name.
    this.#json ??= new JsonText(this.#value, this.#what, { paths: 'dots-first' });
    const value = this.#json.value(property);
    if (value !== undefined) return value;
    throw new ProviderError(
      'PROVIDER_PROPERTY_NOT_FOUND',
      `${this.#what}: key ${JSON.stringify(property)} does not exist in secret ${JSON.stringify(this.#key)}`,
    );
  }

  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    return new JsonText(this.get(property), this.#what).members('source');
  }
}

interface Tag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** metadataPolicy Fetch: the tags, as the text of a JSON object. */
export function textOfTags(tags: readonly Tag[]): string {
  const entries = tags.flatMap(({ Key, Value }) => (Key === undefined ? [] : [[Key, Value ?? '']]));
  return JSON.stringify(Object.fromEntries(entries));
}
