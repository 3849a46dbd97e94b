/** Rules on one SecretStore or ClusterSecretStore (eso.md 7.3); pure, all problems at once. */

import { RE2JS, RE2JSSyntaxException } from 're2js';
import { parseGoDuration } from '../api/duration.ts';
import { ANNOTATION_BATCH_READS, type StoreKind } from '../api/external-secrets/names.ts';
import type { SecretStoreSpec } from '../api/external-secrets/v1/index.ts';
import { regexpsError } from '../api/go-regexp.ts';
import { below, collector, type Problem } from '../api/problem.ts';
import { providerOf, providerProblems, providerWarnings } from '../providers/registry.ts';
import { validateSelector } from './label-syntax.ts';
import type { StoreLimits } from './store-limits.ts';

/** @param spec in the hub version and valid by its schema */
export function validateStoreSpec(
  kind: StoreKind,
  namespace: string | undefined,
  spec: SecretStoreSpec,
): readonly Problem[] {
  const { report, problems } = collector(['spec']);
  const { refreshInterval } = spec;
  if (typeof refreshInterval === 'number' && refreshInterval < 0) {
    report(
      'store-refresh-interval',
      ['refreshInterval'],
      'must not be negative; it is how often the store is validated',
    );
  }
  if (typeof refreshInterval === 'string' && refreshInterval !== '') {
    const parsed = parseGoDuration(refreshInterval);
    if (parsed === undefined || parsed < 0) {
      report(
        'store-refresh-interval',
        ['refreshInterval'],
        `"${refreshInterval}" is not a duration; write it like 30s, 5m or 1h30m`,
      );
    }
  }
  const conditions = spec.conditions ?? [];
  const tooLong = regexpsError(conditions.flatMap(({ namespaceRegexes = [] }) => namespaceRegexes));
  if (tooLong !== undefined) report('store-regexps-size', ['conditions'], tooLong);
  for (const [index, condition] of tooLong === undefined ? conditions.entries() : []) {
    const { namespaceSelector } = condition;
    if (namespaceSelector !== undefined)
      validateSelector(namespaceSelector, ['conditions', index, 'namespaceSelector'], report);
    for (const [position, pattern] of (condition.namespaceRegexes ?? []).entries()) {
      const reason = regexError(pattern);
      if (reason === undefined) continue;
      report(
        'store-namespace-regexp',
        ['conditions', index, 'namespaceRegexes', position],
        `must be a regular expression (RE2): ${reason}`,
      );
    }
  }
  return [...below(['spec', 'provider'], providerProblems(spec.provider, { kind, namespace })), ...problems];
}

/** What may be admitted and yet deserves a word (a warning of the webhook); paths in the hub version. */
export function storeWarnings(kind: StoreKind, spec: SecretStoreSpec): readonly Problem[] {
  const { report, problems } = collector(['spec']);
  if (kind === 'SecretStore' && spec.conditions !== undefined)
    report(
      'store-own-conditions',
      ['conditions'],
      'a SecretStore serves its own namespace alone; they change nothing',
    );
  if (spec.retrySettings !== undefined) {
    report(
      'store-retry-settings',
      ['retrySettings'],
      'when something is tried again is not up to the store here; they change nothing',
    );
  }
  return [...below(['spec', 'provider'], providerWarnings(spec.provider)), ...problems];
}

/** What the annotations of a store ask for that it cannot have. */
export function limitWarnings({ batchReads }: StoreLimits, spec: SecretStoreSpec): readonly Problem[] {
  const { report, problems } = collector(['metadata', 'annotations']);
  const choice = batchReads ? providerOf(spec.provider) : undefined;
  if (choice?.ok === true && choice.provider.batch?.(choice.config) === undefined)
    report(
      'store-batch-provider',
      [ANNOTATION_BATCH_READS],
      `provider ${choice.provider.name} has no reads in batches; it changes nothing`,
    );
  return problems;
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
