/**
 * VaultDynamicSecret: one request to Vault, whose answer is the secret (eso.md 6). What Vault leases is recorded, made
 * anew before it ends, and given back; see docs/decisions/0024-leases.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { parseGoDuration } from '../../api/duration.ts';
import { vaultDynamicSecretSpec } from '../../api/generators/v1alpha1/vault-dynamic-secret.ts';
import { isJsonObject } from '../../api/json.ts';
import { below, collector, type Problem } from '../../api/problem.ts';
import type { SecretValue } from '../../api/secret-value.ts';
import { ProviderError } from '../contract.ts';
import { marshalGo } from '../go-json.ts';
import { JsonText } from '../property.ts';
import { member, type VaultAnswer } from '../vault/answer.ts';
import { vaultConfigSchema } from '../vault/config.ts';
import { errorOfAnswer, labelOf, vaultError } from '../vault/errors.ts';
import { logIn, type VaultLogin } from '../vault/leases.ts';
import { splitSegments } from '../vault/paths.ts';
import { validateVaultConfig } from '../vault/validate.ts';
import type { Generator, GeneratorUse, Lease } from './contract.ts';

const schema = z.strictObject({ ...vaultDynamicSecretSpec.shape, provider: vaultConfigSchema });
type Spec = z.output<typeof schema>;

const METHODS = ['GET', 'LIST', 'DELETE', 'POST', 'PUT'] as const;
type Method = (typeof METHODS)[number];

const MAX_RETRIES = 10;
const DEFAULT_RETRY_MS = 1_000;
/** Longest time between two tries: a sync has no more than a minute. */
const LONGEST_RETRY_MS = 30_000;
/** New values are made when two thirds of a lease are over. */
const RENEW_AT = 2 / 3;
/** A token that was made is known by its accessor, which opens nothing. */
const ACCESSOR = 'accessor:';
const RETRIED: ReadonlySet<string> = new Set([
  'PROVIDER_UNREACHABLE',
  'PROVIDER_TIMEOUT',
  'PROVIDER_THROTTLED',
]);

const methodOf = ({ method }: Spec): Method | undefined =>
  METHODS.find((known) => known === (method?.toUpperCase() || 'GET'));

function validateSpec(spec: Spec, clusterWide: boolean): Problem[] {
  const { report, problems } = collector();
  const segments = splitSegments(spec.path);
  if (typeof segments === 'string') report('generator-vault-path', ['path'], segments);
  const method = methodOf(spec);
  if (method === undefined) {
    report('generator-vault-method', ['method'], `must be one of ${METHODS.join(', ')}`);
  }
  if (spec.parameters !== undefined && method !== 'POST' && method !== 'PUT')
    report('generator-vault-parameters', ['parameters'], 'they are sent by POST and PUT only; set method');
  if (spec.getParameters !== undefined && method !== 'GET')
    report('generator-vault-parameters', ['getParameters'], 'they are sent by GET only; set parameters');
  const { maxRetries, retryInterval } = spec.retrySettings ?? {};
  if (maxRetries !== undefined && (maxRetries < 0 || maxRetries > MAX_RETRIES))
    report('generator-vault-retries', ['retrySettings', 'maxRetries'], `must be 0 to ${MAX_RETRIES}`);
  const interval = retryInterval === undefined ? 0 : parseGoDuration(retryInterval);
  if (interval === undefined || interval < 0 || interval > LONGEST_RETRY_MS)
    report(
      'generator-vault-retries',
      ['retrySettings', 'retryInterval'],
      `must be a duration of at most ${LONGEST_RETRY_MS / 1000} seconds, such as 500ms`,
    );
  // Whose namespace is meant is known when it is used, and a reference into another one is refused then.
  const provider = validateVaultConfig(spec.provider, {
    kind: clusterWide ? 'ClusterSecretStore' : 'SecretStore',
    namespace: undefined,
  }).filter(({ rule }) => rule !== 'store-ref-own-namespace');
  return [...problems, ...below(['provider'], provider)];
}

/** One try. @returns undefined for an answer that holds nothing */
async function ask(login: VaultLogin, spec: Spec, signal: AbortSignal): Promise<VaultAnswer | undefined> {
  const { path, parameters = {}, getParameters = {} } = spec;
  const method = methodOf(spec) ?? 'GET';
  const segments = splitSegments(path);
  const asked = { server: login.server, what: `${method} ${path}` };
  if (typeof segments === 'string') throw vaultError(asked, 'PROVIDER_INVALID_CONFIG', `path ${segments}`);
  const query = Object.entries(getParameters).flatMap(([name, values]) =>
    values.map((value) => [name, value] as const),
  );
  const answer = await login.request({
    ...asked,
    method: method === 'LIST' ? 'GET' : method,
    segments,
    query: method === 'LIST' ? [['list', 'true']] : query,
    ...(method === 'POST' || method === 'PUT' ? { body: parameters } : {}),
    signal,
  });
  if (answer.status === 204 || (answer.status === 404 && (answer.errors?.length ?? 1) === 0))
    return undefined;
  if (answer.status !== 200 || !answer.isJson) throw errorOfAnswer(asked, answer, Date.now());
  return answer.body === undefined ? undefined : answer;
}

