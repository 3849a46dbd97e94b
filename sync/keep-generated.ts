/**
 * Generated values that already stand in the target Secret. A generator makes new ones at every sync, as in ESO;
 * the old ones stay where the user asks for it by annotation, and where a sync only repeats one that was cut off.
 */
import { ANNOTATION_KEEP_GENERATED } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { fieldManager } from '../api/go-hash.ts';
import { qualifiedName } from '../api/kubernetes-client/names.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { SecretObject } from '../kube/objects.ts';
import { passesKey } from '../policy/passed-keys.ts';
import { MINE } from './apply.ts';
import type { Fetched } from './fetch.ts';
import type { Ownership } from './ownership.ts';
import { creationPolicyOf } from './plan.ts';
import { decodeData } from './secret-data.ts';
import { onceSet } from './secret-patch.ts';
import { mergesKeys } from './shape.ts';

/** True if the user wants generated values to stay. */
export const asksToKeep = ({ metadata }: ExternalSecret): boolean =>
  metadata.annotations?.[ANNOTATION_KEEP_GENERATED] === 'true';

/** Keys of a live Secret that this object has set. */
function ownKeys(es: ExternalSecret, live: SecretObject, owned: Ownership): (key: string) => boolean {
  const policy = creationPolicyOf(es.spec);
  if (policy === 'None' || !mergesKeys({ policy })) return () => MINE.has(owned.kind);
  const set = new Set(onceSet(live.metadata, fieldManager(qualifiedName(es)), 'f:data'));
  return (key) => set.has(key);
}

/**
 * What was fetched, but with the value of the live Secret for each generated key that stands there under its own
 * name and is this object's.
 */
export function keepGenerated(
  es: ExternalSecret,
  { data, generated }: Pick<Fetched, 'data' | 'generated'>,
  live: SecretObject,
  owned: Ownership,
): ReadonlyMap<string, SecretValue> {
  const own = ownKeys(es, live, owned);
  const held = decodeData(live);
  const kept = new Map(data);
  for (const key of generated) {
    const bytes = held.get(key);
    if (bytes !== undefined && own(key) && passesKey(es.spec, key))
      kept.set(key, SecretValue.fromBytes(bytes));
  }
  return kept;
}
