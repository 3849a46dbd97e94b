/** Rules on a vault block that its schema cannot say, without I/O. */
import type { FieldPath, Problem } from '../../api/problem.ts';
import { literalAddress, refusalOf } from '../addresses.ts';
import { parseCaBundle } from '../ca-bundle.ts';
import type { RemoteRef, StoreContext } from '../contract.ts';
import { checkReference, type ReferenceOptions, type StoreReference } from '../references.ts';
import type { VaultAuth, VaultConfig } from './config.ts';
import { secretPath, splitSegments } from './paths.ts';

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

/** A reference of the block, where it stands, and what holds for it. */
export interface BlockReference {
  readonly kind: 'Secret' | 'ConfigMap' | 'ServiceAccount';
  readonly path: FieldPath;
  readonly reference: StoreReference & { readonly key?: string | undefined };
  readonly options: ReferenceOptions;
  /** The key that is meant where the reference names none; undefined if it has to. */
  readonly defaultKey?: string | undefined;
  /** False where something else outranks it: it is checked all the same, but never followed. */
  readonly used: boolean;
}

/** Methods that a login can use; the rest of the block's methods are refused by name. */
const SUPPORTED_AUTH = ['tokenSecretRef', 'kubernetes'] as const satisfies (keyof VaultAuth)[];

/** The auth methods that are set, in the order of the schema. */
function authMethods(config: VaultConfig): Exclude<keyof VaultAuth, 'namespace'>[] {
  const auth = config.auth ?? {};
  return (Object.keys(auth) as (keyof VaultAuth)[]).filter(
    (key): key is Exclude<keyof VaultAuth, 'namespace'> => key !== 'namespace' && auth[key] !== undefined,
  );
}

/** Every reference that the supported part of the block makes. */
export function referencesOf({ server, auth, caBundle, caProvider, tls }: VaultConfig): BlockReference[] {
  const references: BlockReference[] = [];
  // Over plain HTTP, CA and client certificate have no meaning, as in ESO.
  const secure = !/^http:/i.test(server);
  const add = (
    kind: BlockReference['kind'],
    path: FieldPath,
    reference: BlockReference['reference'] | undefined,
    extra: Partial<Pick<BlockReference, 'defaultKey' | 'options' | 'used'>> = {},
  ): void => {
    if (reference !== undefined)
      references.push({ kind, path, reference, options: {}, used: true, ...extra });
  };
  const kubernetes = auth?.kubernetes;
  add('Secret', ['auth', 'tokenSecretRef'], auth?.tokenSecretRef);
  add('ServiceAccount', ['auth', 'kubernetes', 'serviceAccountRef'], kubernetes?.serviceAccountRef);
  // A ServiceAccount outranks a Secret, and caBundle a caProvider, as in ESO.
  add('Secret', ['auth', 'kubernetes', 'secretRef'], kubernetes?.secretRef, {
    defaultKey: 'token',
    used: kubernetes?.serviceAccountRef === undefined,
  });
  add(caProvider?.type ?? 'Secret', ['caProvider'], caProvider, {
    options: { namespaceRequired: true },
    used: secure && caBundle === undefined,
  });
  add('Secret', ['tls', 'certSecretRef'], tls?.certSecretRef, { defaultKey: 'tls.crt', used: secure });
  add('Secret', ['tls', 'keySecretRef'], tls?.keySecretRef, { defaultKey: 'tls.key', used: secure });
  return references;
}

