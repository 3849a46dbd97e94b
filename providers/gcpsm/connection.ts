/** Reading secrets of Google Cloud Secret Manager over its REST API (v1): access and get; list for a find only. */
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { serviceError } from '../answers.ts';
import {
  type Connection,
  type FindRequest,
  type FoundObject,
  ProviderError,
  type RemoteObject,
  type RemoteRef,
} from '../contract.ts';
import type { HttpResponse } from '../http.ts';
import { JsonText } from '../property.ts';
import { type BearerApi, bearerRequest, jsonObjectOf, textsOf } from '../rest.ts';
import { type GcpsmConfig, projectOf } from './config.ts';
import { type Asked, errorOfAnswer, isLockedVersion, labelOf } from './errors.ts';
import { findSecrets, type ListedSecret } from './find.ts';
import { parentOf, secretName } from './names.ts';

/** The payload of a version: bytes, which may be the text of a JSON object. */
class GcpObject implements RemoteObject {
  readonly #value: SecretValue;
  readonly #key: string;
  readonly #what: string;
  readonly version: string | undefined;
  #json: JsonText | undefined;

  constructor(value: SecretValue, version: string | undefined, key: string, what: string) {
    this.#value = value;
    this.version = version;
    this.#key = key;
    this.#what = what;
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return this.#value;
    // A property with dots in it is a name first, and a path only where there is no such name, as in ESO.
    this.#json ??= new JsonText(this.#value, this.#what, { paths: 'dots-first' });
    return this.#json.value(property) ?? this.#missing(property);
  }

  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    return new JsonText(this.get(property), this.#what).members('source');
  }

  #missing(property: string): never {
    throw new ProviderError(
      'PROVIDER_PROPERTY_NOT_FOUND',
      `${this.#what}: key ${JSON.stringify(property)} does not exist in secret ${JSON.stringify(this.#key)}`,
    );
  }
}

const PAGE = 1_000;
/** Versions of one secret that are looked at for one that is enabled; they come with the latest first. */
const MAX_VERSIONS = 100_000;

export class GcpConnection implements Connection {
  readonly #config: GcpsmConfig;
  readonly #api: BearerApi;

  constructor(config: GcpsmConfig, api: BearerApi) {
    this.#config = config;
    this.#api = api;
  }

  async read(
    { key, version, metadata }: Omit<RemoteRef, 'property'>,
    signal: AbortSignal,
  ): Promise<RemoteObject> {
    if (metadata === true) return this.#metadata(key, signal);
    return this.#access(key, version, signal);
  }

  async #access(key: string, version: string | undefined, signal: AbortSignal): Promise<RemoteObject> {
    const asked = this.#asked(`read ${key}`);
    const name = secretName(this.#config, key);
    const access = (which: string): Promise<HttpResponse> =>
      this.#get(asked, `/v1/${name}/versions/${encodeURIComponent(which)}:access`, signal);
    let answer = await access(version ?? 'latest');
    const fallsBack = version === undefined && this.#config.secretVersionSelectionPolicy === 'LatestOrFetch';
    if (fallsBack && isLockedVersion(answer)) {
      const enabled = await this.#latestEnabled(name, asked, signal);
      if (enabled !== undefined) answer = await access(enabled);
    }
    if (answer.status !== 200) throw errorOfAnswer(asked, answer);
    return objectOf(answer, key, asked);
  }

