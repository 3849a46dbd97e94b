/** The provider express: one text a key, no versions, no metadata, no find. */
import { collector, type Problem } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { type Connection, type Provider, ProviderError, type RemoteObject } from '../contract.ts';
import { JsonText } from '../property.ts';
import { serverUrl } from '../server-url.ts';
import { ExpressClient } from './client.ts';
import { type ExpressConfig, expressConfigSchema } from './config.ts';

const NO_FIND = 'find is not implemented by provider express';
const NO_METADATA = 'provider express has no metadata: metadataPolicy must not be Fetch';
const NO_VERSIONS = 'provider express has no versions: leave version out';

class ExpressObject implements RemoteObject {
  readonly #value: SecretValue;
  readonly #what: string;
  readonly #json: JsonText;

  constructor(value: string, key: string) {
    this.#value = SecretValue.fromText(value);
    this.#what = `express secret ${JSON.stringify(key)}`;
    this.#json = new JsonText(this.#value, this.#what);
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return this.#value;
    const found = this.#json.value(property);
    if (found !== undefined) return found;
    throw new ProviderError(
      'PROVIDER_PROPERTY_NOT_FOUND',
      `${this.#what} has no property ${JSON.stringify(property)}`,
    );
  }

  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    const json = property === undefined ? this.#json : new JsonText(this.get(property), this.#what);
    return json.members('source');
  }
}

class ExpressConnection implements Connection {
  readonly #client: ExpressClient;

  constructor(client: ExpressClient) {
    this.#client = client;
  }

  async read(
    ref: { key: string; version?: string | undefined; metadata?: boolean | undefined },
    signal: AbortSignal,
  ): Promise<RemoteObject> {
    const impossible = refError(ref);
    if (impossible !== undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', impossible);
    return new ExpressObject(await this.#client.value(ref.key, signal), ref.key);
  }

  async find(): Promise<never> {
    throw new ProviderError('PROVIDER_INVALID_CONFIG', NO_FIND);
  }

  async validate(signal: AbortSignal): Promise<void> {
    await this.#client.ping(signal);
  }

  async close(): Promise<void> {
    // Sockets are pooled for the whole process.
  }
}

function refError(ref: { version?: string | undefined; metadata?: boolean | undefined }): string | undefined {
  if (ref.metadata === true) return NO_METADATA;
  return ref.version === undefined ? undefined : NO_VERSIONS;
}

export const expressProvider: Provider<ExpressConfig> = {
  name: 'express',
  schema: expressConfigSchema,
  capabilities: 'ReadOnly',

  validateConfig({ host }): Problem[] {
    const { report, problems } = collector();
    const url = serverUrl(host);
    if (typeof url === 'string') report('store-server-url', ['host'], `invalid express host URL: ${url}`);
    return problems;
  },

  validateRef: (_config, ref) => refError(ref),
  validateFind: () => NO_FIND,
  canonicalKey: (_config, ref) => ref.key,
  identity: ({ host }) => serverUrl(host).toString(),

  servers({ host }) {
    const url = serverUrl(host);
    return typeof url === 'string' ? [] : [url];
  },

  dependencies: () => [],
  canValidate: () => true,

  async connect({ host }, { kind, name, guard }, ports): Promise<Connection> {
    const url = serverUrl(host);
    if (typeof url === 'string') {
      const text = `${kind} ${name}: invalid express host URL: ${url}`;
      throw new ProviderError('PROVIDER_INVALID_CONFIG', text);
    }
    return new ExpressConnection(new ExpressClient(url, { origin: url.origin, guard }, ports));
  },
};
