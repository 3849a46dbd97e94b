/** Reading secrets, certificates and keys of a vault over its REST API; the list of secrets for a find only. */
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
import { type BearerApi, bearerRequest, jsonObjectOf, textsOf } from '../rest.ts';
import type { AzurekvConfig } from './config.ts';
import { type Asked, errorOfAnswer, labelOf } from './errors.ts';
import { findSecrets, type ListedSecret } from './find.ts';
import { COLLECTIONS, type ObjectKey, parseKey } from './keys.ts';
import { metadataOf, VaultMetadata, VaultObject } from './objects.ts';

const API_VERSION = '7.4';
/** More is not allowed. */
const PAGE = 25;

export interface ConnectionParts {
  readonly config: AzurekvConfig;
  readonly api: BearerApi;
  /** Host of the vault. */
  readonly host: string;
  /** Tenant of the token; '' if nobody knows. */
  readonly tenant: string;
}

export class AzureConnection implements Connection {
  readonly #parts: ConnectionParts;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  async read(
    { key, version, metadata }: Omit<RemoteRef, 'property'>,
    signal: AbortSignal,
  ): Promise<RemoteObject> {
    const parsed = parseKey(key);
    if (parsed === undefined) {
      throw serviceError(
        labelOf(this.#asked(`read ${key}`)),
        'PROVIDER_INVALID_CONFIG',
        'no object of a vault has such a name; write name, secret/name, cert/name or key/name',
      );
    }
    const asked = this.#asked(`${metadata === true ? 'describe' : 'read'} ${parsed.type} ${parsed.name}`);
    const body = await this.#get(asked, pathOf(parsed, version), signal);
    const what = labelOf(asked);
    if (metadata === true) return new VaultMetadata(metadataOf(body), parsed, what);
    return new VaultObject(valueIn(parsed, body, asked), versionIn(parsed, body), parsed, what);
  }

  find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]> {
    const { config, host } = this.#parts;
    return findSecrets(config, request, {
      list: () => this.#listed(signal),
      canonicalKey: (name) => `${host}/${COLLECTIONS.secret}/${name}`,
      read: async (name) => {
        try {
          return await this.read({ key: name }, signal);
        } catch (error) {
          // Gone since it was listed.
          if (error instanceof ProviderError && error.code === 'PROVIDER_NOT_FOUND') return undefined;
          throw error;
        }
      },
    });
  }

  async *#listed(signal: AbortSignal): AsyncIterable<ListedSecret> {
    const asked = this.#asked('list secrets');
    let path: string | undefined = `/${COLLECTIONS.secret}?maxresults=${PAGE}&api-version=${API_VERSION}`;
    while (path !== undefined) {
      const { value = [], nextLink }: JsonObject = await this.#get(asked, path, signal);
      if (!Array.isArray(value)) throw noAnswer(asked);
      for (const item of value as unknown[]) {
        const { id, attributes, tags } = isJsonObject(item) ? item : {};
        const enabled = isJsonObject(attributes) && attributes['enabled'] === true;
        if (typeof id === 'string') yield { name: lastOf(id), enabled, tags: textsOf(tags) };
      }
      path = this.#nextPath(nextLink, asked);
    }
  }

  /** The next page, at this vault: the token is not sent to where somebody else points. */
  #nextPath(link: unknown, asked: Asked): string | undefined {
    if (typeof link !== 'string' || link === '') return undefined;
    const { origin } = this.#parts.api.target;
    const url = URL.canParse(link) ? new URL(link) : undefined;
    if (url?.origin === origin) return `${url.pathname}${url.search}`;
    throw serviceError(labelOf(asked), 'PROVIDER_INVALID_RESPONSE', 'the next page is at another server');
  }

  /** Credentials can be had; whether they may read anything only a read can tell. */
  async validate(signal: AbortSignal): Promise<void> {
    const { session, login } = this.#parts.api;
    await session.token(login, signal);
  }

  async close(): Promise<void> {
    // Sessions and sockets are shared by the whole process.
  }

  #asked(what: string): Asked {
    return { host: this.#parts.host, what };
  }

  /** The body of a good answer. @throws ProviderError */
  async #get(asked: Asked, path: string, signal: AbortSignal): Promise<JsonObject> {
    const { api, config, tenant } = this.#parts;
    const label = labelOf(asked);
    const answer: HttpResponse = await bearerRequest(api, { method: 'GET', path, label }, signal);
    if (answer.status !== 200) throw errorOfAnswer(asked, answer, config, tenant);
    const body = jsonObjectOf(answer.body.toString('utf8'));
    if (body === undefined) throw noAnswer(asked);
    return body;
  }
}

const noAnswer = (asked: Asked): ProviderError =>
  serviceError(labelOf(asked), 'PROVIDER_INVALID_RESPONSE', 'the answer is not what Key Vault says there');

function pathOf({ type, name }: ObjectKey, version: string | undefined): string {
  const which = version === undefined ? '' : `/${encodeURIComponent(version)}`;
  return `/${COLLECTIONS[type]}/${encodeURIComponent(name)}${which}?api-version=${API_VERSION}`;
}

const lastOf = (id: string): string => id.slice(id.lastIndexOf('/') + 1);

/** @throws ProviderError PROVIDER_INVALID_RESPONSE */
function valueIn({ type }: ObjectKey, body: JsonObject, asked: Asked): SecretValue {
  const { value, cer, key } = body;
  if (type === 'secret' && typeof value === 'string') return SecretValue.fromText(value);
  if (type === 'cert' && typeof cer === 'string') return SecretValue.fromBytes(Buffer.from(cer, 'base64'));
  if (type === 'key' && isJsonObject(key)) return SecretValue.fromText(JSON.stringify(key));
  throw noAnswer(asked);
}

/** The version that was read: the end of its id. */
function versionIn({ type }: ObjectKey, { id, kid, key }: JsonObject): string | undefined {
  const named = type === 'key' && isJsonObject(key) ? key['kid'] : (id ?? kid);
  return typeof named === 'string' ? lastOf(named) : undefined;
}
