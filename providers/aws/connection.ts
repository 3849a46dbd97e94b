/**
 * Reading secrets of AWS Secrets Manager: GetSecretValue, DescribeSecret; ListSecrets for a find only, and
 * BatchGetSecretValue where the store asks for batches.
 */
import {
  BatchGetSecretValueCommand,
  type BatchGetSecretValueCommandOutput,
  DescribeSecretCommand,
  GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  ListSecretsCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { SecretValue } from '../../api/secret-value.ts';
import {
  type Connection,
  type FindRequest,
  type FoundObject,
  ProviderError,
  type ProviderPorts,
  type RemoteObject,
  type RemoteRef,
} from '../contract.ts';
import { cancelled } from '../http-errors.ts';
import { JsonText } from '../property.ts';
import type { AwsConfig } from './config.ts';
import { type Asked, awsError, errorInAnswer, labelOf, toAwsError } from './errors.ts';
import { findSecrets } from './find.ts';
import type { AwsLogin, AwsSession } from './session.ts';
import { versionOf } from './validate.ts';

/** What was read, and its VersionId. */
interface Read {
  readonly value: SecretValue;
  readonly version?: string | undefined;
}

/** A secret that was read: text or bytes, which may be a JSON object. */
class AwsObject implements RemoteObject {
  readonly #value: SecretValue;
  readonly #key: string;
  readonly #what: string;
  readonly version: string | undefined;
  #json: JsonText | undefined;

  constructor({ value, version }: Read, key: string, what: string) {
    this.#value = value;
    this.version = version;
    this.#key = key;
    this.#what = what;
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return this.#value;
    // A property with dots in it is a name first, and a path only where there is no such name (eso.md 4.4).
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

/** Names a page of a list; more is not allowed. */
const PAGE = 100;
/** Secrets a BatchGetSecretValue; more is not allowed. */
export const BATCH = 20;

/** The name (or ARN) that AWS is asked for. */
export const secretIdOf = (config: AwsConfig, key: string): string => `${config.prefix ?? ''}${key}`;

const BATCH_REFUSED: ReadonlySet<string> = new Set(['PROVIDER_DENIED', 'PROVIDER_INVALID_RESPONSE']);

/** undefined for an answer that holds neither text nor bytes. */
function secretValueOf(answer: {
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: Uint8Array | undefined;
  readonly VersionId?: string | undefined;
}): Read | undefined {
  const { SecretString: text, SecretBinary: bytes, VersionId: version } = answer;
  if (text !== undefined) return { value: SecretValue.fromText(text), version };
  return bytes === undefined ? undefined : { value: SecretValue.fromBytes(bytes), version };
}

/** @throws ProviderError PROVIDER_INVALID_RESPONSE without a value */
function objectOf(read: Read | undefined, key: string, asked: Asked): RemoteObject {
  if (read !== undefined) return new AwsObject(read, key, labelOf(asked));
  throw awsError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer holds neither text nor bytes');
}

/** What it brings, or the error that it throws. */
function settled<T>(work: () => T): T | ProviderError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProviderError) return error;
    throw error;
  }
}

export interface ConnectionParts {
  readonly config: AwsConfig;
  readonly session: AwsSession;
  readonly login: AwsLogin;
  readonly pace: ProviderPorts['pace'];
}

