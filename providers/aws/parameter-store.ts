/**
 * Reading parameters of AWS Systems Manager: GetParameter, ListTagsForResource for metadata; for a find
 * GetParametersByPath or DescribeParameters, and GetParameters where the store asks for batches. Loaded when the first
 * store of that service is used: the client is big.
 */
import {
  DescribeParametersCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  type GetParametersCommandOutput,
  ListTagsForResourceCommand,
  type Parameter,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { SecretValue } from '../../api/secret-value.ts';
import {
  type Connection,
  type FindRequest,
  type FoundObject,
  ProviderError,
  type RemoteObject,
  type RemoteRef,
} from '../contract.ts';
import { clientSettings, perCredentials, reveal } from './client.ts';
import type { AwsConfig } from './config.ts';
import { type Asked, awsError, labelOf } from './errors.ts';
import { findParameters } from './find-parameters.ts';
import { AwsObject, textOfTags } from './object.ts';
import { parameterId, parameterName, parameterProblem } from './parameter-name.ts';
import { type AwsAccess, checkLogin, sendWith } from './requests.ts';
import { canonicalAwsKey, secretIdOf } from './validate.ts';

/** Parameters a page; more is not allowed. */
const PAGE_BY_PATH = 10;
const PAGE_DESCRIBED = 50;

const BATCH_REFUSED: ReadonlySet<string> = new Set(['PROVIDER_DENIED', 'PROVIDER_INVALID_RESPONSE']);

const ssm = perCredentials(
  (reach, credentials) =>
    new SSMClient({ ...clientSettings('SSM', reach), credentials: reveal(credentials) }),
);

/** @throws ProviderError PROVIDER_INVALID_RESPONSE without a value */
function objectOf({ Value, Version }: Parameter, key: string, asked: Asked): RemoteObject {
  if (Value === undefined) throw awsError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no value');
  const version = Version === undefined ? undefined : String(Version);
  return new AwsObject({ value: SecretValue.fromText(Value), version }, key, labelOf(asked));
}

export class ParameterStoreConnection implements Connection {
  readonly #config: AwsConfig;
  readonly #access: AwsAccess;

  constructor(config: AwsConfig, access: AwsAccess) {
    this.#config = config;
    this.#access = access;
  }

  async read(ref: Omit<RemoteRef, 'property'>, signal: AbortSignal): Promise<RemoteObject> {
    const id = secretIdOf(this.#config, ref.key);
    const asked = this.#asked(`${ref.metadata === true ? 'tags of' : 'read'} ${id}`);
    const problem = parameterProblem(id, ref);
    if (problem !== undefined) throw awsError(asked, 'PROVIDER_INVALID_CONFIG', problem);
    if (ref.metadata === true) return this.#tags(parameterName(id).name, ref.key, asked, signal);
    return this.#parameter(parameterId(id, ref.version), ref.key, asked, signal);
  }

  async readMany(
    refs: readonly Pick<RemoteRef, 'key'>[],
    signal: AbortSignal,
  ): Promise<readonly (RemoteObject | undefined)[] | undefined> {
    const ids = refs.map(({ key }) => secretIdOf(this.#config, key));
    let answer: GetParametersCommandOutput;
    try {
      answer = await this.#send(this.#asked(`read ${ids.length} parameters`), signal, (client) =>
        client.send(new GetParametersCommand({ Names: ids, WithDecryption: true }), { abortSignal: signal }),
      );
    } catch (error) {
      // The action is one of its own in IAM, and one name that may not be read denies them all.
      const refused = error instanceof ProviderError && BATCH_REFUSED.has(error.code);
      if (refused) return undefined;
      throw error;
    }
    // Those it calls invalid are not there, or not well formed: a read of each alone says which.
    return refs.map(({ key }, index) => {
      const id = ids[index] ?? '';
      const found = answer.Parameters?.find(({ Name, ARN }) => Name === id || ARN === id);
      return found?.Value === undefined ? undefined : objectOf(found, key, this.#asked(`read ${id}`));
    });
  }

  find(request: FindRequest, signal: AbortSignal): Promise<readonly FoundObject[]> {
    const { prefix } = this.#config;
    const canonicalKey = (name: string): string =>
      canonicalAwsKey({ ...this.#config, prefix: undefined }, name);
    return findParameters({ prefix }, request, canonicalKey, {
      byPath: async (Path, NextToken) => {
        const input = { Path, Recursive: true, WithDecryption: true, MaxResults: PAGE_BY_PATH, NextToken };
        const answer = await this.#send(this.#asked(`list ${Path}`), signal, (client) =>
          client.send(new GetParametersByPathCommand(input), { abortSignal: signal }),
        );
        const found = (answer.Parameters ?? []).flatMap((one) => {
          const { Name: name } = one;
          if (name === undefined) return [];
          return [{ name, object: objectOf(one, name, this.#asked(`read ${name}`)) }];
        });
        return { found, next: answer.NextToken };
      },
      describe: async (filters, NextToken) => {
        const input = { ParameterFilters: [...filters], MaxResults: PAGE_DESCRIBED, NextToken };
        const answer = await this.#send(this.#asked('list parameters'), signal, (client) =>
          client.send(new DescribeParametersCommand(input), { abortSignal: signal }),
        );
        return { found: (answer.Parameters ?? []).flatMap(({ Name }) => Name ?? []), next: answer.NextToken };
      },
      read: async (name) => {
        try {
          return await this.#parameter(name, name, this.#asked(`read ${name}`), signal);
        } catch (error) {
          // Gone since it was listed.
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

  async #parameter(id: string, key: string, asked: Asked, signal: AbortSignal): Promise<RemoteObject> {
    const { Parameter: parameter = {} } = await this.#send(asked, signal, (client) =>
      client.send(new GetParameterCommand({ Name: id, WithDecryption: true }), { abortSignal: signal }),
    );
    return objectOf(parameter, key, asked);
  }

  async #tags(id: string, key: string, asked: Asked, signal: AbortSignal): Promise<RemoteObject> {
    const input = { ResourceType: 'Parameter', ResourceId: id } as const;
    const { TagList = [] } = await this.#send(asked, signal, (client) =>
      client.send(new ListTagsForResourceCommand(input), { abortSignal: signal }),
    );
    return new AwsObject({ value: SecretValue.fromText(textOfTags(TagList)) }, key, labelOf(asked));
  }

  #asked(what: string): Asked {
    return { service: 'Parameter Store', region: this.#config.region, what };
  }

  #send<T>(asked: Asked, signal: AbortSignal, work: (client: SSMClient) => Promise<T>): Promise<T> {
    return sendWith(this.#access, asked, signal, (reach, credentials) => work(ssm(reach, credentials)));
  }
}
