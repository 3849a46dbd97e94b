/** Reading secrets of AWS Secrets Manager. Only GetSecretValue and DescribeSecret are ever called. */
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { SecretValue } from '../../api/secret-value.ts';
import {
  type Connection,
  type FindRequest,
  ProviderError,
  type RemoteObject,
  type RemoteRef,
} from '../contract.ts';
import { cancelled } from '../http-errors.ts';
import { JsonText } from '../property.ts';
import type { AwsConfig } from './config.ts';
import { type Asked, awsError, labelOf, toAwsError } from './errors.ts';
import type { AwsLogin, AwsSession } from './session.ts';
import { versionOf } from './validate.ts';

/** A secret that was read: text or bytes, which may be a JSON object. */
class AwsObject implements RemoteObject {
  readonly #value: SecretValue;
  readonly #key: string;
  readonly #what: string;
  #json: JsonText | undefined;

  constructor(value: SecretValue, key: string, what: string) {
    this.#value = value;
    this.#key = key;
    this.#what = what;
  }

  get(property: string | undefined): SecretValue {
    if (property === undefined) return this.#value;
    this.#json ??= new JsonText(this.#value.revealText(), this.#what);
    const value = this.#json.value(property);
    if (value !== undefined) return value;
    throw new ProviderError(
      'PROVIDER_PROPERTY_NOT_FOUND',
      `${this.#what}: key ${JSON.stringify(property)} does not exist in secret ${JSON.stringify(this.#key)}`,
    );
  }

  getMap(property: string | undefined): ReadonlyMap<string, SecretValue> {
    return new JsonText(this.get(property).revealText(), this.#what).members('source');
  }
}

/** The name (or ARN) that AWS is asked for. */
export const secretIdOf = (config: AwsConfig, key: string): string => `${config.prefix ?? ''}${key}`;

export interface ConnectionParts {
  readonly config: AwsConfig;
  readonly session: AwsSession;
  readonly login: AwsLogin;
}

export class AwsConnection implements Connection {
  readonly #parts: ConnectionParts;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  async read(ref: Omit<RemoteRef, 'property'>, signal: AbortSignal): Promise<RemoteObject> {
    const id = secretIdOf(this.#parts.config, ref.key);
    const asked: Asked = {
      service: 'Secrets Manager',
      region: this.#parts.config.region,
      what: `${ref.metadata === true ? 'describe' : 'read'} ${id}`,
    };
    const value =
      ref.metadata === true
        ? await this.#tags(id, asked, signal)
        : await this.#value(id, ref.version, asked, signal);
    return new AwsObject(value, ref.key, labelOf(asked));
  }

  async #value(
    id: string,
    version: string | undefined,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<SecretValue> {
    const which = versionOf(version);
    if (which === undefined)
      throw awsError(asked, 'PROVIDER_INVALID_CONFIG', 'version "uuid/" names no version');
    const answer: GetSecretValueCommandOutput = await this.#send(asked, signal, (client) =>
      client.send(new GetSecretValueCommand({ SecretId: id, ...which }), { abortSignal: signal }),
    );
    if (answer.SecretString !== undefined) return SecretValue.fromText(answer.SecretString);
    if (answer.SecretBinary !== undefined) return SecretValue.fromBytes(answer.SecretBinary);
    throw awsError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer holds neither text nor bytes');
  }

  /** metadataPolicy Fetch: the tags, as the text of a JSON object. */
  async #tags(id: string, asked: Asked, signal: AbortSignal): Promise<SecretValue> {
    const { Tags = [] } = await this.#send(asked, signal, (client) =>
      client.send(new DescribeSecretCommand({ SecretId: id }), { abortSignal: signal }),
    );
    const entries = Tags.flatMap(({ Key, Value }) => (Key === undefined ? [] : [[Key, Value ?? '']]));
    return SecretValue.fromText(JSON.stringify(Object.fromEntries(entries)));
  }

  async getAll(_find: FindRequest, _signal: AbortSignal): Promise<ReadonlyMap<string, SecretValue>> {
    throw new ProviderError('PROVIDER_INVALID_CONFIG', 'find is not supported yet by provider aws');
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

  /** Credentials that have been good for a while and are refused now are replaced once. */
  async #send<T>(
    asked: Asked,
    signal: AbortSignal,
    work: (client: SecretsManagerClient) => Promise<T>,
  ): Promise<T> {
    const { session, login } = this.#parts;
    const client = await session.client(login, signal);
    try {
      return await work(client);
    } catch (thrown) {
      const error = toAwsError(asked, thrown, signal);
      if (error.code !== 'PROVIDER_UNAUTHENTICATED' || !session.refused(client)) throw error;
    }
    const second = await session.client(login, signal);
    try {
      return await work(second);
    } catch (thrown) {
      throw toAwsError(asked, thrown, signal);
    }
  }
}