export class AwsConnection implements Connection {
  readonly #parts: ConnectionParts;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  async read(ref: Omit<RemoteRef, 'property'>, signal: AbortSignal): Promise<RemoteObject> {
    const id = secretIdOf(this.#parts.config, ref.key);
    const asked = this.#asked(`${ref.metadata === true ? 'describe' : 'read'} ${id}`);
    const read =
      ref.metadata === true
        ? { value: await this.#tags(id, asked, signal) }
        : await this.#value(id, ref.version, asked, signal);
    return objectOf(read, ref.key, asked);
  }

  async readMany(
    refs: readonly Pick<RemoteRef, 'key'>[],
    signal: AbortSignal,
  ): Promise<readonly (RemoteObject | ProviderError | undefined)[] | undefined> {
    const ids = refs.map(({ key }) => secretIdOf(this.#parts.config, key));
    let answer: BatchGetSecretValueCommandOutput;
    try {
      answer = await this.#send(this.#asked(`read ${ids.length} secrets`), signal, (client) =>
        client.send(new BatchGetSecretValueCommand({ SecretIdList: ids }), { abortSignal: signal }),
      );
    } catch (error) {
      // The action is one of its own in IAM, and stand-ins for AWS may not know it.
      const refused = error instanceof ProviderError && BATCH_REFUSED.has(error.code);
      if (refused) return undefined;
      throw error;
    }
    const { SecretValues = [], Errors = [] } = answer;
    return refs.map(({ key }, index) => {
      const id = ids[index] ?? '';
      const asked = this.#asked(`read ${id}`);
      const found = SecretValues.find(({ Name, ARN }) => Name === id || ARN === id);
      if (found !== undefined) return settled(() => objectOf(secretValueOf(found), key, asked));
      const failure = Errors.find(({ SecretId }) => SecretId === id);
      return failure && errorInAnswer(asked, failure.ErrorCode ?? '', failure.Message ?? '');
    });
  }

  /** The text or bytes of a secret; undefined for an answer that holds neither. */
  async #value(
    id: string,
    version: string | undefined,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<Read | undefined> {
    const which = versionOf(version);
    if (which === undefined)
      throw awsError(asked, 'PROVIDER_INVALID_CONFIG', 'version "uuid/" names no version');
    const answer: GetSecretValueCommandOutput = await this.#send(asked, signal, (client) =>
      client.send(new GetSecretValueCommand({ SecretId: id, ...which }), { abortSignal: signal }),
    );
    return secretValueOf(answer);
  }

  /** metadataPolicy Fetch: the tags, as the text of a JSON object. */
  async #tags(id: string, asked: Asked, signal: AbortSignal): Promise<SecretValue> {
    const { Tags = [] } = await this.#send(asked, signal, (client) =>
      client.send(new DescribeSecretCommand({ SecretId: id }), { abortSignal: signal }),
    );
    const entries = Tags.flatMap(({ Key, Value }) => (Key === undefined ? [] : [[Key, Value ?? '']]));
    return SecretValue.fromText(JSON.stringify(Object.fromEntries(entries)));
  }

  find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]> {
    return findSecrets(this.#parts.config, request, {
      list: async (filters, token) => {
        const asked = this.#asked('list secrets');
        const input = { Filters: [...filters], MaxResults: PAGE, NextToken: token };
        const { SecretList = [], NextToken } = await this.#send(asked, signal, (client) =>
          client.send(new ListSecretsCommand(input), { abortSignal: signal }),
        );
        return { names: SecretList.flatMap(({ Name }) => Name ?? []), next: NextToken };
      },
      read: async (name) => {
        const asked = this.#asked(`read ${name}`);
        try {
          const read = await this.#value(name, undefined, asked, signal);
          return read === undefined ? undefined : new AwsObject(read, name, labelOf(asked));
        } catch (error) {
          // Gone since it was listed, or never given a value.
          if (error instanceof ProviderError && error.code === 'PROVIDER_NOT_FOUND') return undefined;
          throw error;
        }
      },
    });
  }

  /** Credentials can be had; whether they may read anything only a read can tell. */
  async validate(signal: AbortSignal): Promise<void> {
    const { session, login } = this.#parts;
    if (signal.aborted) throw cancelled(login.label, signal);
    await session.client(login, signal);
  }

  async close(): Promise<void> {
    // Sessions and sockets are shared by the whole process.
  }

  #asked(what: string): Asked {
    return { service: 'Secrets Manager', region: this.#parts.config.region, what };
  }

  /** Credentials that have been good for a while and are refused now are replaced once. */
  async #send<T>(
    asked: Asked,
    signal: AbortSignal,
    work: (client: SecretsManagerClient) => Promise<T>,
  ): Promise<T> {
    const { session, login, pace } = this.#parts;
    const client = await session.client(login, signal);
    await pace?.(signal);
    try {
      return await work(client);
    } catch (thrown) {
      const error = toAwsError(asked, thrown, signal);
      if (error.code !== 'PROVIDER_UNAUTHENTICATED' || !session.refused(client)) throw error;
    }
    const second = await session.client(login, signal);
    await pace?.(signal);
    try {
      return await work(second);
    } catch (thrown) {
      throw toAwsError(asked, thrown, signal);
    }
  }
}
