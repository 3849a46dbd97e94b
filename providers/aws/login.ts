/** From what a store brings to credentials that may read: exchanging a token, then assuming its roles. */
import { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, type Credentials } from '@aws-sdk/client-sts';
import { SecretValue } from '../../api/secret-value.ts';
import type { ProviderPorts, StoreContext } from '../contract.ts';
import { sts } from './client.ts';
import type { AwsConfig } from './config.ts';
import type { CredentialSource } from './credentials.ts';
import { readTokenFile } from './environment.ts';
import { type Asked, awsError, labelOf, toAwsError } from './errors.ts';
import { askPodIdentity } from './pod-identity.ts';
import type { AwsCredentials, Reach } from './reach.ts';
import type { AwsLogin } from './session.ts';

/** Stands in CloudTrail and in the principal of refusals. */
const SESSION_NAME = 'external-secrets-admission';
/** Life of the ServiceAccount's token: it is used once, at once. The API server gives no less. */
const TOKEN_SECONDS = 600;

interface SessionTag {
  readonly Key: string;
  readonly Value: string;
}

/** The session tags of the block's role; sessionTagsPolicy adds who is served. */
export function sessionTagsOf(config: AwsConfig, store: StoreContext): SessionTag[] {
  const tags = new Map((config.sessionTags ?? []).map(({ key, value }) => [key, value]));
  if (config.sessionTagsPolicy === 'Custom') {
    for (const [key, value] of Object.entries(config.customSessionTags ?? {})) tags.set(key, value);
  }
  if (config.sessionTagsPolicy !== 'None') {
    tags.set('esoNamespace', store.callerNamespace ?? store.namespace ?? '');
    tags.set('esoStoreName', store.name);
    tags.set('esoStoreKind', store.kind);
  }
  return [...tags].map(([Key, Value]) => ({ Key, Value }));
}

/** What STS gives always expires. */
export interface SessionCredentials extends AwsCredentials {
  readonly sessionToken: SecretValue;
  readonly expiresAt: number;
}

/** @throws ProviderError PROVIDER_INVALID_RESPONSE */
export function credentialsIn(answer: Credentials | undefined, asked: Asked): SessionCredentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer ?? {};
  const expiresAt = Expiration?.getTime();
  if (
    !AccessKeyId ||
    !SecretAccessKey ||
    !SessionToken ||
    expiresAt === undefined ||
    Number.isNaN(expiresAt)
  ) {
    throw awsError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no credentials');
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretValue.fromText(SecretAccessKey),
    sessionToken: SecretValue.fromText(SessionToken),
    expiresAt,
  };
}

async function exchangeToken(
  reach: Reach,
  roleArn: string,
  whose: string,
  token: SecretValue,
  signal: AbortSignal,
): Promise<AwsCredentials> {
  const { region } = reach;
  const asked: Asked = { service: 'STS', region, what: `assume role ${roleArn} with the token of ${whose}` };
  try {
    const answer = await sts(reach).send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: roleArn,
        RoleSessionName: SESSION_NAME,
        WebIdentityToken: token.revealText(),
      }),
      { abortSignal: signal },
    );
    return credentialsIn(answer.Credentials, asked);
  } catch (thrown) {
    throw toAwsError(asked, thrown, signal);
  }
}

type RoleOptions = Omit<ConstructorParameters<typeof AssumeRoleCommand>[0], 'RoleArn' | 'RoleSessionName'>;

async function assumeRole(
  reach: Reach,
  roleArn: string,
  options: RoleOptions,
  credentials: AwsCredentials,
  signal: AbortSignal,
): Promise<AwsCredentials> {
  const asked: Asked = { service: 'STS', region: reach.region, what: `assume role ${roleArn}` };
  try {
    const answer = await sts(reach, credentials).send(
      new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: SESSION_NAME, ...options }),
      { abortSignal: signal },
    );
    return credentialsIn(answer.Credentials, asked);
  } catch (thrown) {
    throw toAwsError(asked, thrown, signal);
  }
}

async function firstCredentials(
  source: CredentialSource,
  reach: Reach,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<AwsCredentials> {
  switch (source.method) {
    case 'keys':
      return source.credentials;
    case 'tokenFile':
      return exchangeToken(
        reach,
        source.roleArn,
        'this Pod',
        await readTokenFile(source.path, 'AWS_WEB_IDENTITY_TOKEN_FILE'),
        signal,
      );
    case 'podIdentity':
      return askPodIdentity(source, reach.region, signal);
    case 'serviceAccount': {
      const { namespace, name, audiences, roleArn } = source;
      const { token } = await ports.serviceAccountToken(
        { namespace, name, audiences, expirationSeconds: TOKEN_SECONDS },
        signal,
      );
      return exchangeToken(reach, roleArn, `ServiceAccount ${namespace}/${name}`, token, signal);
    }
  }
}

/** The way from this source through additionalRoles to role; each is assumed with the credentials before it. */
export function awsLogin(
  config: AwsConfig,
  store: StoreContext,
  source: CredentialSource,
  ports: ProviderPorts,
): AwsLogin {
  const { region, endpoints, role, additionalRoles = [], externalID, transitiveTagKeys = [] } = config;
  const asked: Asked = { service: 'STS', region, what: 'get credentials' };
  const reach: Reach = { region, endpoints, guard: store.guard };
  return {
    label: labelOf(asked),
    reach,
    async credentials(signal) {
      // Each exchange is a request; keys alone ask nobody.
      if (source.method !== 'keys') await ports.pace?.(signal);
      let credentials = await firstCredentials(source, reach, ports, signal);
      for (const arn of additionalRoles) {
        await ports.pace?.(signal);
        credentials = await assumeRole(reach, arn, {}, credentials, signal);
      }
      if (role === undefined || role === '') return credentials;
      const tags = sessionTagsOf(config, store);
      const options: RoleOptions = {
        ...(externalID === undefined || externalID === '' ? {} : { ExternalId: externalID }),
        ...(tags.length === 0 ? {} : { Tags: tags }),
        ...(transitiveTagKeys.length === 0 ? {} : { TransitiveTagKeys: transitiveTagKeys }),
      };
      await ports.pace?.(signal);
      return assumeRole(reach, role, options, credentials, signal);
    },
  };
}
