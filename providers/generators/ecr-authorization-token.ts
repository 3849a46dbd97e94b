/**
 * ECRAuthorizationToken: what `docker login` needs for a registry of Amazon ECR
 * (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html).
 */
import {
  type EcrAuthorizationTokenSpec,
  ecrAuthorizationTokenSpec,
} from '../../api/generators/v1alpha1/aws.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { type Asked, awsError } from '../aws/errors.ts';
import { awsGeneratorAccess, awsGeneratorProblems } from '../aws/generator-block.ts';
import { sendWith } from '../aws/requests.ts';
import type { JsonCall } from '../aws/signed-json.ts';
import type { Generator } from './contract.ts';

/** Whatever is asked. */
const LIFE_MS = 12 * 60 * 60_000;

const PRIVATE: JsonCall = {
  service: 'ECR',
  signingName: 'ecr',
  target: 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
  input: {},
};
const PUBLIC: JsonCall = {
  service: 'ECRPublic',
  signingName: 'ecr-public',
  target: 'SpencerFrontendService.GetAuthorizationToken',
  input: {},
};
/** The public registry gives tokens nowhere else. */
const PUBLIC_REGION = 'us-east-1';

interface TokenData {
  readonly authorizationToken?: unknown;
  /** Seconds since the epoch. */
  readonly expiresAt?: unknown;
  readonly proxyEndpoint?: unknown;
}

/** @throws ProviderError PROVIDER_INVALID_RESPONSE */
function valuesOf(answer: unknown, asked: Asked): ReadonlyMap<string, SecretValue> {
  const { authorizationData } = (answer ?? {}) as { authorizationData?: unknown };
  // A list of one for the private registry, an object for the public one.
  const [data] = [authorizationData].flat() as (TokenData | undefined)[];
  const { authorizationToken, expiresAt, proxyEndpoint } = data ?? {};
  const pair = typeof authorizationToken === 'string' ? authorizationToken : '';
  const [, username, password] = /^([^:]+):(.+)$/s.exec(Buffer.from(pair, 'base64').toString('utf8')) ?? [];
  if (username === undefined || password === undefined || typeof expiresAt !== 'number') {
    throw awsError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');
  }
  const texts = {
    username,
    password,
    ...(typeof proxyEndpoint === 'string' ? { proxy_endpoint: proxyEndpoint } : {}),
    expires_at: String(Math.floor(expiresAt)),
  };
  return new Map(Object.entries(texts).map(([key, text]) => [key, SecretValue.fromText(text)]));
}

export const ecrAuthorizationTokenGenerator: Generator<EcrAuthorizationTokenSpec> = {
  kind: 'ECRAuthorizationToken',
  schema: ecrAuthorizationTokenSpec,
  validateSpec: (spec, clusterWide) => awsGeneratorProblems(spec, clusterWide),
  lifeMs: () => LIFE_MS,

  async generate(spec, use, signal) {
    const { sendSignedJson } = await import('../aws/signed-json.ts');
    const access = await awsGeneratorAccess(spec, use, signal);
    const isPublic = spec.scope === 'public';
    const region = isPublic ? PUBLIC_REGION : spec.region;
    const asked: Asked = {
      service: isPublic ? 'ECR Public' : 'ECR',
      region,
      what: 'get an authorization token',
    };
    const answer = await sendWith(access, asked, signal, (reach, credentials) =>
      sendSignedJson(isPublic ? PUBLIC : PRIVATE, asked, { ...reach, region }, credentials, signal),
    );
    return valuesOf(answer, asked);
  },
};
