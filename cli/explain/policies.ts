/** What ClusterSecretPolicies say of what an ExternalSecret reads. */
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { formatFieldPath } from '../../api/problem.ts';
import { effectOf } from '../../policy/cluster-policy.ts';
import { plan } from '../../sync/plan.ts';
import { describeVerdict, objectOf, useOf } from '../../sync/policy-gate.ts';
import type { StoreObject } from '../../sync/stores.ts';
import type { policiesOf } from '../cluster/policies.ts';
import { type Cause, causeOf, type Fact } from './explanation.ts';

export interface Looked {
  readonly facts: readonly Fact[];
  readonly causes: readonly Cause[];
}

/** @param objects the stores that it reads from, as far as they are known */
export function lookAtPolicies(
  es: ExternalSecret,
  objects: readonly StoreObject[],
  policies: Awaited<ReturnType<typeof policiesOf>>,
): Looked {
  const about = 'policy';
  if (typeof policies === 'string')
    return { facts: [{ about, state: 'unknown', text: policies }], causes: [] };
  const { inForce } = policies;
  const { reads } = plan(es);
  const uses = objects.flatMap(
    (store) => useOf({ kind: store.kind, name: store.metadata.name ?? '' }, store, reads) ?? [],
  );
  const verdicts = inForce.idle ? [] : inForce.judge({ object: objectOf(es), stores: uses });
  const names = policies.policies.map((one) => `${one.metadata.name} (${effectOf(one)})`);
  const denied = verdicts.filter(({ effect }) => effect === 'Deny');
  const facts: Fact[] = verdicts.map((verdict) => ({
    about,
    state: verdict.effect === 'Deny' ? 'wrong' : 'note',
    text: `${verdict.effect}: ${describeVerdict(verdict)}`,
  }));
  if (denied.length === 0) {
    const text =
      names.length === 0 ? 'no ClusterSecretPolicy is about the namespace' : `allowed by ${names.join(', ')}`;
    facts.unshift({ about, state: 'ok', text });
  }
  const causes = denied.map((verdict) =>
    causeOf('POLICY_DENIED', `denied by ${describeVerdict(verdict)}`, 'now', formatFieldPath(verdict.path)),
  );
  return { facts, causes };
}
