/** The status of an ExternalSecret, in ESO's words (eso.md 3.1); pure. */

import { ANNOTATION_REFRESH } from '../api/external-secrets/names.ts';
import type { ExternalSecret, ExternalSecretStatus, LeaseRecord } from '../api/external-secrets/v1/index.ts';
import { syncedResourceVersion } from '../api/go-hash.ts';
import { isKes } from '../api/kubernetes-client/names.ts';
import { kesVersion, oneLine } from '../api/kubernetes-client/status.ts';
import type { SyncError } from './errors.ts';

export interface Condition {
  type: 'Ready';
  status: 'True' | 'False';
  reason: string;
  message: string;
  lastTransitionTime: string;
}

/** Kubernetes times have seconds. */
const kubeTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** Clocks of machines differ that much without anything being wrong. */
export const CLOCK_SKEW_MS = 60_000;

type Versioned = Pick<ExternalSecret, 'metadata'> & { readonly apiVersion?: string | undefined };

/** What identifies the version of the object that was synced: generation, labels and annotations. KES knows the first. */
export const currentVersion = (es: Versioned): string =>
  isKes(es)
    ? kesVersion(es.metadata.generation ?? 0)
    : syncedResourceVersion(
        es.metadata.generation ?? 0,
        es.metadata.annotations ?? {},
        es.metadata.labels ?? {},
      );

/** Of KES also the part of a second, as KES itself writes it. */
const refreshTimeOf = (es: Versioned, ms: number): string =>
  isKes(es) ? new Date(ms).toISOString() : kubeTime(ms);

/**
 * True if somebody has asked for a refresh of an object of KES, and its status tells of none since. The version of
 * every other object says so by itself; that of KES is the generation, which no annotation raises.
 * @param now wall clock, milliseconds
 */
export function owesRefresh(es: Versioned & Pick<ExternalSecret, 'status'>, now: number): boolean {
  if (!isKes(es)) return false;
  const asked = Date.parse(es.metadata.annotations?.[ANNOTATION_REFRESH] ?? '');
  // What nobody can have asked yet would be owed for ever.
  return asked > (Date.parse(es.status?.refreshTime ?? '') || 0) && asked <= now + CLOCK_SKEW_MS;
}

/** refreshTime is written no more often than this while nothing else changes. */
export const COARSE_REFRESH_MS = 10 * 60_000;

/** `coarse`: as rarely as that; `always`: at each refresh, as in ESO. */
export const REFRESH_TIME_MODES = ['coarse', 'always'] as const;
export type RefreshTimeMode = (typeof REFRESH_TIME_MODES)[number];

/** The Ready condition that stands in a status, if any. */
export function readyCondition(
  status: { conditions?: readonly { type: string }[] | undefined } | undefined,
): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === 'Ready') as Condition | undefined;
}

/** Keeps the time of the last transition while `status` stays the same. */
export function nextCondition(
  before: Condition | undefined,
  after: Omit<Condition, 'type' | 'lastTransitionTime'>,
  now: number,
): Condition {
  const lastTransitionTime = before?.status === after.status ? before.lastTransitionTime : kubeTime(now);
  return { type: 'Ready', ...after, lastTransitionTime };
}

export const sameCondition = (a: Condition | undefined, b: Condition): boolean =>
  a !== undefined && a.status === b.status && a.reason === b.reason && a.message === b.message;

/** What a sync that did not fail came to (eso.md 3.1). */
export type SyncedOutcome = 'synced' | 'retained' | 'deleted' | 'missing' | 'none';

/** ESO's words for each. */
const OUTCOMES: Readonly<Record<SyncedOutcome, { reason: string; message: string }>> = {
  synced: { reason: 'SecretSynced', message: 'secret synced' },
  none: { reason: 'SecretSynced', message: 'secret synced' },
  retained: { reason: 'SecretSynced', message: 'secret retained due to DeletionPolicy=Retain' },
  deleted: { reason: 'SecretDeleted', message: 'secret deleted due to DeletionPolicy=Delete' },
  missing: { reason: 'SecretMissing', message: 'secret will not be created due to CreationPolicy=Merge' },
};

