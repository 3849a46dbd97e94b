/** Where the credentials of a gcpsm block come from, and what is read from the cluster for them. */
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { type BlockReference, readKey } from '../block-references.ts';
import { ProviderError, type ProviderPorts, type StoreContext } from '../contract.ts';
import { resolveReference } from '../references.ts';
import { jsonObjectOf } from '../rest.ts';
import { type GcpAuth, type GcpsmConfig, resolveGcpAuth } from './config.ts';
import { ambientCredentials, readCredentialsFile } from './environment.ts';
import type { AwsKeys } from './exchange.ts';
import type { ServiceAccountKey } from './google-auth.ts';
import { referencesOf, SERVICE_ACCOUNT } from './validate.ts';

/** Where the first credentials come from. */
export type CredentialSource =
  | { readonly method: 'key'; readonly key: ServiceAccountKey; readonly text: SecretValue }
  /** A token of a ServiceAccount of the cluster, new at each login. */
  | {
      readonly method: 'serviceAccount';
      readonly namespace: string;
      readonly name: string;
      readonly audiences: readonly string[];
      /** What STS knows the issuer by. */
      readonly audience: string;
      readonly impersonate: string | undefined;
    }
  | {
      readonly method: 'aws';
      readonly keys: AwsKeys;
      readonly audience: string;
      readonly impersonate: string | undefined;
    }
  /** A token in a file of this program, new at each login. */
  | {
      readonly method: 'tokenFile';
      readonly path: string;
      readonly type: string;
      readonly audience: string;
      readonly impersonate: string | undefined;
    }
  | { readonly method: 'metadata'; readonly origin: string };

const IMPERSONATE_ANNOTATION = 'iam.gke.io/gcp-service-account';

const invalid = (what: string): ProviderError => new ProviderError('PROVIDER_INVALID_CONFIG', what);

/** @param where names the key in errors */
function parseKey(text: SecretValue, where: string): ServiceAccountKey {
  const key = jsonObjectOf(text.revealText());
  const { type, client_email: email, private_key: privateKey, private_key_id: keyId } = key ?? {};
  if (type !== 'service_account' || typeof email !== 'string' || typeof privateKey !== 'string') {
    throw invalid(
      `${where} is not the JSON key of a service account (type service_account, with client_email and private_key)`,
    );
  }
  const universe = key?.['universe_domain'] ?? 'googleapis.com';
  if (universe !== 'googleapis.com')
    throw invalid(`${where} is of another universe than googleapis.com, which is not supported`);
  return {
    email,
    privateKey: SecretValue.fromText(privateKey),
    keyId: typeof keyId === 'string' ? keyId : undefined,
  };
}

async function readStatic(
  reference: BlockReference,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const { value, where } = await readKey(reference, store, ports, signal);
  return { method: 'key', key: parseKey(value, where), text: value };
}

/** The service account to impersonate: the store's own word, else the annotation's. */
async function impersonated(
  namespace: string,
  name: string,
  own: string | undefined,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (own !== undefined) return own;
  const annotations = await ports.serviceAccountAnnotations(namespace, name, signal);
  const { [IMPERSONATE_ANNOTATION]: email = '' } = annotations;
  if (email === '') return undefined;
  if (SERVICE_ACCOUNT.test(email)) return email;
  throw invalid(
    `ServiceAccount ${namespace}/${name}: the annotation ${IMPERSONATE_ANNOTATION} is no e-mail address of a service account`,
  );
}

async function readServiceAccount(
  auth: Extract<GcpAuth, { method: 'workloadIdentity' | 'federation' }>,
  { path, reference }: BlockReference,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const { namespace, name } = resolveReference(store, reference, path);
  const email = auth.method === 'federation' ? auth.email : undefined;
  const impersonate = await impersonated(namespace, name, email, ports, signal);
  const more = auth.serviceAccountRef?.audiences ?? [];
  if (auth.method === 'federation') {
    const audiences = [...new Set([auth.audience, ...more])];
    return { method: 'serviceAccount', namespace, name, audiences, audience: auth.audience, impersonate };
  }
  // Where GKE registers itself with the pool of its project (its documentation of Workload Identity).
  const pool = `${auth.project}.svc.id.goog`;
  const cluster = `https://container.googleapis.com/v1/projects/${auth.project}/locations/${auth.location}/clusters/${auth.cluster}`;
  return {
    method: 'serviceAccount',
    namespace,
    name,
    audiences: [...new Set([pool, ...more])],
    audience: `identitynamespace:${pool}:${cluster}`,
    impersonate,
  };
}

