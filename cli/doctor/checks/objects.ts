/** ExternalSecrets and their Secrets: in sync, in time, adopted, wanted. Many with one cause are one finding. */

import { parseGoDuration } from '../../../api/duration.ts';
import { ERROR_CATALOGUE } from '../../../api/errors.ts';
import { ANNOTATION_PENDING, LABEL_CREATED_BY, LABEL_MANAGED } from '../../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../../api/external-secrets/v1/index.ts';
import { createdByHash } from '../../../api/go-hash.ts';
import { parseMarker } from '../../../sync/marker.ts';
import { targetName } from '../../../sync/plan.ts';
import { COARSE_REFRESH_MS, readyCondition } from '../../../sync/status.ts';
import { codeOf } from '../../explain/code-of.ts';
import { plural } from '../../findings.ts';
import { logsOf } from '../commands.ts';
import { type CheckResult, type Finding, few, finding } from '../finding.ts';
import type { ClusterState, MetadataOnly } from '../state.ts';

/** The schema's default. */
const DEFAULT_INTERVAL_MS = 3_600_000;
/** What a busy cluster, a rollout or a sweep may take. */
const GRACE_MS = 5 * 60_000;

const nameOf = ({
  metadata,
}: {
  metadata: { namespace?: string | undefined; name?: string | undefined };
}): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`;

/** The condition's message without what differs from object to object: names, numbers, places. */
export const causeOf = (message: string): string =>
  message
    .replace(/error processing spec\.\S+ \(.*?\), err: /, '')
    .replaceAll(/"[^"]*"/g, '"..."')
    .replaceAll(/\b[\w.-]+\/[\w./-]+/g, '...')
    .replaceAll(/\d+/g, 'N');

const explain = (es: ExternalSecret): string => `esa explain ${es.metadata.name} -n ${es.metadata.namespace}`;

function notReady(items: readonly ExternalSecret[]): readonly Finding[] {
  const failing = items.flatMap((es) => {
    const ready = readyCondition(es.status);
    return ready?.status === 'False' ? [{ es, message: ready.message }] : [];
  });
  const unmanaged = failing.filter(({ message }) => isUnmanaged(message));
  const others = failing.filter(({ message }) => !isUnmanaged(message));
  return [
    ...unmanaged.map(({ es, message }) => {
      const { namespace } = es.metadata;
      const target = targetName(es);
      const commands = [
        `kubectl -n ${namespace} annotate secret ${target} external-secrets-admission.io/adopt=true`,
      ];
      return finding('target-unmanaged', { where: `ExternalSecret ${nameOf(es)}`, what: message, commands });
    }),
    ...[...Map.groupBy(others, ({ message }) => causeOf(message)).values()].flatMap((group) => {
      const [first] = group;
      if (first === undefined) return [];
      const names = few(group.map(({ es }) => nameOf(es)));
      const where = `${plural(group.length, 'ExternalSecret')}: ${names}`;
      const remedy = remedyOf(first.message);
      return [
        finding('objects-not-ready', {
          where,
          what: first.message,
          commands: [explain(first.es)],
          ...remedy,
        }),
      ];
    }),
  ];
}

/** That of the catalogue, if the message is one of it. */
export function remedyOf(message: string): { readonly remedy?: string } {
  const code = codeOf(message);
  return code === undefined ? {} : { remedy: `${ERROR_CATALOGUE[code].remedy} (${code})` };
}

const isUnmanaged = (message: string): boolean => codeOf(message) === 'TARGET_UNMANAGED';

const intervalOf = ({ spec }: ExternalSecret): number =>
  spec.refreshInterval === undefined
    ? DEFAULT_INTERVAL_MS
    : (parseGoDuration(spec.refreshInterval) ?? DEFAULT_INTERVAL_MS);

/**
 * By how much a refresh is overdue beyond what is usual, milliseconds; 0 if it is not. The time of the last one is
 * written no more often than each ten minutes. Undefined: nobody has ever looked at the object.
 */
export function overdueMs(es: ExternalSecret, now: number): number | undefined {
  const { metadata, spec, status } = es;
  if (metadata.deletionTimestamp !== undefined) return 0;
  const ready = readyCondition(status);
  if (ready === undefined)
    return now - Date.parse(metadata.creationTimestamp ?? '') > GRACE_MS ? undefined : 0;
  const interval = intervalOf(es);
  const isPeriodic =
    (spec.refreshPolicy ?? 'Periodic') === 'Periodic' && interval > 0 && spec.syncWindows === undefined;
  const refreshed = Date.parse(status?.refreshTime ?? '');
  // What fails is told with its cause.
  if (!isPeriodic || ready.status !== 'True' || Number.isNaN(refreshed)) return 0;
  return Math.max(0, now - refreshed - Math.max(interval, COARSE_REFRESH_MS) - interval - GRACE_MS);
}

function late(items: readonly ExternalSecret[], { now, install, stores }: ClusterState): readonly Finding[] {
  // Objects of another controller class are rightly left alone.
  const others = new Set(
    (stores.ok ? stores.value.items : [])
      .filter(({ spec }) => spec.controller !== undefined && spec.controller !== '')
      .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name ?? ''}`),
  );
  const isOthers = ({ metadata, spec }: ExternalSecret): boolean => {
    const { kind = 'SecretStore', name = '' } = spec.secretStoreRef ?? {};
    return others.has(`${kind} ${kind === 'SecretStore' ? metadata.namespace : ''}/${name}`);
  };
  const commands = logsOf(install, 'poller');
  const [behind, never]: [ExternalSecret[], ExternalSecret[]] = [[], []];
  let longest = 0;
  for (const es of items) {
    const overdue = overdueMs(es, now);
    if (overdue === undefined && !isOthers(es)) never.push(es);
    if (overdue === undefined || overdue === 0) continue;
    behind.push(es);
    longest = Math.max(longest, overdue);
  }
  const where = (some: readonly ExternalSecret[]): string =>
    `${plural(some.length, 'ExternalSecret')}: ${few(some.map(nameOf))}`;
  return [
    ...(behind.length === 0
      ? []
      : [
          finding('objects-late', {
            where: where(behind),
            what: `Overdue for up to ${Math.round(longest / 1000)} s.`,
            commands,
          }),
        ]),
    ...(never.length === 0
      ? []
      : [
          finding('objects-late', {
            where: where(never),
            what: 'No controller has ever looked at them: they have no condition.',
            commands,
          }),
        ]),
  ];
}

