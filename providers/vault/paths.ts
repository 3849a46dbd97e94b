/**
 * From remoteRef.key to a path at Vault, by ESO's rules: a key may repeat the mount of the store (and, for
 * KV version 2, `data/` after it); without a mount in the store the key starts with it, and `data` comes
 * after its first segment unless the key has it already.
 */
import type { VaultConfig } from './config.ts';

/** Where a secret is. Segments are as written, not percent-encoded. */
export interface SecretPath {
  /** Mount of the KV engine; for version 1 without a mount in the store, its first segment is a guess. */
  readonly mount: readonly string[];
  /** The secret inside the mount, without `data`. */
  readonly secret: readonly string[];
}

type PathConfig = Pick<VaultConfig, 'path' | 'version'>;

/**
 * Splits at slashes; leading and trailing ones do not count (ESO's client drops them too).
 * Returns a sentence where a segment is empty, `.`, `..` or no valid Unicode: such a path means something
 * else at the server than it says here.
 */
export function splitSegments(text: string): string[] | string {
  const segments = text.replace(/^\/+|\/+$/g, '').split('/');
  if (segments.length === 1 && segments[0] === '') return 'must not be empty';
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'must not have empty, "." or ".." segments';
  }
  if (!text.isWellFormed()) return 'must be valid Unicode';
  return segments;
}

const startsWith = (segments: readonly string[], prefix: readonly string[]): boolean =>
  prefix.length < segments.length && prefix.every((segment, index) => segments[index] === segment);

/** Where the secret of a key is, or a sentence about what is wrong with the key or the mount. */
export function secretPath(config: PathConfig, key: string): SecretPath | string {
  const segments = splitSegments(key);
  if (typeof segments === 'string') return `key ${segments}`;
  if (config.path !== undefined && config.path !== '') {
    const mount = splitSegments(config.path);
    if (typeof mount === 'string') return `path ${mount}`;
    if (!startsWith(segments, mount)) return { mount, secret: segments };
    const rest = segments.slice(mount.length);
    return { mount, secret: config.version === 'v2' && startsWith(rest, ['data']) ? rest.slice(1) : rest };
  }
  if (segments.length < 2)
    return 'key must start with the mount of the engine, as the store names none in path';
  const data = config.version === 'v2' ? segments.indexOf('data', 1) : -1;
  return data === -1 || data === segments.length - 1
    ? { mount: segments.slice(0, 1), secret: segments.slice(1) }
    : { mount: segments.slice(0, data), secret: segments.slice(data + 1) };
}

/** The path to read: with `data` (or `metadata`) after the mount for version 2. */
export function requestSegments(
  { mount, secret }: SecretPath,
  version: PathConfig['version'],
  part: 'data' | 'metadata' = 'data',
): string[] {
  return version === 'v2' ? [...mount, part, ...secret] : [...mount, ...secret];
}

/** Segments of a Vault namespace; the root namespace has none. */
export function namespaceSegments(namespace: string | undefined): string[] {
  const segments = namespace === undefined ? [] : namespace.split('/').filter((segment) => segment !== '');
  return segments.length === 1 && segments[0] === 'root' ? [] : segments;
}
