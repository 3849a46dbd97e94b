/**
 * dataFrom[].find at Secret Manager: a list with a filter, then the value of each match. A filter of Google's matches
 * parts of a name, so path and labels are checked again here.
 */
import { type FindRequest, type FoundObject, ProviderError, type RemoteObject } from '../contract.ts';
import { checkNames, nameExpression, readFound } from '../find.ts';
import type { GcpsmConfig } from './config.ts';
import { canonicalName } from './names.ts';
import { validateGcpFind } from './validate.ts';

export interface ListedSecret {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a find asks Google. */
export interface FindRequests {
  /** @param filter '' for none @throws ProviderError */
  list(filter: string): AsyncIterable<ListedSecret>;
  /** undefined if the secret is gone, or has no version. @throws ProviderError */
  read(key: string): Promise<RemoteObject | undefined>;
}

const PLAIN = /^[A-Za-z0-9_-]+$/;

/** Narrows what is listed. A path that no name can begin with is left to the check of each name. */
function filterOf({ path = '', tags = {} }: FindRequest): string {
  return [
    ...Object.entries(tags).map(([name, value]) => `labels.${name}=${value === '' ? '""' : value}`),
    ...(PLAIN.test(path) ? [`name:${path}`] : []),
  ].join(' AND ');
}

/**
 * Keys are the names of the secrets. Name, path (the beginning of the name) and labels all have to match.
 * @throws ProviderError PROVIDER_INVALID_CONFIG for a find that cannot work, or beyond FIND_LIMITS
 */
export async function findSecrets(
  config: GcpsmConfig,
  request: FindRequest,
  requests: FindRequests,
): Promise<FoundObject[]> {
  const problem = validateGcpFind(config, request);
  if (problem !== undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', problem);
  const expression = request.nameRegexp === undefined ? undefined : nameExpression(request.nameRegexp);
  const tags = Object.entries(request.tags ?? {});
  const matches = new Set<string>();
  let seen = 0;
  for await (const { key, labels } of requests.list(filterOf(request))) {
    seen += 1;
    checkNames(seen);
    if (!key.startsWith(request.path ?? '') || expression?.test(key) === false) continue;
    if (tags.every(([name, value]) => labels[name] === value)) matches.add(key);
  }
  return readFound([...matches], async (key) => {
    const object = await requests.read(key);
    return object === undefined ? undefined : { key, canonicalKey: canonicalName(config, key), object };
  });
}
