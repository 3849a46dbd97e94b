/** When the poller tries an object again, as far as that follows from the object and the clock (decision 0033). */
import { formatGoDuration } from '../../api/duration.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { cadenceOf, neverSynced, retryCeiling, windowOpens } from '../../sync/cadence.ts';
import { nextSlot } from '../../sync/phase.ts';
import { currentVersion, readyCondition } from '../../sync/status.ts';
import type { PollerState } from '../cluster/poller-lease.ts';
import { formatAge } from '../cluster/words.ts';
import type { Next } from './explanation.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

export interface NextInput {
  readonly es: ExternalSecret;
  readonly poller: PollerState;
  /** Wall clock. */
  readonly now: number;
  /** Where in its interval its turns are, see phaseFor; undefined: its stores could not be read. */
  readonly phase: number | undefined;
}

export function nextAttempt({ es, poller, now, phase }: NextInput): Next {
  if (es.metadata.deletionTimestamp !== undefined) return { kind: 'none', text: 'none: it is being deleted' };
  if (poller.state === 'silent' || poller.state === 'absent')
    return { kind: 'none', text: 'none before a poller is at work' };
  const cadence = cadenceOf(es.spec);
  const { interval } = cadence;
  const ready = readyCondition(es.status);
  if (ready === undefined) return { kind: 'now', text: 'at once: nobody has tried it yet' };
  if (ready.status !== 'True') {
    const longest = retryCeiling(interval);
    return {
      kind: 'within',
      at: iso(now + longest),
      text: `within ${formatGoDuration(longest)}: what fails is tried again with growing delays up to that, longer only if the provider asks for it; at once when the object or something it names changes`,
    };
  }
  if (cadence.onEdit && es.status?.syncedResourceVersion !== currentVersion(es))
    return { kind: 'now', text: 'at once: it was changed since the last sync' };
  if (!cadence.onEdit)
    return {
      kind: 'event',
      text: `none: it reads once (${es.spec.refreshPolicy === 'CreatedOnce' ? 'refreshPolicy: CreatedOnce' : 'refreshInterval: 0'}); delete its Secret to have it read again`,
    };
  if (interval <= 0)
    return { kind: 'event', text: 'when spec, labels or annotations change (refreshPolicy: OnChange)' };
  const opens = neverSynced(es) ? undefined : windowOpens(es, cadence, now);
  if (opens !== undefined)
    return {
      kind: 'schedule',
      at: iso(opens),
      text: `in ${formatAge(opens - now)}, when a sync window opens`,
    };
  if (phase === undefined)
    return {
      kind: 'within',
      at: iso(now + interval),
      text: `within ${formatGoDuration(interval)}, its interval`,
    };
  const slot = nextSlot(now, interval, phase);
  return {
    kind: 'schedule',
    at: iso(slot),
    text: `in ${formatAge(slot - now)} by schedule (every ${formatGoDuration(interval)})`,
  };
}
