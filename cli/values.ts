/** `--values`: what the provider would have given, as JSON. */
import { isJsonObject, parseKeepingNumbers } from '../api/json.ts';
import { SecretValue } from '../api/secret-value.ts';
import { marshalGo } from '../providers/go-json.ts';
import { UsageError } from './terminal.ts';

/**
 * The values by key. A string stands for itself, null for the empty value, and anything else for its JSON text without
 * white space, as when an object is read by `dataFrom[].extract`. Digits of numbers are kept.
 * @param text a JSON object
 * @throws UsageError if it is none; no part of the text is in the message
 */
export function parseValues(text: string): ReadonlyMap<string, SecretValue> {
  let parsed: unknown;
  try {
    parsed = parseKeepingNumbers(text);
  } catch {
    throw new UsageError('--values is no JSON; give an object like {"password":"s3cr3t"}, or @FILE with one');
  }
  if (!isJsonObject(parsed)) throw new UsageError('--values has to be a JSON object, one member a key');
  return new Map(
    Object.entries(parsed).map(([key, value]) => [
      key,
      SecretValue.fromText(
        typeof value === 'string' ? value.toWellFormed() : value === null ? '' : marshalGo(value),
      ),
    ]),
  );
}
