/** Rules on one ClusterExternalSecret: those on the ExternalSecret that it holds, and on where that goes. */
import { parseGoDuration } from '../api/duration.ts';
import type { ClusterExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { collector, type FieldPath, type Problem } from '../api/problem.ts';
import { validateMetadata, validateSelector } from './label-syntax.ts';
import { externalSecretWarnings, validateExternalSecretSpec } from './validate-external-secret.ts';

/** Where a field of the ExternalSecret stands in the ClusterExternalSecret. */
export function embeddedPath([root, ...rest]: FieldPath): FieldPath {
  if (root === 'spec') return ['spec', 'externalSecretSpec', ...rest];
  if (root === 'metadata') return ['spec', 'externalSecretMetadata', ...rest];
  return ['spec', 'externalSecretSpec'];
}

const embedded = (problem: Problem): Problem => ({ ...problem, path: embeddedPath(problem.path) });

/** @param spec valid by its schema */
export function validateClusterExternalSecretSpec(spec: ClusterExternalSecretSpec): readonly Problem[] {
  const { report, problems } = collector(['spec']);
  const { namespaceSelector, namespaceSelectors = [], externalSecretMetadata, refreshTime } = spec;
  for (const [index, selector] of namespaceSelectors.entries())
    validateSelector(selector, ['namespaceSelectors', index], report);
  if (namespaceSelector !== undefined) validateSelector(namespaceSelector, ['namespaceSelector'], report);
  if (externalSecretMetadata !== undefined)
    validateMetadata(externalSecretMetadata, ['externalSecretMetadata'], report);
  if (refreshTime !== undefined && refreshTime !== '') {
    const interval = parseGoDuration(refreshTime);
    if (interval === undefined || interval < 0) {
      report(
        'ces-refresh-time',
        ['refreshTime'],
        `"${refreshTime}" is not a duration; write it like 30s, 5m or 1h30m`,
      );
    }
  }
  return [...validateExternalSecretSpec(spec.externalSecretSpec).map(embedded), ...problems];
}

/** What may be admitted and yet deserves a word (a warning of the webhook). */
export function clusterExternalSecretWarnings(spec: ClusterExternalSecretSpec): readonly Problem[] {
  const { report, problems } = collector(['spec']);
  const { externalSecretSpec, externalSecretMetadata, namespaceSelectors = [], namespaces = [] } = spec;
  if (spec.namespaceSelector === undefined && namespaceSelectors.length === 0 && namespaces.length === 0) {
    report('ces-no-namespace', ['namespaceSelectors'], 'no namespace is selected, so nothing is made');
  }
  const warnings = externalSecretWarnings(externalSecretSpec, externalSecretMetadata?.annotations);
  return [...warnings.map(embedded), ...problems];
}
