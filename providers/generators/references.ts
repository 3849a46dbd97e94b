/** Keys of Secrets that generators refer to. */
import { type FieldPath, formatFieldPath } from '../../api/problem.ts';
import type { SecretValue } from '../../api/secret-value.ts';
import { ProviderError } from '../contract.ts';
import { resolveReference, type StoreReference } from '../references.ts';
import type { GeneratorUse } from './contract.ts';

/**
 * The value, and how errors name it.
 * @throws EsaError REFERENCE_FORBIDDEN, REFERENCE_NOT_FOUND; ProviderError PROVIDER_INVALID_CONFIG without a key
 */
export async function readSecret(
  reference: StoreReference & { readonly key?: string | undefined },
  path: FieldPath,
  { store, ports }: GeneratorUse,
  signal: AbortSignal,
): Promise<{ readonly value: SecretValue; readonly where: string }> {
  const { namespace, name } = resolveReference(store, reference, path);
  const { key = '' } = reference;
  if (key === '')
    throw new ProviderError('PROVIDER_INVALID_CONFIG', `${formatFieldPath(path)}.key: name the key`);
  const { value } = await ports.secretKey({ namespace, name, key }, signal);
  return { value, where: `key ${key} of Secret ${namespace}/${name}` };
}
