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
  type RemoteObject,
  type RemoteRef,
} from '../contract.ts';
import { secretsManager } from './client.ts';
import type { AwsConfig } from './config.ts';
import { type Asked, awsError, errorInAnswer, labelOf } from './errors.ts';
import { findSecrets } from './find.ts';
import { AwsObject, type AwsRead, textOfTags } from './object.ts';
import { type AwsAccess, checkLogin, sendWith } from './requests.ts';
import { secretIdOf, versionOf } from './validate.ts';

/** Names a page of a list; more is not allowed. */
const PAGE = 100;

const BATCH_REFUSED: ReadonlySet<string> = new Set(['PROVIDER_DENIED', 'PROVIDER_INVALID_RESPONSE']);

/** undefined for an answer that holds neither text nor bytes. */
function secretValueOf(answer: {
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: Uint8Array | undefined;
  readonly VersionId?: string | undefined;
}): AwsRead | undefined {
  const { SecretString: text, SecretBinary: bytes, VersionId: version } = answer;
  if (text !== undefined) return { value: SecretValue.fromText(text), version };
  return bytes === undefined ? undefined : { value: SecretValue.fromBytes(bytes), version };
}

/** @throws ProviderError PROVIDER_INVALID_RESPONSE without a value */
function objectOf(read: AwsRead | undefined, key: string, asked: Asked): RemoteObject {
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

export class SecretsManagerConnection implements Connection {
  readonly #config: AwsConfig;
  readonly #access: AwsAccess;

  constructor(config: AwsConfig, access: AwsAccess) {
    this.#config = config;
    this.#access = access;
  }

  async read(ref: Omit<RemoteRef, 'property'>, signal: AbortSignal): Promise<RemoteObject> {
    const id = secretIdOf(this.#config, ref.key);
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
    const ids = refs.map(({ key }) => secretIdOf(this.#config, key));
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
  ): Promise<AwsRead | undefined> {
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
    return SecretValue.fromText(textOfTags(Tags));
  }

  find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]> {
    return findSecrets(this.#config, request, {
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

  validate(signal: AbortSignal): Promise<void> {
    return checkLogin(this.#access, signal);
  }

  async close(): Promise<void> {
    // Sessions and sockets are shared by the whole process.
  }

  #asked(what: string): Asked {
    return { service: 'Secrets Manager', region: this.#config.region, what };
  }

  #send<T>(
    asked: Asked,
    signal: AbortSignal,
    work: (client: SecretsManagerClient) => Promise<T>,
  ): Promise<T> {
    return sendWith(this.#access, asked, signal, (reach, credentials) =>
      work(secretsManager(reach, credentials)),
    );
  }
}
