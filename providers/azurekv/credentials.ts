/** Where the credentials of an azurekv block come from, and what is read from the cluster for them. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { SecretValue } from '../../api/secret-value.ts';
import { type BlockReference, readKey } from '../block-references.ts';
import { ProviderError, type ProviderPorts, type StoreContext } from '../contract.ts';
import { resolveReference } from '../references.ts';
import type { AzurekvConfig } from './config.ts';
import { ambientCredentials, ownTenant } from './environment.ts';
import type { ClientCredential } from './msal.ts';
import { referencesOf, TENANT } from './validate.ts';

/** Where the first credentials come from. */
export type CredentialSource =
  | {
      readonly method: 'application';
      readonly clientId: string;
      readonly tenantId: string;
      readonly credential: ClientCredential;
      /** The secret or certificate as it was read; only ever hashed. */
      readonly text: SecretValue;
    }
  /** A token of a ServiceAccount of the cluster, new at each login. */
  | {
      readonly method: 'serviceAccount';
      readonly clientId: string;
      readonly tenantId: string;
      readonly namespace: string;
      readonly name: string;
      readonly audiences: readonly string[];
    }
  /** The token that kubelet keeps for this Pod. */
  | {
      readonly method: 'tokenFile';
      readonly clientId: string;
      readonly tenantId: string;
      readonly path: string;
    }
  | { readonly method: 'node'; readonly origin: string; readonly identityId: string | undefined };

const CLIENT_ANNOTATION = 'azure.workload.identity/client-id';
const TENANT_ANNOTATION = 'azure.workload.identity/tenant-id';
const AUDIENCE = 'api://AzureADTokenExchange';

const invalid = (what: string): ProviderError => new ProviderError('PROVIDER_INVALID_CONFIG', what);

/** What is read for a block, field by field. */
type Read = (field: string) => Promise<{ readonly value: SecretValue; readonly where: string } | undefined>;

function readerOf(
  config: AzurekvConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Read {
  const references = new Map(
    referencesOf(config).flatMap((one): [unknown, BlockReference][] =>
      one.kind === 'Secret' ? [[one.path.at(-1), one]] : [],
    ),
  );
  return async (field) => {
    const found = references.get(field);
    return found === undefined ? undefined : readKey(found, store, ports, signal);
  };
}

/** The text of a field without white space around it: files end in newlines. */
async function plain(read: Read, field: string): Promise<string | undefined> {
  const found = await read(field);
  if (found === undefined) return undefined;
  const text = found.value.revealText().trim();
  if (!/^[\x21-\x7e]+$/.test(text)) throw invalid(`${found.where} is empty, or holds characters no id has`);
  return text;
}

function checkTenant(tenant: string, where: string): string {
  if (TENANT.test(tenant)) return tenant;
  throw invalid(`${where} names no tenant: its id, or one of its domains`);
}

const PEM = /-----BEGIN (CERTIFICATE|(?:RSA )?PRIVATE KEY)-----[\s\S]+?-----END \1-----/g;

/** A certificate and its key out of one PEM text, in any order; further certificates are its chain. */
function certificateOf(text: string, where: string): ClientCredential {
  const blocks = [...text.matchAll(PEM)].map(([pem, kind]) => ({ pem, isKey: kind !== 'CERTIFICATE' }));
  const chain = blocks.filter(({ isKey }) => !isKey).map(({ pem }) => pem);
  const [leaf] = chain;
  const keyPem = blocks.find(({ isKey }) => isKey)?.pem;
  if (leaf === undefined || keyPem === undefined)
    throw invalid(`${where} has to hold a certificate and its private key, without a password, as PEM`);
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    certificate = new X509Certificate(leaf);
    key = createPrivateKey(keyPem);
  } catch {
    throw invalid(`${where} holds a certificate or a private key that cannot be parsed`);
  }
  if (key.asymmetricKeyType !== 'rsa') throw invalid(`${where}: Entra takes certificates with RSA keys only`);
  if (!certificate.checkPrivateKey(key))
    throw invalid(`${where}: the private key is not that of the certificate`);
  return {
    certificate: {
      sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      chain: chain.join('\n'),
      key: SecretValue.fromText(String(key.export({ type: 'pkcs8', format: 'pem' }))),
    },
  };
}

