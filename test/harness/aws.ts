/**
 * A stand-in for AWS on free ports of 127.0.0.1, behind a proxy that sees every call. moto checks signatures
 * and IAM policies, MiniStack behaves more like Secrets Manager; neither is exact alone.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { awsDirectory } from '../../tools/setup/paths.mjs';
import { type AwsProxy, startAwsProxy } from './aws-proxy.ts';
import { httpRequest } from './http.ts';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess } from './process.ts';

export type Emulator = 'moto' | 'ministack';

export interface AwsOptions {
  /** MiniStack by default. */
  readonly emulator?: Emulator;
}

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Aws {
  readonly emulator: Emulator;
  /** Where clients are sent: the proxy. */
  readonly endpoint: string;
  readonly proxy: AwsProxy;
  readonly process: RunningProcess;
  /**
   * Call of Secrets Manager past the proxy, in this account (12 digits) or the default one.
   * @throws Error with the answer
   */
  call<T = unknown>(action: string, parameters: object, region: string, account?: string): Promise<T>;
  /** Creates the secret, or gives it a new version. @returns its ARN and the version's id */
  put(
    region: string,
    name: string,
    value: string | Uint8Array,
    account?: string,
  ): Promise<{ readonly arn: string; readonly versionId: string }>;
  /** Call of Systems Manager past the proxy. @throws Error with the answer */
  ssm<T = unknown>(action: string, parameters: object, region: string): Promise<T>;
  /** Creates the parameter (a SecureString), or gives it a new version. */
  putParameter(
    region: string,
    name: string,
    value: string,
    tags?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** At once, without a window for recovery. */
  remove(region: string, name: string, account?: string): Promise<void>;
  /** moto only: a user whose policy allows these actions on everything. Calls are checked from here on. */
  createUser(name: string, actions: readonly string[]): Promise<AwsKeys>;
  /** SIGSTOP: connections are accepted by the kernel and never answered. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const START: Readonly<
  Record<Emulator, { readonly args: (port: number) => readonly string[]; readonly ready: string }>
> = {
  moto: {
    args: (port) => ['-c', 'from moto.server import main; main()', '-H', '127.0.0.1', '-p', String(port)],
    ready: 'moto-api/data.json',
  },
  ministack: { args: () => ['-m', 'ministack'], ready: '_ministack/health' },
};

/** Nobody's calls: moto does not check them while it is told not to, MiniStack never does. */
const FREE_CALLS = '1000000';

/** MiniStack takes an access key id of 12 digits for the account. */
const authorization = (service: string, region: string, account = 'nobody'): Record<string, string> => ({
  authorization: `AWS4-HMAC-SHA256 Credential=${account}/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
});

class LocalAws implements Aws {
  readonly emulator: Emulator;
  readonly proxy: AwsProxy;
  readonly #origin: string;
  readonly process: RunningProcess;
  #enforcing = false;

  constructor(emulator: Emulator, origin: string, process: RunningProcess, proxy: AwsProxy) {
    this.emulator = emulator;
    this.proxy = proxy;
    this.#origin = origin;
    this.process = process;
  }

  get endpoint(): string {
    return this.proxy.endpoint;
  }

  call<T = unknown>(action: string, parameters: object, region: string, account?: string): Promise<T> {
    return this.#json('secretsmanager', 'secretsmanager', action, parameters, region, account);
  }

  ssm<T = unknown>(action: string, parameters: object, region: string): Promise<T> {
    return this.#json('ssm', 'AmazonSSM', action, parameters, region);
  }

  async putParameter(
    region: string,
    name: string,
    value: string,
    tags?: Readonly<Record<string, string>>,
  ): Promise<void> {
    const parameter = { Name: name, Value: value, Type: 'SecureString', Overwrite: true };
    await this.ssm('PutParameter', parameter, region);
    if (tags === undefined) return;
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    const target = { ResourceType: 'Parameter', ResourceId: name };
    await this.ssm('AddTagsToResource', { ...target, Tags }, region);
  }

  async #json<T>(
    service: string,
    target: string,
    action: string,
    parameters: object,
    region: string,
    account?: string,
  ): Promise<T> {
    const { status, body } = await this.#freely(() =>
      httpRequest<T>('POST', this.#origin, {
        headers: {
          ...authorization(service, region, account),
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': `${target}.${action}`,
        },
        body: parameters,
      }),
    );
    if (status === 200) return body;
    throw new Error(`${action}: ${status} ${JSON.stringify(body)}`);
  }

  async put(
    region: string,
    name: string,
    value: string | Uint8Array,
    account?: string,
  ): Promise<{ arn: string; versionId: string }> {
    const content =
      typeof value === 'string'
        ? { SecretString: value }
        : { SecretBinary: Buffer.from(value).toString('base64') };
    const write = (action: string, more: object) =>
      this.call<{ ARN: string; VersionId: string }>(action, { ...more, ...content }, region, account);
    const { ARN, VersionId } = await write('CreateSecret', { Name: name }).catch((error: unknown) => {
      if (error instanceof Error && error.message.includes('ResourceExists')) {
        return write('PutSecretValue', { SecretId: name });
      }
      throw error;
    });
    return { arn: ARN, versionId: VersionId };
  }

  async remove(region: string, name: string, account?: string): Promise<void> {
    await this.call('DeleteSecret', { SecretId: name, ForceDeleteWithoutRecovery: true }, region, account);
  }

  async createUser(name: string, actions: readonly string[]): Promise<AwsKeys> {
    if (this.emulator !== 'moto') throw new Error('only moto knows users');
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }],
    };
    const text = await this.#freely(async () => {
      await this.#iam({ Action: 'CreateUser', UserName: name });
      await this.#iam({
        Action: 'PutUserPolicy',
        UserName: name,
        PolicyName: 'p',
        PolicyDocument: JSON.stringify(policy),
      });
      return this.#iam({ Action: 'CreateAccessKey', UserName: name });
    });
    const part = (tag: string): string => new RegExp(`<${tag}>([^<]+)<`).exec(text)?.[1] ?? '';
    this.#enforcing = true;
    await this.#allowFreeCalls('0');
    return { accessKeyId: part('AccessKeyId'), secretAccessKey: part('SecretAccessKey') };
  }

  pause(): void {
    this.process.signal('SIGSTOP');
  }

  resume(): void {
    this.process.signal('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    await this.process.stop({ graceMs: 3000 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #iam(parameters: Readonly<Record<string, string>>): Promise<string> {
    const { status, body } = await httpRequest<string>('POST', this.#origin, {
      headers: {
        ...authorization('iam', 'us-east-1'),
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ Version: '2010-05-08', ...parameters }).toString(),
    });
    if (status === 200) return body;
    throw new Error(`${parameters['Action']}: ${status} ${body}`);
  }

  #allowFreeCalls(count: string): Promise<unknown> {
    return httpRequest('POST', `${this.#origin}/moto-api/reset-auth`, {
      headers: { 'content-type': 'text/plain' },
      body: count,
    });
  }

  async #freely<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#enforcing) return work();
    await this.#allowFreeCalls(FREE_CALLS);
    try {
      return await work();
    } finally {
      await this.#allowFreeCalls('0');
    }
  }
}

