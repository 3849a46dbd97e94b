/** Rules on one ClusterSecretPolicy: a pattern that means nothing would allow nothing, without anybody's wish. */
import { parseGoDuration } from '../api/duration.ts';
import { PROVIDER_KEYS } from '../api/external-secrets/provider-keys.ts';
import { clusterSecretPolicySpec } from '../api/policy/cluster-secret-policy.ts';
import { below, collector, type FieldPath, type Problem, type Report } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';
import { parseWith } from '../providers/schema-problems.ts';
import { networkError } from './networks.ts';
import { globError, keyRegexpError } from './patterns.ts';
import { FORBIDDEN_SECRET_TYPES } from './secret-types.ts';
import { isTemplateFunction } from './template-functions.ts';

/** @param spec as the user wrote it @returns everything that is wrong with it; empty if it may be stored */
export function validateClusterPolicy(spec: unknown): readonly Problem[] {
  const parsed = parseWith(clusterSecretPolicySpec, spec);
  if (!parsed.ok) return below(['spec'], parsed.problems);
  const { report, problems } = collector(['spec']);
  const check = (rule: RuleId, path: FieldPath, message: string | undefined): void => {
    if (message !== undefined) report(rule, path, message);
  };
  const policy = parsed.value;
  for (const [index, { operator, values = [] }] of (
    policy.namespaceSelector?.matchExpressions ?? []
  ).entries()) {
    const path: FieldPath = ['namespaceSelector', 'matchExpressions', index, 'values'];
    const listed = operator === 'In' || operator === 'NotIn';
    if (listed && values.length === 0)
      report('policy-selector-values', path, `${operator} compares with values; list at least one`);
    if (!listed && values.length > 0)
      report('policy-selector-no-values', path, `${operator} has no values; leave them out`);
  }
  for (const [index, { name }] of (policy.stores ?? []).entries())
    check('policy-store-glob', ['stores', index, 'name'], globError(name, false));
  for (const [index, name] of (policy.providers ?? []).entries()) {
    if (!(PROVIDER_KEYS as readonly string[]).includes(name))
      report(
        'policy-provider',
        ['providers', index],
        `"${name}" is not a provider; see spec.provider of a store`,
      );
  }
  for (const [index, { glob, regexp }] of (policy.keys ?? []).entries()) {
    if (glob !== undefined) check('policy-key-glob', ['keys', index, 'glob'], globError(glob, true));
    if (regexp !== undefined) {
      const reason = keyRegexpError(regexp);
      if (reason !== undefined)
        report(
          'policy-key-regexp',
          ['keys', index, 'regexp'],
          `must be a regular expression (RE2): ${reason}`,
        );
    }
  }
  for (const [index, { host, network }] of (policy.servers ?? []).entries()) {
    if (host !== undefined) checkHost(host, ['servers', index, 'host'], report);
    if (network !== undefined) check('policy-network', ['servers', index, 'network'], networkError(network));
  }
  const minimum = policy.refreshInterval?.minimum;
  if (minimum !== undefined && parseGoDuration(minimum) === undefined)
    report(
      'policy-minimum',
      ['refreshInterval', 'minimum'],
      `"${minimum}" is not a duration; write it like 30s, 5m or 1h30m`,
    );
  for (const [index, type] of (policy.secretTypes ?? []).entries()) {
    if (FORBIDDEN_SECRET_TYPES.has(type))
      report(
        'policy-secret-type',
        ['secretTypes', index],
        `Secrets of type ${type} are never written; leave it out`,
      );
  }
  for (const [index, name] of (policy.forbiddenTemplateFunctions ?? []).entries()) {
    if (!isTemplateFunction(name))
      report(
        'policy-template-function',
        ['forbiddenTemplateFunctions', index],
        `templates have no function "${name}"; see its spelling`,
      );
  }
  return problems;
}

/** A URL or a port here would match no host. */
function checkHost(host: string, path: FieldPath, report: Report): void {
  const wanted = 'must be the name of a host or an address, without';
  if (host.includes('/')) {
    report('policy-host-url', path, `${wanted} a scheme or a path`);
    return;
  }
  if (/^[^:]*:\d+$/.test(host)) {
    report('policy-host-port', path, `${wanted} a port`);
    return;
  }
  const reason = globError(host, false);
  if (reason !== undefined) report('policy-host-glob', path, reason);
}
