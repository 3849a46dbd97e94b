/** The data of a Secret as bytes, and back. */
import type { SecretValue } from '../api/secret-value.ts';
import type { SecretObject } from '../kube/objects.ts';

export function decodeData(secret: Pick<SecretObject, 'data'>): Map<string, Buffer> {
  return new Map(Object.entries(secret.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')]));
}

/** One of the places where values leave their wrapper: the body of a request to the API server. */
export function encodeData(data: ReadonlyMap<string, SecretValue>): Record<string, string> {
  return Object.fromEntries([...data].map(([key, value]) => [key, value.revealBytes().toString('base64')]));
}

export function revealData(data: ReadonlyMap<string, SecretValue>): Map<string, Buffer> {
  return new Map([...data].map(([key, value]) => [key, value.revealBytes()]));
}
