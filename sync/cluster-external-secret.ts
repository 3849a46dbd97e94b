/** What a ClusterExternalSecret wants of its namespaces, and what is told of it (eso.md 1.1); pure. */
import { isDeepStrictEqual } from 'node:util';
import { ANNOTATION_FORCE_SYNC, GROUP, HUB_VERSION } from '../api/external-secrets/names.ts';
import type {
  ClusterExternalSecret,
  ClusterExternalSecretSpec,
  ClusterExternalSecretStatus,
  ExternalSecret,
} from '../api/external-secrets/v1/index.ts';
import type { OwnerReference } from '../api/meta.ts';
import { matchesSelector } from '../policy/store-conditions.ts';

const KIND = 'ClusterExternalSecret';
const HUB = `${GROUP}/${HUB_VERSION}` as const;

/** Name of the ExternalSecrets that it makes. */
export const externalSecretName = ({ metadata, spec }: ClusterExternalSecret): string =>
  spec.externalSecretName ?? metadata.name ?? '';

/** True if any of the selectors, or the list of names, has this namespace. @param spec valid */
export function selectsNamespace(
  { namespaceSelectors = [], namespaceSelector, namespaces = [] }: ClusterExternalSecretSpec,
  name: string,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (namespaceSelector !== undefined && matchesSelector(namespaceSelector, labels)) return true;
  return (
    namespaceSelectors.some((selector) => matchesSelector(selector, labels)) || namespaces.includes(name)
  );
}

/** Name of the ClusterExternalSecret that controls the object; undefined if none does. By name, so that both survive a restore from a backup. */
export function clusterOwner({ metadata }: Pick<ExternalSecret, 'metadata'>): string | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner?.kind === KIND && owner.apiVersion.startsWith(`${GROUP}/`) ? owner.name : undefined;
}

/** The ExternalSecret of one namespace. Its labels and annotations are those that are asked for and no others, as in ESO. */
export function desiredExternalSecret(ces: ClusterExternalSecret, namespace: string): ExternalSecret {
  const { labels, annotations } = ces.spec.externalSecretMetadata ?? {};
  const force = ces.metadata.annotations?.[ANNOTATION_FORCE_SYNC];
  const { [ANNOTATION_FORCE_SYNC]: _, ...others } = annotations ?? {};
  const own = force === undefined ? others : { ...others, [ANNOTATION_FORCE_SYNC]: force };
  return {
    apiVersion: HUB,
    kind: 'ExternalSecret',
    metadata: {
      name: externalSecretName(ces),
      namespace,
      ...(isEmpty(labels) ? {} : { labels }),
      ...(isEmpty(own) ? {} : { annotations: own }),
      ownerReferences: [
        {
          apiVersion: HUB,
          kind: KIND,
          name: ces.metadata.name ?? '',
          uid: ces.metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: ces.spec.externalSecretSpec,
  };
}

const isEmpty = (map: object | undefined): boolean => map === undefined || Object.keys(map).length === 0;

/** One step of RFC 6902. */
export interface PatchStep {
  readonly op: 'add' | 'remove' | 'replace';
  readonly path: string;
  readonly value?: unknown;
}

/**
 * What has to change on the live object, as a JSON patch that holds for the version that was seen; empty if
 * nothing. @param live one that the same ClusterExternalSecret controls
 */
export function changesTo(live: ExternalSecret, desired: ExternalSecret): readonly PatchStep[] {
  const steps: PatchStep[] = [];
  if (!isDeepStrictEqual(live.spec, desired.spec))
    steps.push({ op: 'add', path: '/spec', value: desired.spec });
  for (const field of ['labels', 'annotations'] as const) {
    const [is, wanted] = [live.metadata[field] ?? {}, desired.metadata[field] ?? {}];
    if (isDeepStrictEqual(is, wanted)) continue;
    const path = `/metadata/${field}`;
    steps.push(isEmpty(wanted) ? { op: 'remove', path } : { op: 'add', path, value: wanted });
  }
  const [owner] = desired.metadata.ownerReferences ?? [];
  const owners = live.metadata.ownerReferences ?? [];
  if (owner !== undefined && !owners.some(({ uid }) => uid === owner.uid)) {
    const value = owners.map((one): OwnerReference => (one.controller === true ? owner : one));
    steps.push({ op: 'add', path: '/metadata/ownerReferences', value });
  }
  if (steps.length === 0) return steps;
  return [
    { op: 'replace', path: '/metadata/resourceVersion', value: live.metadata.resourceVersion },
    ...steps,
  ];
}

/** What became of one namespace. */
export type NamespaceOutcome = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** An object has room for 1.5 MiB: that many reasons of that many characters are told, the rest is counted. */
const MAX_FAILURES = 1_000;
const MAX_REASON = 400;

const shorten = (text: string): string =>
  text.length <= MAX_REASON ? text : `${text.slice(0, MAX_REASON - 3)}...`;

/** The whole status. ESO's words; what is more than that follows a colon. @param outcomes of every namespace that is selected */
export function clusterStatus(
  ces: ClusterExternalSecret,
  outcomes: ReadonlyMap<string, NamespaceOutcome>,
): ClusterExternalSecretStatus {
  const names = [...outcomes.keys()].sort();
  const failed = names.flatMap((namespace) => {
    const outcome = outcomes.get(namespace);
    return outcome?.ok === false ? [{ namespace, reason: shorten(outcome.reason) }] : [];
  });
  const provisioned = names.filter((namespace) => outcomes.get(namespace)?.ok === true);
  return {
    externalSecretName: externalSecretName(ces),
    ...(provisioned.length === 0 ? {} : { provisionedNamespaces: provisioned }),
    ...(failed.length === 0 ? {} : { failedNamespaces: failed.slice(0, MAX_FAILURES) }),
    conditions: [
      failed.length === 0
        ? { type: 'Ready', status: 'True' }
        : {
            type: 'Ready',
            status: 'False',
            message: `one or more namespaces failed: ${failed.length} of ${names.length}`,
          },
    ],
  };
}

/** The status of one that cannot be carried out as it stands: nothing is changed anywhere. @param made namespaces that have its ExternalSecret */
export function invalidStatus(
  ces: ClusterExternalSecret,
  made: readonly string[],
  reason: string,
): ClusterExternalSecretStatus {
  const outcomes = new Map<string, NamespaceOutcome>(made.map((namespace) => [namespace, { ok: true }]));
  return {
    ...clusterStatus(ces, outcomes),
    // ESO's word for a failure of no namespace in particular.
    failedNamespaces: [{ namespace: 'unknown', reason: shorten(reason) }],
    conditions: [
      { type: 'Ready', status: 'False', message: shorten(`one or more namespaces failed: ${reason}`) },
    ],
  };
}

/** A merge patch from one status to the other; undefined if they say the same. */
export function statusPatch(
  before: ClusterExternalSecretStatus | undefined,
  after: ClusterExternalSecretStatus,
): Readonly<Record<string, unknown>> | undefined {
  const fields = ['externalSecretName', 'provisionedNamespaces', 'failedNamespaces', 'conditions'] as const;
  const changed = fields.filter((field) => !isDeepStrictEqual(before?.[field], after[field]));
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((field) => [field, after[field] ?? null]));
}
