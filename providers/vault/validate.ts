/** Rules on a vault block that its schema cannot say, without I/O. */
import { collector, type FieldPath, type Problem, type Report } from '../../api/problem.ts';
import type { RuleId } from '../../api/rules.ts';
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

/** Why a server cannot be used. */
interface ServerRefusal {
  readonly rule: RuleId;
  readonly message: string;
}

const refusal = (rule: RuleId, message: string): ServerRefusal => ({ rule, message });

/** The URL of the server, or what is wrong with it. */
export function parseServer(server: string): URL | ServerRefusal {
  if (!URL.canParse(server))
    return refusal('vault-server-url', 'must be a URL, such as https://vault.example.com:8200');
  const url = new URL(server);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return refusal('vault-server-scheme', 'must start with https:// or http://');
  // The parser mends "https:x", "https:///x", backslashes and white space; what people would read there is not
  // what it makes of it.
  if (!/^https?:\/\/[^/]/i.test(server) || /[\s\\]/.test(server)) {
    return refusal(
      'vault-server-url',
      'must start with https:// or http:// and the name of a host, without white space or backslashes',
    );
  }
  const [, authority = ''] = /^https?:\/\/([^/?#]*)/i.exec(server) ?? [];
  if (authority.includes('@'))
    return refusal('vault-server-credentials', 'must not hold a user name or password; use auth');
  if (/[?#]/.test(server)) return refusal('vault-server-query', 'must not have a query or a fragment');
  if (authority.endsWith(':') || url.port === '0')
    return refusal('vault-server-port', 'must have a port from 1 to 65535, or none');
  const literal = literalAddress(url);
  // Whether loopback is allowed is a setting of the running program, so that is said when it connects.
  const why = literal === undefined ? undefined : refusalOf(literal, true);
  if (why === undefined) return url;
  return refusal('vault-server-address', `${literal} ${why}; name the server of Vault`);
}

function checkServer({ server }: VaultConfig, report: Report): void {
  const parsed = parseServer(server);
  if (!(parsed instanceof URL)) report(parsed.rule, ['server'], parsed.message);
}

function checkAuth(config: VaultConfig, report: Report): void {
  const methods = authMethods(config);
  const [method] = methods;
  if (method === undefined) {
    report('vault-auth', ['auth'], `set one auth method; supported: ${SUPPORTED_AUTH.join(', ')}`);
    return;
  }
  if (methods.length > 1) {
    report(
      'vault-one-auth',
      ['auth'],
      `set exactly one auth method, found ${methods.length} (${methods.join(', ')})`,
    );
    return;
  }
  if (!SUPPORTED_AUTH.some((supported) => supported === method)) {
    report(
      'vault-auth-kind',
      ['auth', method],
      `auth method ${method} is not supported yet; supported: ${SUPPORTED_AUTH.join(', ')}`,
    );
    return;
  }
  if (config.auth?.kubernetes !== undefined) checkKubernetes(config.auth.kubernetes, report);
}

function checkKubernetes(kubernetes: NonNullable<VaultAuth['kubernetes']>, report: Report): void {
  const path = ['auth', 'kubernetes'];
  if (kubernetes.role === '') {
    report('vault-role', [...path, 'role'], 'name the role');
  }
  const mount = splitSegments(kubernetes.mountPath);
  if (typeof mount === 'string') {
    report('vault-auth-mount', [...path, 'mountPath'], mount);
  }
  if (kubernetes.serviceAccountRef === undefined && kubernetes.secretRef === undefined) {
    report(
      'vault-kubernetes-token',
      path,
      "set serviceAccountRef or secretRef; logging in with the controller's own token is not supported yet",
    );
  }
}

function checkReferences(config: VaultConfig, store: StoreScope, report: Report): void {
  for (const { kind, path, reference, options, defaultKey } of referencesOf(config)) {
    checkReference(store, reference, path, report, options);
    const key = reference.key ?? defaultKey;
    if (kind !== 'ServiceAccount' && (key === undefined || key === '')) {
      report('store-ref-key', [...path, 'key'], `name the key of the ${kind}`);
    }
  }
}

function checkTls({ tls, caBundle }: VaultConfig, report: Report): void {
  if (caBundle !== undefined && parseCaBundle(caBundle) === undefined) {
    report('vault-ca-bundle', ['caBundle'], 'must hold X.509 certificates as PEM, or as PEM in base64');
  }
  if ((tls?.certSecretRef === undefined) !== (tls?.keySecretRef === undefined)) {
    report(
      'vault-client-certificate',
      ['tls', tls?.certSecretRef === undefined ? 'certSecretRef' : 'keySecretRef'],
      'a client certificate needs both certSecretRef and keySecretRef',
    );
  }
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

function checkHeaders({ headers = {} }: VaultConfig, report: Report): void {
  for (const [name, value] of Object.entries(headers)) {
    const path = ['headers', name];
    const lower = name.toLowerCase();
    const own = Object.hasOwn(OWN_HEADERS, lower) ? OWN_HEADERS[lower] : undefined;
    if (own !== undefined) {
      report('vault-own-header', path, `this header cannot be set here: ${own}`);
    } else if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      report('vault-header', path, 'must be a valid HTTP header name and value');
    }
  }
}

const headerSafe = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

function checkEngine(config: VaultConfig, report: Report): void {
  const mount = config.path === undefined || config.path === '' ? [] : splitSegments(config.path);
  if (typeof mount === 'string') report('vault-path', ['path'], mount);
  const namespaces: [FieldPath, string | undefined][] = [
    [['namespace'], config.namespace],
    [['auth', 'namespace'], config.auth?.namespace],
  ];
  for (const [path, namespace] of namespaces) {
    if (namespace === undefined || /^\/*$/.test(namespace)) continue;
    const segments = splitSegments(namespace);
    const message =
      typeof segments === 'string' ? segments : headerSafe(namespace) ? '' : 'must be printable ASCII';
    if (message !== '') report('vault-namespace', path, message);
  }
  if (config.checkAndSet?.required === true && config.version === 'v1') {
    report('vault-check-and-set', ['checkAndSet', 'required'], 'check-and-set needs KV version 2');
  }
}

/** Everything that is wrong with the block; paths are relative to it. */
export function validateVaultConfig(config: VaultConfig, store: StoreScope): Problem[] {
  const { report, problems } = collector();
  checkServer(config, report);
  checkEngine(config, report);
  checkAuth(config, report);
  checkReferences(config, store, report);
  checkTls(config, report);
  checkHeaders(config, report);
  return problems;
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
