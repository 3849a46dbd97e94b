/**
 * dataFrom[].find at AWS Secrets Manager (eso.md 4.4): ListSecrets with filters, then a GetSecretValue for each match.
 * What a filter matches is AWS's business, and it is more than it says: names, tag keys and tag values match by their
 * beginning, and each filter by itself.
 */
import type { Filter } from '@aws-sdk/client-secrets-manager';
import { type FindRequest, type FoundObject, ProviderError, type RemoteObject } from '../contract.ts';
import { checkNames, nameExpression, readFound } from '../find.ts';
import type { AwsConfig } from './config.ts';

/** What a find asks AWS. */
export interface FindRequests {
  /** One page of names. @throws ProviderError */
  list(
    filters: readonly Filter[],
    token: string | undefined,
  ): Promise<{ readonly names: readonly string[]; readonly next: string | undefined }>;
  /** undefined if the secret is gone, or has no value. @throws ProviderError */
  read(name: string): Promise<RemoteObject | undefined>;
}

/** AWS takes no more filters in one request. */
const MAX_FILTERS = 10;

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** The tags first, then the path, as ESO sends them. The prefix of the store narrows where nothing else does. */
function filtersOf(config: Pick<AwsConfig, 'prefix'>, { path, tags = {} }: FindRequest): Filter[] {
  const name = filled(path) ?? filled(config.prefix);
  return [
    ...Object.entries(tags).flatMap(([key, value]): Filter[] => [
      { Key: 'tag-key', Values: [key] },
      { Key: 'tag-value', Values: [value] },
    ]),
    ...(name === undefined ? [] : [{ Key: 'name' as const, Values: [name] }]),
  ];
}

/** A sentence if this find can never work with this store, else undefined. */
export function validateAwsFind(config: Pick<AwsConfig, 'prefix'>, request: FindRequest): string | undefined {
  const { nameRegexp, tags = {} } = request;
  if (nameRegexp === undefined && Object.keys(tags).length === 0) {
    return 'unexpected find operator: provider aws finds secrets by find.name.regexp or find.tags';
  }
  return filtersOf(config, request).length > MAX_FILTERS
    ? `AWS takes ${MAX_FILTERS} filters in one request: one for find.path, two for each of find.tags`
    : undefined;
}

/**
 * Keys are the full names. Only names that begin with the prefix of the store are found.
 * @throws ProviderError PROVIDER_INVALID_CONFIG for a find that cannot work, or beyond FIND_LIMITS
 */
export async function findSecrets(
  config: Pick<AwsConfig, 'prefix' | 'region'>,
  request: FindRequest,
  requests: FindRequests,
): Promise<FoundObject[]> {
  const problem = validateAwsFind(config, request);
  if (problem !== undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', problem);
  const expression = request.nameRegexp === undefined ? undefined : nameExpression(request.nameRegexp);
  const filters = filtersOf(config, request);
  const matches = new Set<string>();
  let seen = 0;
  let token: string | undefined;
  do {
    const page = await requests.list(filters, token);
    seen += page.names.length;
    checkNames(seen);
    for (const name of page.names) {
      if (name.startsWith(config.prefix ?? '') && expression?.test(name) !== false) matches.add(name);
    }
    token = page.next;
  } while (token !== undefined && token !== '');
  return readFound([...matches], async (name) => {
    const object = await requests.read(name);
    return object === undefined ? undefined : { key: name, canonicalKey: `${config.region}/${name}`, object };
  });
}