const ageMs = ({ metadata }: MetadataOnly, now: number): number =>
  now - (Date.parse(metadata.creationTimestamp ?? '') || now);

function secretFindings(state: ClusterState, items: readonly ExternalSecret[]): readonly Finding[] {
  const { secrets, externalSecrets, now, install } = state;
  if (!secrets.ok) return [];
  const complete = externalSecrets.ok && !externalSecrets.value.cut;
  const names = new Set(items.map(nameOf));
  const pending = secrets.value.items.filter(
    (secret) =>
      secret.metadata.annotations?.[ANNOTATION_PENDING] !== undefined && ageMs(secret, now) > GRACE_MS,
  );
  const wanted = ({ metadata }: MetadataOnly): boolean => {
    const marker = parseMarker(metadata.annotations?.[ANNOTATION_PENDING] ?? '');
    return !complete || (marker !== undefined && names.has(`${metadata.namespace}/${marker.externalSecret}`));
  };
  const findings: Finding[] = [];
  const [kept, left] = [pending.filter(wanted), pending.filter((secret) => !wanted(secret))];
  const where = (some: readonly MetadataOnly[]): string =>
    `${plural(some.length, 'Secret')}: ${few(some.map(nameOf))}`;
  if (kept.length > 0) {
    const what = 'Their ExternalSecrets exist, and the poller has not adopted them.';
    findings.push(
      finding('secrets-pending', { where: where(kept), what, commands: logsOf(install, 'poller') }),
    );
  }
  if (left.length > 0) {
    const what = 'The ExternalSecrets that they were made for do not exist.';
    const commands = left.slice(0, MOST_COMMANDS).map(deleteSecret);
    findings.push(finding('secrets-pending', { where: where(left), what, commands }));
  }
  if (!complete) return findings;
  const makers = new Set(
    items.map(({ metadata }) => createdByHash(metadata.namespace ?? '', metadata.name ?? '')),
  );
  const orphans = secrets.value.items.filter(
    ({ metadata }) =>
      metadata.labels?.[LABEL_MANAGED] === 'true' &&
      metadata.labels[LABEL_CREATED_BY] !== undefined &&
      !makers.has(metadata.labels[LABEL_CREATED_BY]) &&
      (metadata.ownerReferences ?? []).length === 0 &&
      metadata.annotations?.[ANNOTATION_PENDING] === undefined,
  );
  if (orphans.length > 0) {
    const what = 'They carry the labels of ExternalSecrets that do not exist, and no owner.';
    const commands = orphans.slice(0, MOST_COMMANDS).map(deleteSecret);
    findings.push(finding('secrets-orphaned', { where: where(orphans), what, commands }));
  }
  return findings;
}

const MOST_COMMANDS = 3;
const deleteSecret = ({ metadata }: MetadataOnly): string =>
  `kubectl -n ${metadata.namespace} delete secret ${metadata.name}`;

/** Checks ExternalSecrets and what they left. */
export function checkObjects(state: ClusterState): CheckResult {
  const { externalSecrets, secrets } = state;
  const name = 'ExternalSecrets';
  if (!externalSecrets.ok) return { name, seen: '', findings: [], unseen: [externalSecrets.why] };
  const { items, cut } = externalSecrets.value;
  return {
    name,
    seen: `${plural(items.length, 'ExternalSecret')}${secrets.ok ? `, ${plural(secrets.value.items.length, 'Secret')}` : ''}`,
    findings: [...notReady(items), ...late(items, state), ...secretFindings(state, items)],
    unseen: [
      ...(cut ? [`more than the first ${plural(items.length, 'ExternalSecret')}`] : []),
      ...(secrets.ok
        ? secrets.value.cut
          ? [`more than the first ${plural(secrets.value.items.length, 'Secret')}`]
          : []
        : [secrets.why]),
    ],
  };
}
