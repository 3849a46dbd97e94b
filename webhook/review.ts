/** Reads an AdmissionReview of admission.k8s.io/v1: after this, every field has the type that it is declared with. */
import { EsaError } from '../api/errors.ts';
import { isJsonObject, MAX_NESTING, nestsDeeper } from '../api/json.ts';
import type { AdmissionRequest } from './admission.ts';

const isText = (value: unknown): boolean => typeof value === 'string';
const isTextOrAbsent = (value: unknown): boolean => value === undefined || value === null || isText(value);
const isTextMap = (value: unknown): boolean =>
  value === undefined || value === null || (isJsonObject(value) && Object.values(value).every(isText));

const OPERATIONS: readonly unknown[] = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'];
const METADATA_TEXTS = ['name', 'namespace', 'generateName', 'deletionTimestamp'] as const;

/** True if `object` is null, or of this kind and version with metadata of the right types. */
function isObjectOf(kind: Readonly<Record<string, unknown>>, object: unknown): boolean {
  if (object === undefined || object === null) return true;
  if (!isJsonObject(object) || object['kind'] !== kind['kind']) return false;
  const { group, version } = kind;
  if (object['apiVersion'] !== (group === '' ? version : `${String(group)}/${String(version)}`)) return false;
  const { metadata } = object;
  return (
    metadata === undefined ||
    (isJsonObject(metadata) &&
      METADATA_TEXTS.every((name) => isTextOrAbsent(metadata[name])) &&
      isTextMap(metadata['annotations']) &&
      isTextMap(metadata['labels']))
  );
}

const isUser = (user: unknown): boolean =>
  user === undefined ||
  (isJsonObject(user) &&
    isTextOrAbsent(user['username']) &&
    isTextOrAbsent(user['uid']) &&
    isTextsOrAbsent(user['groups']) &&
    (user['extra'] === undefined ||
      (isJsonObject(user['extra']) && Object.values(user['extra']).every(isTextsOrAbsent))));

const isTextsOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.every(isText));

/** The first thing about a request that no API server sends; undefined if there is none. */
function oddityOf(request: Readonly<Record<string, unknown>>): string | undefined {
  const { kind } = request;
  if (!isJsonObject(kind) || ![kind['group'], kind['version'], kind['kind']].every(isText))
    return 'request.kind is not complete';
  if (!OPERATIONS.includes(request['operation'])) return 'request.operation is not known';
  if (!isTextOrAbsent(request['name']) || !isTextOrAbsent(request['namespace']))
    return 'request.name and request.namespace have to be strings';
  if (!isUser(request['userInfo'])) return 'request.userInfo is not a user';
  if (nestsDeeper(request)) return `the object nests deeper than ${MAX_NESTING} levels`;
  if (!isObjectOf(kind, request['object'])) return 'request.object is not an object of request.kind';
  if (!isObjectOf(kind, request['oldObject'])) return 'request.oldObject is not an object of request.kind';
  return undefined;
}

export type Review = { readonly uid: string } & (
  | { readonly request: AdmissionRequest; readonly oddity?: never }
  /** Why the request cannot be judged. */
  | { readonly request?: never; readonly oddity: string }
);

/** @throws EsaError INVALID_OBJECT if the body is no admission.k8s.io/v1 AdmissionReview whose request has a uid */
export function readReview(body: unknown): Review {
  if (
    !isJsonObject(body) ||
    body['kind'] !== 'AdmissionReview' ||
    body['apiVersion'] !== 'admission.k8s.io/v1'
  ) {
    throw new EsaError('INVALID_OBJECT', 'want an AdmissionReview of admission.k8s.io/v1');
  }
  const { request } = body;
  if (!isJsonObject(request) || typeof request['uid'] !== 'string')
    throw new EsaError('INVALID_OBJECT', 'the AdmissionReview has no request with a uid');
  const { uid } = request;
  const oddity = oddityOf(request);
  if (oddity !== undefined) return { uid, oddity };
  return {
    uid,
    request: { userInfo: {}, ...request, object: request['object'] ?? null } as unknown as AdmissionRequest,
  };
}
