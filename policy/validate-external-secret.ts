/**
 * Rules on one ExternalSecret that no change outside of it can heal: pure, all problems at once, used by both
 * hooks and by the engine.
 */
import { ANNOTATION_KEEP_GENERATED } from '../api/external-secrets/names.ts';
import type { ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { LEASED_KIND } from '../api/generators/names.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { collector, type Problem } from '../api/problem.ts';
import { passesKey } from './passed-keys.ts';
import { validateRefresh } from './validate-refresh.ts';
import { validateSources } from './validate-sources.ts';
import { validateTarget, warnTarget } from './validate-target.ts';

/** @param spec in the hub version and valid by its schema */
export function validateExternalSecretSpec(spec: ExternalSecretSpec): readonly Problem[] {
  const { report, problems } = collector(['spec']);
  validateSources(spec, report);
  validateTarget(spec, report);
  validateRefresh(spec, report);
  return problems;
}

/** What may be admitted and yet deserves a word (a warning of the webhook). */
export function externalSecretWarnings(
  spec: ExternalSecretSpec,
  annotations: ObjectMeta['annotations'],
): readonly Problem[] {
  const { report, problems } = collector(['spec']);
  warnTarget(spec, report);
  return [...problems, ...keepWarnings(spec, annotations)];
}

/** A key that no template names, so that what is true of it is true of all that templates do not name. */
const UNNAMED = '';

function keepWarnings(spec: ExternalSecretSpec, annotations: ObjectMeta['annotations']): readonly Problem[] {
  if (annotations?.[ANNOTATION_KEEP_GENERATED] !== 'true') return [];
  const { report, problems } = collector(['metadata', 'annotations']);
  const references = (spec.dataFrom ?? []).map(({ sourceRef }) => sourceRef?.generatorRef);
  if (references.some((reference) => reference?.kind === LEASED_KIND)) {
    report(
      'es-keep-leased',
      [ANNOTATION_KEEP_GENERATED],
      `values of ${LEASED_KIND} are leased and cannot be kept`,
    );
  }
  const generates = references.some((reference) => reference !== undefined);
  const keys = [UNNAMED, ...Object.keys(spec.target?.template?.data ?? {})];
  if (!generates || keys.some((key) => passesKey(spec, key))) return problems;
  report('es-keep-generated', [ANNOTATION_KEEP_GENERATED], 'the template passes no generated value on');
  return problems;
}
