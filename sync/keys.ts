/** Keys of a Secret made from keys of a provider (eso.md 2.6: steps 3 and 4 of the pipeline). */
import { EsaError } from '../api/errors.ts';
import type { SecretValue } from '../api/secret-value.ts';

export type ConversionStrategy = 'Default' | 'Unicode';

const VALID_KEY = /^[-._a-zA-Z0-9]+$/;
const MAX_KEY = 253;

/** Letter and number in Go's sense (unicode.IsLetter, unicode.IsNumber): Default keeps them. */
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
 * Applies the conversion strategy to all keys, drops empty ones, and checks that each may stand in a Secret.
 * @throws EsaError INVALID_KEYS if two keys become one, or one is too long or has a character left that a
 *   Secret cannot have (ESO keeps letters of all alphabets in this step and refuses them in the next)
 */
export function convertKeys(
  map: ReadonlyMap<string, SecretValue>,
  strategy: ConversionStrategy,
): Map<string, SecretValue> {
  const out = new Map<string, SecretValue>();
  const origin = new Map<string, string>();
  for (const [key, value] of map) {
    const converted = convertKey(key, strategy);
    if (converted === '') continue;
    const other = origin.get(converted);
    if (other !== undefined) {
      throw new EsaError(
        'INVALID_KEYS',
        `secret name collision during conversion: the keys "${other}" and "${key}" both become "${converted}"`,
      );
    }
    if (converted.length > MAX_KEY) {
      throw new EsaError(
        'INVALID_KEYS',
        `the key "${converted.slice(0, 40)}..." is longer than ${MAX_KEY} characters`,
      );
    }
    if (!VALID_KEY.test(converted)) {
      throw new EsaError(
        'INVALID_KEYS',
        `invalid secret key "${converted}": only -._a-zA-Z0-9 may occur (use conversionStrategy: Unicode or name the keys in spec.data)`,
      );
    }
    origin.set(converted, key);
    out.set(converted, value);
  }
  return out;
}
