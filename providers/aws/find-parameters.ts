/**
 * dataFrom[].find at the Parameter Store (eso.md 4.4). By name: GetParametersByPath, which brings the values; where that
 * is denied, DescribeParameters and a GetParameter for each match. By tags: DescribeParameters, too.
 */
import type { ParameterStringFilter } from '@aws-sdk/client-ssm';
import { type FindRequest, type FoundObject, ProviderError, type RemoteObject } from '../contract.ts';
import { checkNames, nameExpression, readFound } from '../find.ts';
import type { AwsConfig } from './config.ts';
import { validateParameterFind } from './validate.ts';

interface Page<T> {
  readonly found: readonly T[];
  readonly next: string | undefined;
}

/** What a find asks AWS. All throw ProviderError. */
export interface ParameterRequests {
  /** One page of what lies below the path, at any depth. */
  byPath(
    path: string,
    token: string | undefined,
  ): Promise<Page<{ readonly name: string; readonly object: RemoteObject }>>;
  /** One page of names. */
  describe(filters: readonly ParameterStringFilter[], token: string | undefined): Promise<Page<string>>;
  /** undefined if the parameter is gone. */
  read(name: string): Promise<RemoteObject | undefined>;
}

/** Where to look: the path of the find, or else the folder that all names with the prefix of the store are in. */
export function folderOf(prefix: string | undefined, path: string | undefined): string {
  const text =
    path ?? (prefix?.startsWith('/') === true ? prefix.slice(0, prefix.lastIndexOf('/') + 1) : '/');
  return text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text;
}

async function allPages<T>(page: (token: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = [];
  let token: string | undefined;
  do {
    const { found, next } = await page(token);
    all.push(...found);
    checkNames(all.length);
    token = next;
  } while (token !== undefined && token !== '');
  return all;
}

/** Filters of DescribeParameters. The root is no path to it, but what it looks at anyway. */
function filtersOf(folder: string, tags: FindRequest['tags'] = {}): ParameterStringFilter[] {
  return [
    ...Object.entries(tags).map(([key, value]) => ({
      Key: `tag:${key}`,
      Option: 'Equals',
      Values: [value],
    })),
    ...(folder === '/' ? [] : [{ Key: 'Path', Option: 'Recursive', Values: [folder] }]),
  ];
}

type Match = { readonly name: string; readonly object?: RemoteObject };

async function matchesOf(
  folder: string,
  { tags, nameRegexp }: FindRequest,
  requests: ParameterRequests,
): Promise<Match[]> {
  const described = async (): Promise<Match[]> =>
    (await allPages((token) => requests.describe(filtersOf(folder, tags), token))).map((name) => ({ name }));
  if (nameRegexp === undefined || Object.keys(tags ?? {}).length > 0) return described();
  try {
    return await allPages((token) => requests.byPath(folder, token));
  } catch (error) {
    if (error instanceof ProviderError && error.code === 'PROVIDER_DENIED') return described();
    throw error;
  }
}

/**
 * Keys are the full names. Only names that begin with the prefix of the store are found.
 * @param canonicalKey of a parameter of this name
 * @throws ProviderError PROVIDER_INVALID_CONFIG for a find that cannot work, or beyond FIND_LIMITS
 */
export async function findParameters(
  { prefix }: Pick<AwsConfig, 'prefix'>,
  request: FindRequest,
  canonicalKey: (name: string) => string,
  requests: ParameterRequests,
): Promise<FoundObject[]> {
  const problem = validateParameterFind(request);
  if (problem !== undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', problem);
  const expression = request.nameRegexp === undefined ? undefined : nameExpression(request.nameRegexp);
  const path = request.path === '' ? undefined : request.path;
  const matches = new Map<string, Match>();
  for (const one of await matchesOf(folderOf(prefix, path), request, requests)) {
    if (one.name.startsWith(prefix ?? '') && expression?.test(one.name) !== false) matches.set(one.name, one);
  }
  return readFound([...matches.values()], async ({ name, object }) => {
    const read = object ?? (await requests.read(name));
    return read === undefined ? undefined : { key: name, canonicalKey: canonicalKey(name), object: read };
  });
}
