import { EsaError } from '../api/errors.ts';

/** Names a collection or an object of the API; what is absent is left out of the path. */
export interface ResourcePath {
  /** API group; absent for the core group. */
  readonly group?: string | undefined;
  readonly version: string;
  /** Plural, lower case: `secrets`. */
  readonly resource: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

// A name comes from people: `..` or an empty one would address another object, or a whole collection.
function segment(text: string): string {
  if (text === '' || text === '.' || text === '..') {
    throw new EsaError('INVALID_OBJECT', `"${text}" cannot be the name of an object`);
  }
  return encodeURIComponent(text);
}

/**
 * The path of a resource, every part encoded.
 * @throws EsaError INVALID_OBJECT for a part that is empty, `.` or `..`
 */
export function resourcePath(at: ResourcePath): string {
  let path = at.group === undefined ? '/api' : `/apis/${segment(at.group)}`;
  path += `/${segment(at.version)}`;
  if (at.namespace !== undefined) path += `/namespaces/${segment(at.namespace)}`;
  path += `/${segment(at.resource)}`;
  if (at.name !== undefined) path += `/${segment(at.name)}`;
  if (at.subresource !== undefined) path += `/${segment(at.subresource)}`;
  return path;
}
