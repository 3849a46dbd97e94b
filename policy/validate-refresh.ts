/** Rules on when values are read again. */
import { CronError, parseCron } from '../api/cron.ts';
import { parseGoDuration } from '../api/duration.ts';
import type { ExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import type { Report } from '../api/problem.ts';

/** @param spec in the hub version and valid by its schema */
export function validateRefresh(spec: ExternalSecretSpec, report: Report): void {
  const { refreshInterval, syncWindows } = spec;
  if (
    refreshInterval !== undefined &&
    refreshInterval !== '' &&
    parseGoDuration(refreshInterval) === undefined
  ) {
    report(
      'es-refresh-interval',
      ['refreshInterval'],
      `"${refreshInterval}" is not a duration; write it like 30s, 5m or 1h30m (0 fetches once)`,
    );
  }
  for (const [index, { schedule, duration }] of (syncWindows?.windows ?? []).entries()) {
    const reason = scheduleError(schedule);
    if (reason !== undefined) {
      report(
        'es-window-schedule',
        ['syncWindows', 'windows', index, 'schedule'],
        `"${schedule}" is not a schedule: ${reason}; write five fields of cron in UTC, or a word such as @daily`,
      );
    }
    const length = parseGoDuration(duration);
    if (length === undefined || length <= 0) {
      report(
        'es-window-duration',
        ['syncWindows', 'windows', index, 'duration'],
        `"${duration}" is not a time for which a window can be open; write it like 30m or 8h`,
      );
    }
  }
}

/** Why a schedule cannot be read; undefined if it can. */
function scheduleError(schedule: string): string | undefined {
  try {
    parseCron(schedule);
    return undefined;
  } catch (error) {
    if (error instanceof CronError) return error.message;
    throw error;
  }
}
