/** Why an object is not synced, put together from what its status says and what was found now. */
import type { Cause } from './explanation.ts';

interface Found {
  /** What a Ready condition that is False says. */
  readonly status: Cause | undefined;
  /** What would stop a sync now. */
  readonly inTheWay: readonly Cause[];
  /** That no poller works. */
  readonly poller: Cause | undefined;
  /** False if the object has no Ready condition yet. */
  readonly wasTried: boolean;
}

/** The causes, the one to begin with first. */
export function gatherCauses({ status, inTheWay, poller, wasTried }: Found): Cause[] {
  const causes = distinct([...(status === undefined ? [] : [status]), ...inTheWay]);
  if (poller === undefined) return causes;
  // Nothing has been tried: what else is wrong nobody has met yet.
  return wasTried ? [...causes, poller] : [poller, ...causes];
}

/** Each fact once: what was found now may be what the status says. */
function distinct(causes: readonly Cause[]): Cause[] {
  const kept: Cause[] = [];
  for (const cause of causes) {
    const known = kept.some(
      ({ message }) => message.includes(cause.message) || cause.message.includes(message),
    );
    if (!known) kept.push(cause);
  }
  return kept;
}
