/** A Secret as a remote object: keys and what is in them. */
import { isRawNumber, parseKeepingNumbers } from '../../api/json.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type RemoteObject } from '../contract.ts';
import { marshalGo } from '../go-json.ts';
import { JsonText } from '../property.ts';
import type { SecretObject } from './client.ts';

// As ESO's encoder: it leaves <, > and & alone.
const PLAIN = { escapeHtml: false } as const;

export class KubernetesObject implements RemoteObject {
  readonly version: string | undefined;
  readonly #values: ReadonlyMap<string, SecretValue>;
  readonly #whole: () => string;
  readonly #what: string;

  constructor(
    values: ReadonlyMap<string, SecretValue>,
    whole: () => string,
    what: string,
    version: string | undefined,
  ) {
    this.#values = values;
    this.#whole = whole;
    this.#what = what;
    this.version = version;
  }

  /** The data of a Secret. */
  static ofData({ data, metadata }: SecretObject, what: string): KubernetesObject {
    const values = new Map(
      Object.entries(data).map(([key, text]) => [key, SecretValue.fromBytes(Buffer.from(text, 'base64'))]),
    );
    const whole = (): string =>
      marshalGo(Object.fromEntries([...values].map(([key, value]) => [key, value.revealText()])), PLAIN);
    return new KubernetesObject(values, whole, what, metadata.resourceVersion);
  }

  /** Its labels and annotations. */
  static ofMetadata({ metadata }: SecretObject, what: string): KubernetesObject {
    const { labels, annotations, resourceVersion } = metadata;
    const values = new Map(
      Object.entries({ labels, annotations }).map(([name, texts]) => [
        name,
        SecretValue.fromText(marshalGo(texts, PLAIN)),
      ]),
    );
    return new KubernetesObject(
      values,
      () => marshalGo({ labels, annotations }, PLAIN),
      what,
      resourceVersion,
    );
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return SecretValue.fromText(this.#whole());
    const exact = this.#values.get(property);
    if (exact !== undefined) return exact;
    const dot = property.indexOf('.');
    const inside = dot < 0 ? undefined : this.#values.get(property.slice(0, dot));
    const found =
      inside === undefined ? undefined : new JsonText(inside, this.#what).value(property.slice(dot + 1));
    if (found !== undefined) return found;
    throw new ProviderError(
      'PROVIDER_PROPERTY_NOT_FOUND',
      `${this.#what}: property ${JSON.stringify(property)} does not exist in data of secret`,
    );
  }

  /** Without a property the keys; else the members of the JSON object in it, texts with their quotes as ESO has them. */
  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    if (property === undefined) return this.#values;
    const object = parsed(this.get(property).revealText());
    if (typeof object !== 'object' || object === null || Array.isArray(object) || isRawNumber(object)) {
      throw new ProviderError(
        'PROVIDER_INVALID_RESPONSE',
        `${this.#what}: the value of property ${JSON.stringify(property)} is not a JSON object, so it has no keys to extract`,
      );
    }
    return new Map(
      Object.entries(object).map(([key, member]) => [key, SecretValue.fromText(marshalGo(member, PLAIN))]),
    );
  }
}

function parsed(text: string): unknown {
  try {
    return parseKeepingNumbers(text);
  } catch {
    return undefined;
  }
}
