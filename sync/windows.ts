/**
 * spec.syncWindows: times at which the refresh by interval may or may not run (eso.md 2.2). First syncs, changes of
 * the spec and drift are not asked here. All times are wall-clock milliseconds; schedules are in UTC.
 */
import { CronError, type CronSchedule, parseCron } from '../api/cron.ts';
import { parseGoDuration } from '../api/duration.ts';
import type { SyncWindows } from '../api/external-secrets/v1/external-secret.ts';

export interface Permission {
  readonly permitted: boolean;
  /**
   * The answer stays the same until this moment (exclusive), at which it has to be asked again; undefined: for ever.
   */
  readonly nextChange: number | undefined;
}

interface Window {
  readonly schedule: CronSchedule;
  readonly durationMs: number;
}

/**
 * The windows that can be read. Admission refuses the others; in objects from before they count as never open, as
 * ESO takes them.
 */
function readable(windows: SyncWindows['windows']): Window[] {
  return windows.flatMap(({ schedule, duration }): Window[] => {
    const durationMs = parseGoDuration(duration);
    if (durationMs === undefined || durationMs < 0) return [];
    try {
      return [{ schedule: parseCron(schedule), durationMs }];
    } catch (error) {
      if (error instanceof CronError) return [];
      throw error;
    }
  });
}

/**
 * Whether the refresh by interval may run at `now`, and until when that holds. A window is open from the moment its
 * schedule fires to `duration` later, both included; `@every X` fires X after any moment, so such a window is always
 * open if it stays open for X or longer, and never otherwise. An unknown kind permits, as ESO does.
 */
export function syncPermitted(windows: SyncWindows | undefined, now: number): Permission {
  const kind: string | undefined = windows?.kind;
  if (windows === undefined || windows.windows.length === 0 || (kind !== 'allow' && kind !== 'deny')) {
    return { permitted: true, nextChange: undefined };
  }
  const { open, until } = openness(readable(windows.windows), now);
  return { permitted: open === (kind === 'allow'), nextChange: until };
}

/** Steps from one window into the next that overlaps it; then the caller asks again. */
const MAX_STEPS = 100;

function openness(windows: readonly Window[], now: number): { open: boolean; until: number | undefined } {
  if (
    windows.some(({ schedule, durationMs }) => schedule.kind === 'interval' && schedule.everyMs <= durationMs)
  ) {
    return { open: true, until: undefined };
  }
  let until = closingTime(windows, now);
  if (until === undefined) {
    const openings = windows.flatMap(({ schedule }) =>
      schedule.kind === 'calendar' ? (schedule.next(now) ?? []) : [],
    );
    return { open: false, until: openings.length === 0 ? undefined : Math.min(...openings) };
  }
  for (let step = 0; step < MAX_STEPS; step++) {
    const further = closingTime(windows, until);
    if (further === undefined || further <= until) break;
    until = further;
  }
  return { open: true, until };
}

/** The first millisecond at which all windows that are open at `time` are closed; undefined if none is open. */
function closingTime(windows: readonly Window[], time: number): number | undefined {
  const ends = windows.flatMap(({ schedule, durationMs }) => {
    if (schedule.kind === 'interval') return [];
    const opened = schedule.previous(time);
    return opened === undefined || opened + durationMs < time ? [] : Math.floor(opened + durationMs) + 1;
  });
  return ends.length === 0 ? undefined : Math.max(...ends);
}
