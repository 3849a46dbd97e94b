/**
 * The iam login: AWS credentials of the block, which sign a request that Vault sends to STS to learn who asks
 * (https://developer.hashicorp.com/vault/api-docs/auth/aws#login). Where the credentials come from is the provider
 * aws's; its rules for those of this program hold here too. Loaded when the first store asks for it.
 */
import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { type AwsConfig, awsConfigSchema } from '../aws/config.ts';
import { fingerprintOf, readSource } from '../aws/credentials.ts';
import { awsLogin } from '../aws/login.ts';
import type { AwsCredentials } from '../aws/reach.ts';
import type { ProviderPorts, StoreContext } from '../contract.ts';
import type { LoginRequest } from './auth-methods.ts';
import type { VaultConfig } from './config.ts';
import { type IamAuth, regionOf, stsOf } from './sts.ts';

const BODY = 'Action=GetCallerIdentity&Version=2011-06-15';

/** The block of the provider aws that gives the same credentials. */
function awsBlockOf(iam: IamAuth): AwsConfig {
  const { secretRef, jwt, role, externalID } = iam;
  const serviceAccountRef = jwt?.serviceAccountRef;
  return awsConfigSchema.parse({
    service: 'SecretsManager',
    region: regionOf(iam),
    ...(role ? { role } : {}),
    ...(externalID ? { externalID } : {}),
    ...(secretRef === undefined && serviceAccountRef === undefined
      ? {}
      : {
          auth: {
            ...(secretRef === undefined ? {} : { secretRef }),
            ...(serviceAccountRef === undefined ? {} : { jwt: { serviceAccountRef } }),
          },
        }),
  });
}

type SourceData = string | ArrayBuffer | ArrayBufferView;

/** SHA-256 as the signer wants it. */
class Sha256 {
  #hash;
  readonly #secret: Buffer | undefined;

  constructor(secret?: SourceData) {
    this.#secret = secret === undefined ? undefined : bytesOf(secret);
    this.#hash = this.#begin();
  }

  #begin() {
    return this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret);
  }

  update(data: SourceData): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#begin();
  }
}

function bytesOf(data: SourceData): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return data instanceof ArrayBuffer
    ? Buffer.from(data)
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * What proves to Vault who we are: a request to STS, signed and not sent. Only headers that Vault lets through.
 * @param now wall-clock milliseconds
 */
async function signedIdentity(
  iam: IamAuth,
  credentials: AwsCredentials,
  now: number,
): Promise<Readonly<Record<string, string>>> {
  const region = regionOf(iam);
  const url = stsOf(region);
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const signer = new SignatureV4({
    service: 'sts',
    region,
    sha256: Sha256,
    applyChecksum: false,
    credentials: {
      accessKeyId,
      secretAccessKey: secretAccessKey.revealText(),
      ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.revealText() }),
    },
  });
  const { headers } = await signer.sign(
    {
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname,
      path: '/',
      query: {},
      headers: {
        host: url.host,
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        ...(iam.vaultAwsIamServerID ? { 'x-vault-aws-iam-server-id': iam.vaultAwsIamServerID } : {}),
      },
      body: BODY,
    },
    { signingDate: new Date(now) },
  );
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  return {
    role: iam.vaultRole,
    iam_http_request_method: 'POST',
    iam_request_url: encode(url.href),
    iam_request_body: encode(BODY),
    iam_request_headers: encode(JSON.stringify(headers)),
  };
}

/** @throws EsaError REFERENCE_FORBIDDEN, REFERENCE_NOT_FOUND; ProviderError PROVIDER_INVALID_CONFIG */
export async function readIamLogin(
  config: VaultConfig,
  store: StoreContext,
  ports: ProviderPorts,
  at: readonly string[],
  signal: AbortSignal,
): Promise<LoginRequest> {
  const iam = config.auth?.iam ?? { vaultRole: '' };
  const block = awsBlockOf(iam);
  const source = await readSource(block, store, ports, signal);
  const login = awsLogin(block, store, source, ports);
  return {
    segments: [...at, 'login'],
    role: iam.vaultRole,
    credential: fingerprintOf(source),
    body: async (shared) => signedIdentity(iam, await login.credentials(shared), ports.clock.now()),
  };
}
