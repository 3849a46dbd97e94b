/**
 * What ClusterSecretPolicies say about one use of the product. One pure function judges for both hooks, the
 * poller and the command line; each gives what it knows, and only rules about that are judged.
 */
import { HUB_VERSION, type ServedVersion } from '../api/external-secrets/names.ts';
import { pathInVersion } from '../api/external-secrets/paths.ts';
import type { ClusterSecretPolicy, Effect } from '../api/policy/cluster-secret-policy.ts';
import { collector, type Problem } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';
import { type Finding, RULES } from './policy-rules.ts';
import type { PolicySubject, Verdict } from './policy-subject.ts';
import { type LabelSelector, matchesSelector } from './store-conditions.ts';

type Policy = Pick<ClusterSecretPolicy, 'metadata' | 'spec'>;

export const effectOf = ({ spec }: Policy): Effect => spec.effect ?? 'Deny';

/** True if some policy chooses by labels of namespaces, which then have to be known. */
export const needsLabels = (policies: readonly Policy[]): boolean =>
  policies.some(({ spec }) => spec.namespaceSelector !== undefined);

/** True if the policy is about a namespace with these labels. */
export const selects = ({ spec }: Policy, labels: Readonly<Record<string, string>>): boolean =>
  spec.namespaceSelector === undefined ||
  matchesSelector(spec.namespaceSelector satisfies LabelSelector, labels);

/** True if some rule cannot be judged without the store. */
export const needsStores = (policies: readonly Policy[]): boolean =>
  policies.some(
    ({ spec }) => spec.providers !== undefined || spec.servers !== undefined || spec.keys !== undefined,
  );

/** True if nothing is allowed in a namespace that these policies select. @param unmatched see `evaluate` */
export const isClosed = (policies: readonly Policy[], unmatched: 'allow' | 'deny'): boolean =>
  unmatched === 'deny' && !policies.some((policy) => effectOf(policy) === 'Deny');

/**
 * Everything that the policies have against the subject: of all policies, all rules.
 * @param policies those that select the namespace
 * @param unmatched `deny`: an ExternalSecret, and a store, needs a policy of effect Deny that selects its namespace; policies
 *   that only warn or audit hold nothing back, so they do not open a namespace either
 */
export function evaluate(
  policies: readonly Policy[],
  subject: PolicySubject,
  unmatched: 'allow' | 'deny' = 'allow',
): readonly Verdict[] {
  const verdicts = policies.flatMap((policy): Verdict[] => {
    const common = { policy: policy.metadata.name ?? '', effect: effectOf(policy) };
    return RULES.flatMap(({ id, judge }) =>
      judge(policy.spec, subject).map((finding) => ({
        ...common,
        rule: id,
        ...located(finding, subject.version),
      })),
    );
  });
  const asks = subject.object !== undefined || subject.stores !== undefined;
  if (!asks || !isClosed(policies, unmatched)) return verdicts;
  return [
    ...verdicts,
    {
      policy: '',
      rule: 'policyDefault',
      effect: 'Deny',
      path: ['metadata', 'namespace'],
      message: `no ClusterSecretPolicy is about namespace "${subject.namespace}", and without one nothing is allowed; ask an administrator for a policy that selects it`,
    },
  ];
}

function located({ path, message }: Finding, version: ServedVersion = HUB_VERSION): Finding {
  return { path: pathInVersion(version, 'ExternalSecret', path), message };
}

const RULE_IDS: Readonly<Record<Verdict['rule'], RuleId>> = {
  stores: 'policy-allows-stores',
  providers: 'policy-allows-providers',
  keys: 'policy-allows-keys',
  servers: 'policy-allows-servers',
  refreshInterval: 'policy-allows-refresh-interval',
  creationPolicies: 'policy-allows-creation-policies',
  deletionPolicies: 'policy-allows-deletion-policies',
  secretTypes: 'policy-allows-secret-types',
  requiredLabels: 'policy-allows-required-labels',
  maximumKeys: 'policy-allows-maximum-keys',
  forbiddenTemplateFunctions: 'policy-allows-forbidden-template-functions',
  policyDefault: 'policy-allows-namespace',
};

/** Verdicts that deny, as what is wrong with the object; each names its policy. */
export function verdictProblems(verdicts: readonly Verdict[]): readonly Problem[] {
  const { report, problems } = collector();
  for (const verdict of verdicts)
    report(RULE_IDS[verdict.rule], verdict.path, `${verdict.message} (${sourceOf(verdict)})`);
  return problems;
}

/** `policy "name", rule keys`, for messages. */
export const sourceOf = ({ policy, rule }: Pick<Verdict, 'policy' | 'rule'>): string =>
  rule === 'policyDefault' ? '--policy-default=deny' : `policy "${policy}", rule ${rule}`;
