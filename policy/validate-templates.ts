/** Rules on the texts of target.template, as far as they stand in the ExternalSecret itself. */
import type { ExternalSecretSpec, TemplateSpec } from '../api/external-secrets/v1/index.ts';
import type { FieldPath, Report } from '../api/problem.ts';
import { checkTemplateText } from './template-text.ts';

/** The keys that templates will find; undefined if a dataFrom decides that. */
function fetchedKeys(spec: ExternalSecretSpec): ReadonlySet<string> | undefined {
  if ((spec.dataFrom ?? []).length > 0) return undefined;
  return new Set((spec.data ?? []).map(({ secretKey }) => secretKey));
}

/** @param spec in the hub version and valid by its schema */
export function validateTemplates(spec: ExternalSecretSpec, template: TemplateSpec, report: Report): void {
  // With a deletionPolicy other than Retain an entry may be left out: that is for the day it happens.
  const keys = fetchedKeys(spec);
  const at: FieldPath = ['target', 'template'];
  const check = (text: string, path: FieldPath): void => checkTemplateText(text, keys, path, report);
  const all = (map: Readonly<Record<string, string>> | undefined, path: FieldPath): void => {
    for (const [key, text] of Object.entries(map ?? {})) check(text, [...path, key]);
  };
  for (const [index, { literal }] of (template.templateFrom ?? []).entries()) {
    if (literal !== undefined) check(literal, [...at, 'templateFrom', index, 'literal']);
  }
  all(template.data, [...at, 'data']);
  all(template.metadata?.annotations, [...at, 'metadata', 'annotations']);
  all(template.metadata?.labels, [...at, 'metadata', 'labels']);
}