async function readPrincipal(
  config: AzurekvConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const read = readerOf(config, store, ports, signal);
  const label = `${store.kind} ${store.name}`;
  const [clientId, tenant, secret, certificate] = await Promise.all([
    plain(read, 'clientId'),
    plain(read, 'tenantId'),
    read('clientSecret'),
    read('clientCertificate'),
  ]);
  if (clientId === undefined) throw invalid(`${label}: authSecretRef.clientId is not set`);
  const tenantId = checkTenant(
    tenant ?? config.tenantId ?? '',
    `${label}: authSecretRef.tenantId or tenantId`,
  );
  if (certificate !== undefined) {
    const text = certificate.value;
    const credential = certificateOf(text.revealText(), certificate.where);
    return { method: 'application', clientId, tenantId, credential, text };
  }
  const text = secret?.value.revealText().trim() ?? '';
  if (secret === undefined || text === '')
    throw invalid(`${label}: authSecretRef has no clientSecret, or an empty one`);
  const value = SecretValue.fromText(text);
  return { method: 'application', clientId, tenantId, credential: { secret: value }, text: value };
}

/** One of two places says it; both may, if they say the same. ESO refuses both. */
function agreed(own: string | undefined, annotated: string | undefined, what: string): string | undefined {
  if (own === undefined || own === '') return annotated === '' ? undefined : annotated;
  if (annotated === undefined || annotated === '' || annotated === own) return own;
  throw invalid(
    `multiple ${what} found: the store and the annotation of the ServiceAccount differ; keep one`,
  );
}

async function readServiceAccount(
  config: AzurekvConfig,
  { path, reference }: BlockReference,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const { namespace, name } = resolveReference(store, reference, path);
  const read = readerOf(config, store, ports, signal);
  const [annotations, client, tenant] = await Promise.all([
    ports.serviceAccountAnnotations(namespace, name, signal),
    plain(read, 'clientId'),
    plain(read, 'tenantId'),
  ]);
  const label = `ServiceAccount ${namespace}/${name}`;
  const clientId = agreed(client, annotations[CLIENT_ANNOTATION], 'client ids');
  if (clientId === undefined)
    throw invalid(`${label} has no annotation ${CLIENT_ANNOTATION}; it names the identity to use`);
  const tenantId = agreed(tenant ?? config.tenantId, annotations[TENANT_ANNOTATION], 'tenant ids');
  const own = tenantId ?? ownTenant();
  if (own === undefined)
    throw invalid(
      `${label} has no annotation ${TENANT_ANNOTATION}, and the store no tenantId; set one of them`,
    );
  const more = config.serviceAccountRef?.audiences ?? [];
  return {
    method: 'serviceAccount',
    clientId,
    tenantId: checkTenant(own, label),
    namespace,
    name,
    audiences: [...new Set([AUDIENCE, ...more])],
  };
}

function readOwn({ authType, identityId }: AzurekvConfig, store: StoreContext): CredentialSource {
  const label = `${store.kind} ${store.name}`;
  if (store.kind !== 'ClusterSecretStore')
    throw invalid(
      `${label}: a SecretStore brings its own credentials: a service principal, or serviceAccountRef`,
    );
  const ambient = ambientCredentials();
  if (ambient === undefined) {
    throw invalid(
      `${label}: this program lends no credentials of its own: set serviceAccountRef or authSecretRef, or start it with --azure-ambient-credentials`,
    );
  }
  const { workload, metadataOrigin: origin } = ambient;
  if (authType === 'ManagedIdentity') return { method: 'node', origin, identityId: identityId || undefined };
  if (workload === undefined) {
    throw invalid(
      `${label}: AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE are not all set for this program; Azure’s workload identity webhook sets them`,
    );
  }
  const { clientId, tenantId, tokenFile: path } = workload;
  return {
    method: 'tokenFile',
    clientId,
    tenantId: checkTenant(tenantId, 'AZURE_TENANT_ID of this program'),
    path,
  };
}

/**
 * Follows the auth block.
 * @throws EsaError REFERENCE_FORBIDDEN, REFERENCE_NOT_FOUND; ProviderError PROVIDER_INVALID_CONFIG
 */
export async function readSource(
  config: AzurekvConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<CredentialSource> {
  if (config.authType === 'ServicePrincipal') return readPrincipal(config, store, ports, signal);
  const account = referencesOf(config).find(({ kind }) => kind === 'ServiceAccount');
  return account === undefined
    ? readOwn(config, store)
    : readServiceAccount(config, account, store, ports, signal);
}

/** What tells two sources apart, credentials included: only ever hashed. */
export function fingerprintOf(source: CredentialSource): unknown {
  if (source.method !== 'application') return source;
  const { clientId, tenantId, text } = source;
  return ['application', clientId, tenantId, text.revealText()];
}
