/** The stores: supported, ready, and with all that they name. */
import type { SecretStore } from '../../../api/external-secrets/v1/index.ts';
import { formatProblem } from '../../../api/problem.ts';
import { providerOf } from '../../../providers/registry.ts';
import { readyCondition } from '../../../sync/status.ts';
import { storeLabel } from '../../../sync/stores.ts';
import { plural } from '../../findings.ts';
import { type CheckResult, type Finding, finding } from '../finding.ts';
import { referenceLabel, referencesOf } from '../gather-references.ts';
import type { ClusterState, Seen } from '../state.ts';
import { remedyOf } from './objects.ts';

const label = ({ kind, metadata }: SecretStore): string =>
  storeLabel(kind, metadata.namespace, metadata.name ?? '');

const explain = ({ kind, metadata }: SecretStore): string =>
  kind === 'SecretStore'
    ? `esa explain ss/${metadata.name} -n ${metadata.namespace}`
    : `esa explain css/${metadata.name}`;

function missingReferences(
  store: SecretStore,
  references: ReadonlyMap<string, Seen<boolean>>,
): readonly Finding[] {
  return referencesOf(store).flatMap((reference) => {
    const there = references.get(referenceLabel(reference));
    if (there?.ok !== true || there.value) return [];
    const what = `${referenceLabel(reference)} does not exist.`;
    const { kind, namespace, name, key } = reference;
    const commands =
      kind === 'Secret' && key !== undefined
        ? [`kubectl -n ${namespace} create secret generic ${name} --from-file=${key}=/dev/stdin`]
        : kind === 'ServiceAccount'
          ? [`kubectl -n ${namespace} create serviceaccount ${name}`]
          : [];
    return [finding('store-secret', { where: label(store), what, commands })];
  });
}

function check(store: SecretStore, references: ReadonlyMap<string, Seen<boolean>>): readonly Finding[] {
  const choice = providerOf(store.spec.provider, store.metadata.annotations);
  const where = label(store);
  if (!choice.ok) {
    const what = `spec.provider: ${choice.problems.map(formatProblem).join('; ')}.`;
    return [finding('store-provider', { where, what })];
  }
  const missing = missingReferences(store, references);
  // That it is not ready follows from it.
  if (missing.length > 0) return missing;
  const ready = readyCondition(store.status);
  if (ready?.status !== 'False') return [];
  const { reason, message } = ready;
  const commands = [explain(store)];
  return [
    finding('store-not-ready', { where, what: `${reason}: ${message}`, commands, ...remedyOf(message) }),
  ];
}

/** Checks SecretStores and ClusterSecretStores. */
export function checkStores({ stores, references }: ClusterState): CheckResult {
  const name = 'stores';
  if (!stores.ok) return { name, seen: '', findings: [], unseen: [stores.why] };
  const { items, cut } = stores.value;
  const unknown = [...references].flatMap(([reference, there]) =>
    there.ok ? [] : `${reference}: ${there.why}`,
  );
  return {
    name,
    seen: plural(items.length, 'store'),
    findings: items.flatMap((store) => check(store, references)),
    unseen: [
      ...(cut ? [`more than the first ${plural(items.length, 'store')}`] : []),
      ...(unknown[0] === undefined
        ? []
        : [`${plural(unknown.length, 'object')} that stores name; the first: ${unknown[0]}`]),
    ],
  };
}
