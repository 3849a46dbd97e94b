/**
 * Hashes and names that External Secrets Operator writes onto objects, byte for byte, so that a cluster can
 * move either way without one Secret being rewritten. They are SHA3-224 over what Go's fmt prints for %+v;
 * goldens made by Go itself are in go-values.golden.json.
 */
import { hash } from 'node:crypto';
import { ANNOTATION_CONVERSION } from './external-secrets/names.ts';

type StringMap = Readonly<Record<string, string>>;

/** What the field managers of all ExternalSecrets begin with. */
export const FIELD_MANAGER_PREFIX = 'externalsecrets.external-secrets.io/';
/** The API server allows 128 characters; 63 is ESO's own limit, for the whole name. */
const MANAGER_MAX_LENGTH = 63;

const sha3 = (content: string | Uint8Array): string => hash('sha3-224', content, 'hex');

/** Go sorts the keys of a map by their bytes, which is not JavaScript's order beyond U+FFFF. */
function sortedKeys(keys: Iterable<string>): string[] {
  return [...keys]
    .map((key) => ({ key, bytes: Buffer.from(key) }))
    .sort((a, b) => a.bytes.compare(b.bytes))
    .map(({ key }) => key);
}

/** %+v of a map[string]string. */
function formatStringMap(map: StringMap): string {
  return `map[${sortedKeys(Object.keys(map))
    .map((key) => `${key}:${map[key] ?? ''}`)
    .join(' ')}]`;
}

/**
 * The annotation data-hash of a Secret: hash of all its data (decoded), printed as `map[k1:[98 97] k2:[]]`.
 * An empty map and a missing one are the same.
 */
export function dataHash(data: ReadonlyMap<string, Uint8Array>): string {
  const entries = sortedKeys(data.keys()).map((key) => `${key}:[${(data.get(key) ?? []).join(' ')}]`);
  return sha3(`map[${entries.join(' ')}]`);
}

/** The label created-by of a Secret: which ExternalSecret made it. */
export function createdByHash(namespace: string, externalSecretName: string): string {
  return sha3(`${namespace}/${externalSecretName}`);
}

/**
 * status.syncedResourceVersion: `<generation>-<hash of annotations and labels>`. What conversion parks on an
 * object of an old version is left out: it is the same object in every version.
 */
export function syncedResourceVersion(
  generation: number,
  annotations: StringMap | undefined,
  labels: StringMap | undefined,
): string {
  const { [ANNOTATION_CONVERSION]: _parked, ...own } = annotations ?? {};
  const meta = `{annotations:${formatStringMap(own)} labels:${formatStringMap(labels ?? {})}}`;
  return `${generation}-${sha3(meta)}`;
}

/** The field manager under which the Secret of an ExternalSecret is written; a long name becomes its hash. */
export function fieldManager(externalSecretName: string): string {
  const plain = `${FIELD_MANAGER_PREFIX}${externalSecretName}`;
  return Buffer.byteLength(plain) <= MANAGER_MAX_LENGTH
    ? plain
    : `${FIELD_MANAGER_PREFIX}sha3/${sha3(externalSecretName)}`;
}
