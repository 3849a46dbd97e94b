/** What policies say about an object that somebody wants to store. */
import { HUB_VERSION, SERVED_VERSIONS, type ServedVersion } from '../api/external-secrets/names.ts';
import type { ClusterExternalSecret, ExternalSecret, SecretStore } from '../api/external-secrets/v1/index.ts';
import { isKes } from '../api/kubernetes-client/names.ts';
import { kesPath } from '../policy/check-kes.ts';
import type { StoreUse, Verdict } from '../policy/policy-subject.ts';
import type { LiveCluster } from '../sync/live.ts';
import { plan } from '../sync/plan.ts';
import type { PolicyGate } from '../sync/policies.ts';
import { objectOf, ownUse, useOf } from '../sync/policy-gate.ts';
import type { StoreReader } from '../sync/stores.ts';

export interface PolicyDeps {
  readonly policies: PolicyGate;
  readonly live: LiveCluster;
}

/** An object in the hub version that passed validation, with its namespace; an older one of it may not have passed. */
export type Judged =
  | { readonly kind: 'ExternalSecret'; readonly hub: ExternalSecret }
  | { readonly kind: 'SecretStore'; readonly hub: SecretStore }
  | { readonly kind: 'ClusterExternalSecret'; readonly hub: ClusterExternalSecret };

/**
 * @param version in which the user wrote the object
 * @param notBefore stores are at least as new as this moment (monotonic milliseconds)
 * @throws KubeError if the labels of the namespace or a store cannot be read
 */
export async function policyVerdicts(
  { kind, hub }: Judged,
  version: string,
  notBefore: number,
  deps: PolicyDeps,
  signal: AbortSignal,
): Promise<readonly Verdict[]> {
  // Policies are about namespaces: each of its ExternalSecrets is judged where, and when, it is made.
  if (kind === 'ClusterExternalSecret') return [];
  const namespace = hub.metadata.namespace ?? '';
  const policies = await deps.policies(namespace, signal);
  if (policies.idle) return [];
  if (kind === 'SecretStore') {
    const use = policies.needsStores ? ownUse({ ...hub, kind }) : undefined;
    return use === undefined ? [] : policies.judge({ stores: [use] });
  }
  const stores = policies.needsStores ? await storeUses(hub, deps.live.reader(notBefore), signal) : [];
  const verdicts = policies.judge({ version: servedVersion(version), object: objectOf(hub), stores });
  return isKes(hub) ? verdicts.map((verdict) => ({ ...verdict, path: kesPath(verdict.path) })) : verdicts;
}

const servedVersion = (text: string): ServedVersion =>
  SERVED_VERSIONS.find((served) => served === text) ?? HUB_VERSION;

/** The stores that exist; of one that does not, the engine judges when it is there. */
async function storeUses(
  es: ExternalSecret,
  reader: StoreReader,
  signal: AbortSignal,
): Promise<readonly StoreUse[]> {
  const namespace = es.metadata.namespace ?? '';
  const { reads } = plan(es);
  const references = new Map(
    reads.flatMap(({ source }) =>
      source.kind === 'generator'
        ? []
        : [[`${source.store.kind}/${source.store.name}`, source.store] as const],
    ),
  );
  const uses = await Promise.all(
    [...references.values()].map(async (reference) => {
      const { kind, name } = reference;
      const object =
        reference.object ??
        (await reader.store(kind, kind === 'SecretStore' ? namespace : undefined, name, signal));
      return object === undefined ? undefined : useOf(reference, object, reads);
    }),
  );
  return uses.filter((use) => use !== undefined);
}
