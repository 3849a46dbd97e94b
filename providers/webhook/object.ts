/** What a webhook answered, as a remote object. `property` has no effect of its own: only templates read it. */
import { isRawNumber, nestsDeeper, parseKeepingNumbers } from '../../api/json.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type RemoteObject } from '../contract.ts';
import { marshalGo } from '../go-json.ts';
import { JsonText } from '../property.ts';
import { compileJsonPath, JsonPathError } from './jsonpath.ts';

const invalid = (text: string): ProviderError => new ProviderError('PROVIDER_INVALID_RESPONSE', text);

const INTEGER = /^-?\d+$/;

/** A number as ESO writes it: without decimals, rounded half to even; whole ones keep their digits here. */
function wholeNumber(text: string): string {
  if (INTEGER.test(text)) return text;
  const value = Number(text);
  const floor = Math.floor(value);
  const rest = value - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  const rounded = BigInt(floor) + (up ? 1n : 0n);
  return rounded === 0n && (value < 0 || Object.is(value, -0)) ? '-0' : rounded.toString();
}

/** A list stands for its first item, and so on within it. */
function textOf(value: unknown, what: string): string {
  let one = value;
  while (Array.isArray(one)) {
    if (one.length === 0) throw invalid(`${what}: filter worked but didn't get any result`);
    one = one[0];
  }
  if (one === null || one === undefined) return '';
  if (typeof one === 'string') return one.toWellFormed();
  if (isRawNumber(one)) return wholeNumber(one.rawJSON);
  return marshalGo(one);
}

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return isRawNumber(value) ? 'a number' : `a ${typeof value}`;
};

export class WebhookObject implements RemoteObject {
  readonly #body: Buffer;
  readonly #jsonPath: string | undefined;
  readonly #what: string;

  /** @param what names the secret in errors */
  constructor(body: Buffer, jsonPath: string | undefined, what: string) {
    this.#body = body;
    this.#jsonPath = jsonPath === '' ? undefined : jsonPath;
    this.#what = what;
  }

  get(): SecretValue {
    if (this.#jsonPath === undefined) return SecretValue.fromBytes(this.#body);
    return SecretValue.fromText(textOf(this.#found(this.#jsonPath), this.#what));
  }

  getMap(): ReadonlyMap<string, SecretValue> {
    let value = this.#jsonPath === undefined ? this.#document() : this.#found(this.#jsonPath);
    // A text may hold the object.
    if (typeof value === 'string') value = this.#parse(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || isRawNumber(value))
      throw invalid(
        `${this.#what}: failed to get response (wrong type: ${kindOf(value)}), an object is needed`,
      );
    return new JsonText(marshalGo(value), this.#what).members('go');
  }

  #found(jsonPath: string): unknown {
    try {
      return compileJsonPath(jsonPath)(this.#document());
    } catch (error) {
      if (!(error instanceof JsonPathError)) throw error;
      throw invalid(`${this.#what}: result.jsonPath: ${error.message}`);
    }
  }

  #document(): unknown {
    return this.#parse(this.#body.toString('utf8'));
  }

  #parse(text: string): unknown {
    try {
      const value = parseKeepingNumbers(text);
      if (!nestsDeeper(value)) return value;
    } catch {
      throw invalid(`${this.#what}: the answer is no JSON`);
    }
    throw invalid(`${this.#what}: the answer is nested too deeply`);
  }
}
