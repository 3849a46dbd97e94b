/** What has to be true of every answer, whatever was asked. */
import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type JsonObject } from '../../../api/json.ts';
import { bodyOf, type Framing, type HookName, type WireCase } from './case.ts';

export interface WireAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

const MAX_WARNING = 120;
const MAX_BODY = 7 * 1024 * 1024;
const REVIEWS: Readonly<Record<HookName, { readonly kind: string; readonly apiVersion: string }>> = {
  validate: { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' },
  mutate: { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' },
  convert: { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' },
};

/** Framings that are HTTP without a fault: what they carry has to be answered. */
const SOUND: ReadonlySet<Framing> = new Set(['length', 'chunked', 'trickle', 'expect', 'pipelined']);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The request of a review that can be told which it is; undefined if the body is none. */
function requestIn(one: WireCase): JsonObject | undefined {
  const body = bodyOf(one);
  const review = body.length > MAX_BODY ? undefined : parse(body.toString('utf8'));
  if (!isJsonObject(review)) return undefined;
  const { kind, apiVersion } = REVIEWS[one.hook];
  const { request } = review;
  const named = review['kind'] === kind && review['apiVersion'] === apiVersion;
  return named && isJsonObject(request) && typeof request['uid'] === 'string' ? request : undefined;
}

/** What is wrong with an answer, in words that begin alike for faults of one sort; undefined: nothing. */
export function faultIn(one: WireCase, answer: WireAnswer): string | undefined {
  const { status, contentType, text } = answer;
  if (status >= 500) return `status ${status}: ${text}`;
  // Where HTTP itself is broken, Node's parser may answer.
  if (!SOUND.has(one.framing)) return undefined;
  if (!contentType.startsWith('application/json')) return `content type: ${contentType} (${status})`;
  const body = parse(text);
  if (!isJsonObject(body)) return `no JSON object: ${text.slice(0, 200)}`;
  const request = requestIn(one);
  if (request === undefined) {
    return status >= 400 && typeof body['error'] === 'string'
      ? undefined
      : `not refused: ${status} ${text.slice(0, 200)}`;
  }
  if (status !== 200) return `no review: ${status} ${text.slice(0, 200)}`;
  const { kind, apiVersion } = REVIEWS[one.hook];
  const { response } = body;
  if (body['kind'] !== kind || body['apiVersion'] !== apiVersion || !isJsonObject(response))
    return `no review: ${text.slice(0, 200)}`;
  if (response['uid'] !== request['uid']) return `uid: ${String(response['uid'])}`;
  return one.hook === 'convert' ? conversionFault(request, response) : admissionFault(one.hook, response);
}

const isText = (value: unknown): value is string => typeof value === 'string';
// A header, which is what a warning becomes, has neither, and the API server drops the whole warning.
const isPrintable = (text: string): boolean => text.isWellFormed() && !/\p{Cc}/u.test(text);

function admissionFault(hook: HookName, response: JsonObject): string | undefined {
  const { allowed, status, warnings, auditAnnotations } = response;
  if (typeof allowed !== 'boolean') return 'allowed is no boolean';
  const extra = Object.keys(response).filter(
    (name) => !['uid', 'allowed', 'status', 'warnings', 'auditAnnotations'].includes(name),
  );
  if (extra.length > 0) return `members: ${extra.join()}`;
  if (!allowed) {
    if (!isJsonObject(status)) return 'refused without a status';
    const { code, message, reason } = status;
    if (typeof code !== 'number' || code < 400 || !isText(message) || message === '' || !isText(reason))
      return `status of a refusal: ${JSON.stringify(status).slice(0, 200)}`;
    if (!message.isWellFormed()) return 'message with half a character';
    // 503: who asked for a Secret at once may try again.
    if (code >= 500 && !(code === 503 && hook === 'mutate')) return `refusal by a defect: ${message}`;
  } else if (status !== undefined) return 'allowed with a status';
  if (warnings !== undefined) {
    if (!Array.isArray(warnings) || !warnings.every(isText)) return 'warnings are no strings';
    const bad = warnings.find((text) => text === '' || text.length > MAX_WARNING || !isPrintable(text));
    if (bad !== undefined) return `warning: ${JSON.stringify(bad)}`;
  }
  if (
    auditAnnotations !== undefined &&
    !(isJsonObject(auditAnnotations) && Object.values(auditAnnotations).every(isText))
  )
    return 'audit annotations are no strings';
  return undefined;
}

const SERVED = /^external-secrets\.io\/(?:v1|v1beta1|v1alpha1)$/;
const CONVERTED = new Set(['ExternalSecret', 'SecretStore', 'ClusterSecretStore']);
/** Levels that the API server's own objects never have, and that recursion ends at. */
const TOO_DEEP = 900;

function nesting(value: unknown): number {
  let deepest = 0;
  const stack: [unknown, number][] = [[value, 0]];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const [item, level] = top;
    deepest = Math.max(deepest, level);
    if (typeof item !== 'object' || item === null) continue;
    for (const member of Object.values(item)) stack.push([member, level + 1]);
  }
  return deepest;
}

/** True if it has to succeed: all objects are of kinds and versions that are converted. */
function isConvertible(objects: unknown, desired: unknown): objects is JsonObject[] {
  return (
    Array.isArray(objects) &&
    isText(desired) &&
    SERVED.test(desired) &&
    objects.every(
      (one) =>
        isJsonObject(one) &&
        isText(one['kind']) &&
        CONVERTED.has(one['kind']) &&
        isText(one['apiVersion']) &&
        SERVED.test(one['apiVersion']),
    ) &&
    nesting(objects) < TOO_DEEP
  );
}

/** What no conversion may change. (Without metadata there are no objects.) */
function fixed(object: JsonObject): unknown {
  const { metadata, kind } = object;
  if (!isJsonObject(metadata)) return { kind, metadata: {} };
  const { labels: _labels, annotations: _annotations, ...rest } = metadata;
  return { kind, metadata: rest };
}

function conversionFault(request: JsonObject, response: JsonObject): string | undefined {
  const { result, convertedObjects } = response;
  if (!isJsonObject(result)) return 'no result';
  const { objects, desiredAPIVersion } = request;
  if (result['status'] === 'Failed') {
    if (!isText(result['message']) || result['message'] === '') return 'failed without a message';
    return isConvertible(objects, desiredAPIVersion) ? `not converted: ${result['message']}` : undefined;
  }
  if (result['status'] !== 'Success') return `result: ${String(result['status'])}`;
  if (
    !Array.isArray(convertedObjects) ||
    !Array.isArray(objects) ||
    convertedObjects.length !== objects.length
  )
    return 'number of objects';
  for (const [index, converted] of convertedObjects.entries()) {
    if (!isJsonObject(converted) || converted['apiVersion'] !== desiredAPIVersion)
      return 'version of an object';
    const before: unknown = objects[index];
    if (isJsonObject(before) && !isDeepStrictEqual(wire(fixed(before)), fixed(converted)))
      return `changed metadata: ${JSON.stringify(fixed(converted)).slice(0, 300)}`;
  }
  return undefined;
}

/** -0 and 1e999 have no JSON of their own, and the API server never sends them. */
const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
