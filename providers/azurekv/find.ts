/** dataFrom[].find at Key Vault: the list of secrets, then the value of each that matches and is enabled. */
import { type FindRequest, type FoundObject, ProviderError, type RemoteObject } from '../contract.ts';
import { checkNames, nameExpression, readFound } from '../find.ts';
import type { AzurekvConfig } from './config.ts';
import { validateAzureFind } from './validate.ts';

export interface ListedSecret {
  readonly name: string;
  readonly enabled: boolean;
  readonly tags: Readonly<Record<string, string>>;
}

/** What a find asks the vault. */
export interface FindRequests {
  /** @throws ProviderError */
  list(): AsyncIterable<ListedSecret>;
  /** undefined if the secret is gone. @throws ProviderError */
  read(name: string): Promise<RemoteObject | undefined>;
  canonicalKey(name: string): string;
}

/**
 * Keys are the names of the secrets. Name and all tags have to match; without either, every secret does.
 * @throws ProviderError PROVIDER_INVALID_CONFIG for a find that cannot work, or beyond FIND_LIMITS
 */
export async function findSecrets(
  config: AzurekvConfig,
  request: FindRequest,
  requests: FindRequests,
): Promise<FoundObject[]> {
  const problem = validateAzureFind(config, request);
  if (problem !== undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', problem);
  const expression = request.nameRegexp === undefined ? undefined : nameExpression(request.nameRegexp);
  const wanted = Object.entries(request.tags ?? {});
  const matches = new Set<string>();
  let seen = 0;
  for await (const { name, enabled, tags } of requests.list()) {
    seen += 1;
    checkNames(seen);
    if (!enabled || expression?.test(name) === false) continue;
    if (wanted.every(([tag, value]) => tags[tag] === value)) matches.add(name);
  }
  return readFound([...matches], async (name) => {
    const object = await requests.read(name);
    return object === undefined
      ? undefined
      : { key: name, canonicalKey: requests.canonicalKey(name), object };
  });
}