async function readAws(
  auth: Extract<GcpAuth, { method: 'federation' }>,
  { path, reference }: BlockReference,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const { namespace, name } = resolveReference(store, reference, path);
  const read = async (key: string): Promise<SecretValue> =>
    (await ports.secretKey({ namespace, name, key }, signal)).value;
  const [accessKeyId, secretAccessKey] = await Promise.all([
    read('aws_access_key_id'),
    read('aws_secret_access_key'),
  ]);
  const sessionToken = await read('aws_session_token').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'REFERENCE_NOT_FOUND') return undefined;
    throw error;
  });
  const keys: AwsKeys = {
    region: auth.aws?.region ?? '',
    accessKeyId: accessKeyId.revealText().trim(),
    secretAccessKey,
    sessionToken,
  };
  return { method: 'aws', keys, audience: auth.audience, impersonate: auth.email };
}

async function readOwn(store: StoreContext): Promise<CredentialSource> {
  if (store.kind !== 'ClusterSecretStore') {
    throw invalid(
      `${store.kind} ${store.name}: a SecretStore brings its own credentials: set auth.workloadIdentity or auth.secretRef`,
    );
  }
  const ambient = ambientCredentials();
  if (ambient === undefined) {
    throw invalid(
      `${store.kind} ${store.name}: auth is not set, and this program lends no credentials of its own: set auth, or start it with --gcp-ambient-credentials`,
    );
  }
  if (ambient.method === 'metadata') return ambient;
  const text = await readCredentialsFile(ambient.path);
  const where = `GOOGLE_APPLICATION_CREDENTIALS of this program, ${ambient.path},`;
  const account = jsonObjectOf(text.revealText());
  if (account?.['type'] === 'external_account') return tokenFileOf(account, where);
  return { method: 'key', key: parseKey(text, where), text };
}

/** Of the sources that a credential configuration may name, a file with nothing but the token. */
function tokenFileOf(account: JsonObject, where: string): CredentialSource {
  const { audience, subject_token_type: type, credential_source: source } = account;
  const { service_account_impersonation_url: url = '' } = account;
  const path = isJsonObject(source) ? source['file'] : undefined;
  const format = isJsonObject(source) ? source['format'] : undefined;
  if (typeof audience !== 'string' || typeof type !== 'string' || typeof path !== 'string')
    throw invalid(`${where} needs audience, subject_token_type and credential_source.file`);
  if (isJsonObject(format) && format['type'] !== 'text')
    throw invalid(`${where} has a credential_source.format that is not supported: only text is`);
  const [, email] = /\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(String(url)) ?? [];
  if (url !== '' && (email === undefined || !SERVICE_ACCOUNT.test(email)))
    throw invalid(`${where} has a service_account_impersonation_url that names no service account`);
  return { method: 'tokenFile', path, type, audience, impersonate: email };
}

/**
 * Follows the auth block.
 * @throws EsaError REFERENCE_FORBIDDEN, REFERENCE_NOT_FOUND; ProviderError PROVIDER_INVALID_CONFIG
 */
export async function readSource(
  config: GcpsmConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const auth = resolveGcpAuth(config);
  if (auth.method === 'environment') return readOwn(store);
  const [found] = referencesOf(config);
  if (found === undefined) throw invalid(`${store.kind} ${store.name}: auth names no credentials`);
  if (auth.method === 'key') return readStatic(found, store, ports, signal);
  return found.kind === 'Secret' && auth.method === 'federation'
    ? readAws(auth, found, store, ports, signal)
    : readServiceAccount(auth, found, store, ports, signal);
}

/** What tells two sources apart, credentials included: only ever hashed. */
export function fingerprintOf(source: CredentialSource): unknown {
  switch (source.method) {
    case 'key':
      return ['key', source.text.revealText()];
    case 'aws': {
      const { keys, audience, impersonate } = source;
      const { region, accessKeyId, secretAccessKey, sessionToken } = keys;
      const secrets = [secretAccessKey.revealText(), sessionToken?.revealText() ?? ''];
      return ['aws', region, accessKeyId, ...secrets, audience, impersonate];
    }
    case 'serviceAccount':
    case 'tokenFile':
    case 'metadata':
      return source;
  }
}