/** The URL of the server without a slash at its end, or a sentence about what is wrong with it. */
export function parseServer(server: string): URL | string {
  if (!URL.canParse(server)) return 'must be a URL, such as https://vault.example.com:8200';
  const url = new URL(server);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must start with https:// or http://';
  // The parser mends "https:x", "https:///x", backslashes and white space; what people would read there is not
  // what it makes of it.
  if (!/^https?:\/\/[^/]/i.test(server) || /[\s\\]/.test(server))
    return 'must start with https:// or http:// and the name of a host, without white space or backslashes';
  const [, authority = ''] = /^https?:\/\/([^/?#]*)/i.exec(server) ?? [];
  if (authority.includes('@')) return 'must not hold a user name or password; use auth';
  if (/[?#]/.test(server)) return 'must not have a query or a fragment';
  if (authority.endsWith(':') || url.port === '0') return 'must have a port from 1 to 65535, or none';
  const literal = literalAddress(url);
  // Whether loopback is allowed is a setting of the running program, so that is said when it connects.
  const refusal = literal === undefined ? undefined : refusalOf(literal, true);
  return refusal === undefined ? url : `${literal} ${refusal}; name the server of Vault`;
}

function serverProblems(config: VaultConfig): Problem[] {
  const parsed = parseServer(config.server);
  return typeof parsed === 'string'
    ? [{ path: ['server'], reason: 'FieldValueInvalid', message: parsed }]
    : [];
}

function authProblems(config: VaultConfig): Problem[] {
  const methods = authMethods(config);
  const [method] = methods;
  if (method === undefined) {
    return [
      {
        path: ['auth'],
        reason: 'FieldValueRequired',
        message: `set one auth method; supported: ${SUPPORTED_AUTH.join(', ')}`,
      },
    ];
  }
  if (methods.length > 1) {
    return [
      {
        path: ['auth'],
        reason: 'FieldValueInvalid',
        message: `set exactly one auth method, found ${methods.length} (${methods.join(', ')})`,
      },
    ];
  }
  if (!SUPPORTED_AUTH.some((supported) => supported === method)) {
    return [
      {
        path: ['auth', method],
        reason: 'FieldValueNotSupported',
        message: `auth method ${method} is not supported yet; supported: ${SUPPORTED_AUTH.join(', ')}`,
      },
    ];
  }
  return method === 'kubernetes' ? kubernetesProblems(config.auth?.kubernetes) : [];
}

function kubernetesProblems(kubernetes: VaultAuth['kubernetes']): Problem[] {
  if (kubernetes === undefined) return [];
  const path = ['auth', 'kubernetes'];
  const problems: Problem[] = [];
  if (kubernetes.role === '') {
    problems.push({ path: [...path, 'role'], reason: 'FieldValueRequired', message: 'name the role' });
  }
  const mount = splitSegments(kubernetes.mountPath);
  if (typeof mount === 'string') {
    problems.push({ path: [...path, 'mountPath'], reason: 'FieldValueInvalid', message: mount });
  }
  if (kubernetes.serviceAccountRef === undefined && kubernetes.secretRef === undefined) {
    problems.push({
      path,
      reason: 'FieldValueRequired',
      message:
        "set serviceAccountRef or secretRef; logging in with the controller's own token is not supported yet",
    });
  }
  return problems;
}

function referenceProblems(config: VaultConfig, store: StoreScope): Problem[] {
  const problems: Problem[] = [];
  for (const { kind, path, reference, options, defaultKey } of referencesOf(config)) {
    const problem = checkReference(store, reference, path, options);
    if (problem !== undefined) problems.push(problem);
    const key = reference.key ?? defaultKey;
    if (kind !== 'ServiceAccount' && (key === undefined || key === '')) {
      problems.push({
        path: [...path, 'key'],
        reason: 'FieldValueRequired',
        message: `name the key of the ${kind}`,
      });
    }
  }
  return problems;
}

function tlsProblems({ tls, caBundle }: VaultConfig): Problem[] {
  const problems: Problem[] = [];
  if (caBundle !== undefined && parseCaBundle(caBundle) === undefined) {
    problems.push({
      path: ['caBundle'],
      reason: 'FieldValueInvalid',
      message: 'must hold X.509 certificates as PEM, or as PEM in base64',
    });
  }
  if ((tls?.certSecretRef === undefined) !== (tls?.keySecretRef === undefined)) {
    problems.push({
      path: ['tls', tls?.certSecretRef === undefined ? 'certSecretRef' : 'keySecretRef'],
      reason: 'FieldValueRequired',
      message: 'a client certificate needs both certSecretRef and keySecretRef',
    });
  }
  return problems;
}

/** Headers that have a field of their own, or belong to the connection. */
const OWN_HEADERS: Readonly<Record<string, string>> = {
  'x-vault-token': 'use auth.tokenSecretRef',
  'x-vault-namespace': 'use the field namespace',
  'x-vault-request': 'it is always sent',
  host: 'it is taken from server',
  connection: 'it belongs to the connection',
  'content-length': 'it belongs to the connection',
  'transfer-encoding': 'it belongs to the connection',
};

function headerProblems(config: VaultConfig): Problem[] {
  return Object.entries(config.headers ?? {}).flatMap(([name, value]): Problem[] => {
    const path = ['headers', name];
    const own = OWN_HEADERS[name.toLowerCase()];
    if (own !== undefined) {
      return [{ path, reason: 'FieldValueForbidden', message: `this header cannot be set here: ${own}` }];
    }
    if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      return [{ path, reason: 'FieldValueInvalid', message: 'must be a valid HTTP header name and value' }];
    }
    return [];
  });
}

const headerSafe = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

function engineProblems(config: VaultConfig): Problem[] {
  const problems: Problem[] = [];
  const mount = config.path === undefined || config.path === '' ? [] : splitSegments(config.path);
  if (typeof mount === 'string') {
    problems.push({ path: ['path'], reason: 'FieldValueInvalid', message: mount });
  }
  const namespaces: [FieldPath, string | undefined][] = [
    [['namespace'], config.namespace],
    [['auth', 'namespace'], config.auth?.namespace],
  ];
  for (const [path, namespace] of namespaces) {
    if (namespace === undefined || /^\/*$/.test(namespace)) continue;
    const segments = splitSegments(namespace);
    const message =
      typeof segments === 'string' ? segments : headerSafe(namespace) ? '' : 'must be printable ASCII';
    if (message !== '') problems.push({ path, reason: 'FieldValueInvalid', message });
  }
  if (config.checkAndSet?.required === true && config.version === 'v1') {
    problems.push({
      path: ['checkAndSet', 'required'],
      reason: 'FieldValueInvalid',
      message: 'check-and-set needs KV version 2',
    });
  }
  return problems;
}

/** Everything that is wrong with the block; paths are relative to it. */
export function validateVaultConfig(config: VaultConfig, store: StoreScope): Problem[] {
  return [
    ...serverProblems(config),
    ...engineProblems(config),
    ...authProblems(config),
    ...referenceProblems(config, store),
    ...tlsProblems(config),
    ...headerProblems(config),
  ];
}

/** Why this remoteRef can never work with this store, or undefined. */
export function validateVaultRef(config: VaultConfig, ref: RemoteRef): string | undefined {
  const path = secretPath(config, ref.key);
  if (typeof path === 'string') return path;
  if (ref.metadata === true && config.version === 'v1') {
    return 'metadataPolicy Fetch needs KV version 2, and the store says v1';
  }
  // A version 1 engine ignores the version, as ESO lets it.
  if (config.version === 'v2' && ref.version !== undefined && !/^[1-9]\d{0,17}$/.test(ref.version)) {
    return 'version must be a positive whole number, the number of a KV version 2 secret';
  }
  return undefined;
}
