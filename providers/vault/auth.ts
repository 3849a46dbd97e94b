/**
 * The auth methods of a block: what each asks of the server to log in (eso.md 4.3). Stored credentials are read when a
 * connection is made, so that a login stands for what they were; tokens of ServiceAccounts are requested at each login.
 */
import { SecretValue } from '../../api/secret-value.ts';
import { ProviderError, type ProviderPorts, type StoreContext } from '../contract.ts';
import { AUTH_METHODS, type LoginRequest, mountOf, TOKEN_SECONDS } from './auth-methods.ts';
import type { VaultConfig } from './config.ts';
import { readSecret, readToken, referenceAt } from './credentials.ts';
import { signedJwt } from './gcp.ts';
import { splitSegments } from './paths.ts';

/** What reading credentials takes. */
interface Reading {
  readonly config: VaultConfig;
  readonly store: StoreContext;
  readonly ports: ProviderPorts;
  readonly signal: AbortSignal;
}

const fault = ({ store }: Reading, text: string): ProviderError =>
  new ProviderError('PROVIDER_INVALID_CONFIG', `${store.kind} ${store.name}: ${text}`);

/** A token or id at `path` of the block. @throws ProviderError PROVIDER_INVALID_CONFIG if nothing is named there */
async function tokenAt(reading: Reading, path: string): Promise<SecretValue> {
  const { config, store, ports, signal } = reading;
  const reference = referenceAt(config, store, path);
  if (reference === undefined) throw fault(reading, `${path} is not set`);
  return readToken(reference, ports, signal);
}

/** A password at `path` of the block, as it stands there but for the end of its line. */
async function passwordAt(reading: Reading, path: string): Promise<SecretValue> {
  const { config, store, ports, signal } = reading;
  const reference = referenceAt(config, store, path);
  if (reference === undefined) throw fault(reading, `${path} is not set`);
  const text = (await readSecret(reference, ports, signal)).revealText();
  return SecretValue.fromText(text.replace(/\r?\n$/, ''));
}

/** A login whose body is made of what stands in the block and in Secrets. */
function stored(
  segments: readonly string[],
  role: string | undefined,
  secrets: Readonly<Record<string, SecretValue>>,
  rest: Readonly<Record<string, string>> = {},
): LoginRequest {
  const revealed = () =>
    Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, value.revealText()]));
  return { segments, role, credential: revealed(), body: async () => ({ ...rest, ...revealed() }) };
}

async function appRole(reading: Reading, at: readonly string[]): Promise<LoginRequest> {
  const id = reading.config.auth?.appRole?.roleId?.trim();
  const roleId = id ? SecretValue.fromText(id) : await tokenAt(reading, 'auth.appRole.roleRef');
  const secretId = await tokenAt(reading, 'auth.appRole.secretRef');
  return stored([...at, 'login'], undefined, { role_id: roleId, secret_id: secretId });
}

async function named(
  reading: Reading,
  at: readonly string[],
  method: 'ldap' | 'userPass',
): Promise<LoginRequest> {
  const username = reading.config.auth?.[method]?.username.trim() ?? '';
  const password = await passwordAt(reading, `auth.${method}.secretRef`);
  return stored([...at, 'login', username], undefined, { password });
}

/** Asks for a token of the ServiceAccount that stands at `path`. */
async function requestToken(
  { config, store, ports }: Reading,
  path: string,
  audiences: readonly string[],
  expirationSeconds: number,
  signal: AbortSignal,
): Promise<SecretValue | undefined> {
  const account = referenceAt(config, store, path);
  if (account === undefined) return undefined;
  const { namespace, name } = account;
  return (await ports.serviceAccountToken({ namespace, name, audiences, expirationSeconds }, signal)).token;
}

/** A requested token outranks a stored one, as in ESO; it lives as long as ESO asks for: 10 minutes. */
async function kubernetes(reading: Reading, at: readonly string[]): Promise<LoginRequest> {
  const { role = '', serviceAccountRef } = reading.config.auth?.kubernetes ?? {};
  const segments = [...at, 'login'];
  if (serviceAccountRef === undefined) {
    const jwt = await tokenAt(reading, 'auth.kubernetes.secretRef');
    return stored(segments, role, { jwt }, { role });
  }
  const body = async (signal: AbortSignal) => {
    const path = 'auth.kubernetes.serviceAccountRef';
    const { audiences = [] } = serviceAccountRef;
    const jwt = await requestToken(reading, path, audiences, TOKEN_SECONDS, signal);
    return { role, jwt: jwt?.revealText() ?? '' };
  };
  return { segments, role, credential: undefined, body };
}