/** True if the condition says that there is rightly no Secret, or that it was left as it was. */
export const excusesMissing = (condition: Condition | undefined): boolean =>
  (['retained', 'deleted', 'missing'] as const).some(
    (outcome) =>
      condition?.reason === OUTCOMES[outcome].reason && condition.message === OUTCOMES[outcome].message,
  );

export interface SyncedInput {
  readonly outcome: SyncedOutcome;
  readonly es: Versioned & Pick<ExternalSecret, 'status'>;
  readonly target: string;
  /** When the values were read, milliseconds since the epoch. */
  readonly refreshedAt: number;
  readonly now: number;
  /** Milliseconds; 0 or less = no polling. */
  readonly interval: number;
  /** `coarse` if absent. */
  readonly refreshTime?: RefreshTimeMode;
  /** What it should list; undefined if nothing is to be said about leases. */
  readonly leases?: readonly LeaseRecord[] | undefined;
}

/** The status after success, or undefined if what stands there says the same (then nothing is written). */
export function syncedStatus(input: SyncedInput): ExternalSecretStatus | undefined {
  const { es, outcome, refreshedAt, now, interval } = input;
  const version = currentVersion(es);
  const before = readyCondition(es.status);
  const condition = nextCondition(before, { status: 'True', ...OUTCOMES[outcome] }, now);
  const bound = es.status?.binding?.name ?? '';
  const binding = outcome === 'synced' ? input.target : outcome === 'retained' ? bound : '';
  const recorded = Date.parse(es.status?.refreshTime ?? '') || 0;
  const age = refreshedAt - recorded;
  // The API server keeps whole seconds.
  const oldest = input.refreshTime === 'always' ? 1_000 : Math.max(interval, COARSE_REFRESH_MS);
  // A time in the future was written by a clock that was wrong, and would stand there for as long as it was off.
  const stale = interval > 0 && (age >= oldest || age < -CLOCK_SKEW_MS);
  if (
    sameCondition(before, condition) &&
    es.status?.syncedResourceVersion === version &&
    bound === binding &&
    sameLeases(es.status?.leases, input.leases) &&
    !stale &&
    !owesRefresh(es, now)
  ) {
    return undefined;
  }
  return {
    conditions: [condition],
    refreshTime: refreshTimeOf(es, refreshedAt),
    syncedResourceVersion: version,
    binding: { name: binding },
    ...(input.leases === undefined ? {} : { leases: [...input.leases] }),
  };
}

const sameLeases = (before: readonly LeaseRecord[] = [], after: readonly LeaseRecord[] = []): boolean =>
  before.length === after.length && before.every(({ id }, index) => id === after[index]?.id);

/** The status after a failure (refreshTime and syncedResourceVersion stay), or undefined if it says so already. */
export function failedStatus(
  es: Versioned & Pick<ExternalSecret, 'status'>,
  error: SyncError,
  now: number,
): ExternalSecretStatus | undefined {
  if (isKes(es)) return failedKesStatus(es, error, now);
  const before = readyCondition(es.status);
  const condition = nextCondition(
    before,
    { status: 'False', reason: 'SecretSyncedError', message: error.conditionMessage },
    now,
  );
  return sameCondition(before, condition) ? undefined : { conditions: [condition] };
}

/** KES also says which generation has failed, and when. */
function failedKesStatus(
  es: Versioned & Pick<ExternalSecret, 'status'>,
  error: SyncError,
  now: number,
): ExternalSecretStatus | undefined {
  const before = readyCondition(es.status);
  const message = oneLine(error.reason);
  const condition = nextCondition(before, { status: 'False', reason: 'SecretSyncedError', message }, now);
  const version = kesVersion(es.metadata.generation ?? 0, true);
  const same = sameCondition(before, condition) && es.status?.syncedResourceVersion === version;
  if (same && !owesRefresh(es, now)) return undefined;
  return { conditions: [condition], refreshTime: refreshTimeOf(es, now), syncedResourceVersion: version };
}
