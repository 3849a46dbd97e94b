/** The converting hook: apiextensions.k8s.io/v1 ConversionReview; total, no I/O. */
import { EsaError } from '../api/errors.ts';
import { convertObject } from '../api/external-secrets/convert.ts';
import type { JsonObject } from '../api/json.ts';
import { isJsonObject, MAX_NESTING, nestsDeeper } from '../api/json.ts';

const REVIEW_VERSION = 'apiextensions.k8s.io/v1';

/**
 * One answer for all objects, as the API server wants it: an object that cannot be converted fails the review. All
 * that are of our kinds and served versions are.
 * @throws EsaError INVALID_OBJECT if the body is no ConversionReview whose request has a uid
 */
export function convertReview(body: unknown): unknown {
  const request =
    isJsonObject(body) && body['kind'] === 'ConversionReview' && body['apiVersion'] === REVIEW_VERSION
      ? body['request']
      : undefined;
  if (!isJsonObject(request) || typeof request['uid'] !== 'string')
    throw new EsaError(
      'INVALID_OBJECT',
      `want a ConversionReview of ${REVIEW_VERSION} whose request has a uid`,
    );
  return {
    apiVersion: REVIEW_VERSION,
    kind: 'ConversionReview',
    response: { uid: request['uid'], ...convertAll(request) },
  };
}

function convertAll({ objects, desiredAPIVersion }: Readonly<Record<string, unknown>>): object {
  if (typeof desiredAPIVersion !== 'string' || !Array.isArray(objects) || !objects.every(isJsonObject))
    return failed('the request has no desiredAPIVersion, or no list of objects');
  if (nestsDeeper(objects)) return failed(`an object nests deeper than ${MAX_NESTING} levels`);
  try {
    const convertedObjects = objects.map((object: JsonObject) => convertObject(object, desiredAPIVersion));
    return { convertedObjects, result: { status: 'Success' } };
  } catch (error) {
    if (error instanceof EsaError && error.code === 'INVALID_OBJECT') return failed(error.message);
    throw error;
  }
}

const failed = (message: string): object => ({
  result: { status: 'Failed', message: message.toWellFormed() },
});
