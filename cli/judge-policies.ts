/** What ClusterSecretPolicies say about the objects of some files, as the validating hook would ask them. */
import { pathInVersion } from '../api/external-secrets/paths.ts';
import type { ClusterSecretPolicy, Effect, PolicyRule } from '../api/policy/cluster-secret-policy.ts';
import { selects, sourceOf } from '../policy/cluster-policy.ts';
import type { Verdict } from '../policy/policy-subject.ts';
import { type PlannedRead, plan, storeReferences } from '../sync/plan.ts';
import { PolicyBook, type PolicyDefault } from '../sync/policies.ts';
import { objectOf, ownUse, useOf } from '../sync/policy-gate.ts';
import type { Severity } from './findings.ts';
import type { Remark, SoundObject } from './judge-object.ts';
import { type ManifestSet, type StoreIndex, soundOf } from './manifest-set.ts';
import type { NamespaceLabels } from './namespaces.ts';

/** A kind of which policies are asked. */
export type PolicySubjectObject = Extract<SoundObject, { kind: 'ExternalSecret' | 'SecretStore' }>;

export interface PolicyAnswer {
  /** Names of the policies that select the namespace. */
  readonly policies: readonly string[];
  readonly verdicts: readonly Verdict[];
  /** What could not be judged without a cluster. */
  readonly notes: readonly Remark[];
}

/** The sound policies of some files. */
export const policiesOf = (set: Pick<ManifestSet, 'judged'>): readonly ClusterSecretPolicy[] =>
  soundOf(set, 'ClusterSecretPolicy').map(({ sound }) => sound.hub);

export const SEVERITY_OF = { Deny: 'error', Warn: 'warning', Audit: 'note' } as const satisfies Record<
  Effect,
  Severity
>;

/** A verdict in the words of the validating hook. */
export const remarkOf = (verdict: Verdict): Remark => ({
  path: verdict.path,
  message: `${verdict.message} (${sourceOf(verdict)})`,
});

/** Rules that look at stores, and what is read through them. */
const STORE_RULES = ['providers', 'keys', 'servers'] as const satisfies readonly PolicyRule[];

export class PolicyJudge {
  readonly #policies: readonly ClusterSecretPolicy[];
  readonly #book: PolicyBook;
  readonly #namespaces: NamespaceLabels;
  readonly #stores: StoreIndex;
  readonly #noted = new Set<string>();

  constructor(
    policies: readonly ClusterSecretPolicy[],
    policyDefault: PolicyDefault,
    known: { readonly namespaces: NamespaceLabels; readonly stores: StoreIndex },
  ) {
    // Of two of one name the later one counts, as in a cluster.
    this.#policies = [...new Map(policies.map((policy) => [policy.metadata.name, policy])).values()];
    this.#book = new PolicyBook(policyDefault);
    for (const policy of this.#policies) this.#book.upsert(policy);
    this.#namespaces = known.namespaces;
    this.#stores = known.stores;
  }

  /** @param directory of its file */
  async judge(object: PolicySubjectObject, directory: string): Promise<PolicyAnswer> {
    const namespace = object.hub.metadata.namespace ?? '';
    const labels = this.#namespaces.of(namespace);
    const inForce = await this.#book.of(namespace, async () => labels);
    const selected = this.#policies.filter((policy) => selects(policy, labels));
    const policies = selected.map(({ metadata }) => metadata.name ?? '');
    const notes = this.#labelNotes(namespace);
    if (inForce.idle) return { policies, verdicts: [], notes };
    if (object.kind === 'SecretStore') {
      const use = inForce.needsStores ? ownUse({ ...object.hub, kind: 'SecretStore' }) : undefined;
      return { policies, verdicts: use === undefined ? [] : inForce.judge({ stores: [use] }), notes };
    }
    const { hub, version } = object;
    const { reads } = plan(hub);
    const rules = STORE_RULES.filter((rule) => selected.some(({ spec }) => spec[rule] !== undefined));
    const stores = storeReferences(hub.spec).flatMap((reference) => {
      const store = this.#stores.find(reference.kind, namespace, reference.name, directory);
      if (store === undefined) notes.push(...missingStore(reference, reads, rules));
      return (store && useOf(reference, store, reads)) ?? [];
    });
    if (rules.includes('keys')) notes.push(...findNotes(reads));
    // As of verdicts, in the version that the user wrote.
    const located = notes.map((note) => ({
      ...note,
      path: pathInVersion(version, 'ExternalSecret', note.path),
    }));
    return { policies, verdicts: inForce.judge({ version, object: objectOf(hub), stores }), notes: located };
  }

  /** Once a namespace. */
  #labelNotes(namespace: string): Remark[] {
    const known = !this.#book.needsLabels || this.#namespaces.knows(namespace) || this.#noted.has(namespace);
    if (known) return [];
    this.#noted.add(namespace);
    const message = `the labels of namespace "${namespace}" are not known, so it is taken to have none of its own; give its Namespace object, or --namespace-labels`;
    return [{ path: ['metadata', 'namespace'], message }];
  }
}

function missingStore(
  { kind, name }: { readonly kind: string; readonly name: string },
  reads: readonly PlannedRead[],
  rules: readonly PolicyRule[],
): Remark[] {
  if (rules.length === 0) return [];
  const path = reads.flatMap(({ source }) =>
    source.kind !== 'generator' && source.store.kind === kind && source.store.name === name
      ? [source.storePath]
      : [],
  )[0] ?? ['spec', 'secretStoreRef', 'name'];
  const message = `${kind} "${name}" is not among the files, so nothing is said for it about: ${rules.join(', ')}`;
  return [{ path, message }];
}

const findNotes = (reads: readonly PlannedRead[]): Remark[] =>
  reads.flatMap(({ path, source }) =>
    source.kind === 'find'
      ? [
          {
            path,
            message: 'what a find comes upon is judged when it is read, so nothing is said about: keys',
          },
        ]
      : [],
  );