/** @throws Error with the end of its log if it does not come up */
export async function startAws({ emulator = 'ministack' }: AwsOptions = {}): Promise<Aws> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const { args, ready } = START[emulator];
  const process = await startProcess({
    name: emulator,
    command: readFileSync(join(awsDirectory(), 'python'), 'utf8').trim(),
    args: args(port),
    env: {
      PYTHONPATH: awsDirectory(),
      PYTHONDONTWRITEBYTECODE: '1',
      // Whatever they would call themselves must not be the developer's AWS.
      AWS_ACCESS_KEY_ID: 'nobody',
      AWS_SECRET_ACCESS_KEY: 'nobody',
      // MiniStack listens on every address unless it is told otherwise.
      GATEWAY_PORT: String(port),
      BIND_HOST: '127.0.0.1',
      // Of its many services these listen on ports of their own, whatever BIND_HOST says.
      SERVICES: 'secretsmanager,ssm,sts,iam,ecr',
      IOT_MTLS_ENABLED: 'false',
      SFTP_ENABLED: 'false',
      INITIAL_NO_AUTH_ACTION_COUNT: FREE_CALLS,
    },
    ready: async () => (await httpRequest('GET', `${origin}/${ready}`)).status === 200,
  });
  return new LocalAws(emulator, origin, process, await startAwsProxy(origin));
}
