/** Validation runs on the hub; what it says about a field has to name the field that the user wrote. */
import type { FieldPath } from '../problem.ts';
import { ANNOTATION_CONVERSION, HUB_VERSION, type ServedVersion } from './names.ts';
import { type ConvertibleKind, LENSES } from './versions.ts';

/**
 * The path, in `version`, of a field of the hub: v1alpha1 writes `spec.dataFrom[0].extract.key` as
 * `spec.dataFrom[0].key`. A field that the version does not have can only come from the annotation that
 * conversion parks it in, so its path is that annotation's. Indexes are kept; on an object with elements
 * parked in the annotation they count those too.
 */
export function pathInVersion(version: ServedVersion, kind: ConvertibleKind, hubPath: FieldPath): FieldPath {
  const [root, ...rest] = hubPath;
  if (version === HUB_VERSION || root !== 'spec') return hubPath;
  const path = LENSES[kind][version].path(rest);
  return path === undefined ? ['metadata', 'annotations', ANNOTATION_CONVERSION] : ['spec', ...path];
}
