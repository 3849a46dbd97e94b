/**
 * What this process takes from its own AWS_* environment, once at start: where the services are (for tests
 * and private networks), and, only if it was told so, credentials for cluster-wide stores that bring none.
 * All else is removed, so that no profile, key, region or endpoint of the environment can stand in for what
 * a store says.
 */
import { readFile } from 'node:fs/promises';
import { SecretValue } from '../../api/secret-value.ts';
import { ProviderError } from '../contract.ts';

export type AwsService = 'SecretsManager' | 'SSM' | 'STS' | 'ECR' | 'ECRPublic';

/** Credentials of the process itself. The instance metadata service is never one of them. */
export type AmbientCredentials =
  | {
      readonly method: 'keys';
      readonly accessKeyId: string;
      readonly secretAccessKey: SecretValue;
      readonly sessionToken: SecretValue | undefined;
    }
  /** A projected ServiceAccount token of this Pod (IRSA). */
  | { readonly method: 'webIdentity'; readonly roleArn: string; readonly tokenFile: string }
  /** The agent of EKS Pod Identity on this node, which wants another token of this Pod. */
  | { readonly method: 'podIdentity'; readonly url: URL; readonly tokenFile: string };

interface Taken {
  readonly endpoints: Readonly<Partial<Record<AwsService, string>>>;
  readonly ambient: AmbientCredentials | undefined;
}

let taken: Taken = { endpoints: {}, ambient: undefined };

/** Names of the variables that move a service elsewhere, the first that is set counts. The SDK's, then ESO's if it has one. */
const ENDPOINT_VARIABLES: Readonly<Record<AwsService, readonly string[]>> = {
  SecretsManager: ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'AWS_SECRETSMANAGER_ENDPOINT', 'AWS_ENDPOINT_URL'],
  SSM: ['AWS_ENDPOINT_URL_SSM', 'AWS_SSM_ENDPOINT', 'AWS_ENDPOINT_URL'],
  STS: ['AWS_ENDPOINT_URL_STS', 'AWS_STS_ENDPOINT', 'AWS_ENDPOINT_URL'],
  ECR: ['AWS_ENDPOINT_URL_ECR', 'AWS_ENDPOINT_URL'],
  ECRPublic: ['AWS_ENDPOINT_URL_ECR_PUBLIC', 'AWS_ENDPOINT_URL'],
};

function firstOf(environment: NodeJS.ProcessEnv, names: readonly string[]): string | undefined {
  return names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
}

/**
 * Where EKS has its agent (the add-on eks-pod-identity-agent listens on both), and what the SDKs of AWS allow besides:
 * loopback. Whatever else the variable says is not asked.
 */
const AGENTS: ReadonlySet<string> = new Set(['169.254.170.23', '[fd00:ec2::23]', '127.0.0.1', '[::1]']);

function podIdentityOf(environment: NodeJS.ProcessEnv): AmbientCredentials | undefined {
  const url = environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  const tokenFile = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  if (!url || !tokenFile || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  return AGENTS.has(parsed.hostname) ? { method: 'podIdentity', url: parsed, tokenFile } : undefined;
}

function ambientOf(environment: NodeJS.ProcessEnv): AmbientCredentials | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secret } = environment;
  if (accessKeyId && secret) {
    const token = environment['AWS_SESSION_TOKEN'];
    return {
      method: 'keys',
      accessKeyId,
      secretAccessKey: SecretValue.fromText(secret),
      sessionToken: token ? SecretValue.fromText(token) : undefined,
    };
  }
  const { AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile } = environment;
  if (roleArn && tokenFile) return { method: 'webIdentity', roleArn, tokenFile };
  return podIdentityOf(environment);
}

/**
 * Reads what is used and removes every AWS_* variable. Programs call it once at start, before the first
 * store is read. @param options.ambient keep the credentials of the environment for cluster-wide stores
 */
export function takeAwsEnvironment(
  options: { readonly ambient: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): void {
  const endpoints: Partial<Record<AwsService, string>> = {};
  for (const service of Object.keys(ENDPOINT_VARIABLES) as AwsService[]) {
    const value = firstOf(environment, ENDPOINT_VARIABLES[service]);
    if (value !== undefined) endpoints[service] = value;
  }
  taken = { endpoints, ambient: options.ambient ? ambientOf(environment) : undefined };
  for (const name of Object.keys(environment)) if (/^AWS_/i.test(name)) delete environment[name];
  // The SDK reads these files of the home directory unless it is led elsewhere.
  environment['AWS_CONFIG_FILE'] = '/dev/null';
  environment['AWS_SHARED_CREDENTIALS_FILE'] = '/dev/null';
}

/** The URL that the process was told to use for a service; undefined for the one of the region. */
export const endpointOverride = (service: AwsService): string | undefined => taken.endpoints[service];

/** The credentials of the process, where it was started to lend them. */
export const ambientCredentials = (): AmbientCredentials | undefined => taken.ambient;

/**
 * A projected token of this Pod; kubelet replaces the file, so it is read at each login.
 * @param variable that names the file
 * @throws ProviderError PROVIDER_INVALID_CONFIG if it cannot be read
 */
export async function readTokenFile(path: string, variable: string): Promise<SecretValue> {
  try {
    return SecretValue.fromText((await readFile(path, 'utf8')).trim());
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${variable} of this program, ${path}, cannot be read (${code})`,
    );
  }
}
