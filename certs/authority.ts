/**
 * What the replicas share, kept in one Secret: the CA that signs leaves, the one that is being introduced,
 * those whose leaves may still be served, and the tokens in the paths of the hooks.
 */
import { randomBytes } from 'node:crypto';
import { EsaError } from '../api/errors.ts';
import { OUR_GROUP } from '../api/external-secrets/names.ts';
import type { SecretObject } from '../kube/objects.ts';
import type { KeyAndCertificate } from './issue.ts';
import { isAuthority, joinBundle, notAfter, readCertificate, readPrivateKey, splitBundle } from './x509.ts';

const HOOKS = ['validate', 'mutate', 'convert'] as const;
export type HookName = (typeof HOOKS)[number];

/** Path of each hook: `/validate/<token>`. Whoever knows it can call the hook, so it is not logged. */
export type HookPaths = Readonly<Record<HookName, string>>;

export interface SharedState {
  /** Signs leaves. */
  readonly current: KeyAndCertificate;
  /** Published in bundles, signs nothing yet. */
  readonly next: KeyAndCertificate | undefined;
  /** Certificates of CAs that do not sign any more, newest first. */
  readonly previous: readonly string[];
  /** When `current` took over from the first of `previous`; milliseconds since the epoch. */
  readonly switchedAt: number | undefined;
  readonly tokens: Readonly<Record<HookName, string>>;
}

const KEYS = {
  currentCertificate: 'ca.crt',
  currentKey: 'ca.key',
  nextCertificate: 'next-ca.crt',
  nextKey: 'next-ca.key',
  previous: 'previous-ca.crt',
  switchedAt: 'switched-at',
  token: (hook: HookName): string => `${hook}-token`,
} as const;

// 32 bytes in hex: the API server takes only DNS labels as segments of a hook's path.
const TOKEN = /^[0-9a-f]{64}$/;

export const newTokens = (): SharedState['tokens'] => ({
  validate: randomBytes(32).toString('hex'),
  mutate: randomBytes(32).toString('hex'),
  convert: randomBytes(32).toString('hex'),
});

export const hookPaths = (state: SharedState): HookPaths => ({
  validate: `/validate/${state.tokens.validate}`,
  mutate: `/mutate/${state.tokens.mutate}`,
  convert: `/convert/${state.tokens.convert}`,
});

/**
 * The CAs that API servers have to trust now, oldest first: so a switch leaves the bundle as it is. (Each
 * change of a CRD makes the API server rebuild its storage, during which a request may wait or fail.)
 */
export const trustBundle = (state: SharedState): string =>
  joinBundle([...state.previous.toReversed(), state.current.cert, ...(state.next ? [state.next.cert] : [])]);

/** The Secret's `data` for this state. */
export function encodeState(state: SharedState): Record<string, string> {
  const text: Record<string, string> = {
    [KEYS.currentCertificate]: state.current.cert,
    [KEYS.currentKey]: state.current.key,
    ...(state.next ? { [KEYS.nextCertificate]: state.next.cert, [KEYS.nextKey]: state.next.key } : {}),
    ...(state.previous.length > 0 ? { [KEYS.previous]: joinBundle(state.previous) } : {}),
    ...(state.switchedAt === undefined
      ? {}
      : { [KEYS.switchedAt]: new Date(state.switchedAt).toISOString() }),
  };
  for (const hook of HOOKS) text[KEYS.token(hook)] = state.tokens[hook];
  return Object.fromEntries(
    Object.entries(text).map(([key, value]) => [key, Buffer.from(value, 'utf8').toString('base64')]),
  );
}

/**
 * The state that a Secret holds; undefined if it holds no data at all (a chart may create it empty).
 * @throws EsaError CERTIFICATE if something in it is not ours: we do not write over what others made
 */
export function decodeState(secret: SecretObject): SharedState | undefined {
  const { data = {}, metadata } = secret;
  if (Object.keys(data).length === 0) return undefined;
  const where = `Secret ${metadata.namespace}/${metadata.name}`;
  const text = (key: string): string | undefined =>
    data[key] === undefined ? undefined : Buffer.from(data[key], 'base64').toString('utf8');
  const broken = (key: string, why: string): EsaError =>
    new EsaError(
      'CERTIFICATE',
      `${where}: ${key} ${why}. If nobody else uses the Secret, delete it and restart the webhook, which ` +
        'makes a new one; else give the webhook another name for its Secret',
    );
  const authority = (certificateKey: string, keyKey: string): KeyAndCertificate => {
    const cert = text(certificateKey);
    const key = text(keyKey);
    const certificate = readCertificate(cert);
    const privateKey = readPrivateKey(key);
    if (cert === undefined || !certificate) throw broken(certificateKey, 'is not a certificate');
    if (key === undefined || !privateKey) throw broken(keyKey, 'is not a private key');
    if (!isAuthority(certificate, privateKey)) {
      throw broken(certificateKey, `is not a self-signed RSA CA that fits ${keyKey}`);
    }
    return { cert, key };
  };
  const current = authority(KEYS.currentCertificate, KEYS.currentKey);
  const hasNext = data[KEYS.nextCertificate] !== undefined || data[KEYS.nextKey] !== undefined;
  const next = hasNext ? authority(KEYS.nextCertificate, KEYS.nextKey) : undefined;
  const previous = splitBundle(text(KEYS.previous) ?? '').map((pem) => `${pem}\n`);
  if (!previous.every((pem) => readCertificate(pem)?.ca)) {
    throw broken(KEYS.previous, 'holds something else than CA certificates');
  }
  const switchedAt = text(KEYS.switchedAt);
  if (switchedAt !== undefined && Number.isNaN(Date.parse(switchedAt))) {
    throw broken(KEYS.switchedAt, 'is not a time');
  }
  const token = (hook: HookName): string => {
    const value = text(KEYS.token(hook));
    if (value === undefined || !TOKEN.test(value)) throw broken(KEYS.token(hook), 'is not a token of ours');
    return value;
  };
  return {
    current,
    next,
    previous,
    switchedAt: switchedAt === undefined ? undefined : Date.parse(switchedAt),
    tokens: { validate: token('validate'), mutate: token('mutate'), convert: token('convert') },
  };
}

/** The Secret to create. */
export const stateSecret = (namespace: string, name: string, state: SharedState): SecretObject => ({
  metadata: { namespace, name, labels: { 'app.kubernetes.io/managed-by': OUR_GROUP } },
  type: 'Opaque',
  data: encodeState(state),
});

/** True for a CA that cannot sign a leaf any more. */
export function isExpired(authority: { readonly cert: string }, now: number): boolean {
  const certificate = readCertificate(authority.cert);
  return certificate === undefined || notAfter(certificate) <= now;
}