async function askAgain(
  login: VaultLogin,
  spec: Spec,
  signal: AbortSignal,
): Promise<VaultAnswer | undefined> {
  const { maxRetries = 0, retryInterval } = spec.retrySettings ?? {};
  const pause = parseGoDuration(retryInterval ?? '') ?? DEFAULT_RETRY_MS;
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask(login, spec, signal);
    } catch (error) {
      const again = error instanceof ProviderError && RETRIED.has(error.code) && tries < maxRetries;
      if (!again || signal.aborted) throw error;
      await sleep(pause, undefined, { signal }).catch(() => Promise.reject(error));
    }
  }
}

/** The part of the answer that the values are. */
function resultOf(body: unknown, { resultType }: Spec): unknown {
  if (resultType === 'Data') return member(body, 'data');
  if (resultType === 'Auth') return member(body, 'auth');
  if (!isJsonObject(body)) return undefined;
  // ESO's client leaves these out where the server says null.
  return Object.fromEntries(
    Object.entries(body).filter(
      ([name, value]) => value !== null || (name !== 'auth' && name !== 'wrap_info'),
    ),
  );
}

const secondsOf = (value: unknown): number => Number(JSON.stringify(value ?? 0));

/** What Vault leased: an id of a lease, or a token, which it makes for as long. */
function leaseIn(body: unknown, login: VaultLogin, now: number): Lease | undefined {
  const auth = member(body, 'auth');
  const [id, accessor] = [member(body, 'lease_id'), member(auth, 'accessor')];
  const isLease = typeof id === 'string' && id !== '';
  const named = isLease
    ? id
    : typeof accessor === 'string' && accessor !== ''
      ? ACCESSOR + accessor
      : undefined;
  const seconds = secondsOf(member(isLease ? body : auth, 'lease_duration'));
  if (named === undefined || !(seconds > 0)) return undefined;
  const life = Math.min(seconds * 1000, login.expiresAt - now);
  return { id: named, renewAt: now + life * RENEW_AT, expiresAt: now + life };
}

async function generate(
  spec: Spec,
  { store, ports, leased }: GeneratorUse,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, SecretValue>> {
  const login = await logIn(spec.provider, store, ports, signal);
  let keep = false;
  try {
    const now = ports.clock.now();
    const answer = await askAgain(login, spec, signal);
    const lease = leaseIn(answer?.body, login, now);
    const result = resultOf(answer?.body, spec);
    const asked = { server: login.server, what: `${methodOf(spec) ?? 'GET'} ${spec.path}` };
    if (!isJsonObject(result)) {
      if (spec.allowEmptyResponse && (result === undefined || result === null)) return new Map();
      const { resultType } = spec;
      const part = resultType === 'Raw' ? '' : ` (it has no ${resultType.toLowerCase()})`;
      throw vaultError(
        asked,
        'PROVIDER_INVALID_RESPONSE',
        `empty response from Vault${part}; see resultType`,
      );
    }
    const values = new JsonText(marshalGo(result), labelOf(asked)).members('source');
    if (lease !== undefined) {
      // It ends with the token: from now on that has to stay.
      keep = true;
      leased?.(lease);
    }
    return values;
  } finally {
    if (!keep) await login.end(signal);
  }
}

async function revoke(
  spec: Spec,
  lease: string,
  { store, ports }: GeneratorUse,
  signal: AbortSignal,
): Promise<void> {
  const login = await logIn(spec.provider, store, ports, signal);
  try {
    const isToken = lease.startsWith(ACCESSOR);
    const segments = isToken ? ['auth', 'token', 'revoke-accessor'] : ['sys', 'leases', 'revoke'];
    const asked = { server: login.server, what: `give back a lease of ${spec.path}` };
    const body = isToken ? { accessor: lease.slice(ACCESSOR.length) } : { lease_id: lease };
    const answer = await login.request({ ...asked, method: 'PUT', segments, body, signal });
    // 400 and 404: the server knows it no more.
    const gone =
      answer.status === 404 ||
      (answer.status === 400 && /invalid|not found/i.test(answer.errors?.join() ?? ''));
    if (answer.status >= 300 && !gone) throw errorOfAnswer(asked, answer, ports.clock.now());
  } finally {
    await login.end(signal);
  }
}

export const vaultDynamicSecretGenerator: Generator<Spec> = {
  kind: 'VaultDynamicSecret',
  schema,
  validateSpec,
  generate,
  revoke,
};
