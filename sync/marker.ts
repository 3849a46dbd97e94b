/**
 * The pending marker: the proof, on a Secret that admission created, that this program made it, for which
 * ExternalSecret, from which spec and with which data. The Secret is made before its ExternalSecret is in
 * etcd, so it cannot carry an ownerReference yet (the garbage collector would delete it); until the poller
 * adopts it the marker stands in. Without a valid signature nothing is adopted by it and nothing is swept.
 *
 * Form: `v1.<key id>.<spec hash>.<signature>.<name of the ExternalSecret>`; the name is last since it may
 * hold dots. Hash and signature are base64url.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { dataHash } from '../api/go-hash.ts';

export interface MarkerKey {
  /** Short name of the key; no dots. */
  readonly id: string;
  readonly key: Buffer;
}

export interface Marker {
  readonly keyId: string;
  readonly specHash: string;
  readonly signature: string;
  /** Name of the ExternalSecret, see `qualifiedName`; it lives in the namespace of the Secret. */
  readonly externalSecret: string;
}

/** What a signature binds together. */
export interface MarkerSubject {
  readonly namespace: string;
  readonly secret: string;
  readonly externalSecret: string;
  readonly specHash: string;
  readonly data: ReadonlyMap<string, Uint8Array>;
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, canonical(member)]));
}

/** Hash of a spec in the hub version; equal for equal specs whatever the order of their members. */
export function specHash(spec: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(canonical(spec)))
    .digest()
    .subarray(0, 16)
    .toString('base64url');
}

function signature(key: MarkerKey, subject: MarkerSubject): string {
  const mac = createHmac('sha256', key.key);
  // The parts cannot be shifted against each other: each goes in with its length.
  for (const part of [
    subject.namespace,
    subject.secret,
    subject.externalSecret,
    subject.specHash,
    dataHash(subject.data),
  ]) {
    mac.update(`${Buffer.byteLength(part)}:${part}`);
  }
  return mac.digest('base64url');
}

/** The annotation's text. */
export function signMarker(key: MarkerKey, subject: MarkerSubject): string {
  return `v1.${key.id}.${subject.specHash}.${signature(key, subject)}.${subject.externalSecret}`;
}

/** Takes the annotation apart; undefined if it has not the form of a marker. It proves nothing yet. */
export function parseMarker(text: string): Marker | undefined {
  const match = /^v1\.([\w-]+)\.([\w-]+)\.([\w-]+)\.((?:kubernetes-client\.io\/)?[a-z0-9][a-z0-9.-]*)$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, keyId = '', hash = '', mac = '', externalSecret = ''] = match;
  return { keyId, specHash: hash, signature: mac, externalSecret };
}

/** True if one of our keys signed this marker for this Secret and its present data. */
export function verifyMarker(
  keys: readonly MarkerKey[],
  marker: Marker,
  secret: { namespace: string; name: string; data: ReadonlyMap<string, Uint8Array> },
): boolean {
  const key = keys.find((candidate) => candidate.id === marker.keyId);
  if (key === undefined) return false;
  const expected = Buffer.from(
    signature(key, {
      namespace: secret.namespace,
      secret: secret.name,
      externalSecret: marker.externalSecret,
      specHash: marker.specHash,
      data: secret.data,
    }),
  );
  const given = Buffer.from(marker.signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