  /** The number of the latest version that can be read; undefined if there is none. */
  async #latestEnabled(name: string, asked: Asked, signal: AbortSignal): Promise<string | undefined> {
    let latest = 0;
    let seen = 0;
    for await (const { name: version } of this.#pages(
      `/v1/${name}/versions`,
      'versions',
      'state:ENABLED',
      asked,
      signal,
    )) {
      const number = typeof version === 'string' ? Number(version.slice(version.lastIndexOf('/') + 1)) : 0;
      if (Number.isSafeInteger(number)) latest = Math.max(latest, number);
      seen += 1;
      if (seen > MAX_VERSIONS) break;
    }
    return latest === 0 ? undefined : String(latest);
  }

  /** metadataPolicy Fetch: labels and annotations, as the text of a JSON object. */
  async #metadata(key: string, signal: AbortSignal): Promise<RemoteObject> {
    const asked = this.#asked(`describe ${key}`);
    const answer = await this.#get(asked, `/v1/${secretName(this.#config, key)}`, signal);
    if (answer.status !== 200) throw errorOfAnswer(asked, answer);
    const { annotations, labels } = bodyOf(answer, asked);
    const text = JSON.stringify({ annotations: textsOf(annotations), labels: textsOf(labels) });
    return new GcpObject(SecretValue.fromText(text), undefined, key, labelOf(asked));
  }

  find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]> {
    const asked = this.#asked('list secrets');
    return findSecrets(this.#config, request, {
      list: (filter) => this.#listed(filter, asked, signal),
      read: async (key) => {
        try {
          return await this.#access(key, undefined, signal);
        } catch (error) {
          // Gone since it was listed, or never given a version.
          if (error instanceof ProviderError && error.code === 'PROVIDER_NOT_FOUND') return undefined;
          throw error;
        }
      },
    });
  }

  async *#listed(filter: string, asked: Asked, signal: AbortSignal): AsyncIterable<ListedSecret> {
    const path = `/v1/${parentOf(this.#config)}/secrets`;
    for await (const { name, labels } of this.#pages(path, 'secrets', filter, asked, signal)) {
      // Names come back with the number of the project instead of its id.
      if (typeof name === 'string')
        yield { key: name.slice(name.lastIndexOf('/') + 1), labels: textsOf(labels) };
    }
  }

  /** The members of a list, page by page. @throws ProviderError */
  async *#pages(
    path: string,
    member: 'secrets' | 'versions',
    filter: string,
    asked: Asked,
    signal: AbortSignal,
  ): AsyncIterable<JsonObject> {
    let token = '';
    do {
      const query = new URLSearchParams({ pageSize: String(PAGE) });
      if (filter !== '') query.set('filter', filter);
      if (token !== '') query.set('pageToken', token);
      const answer = await this.#get(asked, `${path}?${query.toString()}`, signal);
      if (answer.status !== 200) throw errorOfAnswer(asked, answer);
      const { [member]: items = [], nextPageToken } = bodyOf(answer, asked);
      if (!Array.isArray(items)) throw noAnswer(asked);
      for (const item of items as unknown[]) if (isJsonObject(item)) yield item;
      token = typeof nextPageToken === 'string' ? nextPageToken : '';
    } while (token !== '');
  }

  /** Credentials can be had; whether they may read anything only a read can tell. */
  async validate(signal: AbortSignal): Promise<void> {
    await this.#api.session.token(this.#api.login, signal);
  }

  async close(): Promise<void> {
    // Sessions and sockets are shared by the whole process.
  }

  #asked(what: string): Asked {
    return { project: projectOf(this.#config), what };
  }

  #get(asked: Asked, path: string, signal: AbortSignal): Promise<HttpResponse> {
    return bearerRequest(this.#api, { method: 'GET', path, label: labelOf(asked) }, signal);
  }
}

const noAnswer = (asked: Asked): ProviderError =>
  serviceError(
    labelOf(asked),
    'PROVIDER_INVALID_RESPONSE',
    'the answer is not what Secret Manager says there',
  );

/** @throws ProviderError PROVIDER_INVALID_RESPONSE */
function bodyOf(answer: HttpResponse, asked: Asked): JsonObject {
  const body = jsonObjectOf(answer.body.toString('utf8'));
  if (body === undefined) throw noAnswer(asked);
  return body;
}

/** @throws ProviderError PROVIDER_INVALID_RESPONSE without a payload */
function objectOf(answer: HttpResponse, key: string, asked: Asked): RemoteObject {
  const { payload, name } = bodyOf(answer, asked);
  if (!isJsonObject(payload)) throw noAnswer(asked);
  const { data = '' } = payload;
  if (typeof data !== 'string') throw noAnswer(asked);
  const value = SecretValue.fromBytes(Buffer.from(data, 'base64'));
  const version = typeof name === 'string' ? name.slice(name.lastIndexOf('/') + 1) : undefined;
  return new GcpObject(value, version, key, labelOf(asked));
}
