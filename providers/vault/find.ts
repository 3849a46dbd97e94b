/**
 * dataFrom[].find at a KV engine (eso.md 4.3): names are listed folder by folder from find.path; those whose whole path
 * matches find.name.regexp, or whose custom metadata has find.tags, are read. With a name expression tags do not
 * count, and without either everything is found, as in ESO.
 */
import {
  FIND_LIMITS,
  type FindRequest,
  type FoundObject,
  ProviderError,
  type RemoteObject,
} from '../contract.ts';
import { checkNames, inParallel, nameExpression, readFound } from '../find.ts';
import type { VaultConfig } from './config.ts';
import { namespaceSegments, requestSegments, type SecretPath, splitSegments } from './paths.ts';

/** How deep folders may be in each other. */
const MAX_DEPTH = 50;

/** What a find asks the server; undefined answers mean that there is nothing of that name. */
export interface FindRequests {
  /** The names in a folder, those of folders with a slash at their end. @throws ProviderError */
  list(folder: SecretPath): Promise<readonly string[]>;
  /** Custom metadata and facts as text. */
  metadata(path: SecretPath): Promise<Readonly<Record<string, string>> | undefined>;
  read(path: SecretPath): Promise<RemoteObject | undefined>;
}

type FindConfig = Pick<VaultConfig, 'path' | 'version' | 'namespace'>;

interface Start {
  readonly folder: SecretPath;
  /** What stands before the names that are found, as written in find.path. */
  readonly prefix: string;
}

const hasTags = ({ tags }: FindRequest): boolean => Object.keys(tags ?? {}).length > 0;

/** Where the search begins, or a sentence about why it cannot. */
function startOf(config: FindConfig, request: FindRequest): Start | string {
  const { path } = request;
  const prefix = path === undefined || path === '' ? '' : `${path}/`;
  const segments = /^\/*$/.test(prefix) ? [] : splitSegments(prefix);
  if (typeof segments === 'string') return `find.path ${segments}`;
  if (config.path === undefined || config.path === '') {
    const data = config.version === 'v2' ? segments.indexOf('data', 1) : -1;
    if (data === -1) {
      return config.version === 'v1'
        ? 'find needs the mount of the engine in path of the store'
        : 'find.path must name mount and folder as <mount>/data/<folder>, as the store names no mount in path';
    }
    return { folder: { mount: segments.slice(0, data), secret: segments.slice(data + 1) }, prefix };
  }
  const mount = splitSegments(config.path);
  if (typeof mount === 'string') return `path ${mount}`;
  if (config.version === 'v1' || !mount.every((segment, index) => segments[index] === segment)) {
    return { folder: { mount, secret: segments }, prefix };
  }
  const rest = segments.slice(mount.length);
  return { folder: { mount, secret: rest[0] === 'data' ? rest.slice(1) : rest }, prefix };
}

/** A sentence if this find can never work with this store, else undefined. */
export function validateVaultFind(config: FindConfig, request: FindRequest): string | undefined {
  if (config.version === 'v1' && hasTags(request)) {
    return 'cannot perform find by tag operations with kv version v1';
  }
  const start = startOf(config, request);
  return typeof start === 'string' ? start : undefined;
}

interface Candidate {
  readonly key: string;
  readonly path: SecretPath;
}

/** Every secret below the folder. */
async function candidatesIn({ folder, prefix }: Start, requests: FindRequests): Promise<Candidate[]> {
  const found: Candidate[] = [];
  let folders: Candidate[] = [{ key: prefix, path: folder }];
  let names = 0;
  for (let depth = 0; folders.length > 0; depth++) {
    if (depth > MAX_DEPTH) {
      throw new ProviderError(
        'PROVIDER_INVALID_CONFIG',
        `folders are more than ${MAX_DEPTH} deep below ${JSON.stringify(prefix)}; narrow the find with find.path`,
      );
    }
    const next: Candidate[] = [];
    await inParallel(folders, async (one) => {
      // Another folder may be empty by now: only the one that was asked for has to be there.
      const listed = await requests.list(one.path).catch((error: unknown) => {
        if (depth > 0 && error instanceof ProviderError && error.code === 'PROVIDER_NOT_FOUND') return [];
        throw error;
      });
      names += listed.length;
      checkNames(names);
      for (const name of listed) {
        const isFolder = name.endsWith('/');
        const segment = isFolder ? name.slice(0, -1) : name;
        const at = isFolder ? next : found;
        at.push({
          key: one.key + name,
          path: { mount: one.path.mount, secret: [...one.path.secret, segment] },
        });
      }
    });
    folders = next;
  }
  return found;
}

/** Those of the candidates that match. */
async function matching(
  candidates: readonly Candidate[],
  request: FindRequest,
  requests: FindRequests,
): Promise<Candidate[]> {
  if (request.nameRegexp !== undefined) {
    const expression = nameExpression(request.nameRegexp);
    return candidates.filter(({ key }) => expression.test(key));
  }
  if (!hasTags(request)) return [...candidates];
  const tags = Object.entries(request.tags ?? {});
  const matches = await inParallel(candidates, async ({ path }) => {
    const metadata = await requests.metadata(path);
    return metadata !== undefined && tags.every(([name, value]) => metadata[name] === value);
  });
  return candidates.filter((_, index) => matches[index] === true);
}

/**
 * @throws ProviderError PROVIDER_INVALID_CONFIG for a find that cannot work, or beyond FIND_LIMITS;
 *   PROVIDER_NOT_FOUND if there is no folder at find.path
 */
export async function findSecrets(
  config: FindConfig,
  request: FindRequest,
  requests: FindRequests,
): Promise<FoundObject[]> {
  const problem = validateVaultFind(config, request);
  if (problem !== undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', problem);
  const start = startOf(config, request);
  if (typeof start === 'string') throw new ProviderError('PROVIDER_INVALID_CONFIG', start);
  // Before anything is asked: an expression that does not compile needs no server to be refused.
  if (request.nameRegexp !== undefined) nameExpression(request.nameRegexp);
  const candidates = await candidatesIn(start, requests);
  if (hasTags(request) && request.nameRegexp === undefined && candidates.length > FIND_LIMITS.objects) {
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${candidates.length} secrets would have to be asked for their tags, more than ${FIND_LIMITS.objects}; narrow the find with find.path`,
    );
  }
  const matches = await matching(candidates, request, requests);
  return readFound(matches, async ({ key, path }) => {
    const object = await requests.read(path);
    if (object === undefined) return undefined;
    const segments = [...namespaceSegments(config.namespace), ...requestSegments(path, config.version)];
    return { key, canonicalKey: segments.join('/'), object };
  });
}
