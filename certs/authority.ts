/**
 * What the replicas share, kept in one Secret: the CA that signs leaves, the one that is being introduced,
 * those whose leaves may still be served, and the tokens in the paths of the hooks.
 */
import { createHash, randomBytes } from 'node:crypto';
import { EsaError } from '../api/errors.ts';
import { OUR_GROUP } from '../api/external-secrets/names.ts';
import type { SecretObject } from '../kube/objects.ts';
import type { KeyAndCertificate } from './issue.ts';
import { isAuthority, joinBundle, readCertificate, readPrivateKey, splitBundle } from './x509.ts';

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
  /** The request for a rotation that was honoured last, see ANNOTATION_ROTATE. */
  readonly answered: string | undefined;
  /** Counts the steps of all rotations, so that an older state is known for one. */
  readonly generation: number;
  readonly tokens: Readonly<Record<HookName, string>>;
}

/** CAs whose leaves may still be served; more than one only where rotations ran into each other. */
export const MAX_PREVIOUS = 3;

const KEYS = {
  currentCertificate: 'ca.crt',
  currentKey: 'ca.key',
  nextCertificate: 'next-ca.crt',
  nextKey: 'next-ca.key',
  previous: 'previous-ca.crt',
  answered: 'rotation-request',
  generation: 'generation',
  digest: 'digest',
  token: (hook: HookName): string => `${hook}-token`,
} as const;

// 32 bytes in hex: the API server takes only DNS labels as segments of a hook's path.
const TOKEN = /^[0-9a-f]{64}$/;
const GENERATION = /^\d{1,15}$/;
const MANAGED_BY = 'app.kubernetes.io/managed-by';

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

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
const encoded = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** Over all of the data but itself: what somebody has edited does not pass for what we wrote. */
function digestOf(data: Readonly<Record<string, string>>): string {
  const entries = Object.entries(data).filter(([key]) => key !== KEYS.digest);
  return createHash('sha256')
    .update(JSON.stringify(entries.toSorted(([a], [b]) => (a < b ? -1 : 1))))
    .digest('hex');
}

/** The first state of all. `build` makes a CA. */
export const newState = async (build: () => Promise<KeyAndCertificate>): Promise<SharedState> => ({
  current: await build(),
  next: undefined,
  previous: [],
  answered: undefined,
  generation: 1,
  tokens: newTokens(),
});

/**
 * True if `known`, which callers have been told of, goes before what the Secret holds: that was restored from
 * a backup, or made by a replica that found no Secret. All replicas come to the same answer.
 */
export function goesBefore(known: SharedState, found: SharedState): boolean {
  if (known.generation !== found.generation) return known.generation > found.generation;
  if (known.current.cert === found.current.cert) return false;
  const issuedAt = ({ current }: SharedState): number =>
    readCertificate(current.cert)?.validFromDate.getTime() ?? Number.POSITIVE_INFINITY;
  const difference = issuedAt(known) - issuedAt(found);
  return difference === 0 ? known.current.cert < found.current.cert : difference < 0;
}

/** The Secret's `data` for this state. */
export function encodeState(state: SharedState): Record<string, string> {
  const text: Record<string, string> = {
    [KEYS.currentCertificate]: state.current.cert,
    [KEYS.currentKey]: state.current.key,
    ...(state.next ? { [KEYS.nextCertificate]: state.next.cert, [KEYS.nextKey]: state.next.key } : {}),
    ...(state.previous.length > 0 ? { [KEYS.previous]: joinBundle(state.previous) } : {}),
    ...(state.answered === undefined ? {} : { [KEYS.answered]: state.answered }),
    [KEYS.generation]: String(state.generation),
  };
  for (const hook of HOOKS) text[KEYS.token(hook)] = state.tokens[hook];
  const data = Object.fromEntries(Object.entries(text).map(([key, value]) => [key, encoded(value)]));
  return { ...data, [KEYS.digest]: encoded(digestOf(data)) };
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
    data[key] === undefined ? undefined : decoded(data[key]);
  const broken = (key: string, why: string): EsaError =>
    new EsaError(
      'CERTIFICATE',
      `${where}: ${key} ${why}. If nobody else uses the Secret, delete it: the webhook makes a new one`,
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
  const generation = text(KEYS.generation) ?? '';
  if (!GENERATION.test(generation)) throw broken(KEYS.generation, 'is not a number');
  const token = (hook: HookName): string => {
    const value = text(KEYS.token(hook));
    if (value === undefined || !TOKEN.test(value)) throw broken(KEYS.token(hook), 'is not a token of ours');
    return value;
  };
  const tokens = { validate: token('validate'), mutate: token('mutate'), convert: token('convert') };
  if (text(KEYS.digest) !== digestOf(data)) throw broken(KEYS.digest, 'does not fit what the Secret holds');
  return {
    current,
    next,
    previous,
    answered: text(KEYS.answered),
    generation: Number(generation),
    tokens,
  };
}

/**
 * What can still be used of a damaged Secret of ours: whole CAs sign on, certificates that have lost their key
 * stay trusted (somebody may serve a leaf of theirs), tokens keep the paths. `build` makes a CA.
 */
export async function salvageState(
  { data = {} }: SecretObject,
  build: () => Promise<KeyAndCertificate>,
): Promise<SharedState> {
  const text = (key: string): string => decoded(data[key] ?? '');
  const pairs = [
    { cert: text(KEYS.currentCertificate), key: text(KEYS.currentKey) },
    { cert: text(KEYS.nextCertificate), key: text(KEYS.nextKey) },
  ];
  const whole = pairs.find(({ cert, key }) => {
    const [certificate, privateKey] = [readCertificate(cert), readPrivateKey(key)];
    return certificate && privateKey && isAuthority(certificate, privateKey);
  });
  const current = whole ?? (await build());
  const others = [...pairs.map(({ cert }) => cert), text(KEYS.previous)]
    .flatMap(splitBundle)
    .map((pem) => `${pem}\n`)
    .filter((pem) => readCertificate(pem)?.ca === true && pem !== current.cert);
  const fresh = newTokens();
  const token = (hook: HookName): string =>
    TOKEN.test(text(KEYS.token(hook))) ? text(KEYS.token(hook)) : fresh[hook];
  const generation = text(KEYS.generation);
  return {
    current,
    next: undefined,
    previous: [...new Set(others)].slice(0, MAX_PREVIOUS),
    answered: text(KEYS.answered) || undefined,
    generation: 1 + (GENERATION.test(generation) ? Number(generation) : 0),
    tokens: { validate: token('validate'), mutate: token('mutate'), convert: token('convert') },
  };
}

/** The Secret to create. */
export const stateSecret = (namespace: string, name: string, state: SharedState): SecretObject => ({
  metadata: { namespace, name, labels: { [MANAGED_BY]: OUR_GROUP } },
  type: 'Opaque',
  data: encodeState(state),
});

/** True for a Secret that we have made or filled, whatever became of its data. */
export const isOurs = ({ metadata }: SecretObject): boolean => metadata.labels?.[MANAGED_BY] === OUR_GROUP;

/** The Secret `over` with this state in it. */
export const refilled = (over: SecretObject, state: SharedState): SecretObject => ({
  ...over,
  metadata: { ...over.metadata, labels: { ...over.metadata.labels, [MANAGED_BY]: OUR_GROUP } },
  data: encodeState(state),
});
