/** An object that its schema allows is the same again after a conversion there and back. */
import { isDeepStrictEqual } from 'node:util';
import { ANNOTATION_CONVERSION } from '../../../api/external-secrets/names.ts';
import { withDefaults } from '../../arbitraries/structural.ts';
import { bodyOf, type WireCase } from './case.ts';
import type { WireAnswer } from './check.ts';
import { apiVersionOf, SERVED_KINDS } from './material.ts';

type Sent = Readonly<Record<string, unknown>>;
interface Conversion {
  readonly request?: {
    readonly objects: readonly Sent[];
    readonly desiredAPIVersion: string;
    readonly uid: string;
  };
  readonly response?: { readonly convertedObjects?: readonly Sent[] };
}

/** With the defaults that the API server puts into what it decodes. */
function asStored(object: Sent): unknown {
  const schema = SERVED_KINDS.find(
    (served) => served.kind === object['kind'] && apiVersionOf(served) === object['apiVersion'],
  )?.schema.properties?.['spec'];
  return JSON.parse(
    JSON.stringify({
      metadata: {},
      ...object,
      spec: schema === undefined ? null : withDefaults(schema, object['spec'] ?? {}),
    }),
  );
}

/** @param send the way to the hook @returns undefined for cases that nothing is promised of */
export async function roundTripFault(
  one: WireCase,
  answer: WireAnswer | undefined,
  send: (next: WireCase) => Promise<WireAnswer[]>,
): Promise<string | undefined> {
  if (one.roundTrip !== true || answer?.status !== 200 || answer.text === '') return undefined;
  const { request } = JSON.parse(bodyOf(one).toString('utf8')) as Conversion;
  const { response } = JSON.parse(answer.text) as Conversion;
  const [first] = request?.objects ?? [];
  const converted = response?.convertedObjects;
  if (request === undefined || first === undefined || converted === undefined) return undefined;
  const back = {
    kind: 'ConversionReview',
    apiVersion: 'apiextensions.k8s.io/v1',
    request: {
      uid: 'back',
      desiredAPIVersion: first['apiVersion'],
      objects: converted,
    },
  };
  const [returned] = await send({ ...one, framing: 'length', body: { text: JSON.stringify(back) } });
  const again = (JSON.parse(returned?.text ?? '{}') as Conversion).response?.convertedObjects ?? [];
  for (const [index, object] of request.objects.entries()) {
    const restored = again[index];
    if (restored === undefined) return `round trip: object ${index} is missing`;
    if (JSON.stringify(object).includes(ANNOTATION_CONVERSION)) continue;
    if (!isDeepStrictEqual(asStored(restored), asStored(object)))
      return `round trip: ${JSON.stringify(object).slice(0, 1500)} became ${JSON.stringify(restored).slice(0, 1500)}`;
  }
  return undefined;
}
