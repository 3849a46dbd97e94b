/** The ClusterSecretPolicies of the cluster as a watch shows them, and those of them that are about a namespace. */
import type { ClusterSecretPolicy } from '../api/policy/cluster-secret-policy.ts';
import { evaluate, isClosed, needsLabels, needsStores, selects } from '../policy/cluster-policy.ts';
import type { PolicySubject, Verdict } from '../policy/policy-subject.ts';
import { serverGuard } from '../policy/server-guard.ts';
import type { ServerGuard } from '../providers/contract.ts';

export type PolicyDefault = 'allow' | 'deny';
type Labels = Readonly<Record<string, string>>;

/** What is in force for one namespace. */
export interface NamespacePolicies {
  /** True if nothing can be said against anything: no policy is about the namespace, and none is needed. */
  readonly idle: boolean;
  /** True if some rule cannot be judged without the stores. */
  readonly needsStores: boolean;
  /** For the connections that are made for the namespace. */
  readonly guard: ServerGuard | undefined;
  /** See `evaluate`. */
  judge(subject: Omit<PolicySubject, 'namespace'>): readonly Verdict[];
}

/** Nothing is in force. */
export const NO_POLICIES: NamespacePolicies = {
  idle: true,
  needsStores: false,
  guard: undefined,
  judge: () => [],
};

/** How the engine asks for what is in force for a namespace. */
export type PolicyGate = (namespace: string, signal: AbortSignal) => Promise<NamespacePolicies>;

export class PolicyBook {
  readonly #policies = new Map<string, ClusterSecretPolicy>();
  readonly #default: PolicyDefault;
  /** By the names of the policies that they are made of; made anew when a policy changes. */
  readonly #guards = new Map<string, ServerGuard | undefined>();

  constructor(policyDefault: PolicyDefault) {
    this.#default = policyDefault;
  }

  get size(): number {
    return this.#policies.size;
  }

  /** @returns what stood there before */
  upsert(policy: ClusterSecretPolicy): ClusterSecretPolicy | undefined {
    const name = policy.metadata.name ?? '';
    const before = this.#policies.get(name);
    this.#policies.set(name, policy);
    this.#guards.clear();
    return before;
  }

  /** @returns what stood there before */
  delete(name: string): ClusterSecretPolicy | undefined {
    const before = this.#policies.get(name);
    this.#policies.delete(name);
    this.#guards.clear();
    return before;
  }

  /** True if the labels of namespaces decide about anything. */
  get needsLabels(): boolean {
    return needsLabels([...this.#policies.values()]);
  }

  /** @param labels reads the labels of the namespace; called only if they count */
  async of(namespace: string, labels: () => Promise<Labels>): Promise<NamespacePolicies> {
    if (this.#policies.size === 0 && this.#default === 'allow') return NO_POLICIES;
    const all = [...this.#policies.values()];
    const known = needsLabels(all) ? await labels() : {};
    const policies = all.filter((policy) => selects(policy, known));
    if (policies.length === 0 && this.#default === 'allow') return NO_POLICIES;
    return {
      idle: false,
      needsStores: needsStores(policies) || isClosed(policies, this.#default),
      guard: this.#guardOf(policies),
      judge: (subject) => evaluate(policies, { ...subject, namespace }, this.#default),
    };
  }

  #guardOf(policies: readonly ClusterSecretPolicy[]): ServerGuard | undefined {
    const names = policies.map(({ metadata }) => metadata.name).join(' ');
    if (!this.#guards.has(names)) this.#guards.set(names, serverGuard(policies));
    return this.#guards.get(names);
  }
}
