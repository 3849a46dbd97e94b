/** Rules on one ClusterSecretPolicy: a pattern that means nothing would allow nothing, without anybody's wish. */
import { parseGoDuration } from '../api/duration.ts';
import { PROVIDER_KEYS } from '../api/external-secrets/provider-keys.ts';
import { clusterSecretPolicySpec } from '../api/policy/cluster-secret-policy.ts';
import type { FieldPath, Problem } from '../api/problem.ts';
import { parseWith } from '../providers/schema-problems.ts';
import { networkError } from './networks.ts';
import { globError, keyRegexpError } from './patterns.ts';
import { collector } from './report.ts';
import { FORBIDDEN_SECRET_TYPES } from './secret-types.ts';
import { isTemplateFunction } from './template-functions.ts';

/** @param spec as the user wrote it @returns everything that is wrong with it; empty if it may be stored */
export function validateClusterPolicy(spec: unknown): readonly Problem[] {
  const parsed = parseWith(clusterSecretPolicySpec, spec);
  if (!parsed.ok) return parsed.problems.map((problem) => ({ ...problem, path: ['spec', ...problem.path] }));
  const { report, problems } = collector();
  const invalid = (path: FieldPath, message: string | undefined): void => {
    if (message !== undefined) report(path, 'FieldValueInvalid', message);
  };
  const policy = parsed.value;
  for (const [index, { operator, values = [] }] of (
    policy.namespaceSelector?.matchExpressions ?? []
  ).entries()) {
    const path: FieldPath = ['namespaceSelector', 'matchExpressions', index, 'values'];
    const listed = operator === 'In' || operator === 'NotIn';
    if (listed && values.length === 0)
      report(path, 'FieldValueRequired', `${operator} compares with values; list at least one`);
    if (!listed && values.length > 0) invalid(path, `${operator} has no values; leave them out`);
  }
  for (const [index, { name }] of (policy.stores ?? []).entries())
    invalid(['stores', index, 'name'], globError(name, false));
  for (const [index, name] of (policy.providers ?? []).entries()) {
    if (!(PROVIDER_KEYS as readonly string[]).includes(name))
      report(
        ['providers', index],
        'FieldValueNotSupported',
        `"${name}" is not a provider; see spec.provider of a store`,
      );
  }
  for (const [index, { glob, regexp }] of (policy.keys ?? []).entries()) {
    if (glob !== undefined) invalid(['keys', index, 'glob'], globError(glob, true));
    if (regexp !== undefined) {
      const reason = keyRegexpError(regexp);
      if (reason !== undefined)
        invalid(['keys', index, 'regexp'], `must be a regular expression (RE2): ${reason}`);
    }
  }
  for (const [index, { host, network }] of (policy.servers ?? []).entries()) {
    if (host !== undefined) invalid(['servers', index, 'host'], hostError(host));
    if (network !== undefined) invalid(['servers', index, 'network'], networkError(network));
  }
  const minimum = policy.refreshInterval?.minimum;
  if (minimum !== undefined && parseGoDuration(minimum) === undefined)
    invalid(['refreshInterval', 'minimum'], `"${minimum}" is not a duration; write it like 30s, 5m or 1h30m`);
  for (const [index, type] of (policy.secretTypes ?? []).entries()) {
    if (FORBIDDEN_SECRET_TYPES.has(type))
      report(
        ['secretTypes', index],
        'FieldValueForbidden',
        `Secrets of type ${type} are never written; leave it out`,
      );
  }
  for (const [index, name] of (policy.forbiddenTemplateFunctions ?? []).entries()) {
    if (!isTemplateFunction(name))
      invalid(
        ['forbiddenTemplateFunctions', index],
        `templates have no function "${name}"; see its spelling`,
      );
  }
  return problems;
}

/** A URL or a port here would match no host. */
function hostError(host: string): string | undefined {
  if (host.includes('/')) return 'must be the name of a host or an address, without a scheme or a path';
  if (/^[^:]*:\d+$/.test(host)) return 'must be the name of a host or an address, without a port';
  return globError(host, false);
}
