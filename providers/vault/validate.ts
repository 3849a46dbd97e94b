/** Rules on a vault block that its schema cannot say, without I/O. */
import { collector, type FieldPath, type Problem, type Report } from '../../api/problem.ts';
import type { RuleId } from '../../api/rules.ts';
import { literalAddress, refusalOf } from '../addresses.ts';
import { parseCaBundle } from '../ca-bundle.ts';
import type { RemoteRef, StoreContext } from '../contract.ts';
import { checkReference } from '../references.ts';
import { referencesOf } from './block-references.ts';
import type { VaultConfig } from './config.ts';
import { secretPath, splitSegments } from './paths.ts';
import { checkAuth } from './validate-auth.ts';

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

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
  checkAuth(config, store, report);
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

/** What is accepted and changes nothing here. */
export function warnVaultConfig({ auth }: VaultConfig): Problem[] {
  const { report, problems } = collector();
  for (const field of ['projectID', 'location'] as const) {
    if (auth?.gcp?.[field] === undefined) continue;
    report(
      'vault-gcp-unused',
      ['auth', 'gcp', field],
      'the key of a service account needs no such field; it changes nothing',
    );
  }
  return problems;
}
