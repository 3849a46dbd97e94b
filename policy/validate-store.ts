/** Rules on one SecretStore or ClusterSecretStore (eso.md 7.3); pure, all problems at once. */
import { RE2JS, RE2JSSyntaxException } from 're2js';
import { parseGoDuration } from '../api/duration.ts';
import type { StoreKind } from '../api/external-secrets/names.ts';
import type { SecretStoreSpec } from '../api/external-secrets/v1/index.ts';
import type { Problem } from '../api/problem.ts';
import { providerProblems, providerWarnings } from '../providers/registry.ts';
import type { LabelSelector } from './store-conditions.ts';

/** @param spec in the hub version and valid by its schema */
export function validateStoreSpec(
  kind: StoreKind,
  namespace: string | undefined,
  spec: SecretStoreSpec,
): readonly Problem[] {
  const problems: Problem[] = providerProblems(spec.provider, { kind, namespace }).map((problem) => ({
    ...problem,
    path: ['spec', 'provider', ...problem.path],
  }));

  const { refreshInterval } = spec;
  if (typeof refreshInterval === 'number' && refreshInterval < 0) {
    problems.push({
      path: ['spec', 'refreshInterval'],
      reason: 'FieldValueInvalid',
      message: 'must not be negative; it is how often the store is validated',
    });
  }
  if (typeof refreshInterval === 'string' && refreshInterval !== '') {
    const parsed = parseGoDuration(refreshInterval);
    if (parsed === undefined || parsed < 0) {
      problems.push({
        path: ['spec', 'refreshInterval'],
        reason: 'FieldValueInvalid',
        message: `"${refreshInterval}" is not a duration; write it like 30s, 5m or 1h30m`,
      });
    }
  }
  for (const [index, condition] of (spec.conditions ?? []).entries()) {
    problems.push(...selectorProblems(condition.namespaceSelector, index));
    for (const [position, pattern] of (condition.namespaceRegexes ?? []).entries()) {
      const reason = regexError(pattern);
      if (reason === undefined) continue;
      problems.push({
        path: ['spec', 'conditions', index, 'namespaceRegexes', position],
        reason: 'FieldValueInvalid',
        message: `must be a regular expression (RE2): ${reason}`,
      });
    }
  }
  return problems;
}

/** A selector that Kubernetes would not take: it matches nothing, and nobody would know why. */
function selectorProblems(selector: LabelSelector | undefined, condition: number): Problem[] {
  return (selector?.matchExpressions ?? []).flatMap(({ operator, values = [] }, index): Problem[] => {
    const at = ['spec', 'conditions', condition, 'namespaceSelector', 'matchExpressions', index];
    if (!SELECTOR_OPERATORS.includes(operator)) {
      const message = `"${operator}" is not an operator; use In, NotIn, Exists or DoesNotExist`;
      return [{ path: [...at, 'operator'], reason: 'FieldValueNotSupported', message }];
    }
    const listed = operator === 'In' || operator === 'NotIn';
    if (listed === values.length > 0) return [];
    const message = listed
      ? `${operator} compares with values; list at least one`
      : `${operator} has no values; leave them out`;
    return [
      { path: [...at, 'values'], reason: listed ? 'FieldValueRequired' : 'FieldValueInvalid', message },
    ];
  });
}

const SELECTOR_OPERATORS: readonly string[] = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

/** What may be admitted and yet deserves a word (a warning of the webhook); paths in the hub version. */
export function storeWarnings(kind: StoreKind, spec: SecretStoreSpec): readonly Problem[] {
  const warnings: Problem[] = providerWarnings(spec.provider).map((problem) => ({
    ...problem,
    path: ['spec', 'provider', ...problem.path],
  }));
  if (kind === 'SecretStore' && spec.conditions !== undefined) {
    const message = 'a SecretStore serves its own namespace alone; they change nothing';
    warnings.push({ path: ['spec', 'conditions'], reason: 'FieldValueNotSupported', message });
  }
  if (spec.retrySettings !== undefined) {
    const message = 'when something is tried again is not up to the store here; they change nothing';
    warnings.push({ path: ['spec', 'retrySettings'], reason: 'FieldValueNotSupported', message });
  }
  return warnings;
}

function regexError(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) return 'it cannot be compiled';
    return error.message.replace('error parsing regexp: ', '');
  }
}
