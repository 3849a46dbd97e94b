/** Whether the objects exist that stores name. Only names are asked for. */
import type { SecretStore } from '../../api/external-secrets/v1/index.ts';
import { METADATA_ONLY } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { resourcePath } from '../../kube/path.ts';
import type { NamedDependency } from '../../providers/contract.ts';
import { providerOf } from '../../providers/registry.ts';
import type { Cluster } from '../cluster/access.ts';
import { seen } from './seen.ts';
import type { Listed, MetadataOnly, Seen } from './state.ts';

const AT_ONCE = 16;
/** Requests for objects of which there is no list. */
const MOST = 1_000;
const RESOURCES = { Secret: 'secrets', ConfigMap: 'configmaps', ServiceAccount: 'serviceaccounts' } as const;

/** `Secret ns/name` */
export const referenceLabel = ({ kind, namespace, name }: NamedDependency): string =>
  `${kind} ${namespace}/${name}`;

/** What a store reads from the cluster; nothing of one that cannot be understood. */
export function referencesOf(store: SecretStore): readonly NamedDependency[] {
  const choice = providerOf(store.spec.provider, store.metadata.annotations);
  if (!choice.ok) return [];
  const { kind, metadata } = store;
  const namespace = kind === 'SecretStore' ? metadata.namespace : undefined;
  return choice.provider.dependencies(choice.config, {
    kind,
    name: metadata.name ?? '',
    namespace,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 0,
    callerNamespace: namespace,
  });
}

export async function findReferences(
  cluster: Cluster,
  stores: Seen<Listed<SecretStore>>,
  secrets: Seen<Listed<MetadataOnly>>,
): Promise<ReadonlyMap<string, Seen<boolean>>> {
  const wanted = new Map<string, NamedDependency>();
  for (const store of stores.ok ? stores.value.items : [])
    for (const reference of referencesOf(store)) wanted.set(referenceLabel(reference), reference);
  const listed =
    secrets.ok && !secrets.value.cut
      ? new Set(secrets.value.items.map(({ metadata }) => `Secret ${metadata.namespace}/${metadata.name}`))
      : undefined;
  const found = new Map<string, Seen<boolean>>();
  const asked: [string, NamedDependency][] = [];
  for (const [label, reference] of wanted) {
    if (listed?.has(label)) found.set(label, { ok: true, value: true });
    else asked.push([label, reference]);
  }
  for (const [label] of asked.splice(MOST))
    found.set(label, { ok: false, why: 'there are too many to ask for' });
  const worker = async (): Promise<void> => {
    for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
      const [label, { kind, namespace, name }] = next;
      const path = resourcePath({ version: 'v1', resource: RESOURCES[kind], namespace, name });
      const reading = cluster.kube
        .request('GET', path, { ...cluster.call, accept: METADATA_ONLY.object, what: `read ${label}` })
        .then(
          () => true,
          (error: unknown) => {
            if (isNotFound(error)) return false;
            throw error;
          },
        );
      found.set(label, await seen(label, reading));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}