/** A stored JWT outranks a requested one, as in ESO. */
async function jwt(reading: Reading, at: readonly string[]): Promise<LoginRequest> {
  const { role, secretRef, kubernetesServiceAccountToken: requested } = reading.config.auth?.jwt ?? {};
  const segments = [...at, 'login'];
  const asRole: Record<string, string> = role === undefined || role === '' ? {} : { role };
  if (secretRef !== undefined || requested === undefined) {
    const token = await tokenAt(reading, 'auth.jwt.secretRef');
    return stored(segments, role, { jwt: token }, asRole);
  }
  const { audiences = ['vault'], expirationSeconds = TOKEN_SECONDS, serviceAccountRef } = requested;
  const all = [...new Set([...audiences, ...(serviceAccountRef.audiences ?? [])])];
  const body = async (signal: AbortSignal) => {
    const path = 'auth.jwt.kubernetesServiceAccountToken.serviceAccountRef';
    const token = await requestToken(reading, path, all, expirationSeconds, signal);
    return { ...asRole, jwt: token?.revealText() ?? '' };
  };
  return { segments, role, credential: undefined, body };
}

/** The connection itself shows who logs in; see credentials.ts. */
function cert(reading: Reading, at: readonly string[]): LoginRequest {
  const { vaultRole } = reading.config.auth?.cert ?? {};
  return stored([...at, 'login'], vaultRole, {}, vaultRole ? { name: vaultRole } : {});
}

async function gcp(reading: Reading, at: readonly string[]): Promise<LoginRequest> {
  const role = reading.config.auth?.gcp?.role ?? '';
  const path = 'auth.gcp.secretRef.secretAccessKeySecretRef';
  const { config, store, ports, signal } = reading;
  const reference = referenceAt(config, store, path);
  if (reference === undefined) throw fault(reading, `${path} is not set`);
  const key = await readSecret(reference, ports, signal);
  const make = () => signedJwt(key, role, ports.clock.now());
  // Read once here, so that a key that is none fails with its name and not at the server.
  try {
    make();
  } catch {
    const { namespace, name, key: field } = reference;
    throw fault(
      reading,
      `key ${field} of Secret ${namespace}/${name} holds no key of a Google service account (JSON with client_email, private_key and private_key_id)`,
    );
  }
  return {
    segments: [...at, 'login'],
    role,
    credential: key.revealText(),
    body: async () => ({ role, jwt: make().revealText() }),
  };
}

/**
 * How this block logs in; undefined for a token, which asks for no login.
 * @throws EsaError REFERENCE_FORBIDDEN, REFERENCE_NOT_FOUND; ProviderError PROVIDER_INVALID_CONFIG
 */
export async function readLogin(
  config: VaultConfig,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<LoginRequest | undefined> {
  const reading: Reading = { config, store, ports, signal };
  const { auth = {} } = config;
  const method = AUTH_METHODS.find((one) => auth[one] !== undefined);
  if (method === undefined) throw fault(reading, 'auth has no method');
  const mount = mountOf(auth, method);
  if (method === 'tokenSecretRef' || mount === undefined) return undefined;
  const segments = splitSegments(mount[1]);
  if (typeof segments === 'string') throw fault(reading, `auth.${method}.${mount[0]} ${segments}`);
  const at = ['auth', ...segments];
  switch (method) {
    case 'appRole':
      return appRole(reading, at);
    case 'kubernetes':
      return kubernetes(reading, at);
    case 'ldap':
    case 'userPass':
      return named(reading, at, method);
    case 'jwt':
      return jwt(reading, at);
    case 'cert':
      return cert(reading, at);
    case 'iam':
      return (await import('./iam.ts')).readIamLogin(config, store, ports, at, signal);
    case 'gcp':
      return gcp(reading, at);
  }
}
