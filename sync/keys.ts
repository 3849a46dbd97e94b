/** Keys of a Secret made from keys of a provider (eso.md 2.6: steps 3 and 4 of the pipeline). */
import { EsaError } from '../api/errors.ts';
import type { SecretValue } from '../api/secret-value.ts';

export type ConversionStrategy = 'Default' | 'Unicode';

const VALID_KEY = /^[-._a-zA-Z0-9]+$/;
const MAX_KEY = 253;

/** Letter and number in Go's sense (unicode.IsLetter, unicode.IsNumber): both strategies keep them. */
const KEPT = /[\p{L}\p{N}\-._]/u;

function convertKey(key: string, strategy: ConversionStrategy): string {
  let out = '';
  for (const character of key) {
    if (KEPT.test(character)) out += character;
    else if (strategy === 'Default') out += '_';
    else out += `_U${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}_`;
  }
  return out;
}

/**
 * Applies the conversion strategy to all keys and checks what becomes of them.
 * @throws EsaError INVALID_KEYS if two keys become one; as `checkKeys`
 */
export function convertKeys(
  map: ReadonlyMap<string, SecretValue>,
  strategy: ConversionStrategy,
): Map<string, SecretValue> {
  const out = new Map<string, SecretValue>();
  const origin = new Map<string, string>();
  for (const [key, value] of map) {
    const converted = convertKey(key, strategy);
    const other = origin.get(converted);
    if (other !== undefined) {
      throw new EsaError(
        'INVALID_KEYS',
        `secret name collision during conversion: the keys "${other}" and "${key}" both become "${converted}"`,
      );
    }
    origin.set(converted, key);
    out.set(converted, value);
  }
  return checkKeys(out);
}

/**
 * Drops an empty key, and checks that each of the others may stand in a Secret.
 * @throws EsaError INVALID_KEYS if one is too long or has a character that a Secret cannot have (ESO lets letters of
 *   all alphabets pass here; the API server refuses them)
 */
export function checkKeys(map: ReadonlyMap<string, SecretValue>): Map<string, SecretValue> {
  const out = new Map<string, SecretValue>();
  for (const [key, value] of map) {
    if (key === '') continue;
    if (!VALID_KEY.test(key)) {
      const shown = key.length > MAX_KEY ? `${key.slice(0, 40)}...` : key;
      throw new EsaError(
        'INVALID_KEYS',
        `invalid secret key ${JSON.stringify(shown)}: only -._a-zA-Z0-9 may occur (use rewrite or conversionStrategy: Unicode, or name the keys in spec.data)`,
      );
    }
    if (key.length > MAX_KEY) {
      throw new EsaError(
        'INVALID_KEYS',
        `the key "${key.slice(0, 40)}..." is longer than ${MAX_KEY} characters`,
      );
    }
    out.set(key, value);
  }
  return out;
}
