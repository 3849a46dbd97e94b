/**
 * Converts objects between the served versions, through the hub (v1). Without I/O, without a change to its
 * input, and total: partial and invalid objects are converted as far as they can be understood, and what has
 * an unexpected type is carried along as it is. Only apiVersion, spec and one annotation differ afterwards.
 *
 * What an older version cannot say is kept in the annotation `external-secrets-admission.io/conversion-data`
 * of the object in that version, as compact JSON. Objects of the hub never need it. The rules, tested in
 * convert.test.ts:
 * - Nothing is parked that the version can say, nor a default that it cannot say (deletionPolicy Retain).
 * - What belongs to an object that is still there (refreshPolicy to spec, mergePolicy to the template) comes
 *   back with it; what is written in the visible part wins.
 * - What belongs to an element of a list comes back only if that element still reads as it did, wherever it
 *   moved. An edited element is what the edit says. Elements that cannot be shown come back at their index.
 * - Without the annotation (a manifest applied by replacing the object) the object is what it shows.
 */
import { EsaError } from '../errors.ts';
import { isJsonObject, type JsonObject, parseObject } from '../json.ts';
import type { Shown } from './lenses.ts';
import { ANNOTATION_CONVERSION, GROUP, HUB_VERSION, SERVED_VERSIONS, type ServedVersion } from './names.ts';
import { type ConvertibleKind, LENSES } from './versions.ts';

/** Facts of real objects nest to about ten; deeper ones are somebody's attempt at exhausting the stack. */
const MAX_FACT_DEPTH = 64;

/**
 * @param object a whole object as decoded JSON (parseObject of api/json.ts keeps large integers intact)
 * @param desiredApiVersion `external-secrets.io/v1`, `.../v1beta1` or `.../v1alpha1`
 * @returns the object in that version; it shares unchanged parts with the input
 * @throws EsaError INVALID_OBJECT if kind, present or desired version is not one of the served ones
 */
export function convertObject(object: JsonObject, desiredApiVersion: string): JsonObject {
  const kind = readKind(object);
  const from = readVersion(object['apiVersion']);
  const to = readVersion(desiredApiVersion);
  if (from === to) return object;
  const annotations = readAnnotations(object);
  // On the hub the annotation is a stray copy, and means nothing.
  const hubSpec =
    from === HUB_VERSION
      ? object['spec']
      : LENSES[kind][from].up(object['spec'], readFacts(annotations[ANNOTATION_CONVERSION]));
  const shown: Shown = to === HUB_VERSION ? { value: hubSpec } : LENSES[kind][to].down(hubSpec);
  const converted: Record<string, unknown> = {
    ...object,
    apiVersion: `${GROUP}/${to}`,
    ...withFacts(object['metadata'], annotations, shown.facts),
  };
  if (shown.value !== undefined) converted['spec'] = shown.value;
  return converted;
}

function readKind(object: JsonObject): ConvertibleKind {
  const kind = object['kind'];
  if (typeof kind === 'string' && Object.hasOwn(LENSES, kind)) return kind as ConvertibleKind;
  throw new EsaError(
    'INVALID_OBJECT',
    `cannot convert kind ${JSON.stringify(kind)}: only ${Object.keys(LENSES).join(', ')} are converted`,
  );
}

function readVersion(apiVersion: unknown): ServedVersion {
  const version = SERVED_VERSIONS.find((served) => apiVersion === `${GROUP}/${served}`);
  if (version !== undefined) return version;
  throw new EsaError(
    'INVALID_OBJECT',
    `cannot convert apiVersion ${JSON.stringify(apiVersion)}: ${GROUP} is served as ${SERVED_VERSIONS.join(', ')}`,
  );
}

function readAnnotations(object: JsonObject): JsonObject {
  const metadata = object['metadata'];
  if (!isJsonObject(metadata)) return {};
  return isJsonObject(metadata['annotations']) ? metadata['annotations'] : {};
}

/** The parked facts; undefined if there are none, or none that this program wrote. */
function readFacts(annotation: unknown): unknown {
  if (typeof annotation !== 'string' || depth(annotation) > MAX_FACT_DEPTH) return undefined;
  try {
    return parseObject(annotation);
  } catch {
    return undefined;
  }
}

/** How deep brackets nest in a JSON text. */
function depth(text: string): number {
  let open = 0;
  let deepest = 0;
  // Strings are matched as a whole, so that brackets inside of them do not count.
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]/g)) {
    if (token === '{' || token === '[') deepest = Math.max(deepest, ++open);
    else if (token === '}' || token === ']') open -= 1;
  }
  return deepest;
}

/** The metadata with these facts parked on it and no others; nothing if it stays as it is. */
function withFacts(metadata: unknown, annotations: JsonObject, facts: unknown): { metadata?: JsonObject } {
  if (facts === undefined && !(ANNOTATION_CONVERSION in annotations)) return {};
  const { [ANNOTATION_CONVERSION]: _stale, ...others } = annotations;
  const next = facts === undefined ? others : { ...others, [ANNOTATION_CONVERSION]: JSON.stringify(facts) };
  const { annotations: _replaced, ...rest } = isJsonObject(metadata) ? metadata : {};
  return { metadata: Object.keys(next).length === 0 ? rest : { ...rest, annotations: next } };
}
