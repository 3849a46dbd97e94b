/** What a connection needs from the cluster, read through the ports: CA, client certificate, stored credentials. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { formatFieldPath } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { parseCaBundle } from '../ca-bundle.ts';
import { ProviderError, type ProviderPorts, type StoreContext } from '../contract.ts';
import type { HttpTarget } from '../http.ts';
import { resolveReference } from '../references.ts';
import { type BlockReference, referencesOf } from './block-references.ts';
import type { VaultConfig } from './config.ts';

/** A reference of the block in the cluster: namespace, name and, but for ServiceAccounts, key. */
export interface ResolvedReference {
  readonly kind: BlockReference['kind'];
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

/**
 * The reference at `path` of the block; undefined if there is none, or something outranks it.
 * @throws EsaError REFERENCE_FORBIDDEN; ProviderError PROVIDER_INVALID_CONFIG
 */
export function referenceAt(
  config: VaultConfig,
  store: StoreContext,
  path: string,
): ResolvedReference | undefined {
  const found = referencesOf(config).find((one) => one.used && formatFieldPath(one.path) === path);
  if (found === undefined) return undefined;
  const { kind, reference, options, defaultKey } = found;
  const resolved = resolveReference(store, reference, found.path, options);
  const key = reference.key ?? defaultKey ?? '';
  if (kind !== 'ServiceAccount' && key === '') {
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${store.kind} ${store.name}: ${path}.key: name the key of the ${kind}`,
    );
  }
  return { kind, ...resolved, key };
}

const invalid = (what: string): ProviderError => new ProviderError('PROVIDER_INVALID_CONFIG', what);

/** What a Secret holds, as it is. @throws ProviderError PROVIDER_INVALID_CONFIG if that is nothing */
export async function readSecret(
  reference: ResolvedReference,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<SecretValue> {
  const { value } = await ports.secretKey(reference, signal);
  if (value.byteLength > 0) return value;
  const { namespace, name, key } = reference;
  throw invalid(`key ${key} of Secret ${namespace}/${name} is empty`);
}

/**
 * A token or JWT out of a Secret. White space around it is dropped: files end in newlines.
 * @throws ProviderError PROVIDER_INVALID_CONFIG if what is there cannot be one
 */
export async function readToken(
  reference: ResolvedReference,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<SecretValue> {
  const { value } = await ports.secretKey(reference, signal);
  const token = value.revealText().trim();
  if (/^[\x21-\x7e]+$/.test(token)) return SecretValue.fromText(token);
  const { namespace, name, key } = reference;
  const fault = token === '' ? 'is empty' : 'holds characters that no token has';
  throw invalid(`key ${key} of Secret ${namespace}/${name} ${fault}`);
}

async function readCa(
  config: VaultConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (config.caBundle !== undefined) {
    const ca = parseCaBundle(config.caBundle);
    if (ca === undefined) throw invalid(`${store.kind} ${store.name}: caBundle holds no valid certificate`);
    return ca;
  }
  const reference = referenceAt(config, store, 'caProvider');
  if (reference === undefined) return undefined;
  const text =
    reference.kind === 'ConfigMap'
      ? (await ports.configMapKey(reference, signal)).value
      : (await ports.secretKey(reference, signal)).value.revealText();
  const ca = parseCaBundle(text);
  if (ca !== undefined) return ca;
  const { kind, namespace, name, key } = reference;
  throw invalid(`caProvider: key ${key} of ${kind} ${namespace}/${name} holds no valid certificate`);
}

async function readClientCertificate(
  config: VaultConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<HttpTarget['clientCertificate']> {
  // A login by certificate shows its own, whatever else tls says.
  const [certPath, keyPath] =
    config.auth?.cert === undefined
      ? ['tls.certSecretRef', 'tls.keySecretRef']
      : ['auth.cert.clientCert', 'auth.cert.secretRef'];
  const certReference = referenceAt(config, store, certPath);
  const keyReference = referenceAt(config, store, keyPath);
  if (certReference === undefined || keyReference === undefined) return undefined;
  const read = async (reference: ResolvedReference, check: (pem: string) => unknown): Promise<string> => {
    const pem = (await ports.secretKey(reference, signal)).value.revealText();
    try {
      check(pem);
    } catch {
      const { namespace, name, key } = reference;
      throw invalid(`client certificate: key ${key} of Secret ${namespace}/${name} holds no usable PEM`);
    }
    return pem;
  };
  const [cert, key] = await Promise.all([
    read(certReference, (pem) => new X509Certificate(pem)),
    read(keyReference, (pem) => createPrivateKey(pem)),
  ]);
  return { cert, key };
}

/** The server with its trust. Over plain HTTP, CA and client certificate have no meaning, as in ESO. */
export async function readTarget(
  server: URL,
  config: VaultConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<HttpTarget> {
  const { guard } = store;
  if (server.protocol !== 'https:') return { origin: server.origin, guard };
  const [ca, clientCertificate] = await Promise.all([
    readCa(config, store, ports, signal),
    readClientCertificate(config, store, ports, signal),
  ]);
  return { origin: server.origin, ca, clientCertificate, guard };
}
