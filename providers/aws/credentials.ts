/** What the credentials of a store are made of, read through the ports. Logging in is login.ts. */
import { SecretValue } from '../../api/secret-value.ts';
import { type BlockReference, readKey } from '../block-references.ts';
import { ProviderError, type ProviderPorts, type StoreContext } from '../contract.ts';
import { resolveReference } from '../references.ts';
import { type AwsConfig, resolveAwsAuth } from './config.ts';
import { type AmbientCredentials, ambientCredentials } from './environment.ts';
import type { AwsCredentials } from './reach.ts';
import { referencesOf } from './validate.ts';

/** Where the first credentials come from, before any role is assumed. */
export type CredentialSource =
  | { readonly method: 'keys'; readonly credentials: AwsCredentials }
  /** A token of a ServiceAccount of the cluster, new at each login (IRSA). */
  | {
      readonly method: 'serviceAccount';
      readonly namespace: string;
      readonly name: string;
      readonly roleArn: string;
      readonly audiences: readonly string[];
    }
  /** The token that kubelet keeps for this Pod. */
  | { readonly method: 'tokenFile'; readonly roleArn: string; readonly path: string }
  /** The agent of EKS Pod Identity, and the token it wants. */
  | { readonly method: 'podIdentity'; readonly url: URL; readonly path: string };

const ROLE_ANNOTATION = 'eks.amazonaws.com/role-arn';
const AUDIENCE_ANNOTATION = 'eks.amazonaws.com/audience';
const DEFAULT_AUDIENCE = 'sts.amazonaws.com';

const invalid = (what: string): ProviderError => new ProviderError('PROVIDER_INVALID_CONFIG', what);

/** White space around it is dropped: files end in newlines. */
async function readTrimmed(
  reference: BlockReference,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<SecretValue> {
  const { value, where } = await readKey(reference, store, ports, signal);
  const text = value.revealText().trim();
  if (/^[\x21-\x7e]+$/.test(text)) return SecretValue.fromText(text);
  const fault = text === '' ? 'is empty' : 'holds characters that no AWS credential has';
  throw invalid(`${where} ${fault}`);
}

async function readStatic(
  config: AwsConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const references = new Map(referencesOf(config).map((one) => [one.path.at(-1), one]));
  const read = async (field: string): Promise<SecretValue | undefined> => {
    const reference = references.get(field);
    return reference === undefined ? undefined : readTrimmed(reference, store, ports, signal);
  };
  const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
    read('accessKeyIDSecretRef'),
    read('secretAccessKeySecretRef'),
    read('sessionTokenSecretRef'),
  ]);
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw invalid(
      `${store.kind} ${store.name}: auth.secretRef needs both accessKeyIDSecretRef and secretAccessKeySecretRef`,
    );
  }
  return {
    method: 'keys',
    credentials: { accessKeyId: accessKeyId.revealText(), secretAccessKey, sessionToken },
  };
}

/**
 * The role is named by an annotation of the ServiceAccount, and so may be the audience; those of the store
 * are asked for besides, as in ESO.
 */
async function readServiceAccount(
  config: AwsConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const [found] = referencesOf(config);
  if (found === undefined) throw invalid(`${store.kind} ${store.name}: auth names no ServiceAccount`);
  const { namespace, name } = resolveReference(store, found.reference, found.path);
  const annotations = await ports.serviceAccountAnnotations(namespace, name, signal);
  const roleArn = annotations[ROLE_ANNOTATION];
  if (roleArn === undefined || roleArn === '') {
    throw invalid(
      `ServiceAccount ${namespace}/${name} has no annotation ${ROLE_ANNOTATION}; it names the IAM role to assume`,
    );
  }
  const auth = resolveAwsAuth(config);
  const more = auth.method === 'serviceAccount' ? (auth.serviceAccountRef.audiences ?? []) : [];
  const audience = annotations[AUDIENCE_ANNOTATION] || DEFAULT_AUDIENCE;
  return {
    method: 'serviceAccount',
    namespace,
    name,
    roleArn,
    audiences: [...new Set([audience, ...more])],
  };
}

function sourceOfAmbient(ambient: AmbientCredentials): CredentialSource {
  if (ambient.method === 'webIdentity') {
    return { method: 'tokenFile', roleArn: ambient.roleArn, path: ambient.tokenFile };
  }
  if (ambient.method === 'podIdentity')
    return { method: 'podIdentity', url: ambient.url, path: ambient.tokenFile };
  return { method: 'keys', credentials: ambient };
}

/**
 * Follows the auth block.
 * @throws EsaError REFERENCE_FORBIDDEN, REFERENCE_NOT_FOUND; ProviderError PROVIDER_INVALID_CONFIG
 */
export async function readSource(
  config: AwsConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const { method } = resolveAwsAuth(config);
  if (method === 'secret') return readStatic(config, store, ports, signal);
  if (method === 'serviceAccount') return readServiceAccount(config, store, ports, signal);
  if (store.kind !== 'ClusterSecretStore') {
    throw invalid(
      `${store.kind} ${store.name}: a SecretStore brings its own credentials: set auth.jwt.serviceAccountRef or auth.secretRef`,
    );
  }
  const ambient = ambientCredentials();
  if (ambient !== undefined) return sourceOfAmbient(ambient);
  throw invalid(
    `${store.kind} ${store.name}: auth is not set, and this program lends no credentials of its own: set auth, or start it with --aws-ambient-credentials and credentials in its environment`,
  );
}

/** What tells two sources apart, credentials included: only ever hashed. */
export function fingerprintOf(source: CredentialSource): unknown {
  if (source.method !== 'keys') return source;
  const { accessKeyId, secretAccessKey, sessionToken } = source.credentials;
  return ['keys', accessKeyId, secretAccessKey.revealText(), sessionToken?.revealText() ?? ''];
}
