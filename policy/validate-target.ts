/** Rules on spec.target. Numbers in comments are the rules of eso.md 7.2. */

import type { ExternalSecretSpec, TemplateSpec } from '../api/external-secrets/v1/index.ts';
import type { FieldPath, Report } from '../api/problem.ts';
import { FORBIDDEN_SECRET_TYPES } from './secret-types.ts';
import { validateTemplates } from './validate-templates.ts';

/** @param spec in the hub version and valid by its schema */
export function validateTarget(spec: ExternalSecretSpec, report: Report): void {
  const { target } = spec;
  if (target === undefined) return;
  const { creationPolicy = 'Owner', deletionPolicy = 'Retain', template } = target;
  // 1
  if (deletionPolicy === 'Delete' && ['Merge', 'None', 'CreateOrMerge'].includes(creationPolicy)) {
    report(
      'es-delete-without-owner',
      ['target', 'deletionPolicy'],
      "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner",
    );
  }
  // 2
  if (deletionPolicy === 'Merge' && creationPolicy === 'None') {
    report(
      'es-merge-without-secret',
      ['target', 'deletionPolicy'],
      'deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with',
    );
  }
  if (target.manifest !== undefined) {
    report(
      'es-manifest',
      ['target', 'manifest'],
      'a target other than a Secret is not supported; leave manifest out',
    );
  }
  if (template === undefined) return;
  validateTemplateTargets(template, target.manifest !== undefined, report);
  validateTemplates(spec, template, report);
}

function validateTemplateTargets(template: TemplateSpec, otherKind: boolean, report: Report): void {
  const type = template.type ?? '';
  // 4 and 6, and stricter than ESO: without the annotation the type has no use either.
  if (FORBIDDEN_SECRET_TYPES.has(type)) {
    report(
      'es-secret-type',
      ['target', 'template', 'type'],
      `template.type=${type} is not allowed: it would make credentials of the cluster itself; use another type`,
    );
  }
  for (const [index, from] of (template.templateFrom ?? []).entries()) {
    const path: FieldPath = ['target', 'template', 'templateFrom', index];
    const into = from.target ?? 'Data';
    // 7
    if (!otherKind && !['', 'data', 'annotations', 'labels'].includes(into.toLowerCase())) {
      report(
        'es-template-target',
        [...path, 'target'],
        `templateFrom target=${into} is not allowed when targeting a Secret, must be one of "Data", "Annotations" or "Labels"`,
      );
    }
    // 5
    if (type === 'kubernetes.io/service-account-token' && into.toLowerCase() === 'annotations') {
      report(
        'es-token-annotations',
        [...path, 'target'],
        `template.type=${type} with templateFrom target=${into} is not allowed; use another type`,
      );
    }
    if (from.configMap === undefined && from.secret === undefined && from.literal === undefined) {
      report('es-template-from', path, 'no template is named; set configMap, secret or literal');
    }
  }
}

/** What is allowed and still a trap. */
export function warnTarget(spec: ExternalSecretSpec, report: Report): void {
  const { creationPolicy, deletionPolicy } = spec.target ?? {};
  // ESO admits it and fails when the day comes.
  if (creationPolicy === 'Orphan' && deletionPolicy === 'Delete') {
    report(
      'es-orphan-delete',
      ['target', 'deletionPolicy'],
      'Delete will fail: with creationPolicy Orphan the Secret is not owned',
    );
  }
}
