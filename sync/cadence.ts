/** When the values of an object are read again (eso.md 2.2). */
import { parseGoDuration } from '../api/duration.ts';
import type { ExternalSecret, ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import { CLOCK_SKEW_MS, COARSE_REFRESH_MS, currentVersion } from './status.ts';
import { syncPermitted } from './windows.ts';

export interface Cadence {
  /** Milliseconds between two reads; 0: time alone never brings one. */
  readonly interval: number;
  /** True if an edit of spec, labels or annotations brings one. */
  readonly onEdit: boolean;
}

/** What the API server writes where the spec says nothing. */
const DEFAULT_INTERVAL_MS = 3_600_000;
/** However short the interval is that somebody writes: no object is read more often. */
const SHORTEST_INTERVAL_MS = 1_000;

/**
 * Periodic with an interval reads by time and on edits; with 0 or less it reads once, as CreatedOnce does, and
 * an edit changes nothing (as in ESO). OnChange reads on edits only.
 */
export function cadenceOf(spec: ExternalSecretSpec | undefined): Cadence {
  const policy = spec?.refreshPolicy ?? 'Periodic';
  if (policy === 'CreatedOnce') return { interval: 0, onEdit: false };
  if (policy === 'OnChange') return { interval: 0, onEdit: true };
  const interval = parseGoDuration(spec?.refreshInterval ?? '') ?? DEFAULT_INTERVAL_MS;
  return interval > 0
    ? { interval: Math.max(interval, SHORTEST_INTERVAL_MS), onEdit: true }
    : { interval: 0, onEdit: false };
}

/** ESO's ceiling. */
const LONGEST_RETRY_MS = 7 * 60_000;

/** What failed is tried again within this time, milliseconds, unless its provider asks for more; never later than its interval. */
export const retryCeiling = (interval: number): number =>
  interval > 0 ? Math.min(interval, LONGEST_RETRY_MS) : LONGEST_RETRY_MS;

type Known = Pick<ExternalSecret, 'metadata' | 'status'>;

/** True if no sync of this object has ever succeeded. */
export const neverSynced = ({ status }: Known): boolean =>
  !status?.syncedResourceVersion || !status.refreshTime;

const recordedAt = ({ status }: Known): number => Date.parse(status?.refreshTime ?? '') || 0;

/** A clock that was wrong when the status was written, or a status that somebody copied. @param now wall clock */
export const refreshedInFuture = (es: Known, { interval }: Cadence, now: number): boolean =>
  interval > 0 && recordedAt(es) > now + CLOCK_SKEW_MS;

/**
 * True if the object was due while nobody was there to read it. With short intervals refreshTime is not written at
 * each refresh and says nothing, and the next turn is near anyway.
 */
export const isOverdue = (es: Known, { interval }: Cadence, now: number): boolean =>
  interval >= COARSE_REFRESH_MS && now - recordedAt(es) > interval;

/**
 * Sync windows hold back what only time has brought: not the first sync, not a change of the object.
 * @returns when the windows that are closed now open, undefined if nothing holds the object back
 */
export function windowOpens(es: ExternalSecret, { interval }: Cadence, now: number): number | undefined {
  const windows = es.spec.syncWindows;
  if (windows === undefined || interval <= 0) return undefined;
  if (neverSynced(es) || es.status?.syncedResourceVersion !== currentVersion(es)) return undefined;
  const { permitted, nextChange } = syncPermitted(windows, now);
  // Windows that never open are looked at again each interval.
  return permitted ? undefined : (nextChange ?? now + interval);
}
