/** Which fetched keys a template leaves as they are: only their values can be read back from the Secret. */
import type { ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';

/** A template that is the value of one key and nothing else: `{{ .key }}`. */
const PLAIN = /^\{\{-?\s*\.([A-Za-z_]\w*)\s*-?\}\}$/;

/** True if the value of `key` stands in the Secret under the same key, whatever it is. */
export function passesKey({ target }: ExternalSecretSpec, key: string): boolean {
  const { data = {}, templateFrom = [], mergePolicy } = target?.template ?? {};
  const own = Object.hasOwn(data, key) ? data[key] : undefined;
  if (own !== undefined) return PLAIN.exec(own.trim())?.[1] === key;
  // What these render is only known by rendering them.
  if (templateFrom.length > 0) return false;
  return Object.keys(data).length === 0 || mergePolicy === 'Merge';
}
