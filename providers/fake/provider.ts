/**
 * The provider fake: static values from the store. Semantics as ESO's (exact key and version; a missing
 * property counts as a missing secret; find by name only, the highest version of a key wins).
 */
import { collector, type Problem } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import {
  type Connection,
  type FindRequest,
  type FoundObject,
  type Provider,
  ProviderError,
  type RemoteObject,
  type StoreContext,
} from '../contract.ts';
import { nameExpression, readFound } from '../find.ts';
import { compareUtf8, marshalGo } from '../go-json.ts';
import { JsonText } from '../property.ts';
import { type FakeConfig, fakeConfigSchema } from './config.ts';

type Entry = FakeConfig['data'][number];

/** validationResult of the block. */
const VALIDATION_ERROR = 2;

const textOf = (entry: Entry): string =>
  entry.value === undefined || entry.value === '' ? marshalGo(entry.valueMap ?? {}) : entry.value;

class FakeObject implements RemoteObject {
  readonly #text: string;
  readonly #what: string;
  readonly #json: JsonText;

  constructor(entry: Entry) {
    this.#text = textOf(entry);
    this.#what = `fake secret ${JSON.stringify(entry.key)}`;
    this.#json = new JsonText(this.#text, this.#what);
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return SecretValue.fromText(this.#text);
    const value = this.#json.value(property);
    if (value !== undefined) return value;
    // Not PROPERTY_NOT_FOUND: for this provider ESO's deletionPolicy takes a missing property for a missing
    // secret, and tests of users rely on it.
    throw new ProviderError(
      'PROVIDER_NOT_FOUND',
      `${this.#what} has no property ${JSON.stringify(property)}`,
    );
  }

  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    const json =
      property === undefined ? this.#json : new JsonText(this.get(property).revealText(), this.#what);
    return json.members('source');
  }
}

function entryOf(config: FakeConfig, key: string, version: string | undefined): Entry {
  // Of two equal entries the last counts, as where each is stored over the one before.
  const entry = config.data.findLast((one) => one.key === key && (one.version ?? '') === (version ?? ''));
  if (entry !== undefined) return entry;
  const which = version === undefined ? '' : ` of version ${JSON.stringify(version)}`;
  throw new ProviderError('PROVIDER_NOT_FOUND', `fake secret ${JSON.stringify(key)}${which} does not exist`);
}

/** ESO leaves the others unread beside a name. */
function findError({ nameRegexp, path, tags }: FindRequest): string | undefined {
  if (nameRegexp === undefined) return 'provider fake can only find secrets by name: set find.name.regexp';
  if (path === undefined && tags === undefined) return undefined;
  return `provider fake can only find secrets by name: leave find.${path === undefined ? 'tags' : 'path'} out`;
}

async function findAll(config: FakeConfig, request: FindRequest): Promise<FoundObject[]> {
  const impossible = findError(request);
  if (impossible !== undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', impossible);
  const { nameRegexp = '' } = request;
  const expression = nameExpression(nameRegexp);
  const best = new Map<string, Entry>();
  for (const entry of config.data) {
    if (!expression.test(entry.key)) continue;
    const known = best.get(entry.key);
    if (known === undefined || compareUtf8(entry.version ?? '', known.version ?? '') >= 0) {
      best.set(entry.key, entry);
    }
  }
  return readFound([...best.values()], async (entry) => ({
    key: entry.key,
    canonicalKey: entry.key,
    object: new FakeObject(entry),
  }));
}

class FakeConnection implements Connection {
  readonly #config: FakeConfig;

  constructor(config: FakeConfig) {
    this.#config = config;
  }

  async read(
    ref: { key: string; version?: string | undefined; metadata?: boolean | undefined },
    signal: AbortSignal,
  ): Promise<RemoteObject> {
    stopIf(signal);
    if (ref.metadata === true) throw new ProviderError('PROVIDER_INVALID_CONFIG', NO_METADATA);
    return new FakeObject(entryOf(this.#config, ref.key, ref.version));
  }

  async find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]> {
    stopIf(signal);
    return findAll(this.#config, request);
  }

  async validate(signal: AbortSignal): Promise<void> {
    stopIf(signal);
    if (this.#config.validationResult === VALIDATION_ERROR) {
      throw new ProviderError('PROVIDER_INVALID_CONFIG', 'the fake store says validationResult 2 (error)');
    }
  }

  async close(): Promise<void> {}
}

const NO_METADATA = 'provider fake has no metadata: metadataPolicy must not be Fetch';

function stopIf(signal: AbortSignal): void {
  if (signal.aborted) throw new ProviderError('PROVIDER_TIMEOUT', 'fake: the request was cancelled');
}

export const fakeProvider: Provider<FakeConfig> = {
  name: 'fake',
  schema: fakeConfigSchema,
  capabilities: 'ReadWrite',

  validateConfig(config: FakeConfig): Problem[] {
    const { report, problems } = collector();
    for (const [index, { key, value, valueMap }] of config.data.entries()) {
      if (key === '') report('fake-key', ['data', index, 'key'], 'set a key');
      if ((value === undefined || value === '') && valueMap === undefined)
        report('fake-value', ['data', index, 'value'], 'set a value');
    }
    return problems;
  },

  warnConfig(): Problem[] {
    const { report, problems } = collector();
    report('fake-store', [], 'provider fake is for tests: who reads the store reads its values');
    return problems;
  },

  validateRef: (_config, ref) => (ref.metadata === true ? NO_METADATA : undefined),
  validateFind: (_config, request) => findError(request),
  canonicalKey: (_config, ref) => ref.key,

  identity(_config: FakeConfig, store: StoreContext): string {
    // The values are in the store itself, so nothing is shared beyond one generation of one store.
    return JSON.stringify(['fake', store.kind, store.namespace, store.name, store.uid, store.generation]);
  },

  servers: () => [],
  dependencies: () => [],
  canValidate: () => true,

  async connect(config: FakeConfig, _store, _ports, signal: AbortSignal): Promise<Connection> {
    stopIf(signal);
    return new FakeConnection(config);
  },
};
