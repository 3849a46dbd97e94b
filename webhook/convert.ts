/** The converting hook: apiextensions.k8s.io/v1 ConversionReview; total, no I/O. */
import { EsaError } from '../api/errors.ts';
import { convertObject } from '../api/external-secrets/convert.ts';
import type { JsonObject } from '../api/external-secrets/lenses.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws EsaError INVALID_OBJECT if the body is no ConversionReview */
export function convertReview(body: unknown): unknown {
  const request = isRecord(body) && body['kind'] === 'ConversionReview' ? body['request'] : undefined;
  if (
    !isRecord(request) ||
    typeof request['uid'] !== 'string' ||
    typeof request['desiredAPIVersion'] !== 'string' ||
    !Array.isArray(request['objects'])
  ) {
    throw new EsaError('INVALID_OBJECT', 'want a ConversionReview of apiextensions.k8s.io/v1');
  }
  const desired = request['desiredAPIVersion'];
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'ConversionReview',
    response: {
      uid: request['uid'],
      convertedObjects: (request['objects'] as JsonObject[]).map((object) => convertObject(object, desired)),
      result: { status: 'Success' },
    },
  };
}
