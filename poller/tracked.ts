/** What is kept of an ExternalSecret between two syncs. There may be 100,000 of them: nothing here is large. */
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { type Cadence, cadenceOf } from '../sync/cadence.ts';
import { phaseOf } from '../sync/phase.ts';
import { creationPolicyOf } from '../sync/plan.ts';
import type { Memory } from '../sync/reconcile.ts';
import { readyCondition } from '../sync/status.ts';
import type { Indexed } from './object-index.ts';
import { pack } from './projection.ts';

export interface Tracked extends Indexed {
  /** The object as it was seen last; see projection.ts. */
  packed: string;
  /** Stands for the spec, labels and annotations that were handled last; undefined = none yet by this process. */
  handled: number | undefined;
  memory: Memory;
  /** Failures in a row. */
  failures: number;
  cadence: Cadence;
  phase: number;
  /** A sync is needed whatever the schedule says: new, changed, drifted. */
  wanted: boolean;
  /** When the next ordinary turn is (whole monotonic milliseconds); a look at the Secret does not move it. */
  dueAt: number | undefined;
  /** resourceVersions of the target that were seen while a sync ran. */
  seenVersion: string | undefined;
  /** After the last sync there is rightly no Secret, so nobody has to mend that. */
  absent: boolean;
  /** An Orphan is not kept from drifting; its next refresh compares it (eso.md 2.3). */
  orphan: boolean;
  /** The Ready condition of its status is True. */
  ready: boolean;
  /** Its status lists leases, which end with it. */
  leased: boolean;
  /** For the metrics: attempts of this process, those of them that failed, how long the last one took, how it ended. */
  attempts: number;
  errors: number;
  microseconds: number;
  condition: 'True' | 'False' | undefined;
}

const NOTHING: Memory = {
  digest: undefined,
  dataHash: undefined,
  secretVersion: undefined,
  missing: [],
  verdicts: [],
};

/** Takes in the object as it is now. */
export function observe(tracked: Tracked, es: ExternalSecret): void {
  tracked.packed = pack(es);
  tracked.cadence = sharedCadence(cadenceOf(es.spec));
  tracked.orphan = creationPolicyOf(es.spec) === 'Orphan';
  tracked.ready = readyCondition(es.status)?.status === 'True';
  tracked.leased = (es.status?.leases?.length ?? 0) > 0;
}

/** An object that nothing is known of but what stands in it. */
export function track(key: string, es: ExternalSecret): Tracked {
  const cadence = sharedCadence(cadenceOf(es.spec));
  const tracked: Tracked = {
    key,
    target: undefined,
    stores: [],
    packed: '',
    handled: undefined,
    memory: NOTHING,
    failures: 0,
    cadence,
    phase: cadence.interval > 0 ? phaseOf(key, cadence.interval) : 0,
    wanted: false,
    dueAt: undefined,
    seenVersion: undefined,
    absent: false,
    orphan: false,
    ready: false,
    leased: false,
    attempts: 0,
    errors: 0,
    microseconds: 0,
    condition: undefined,
  };
  observe(tracked, es);
  return tracked;
}

/** The same, with what is rarely there shared by all that lack it. */
export function memoryOf(memory: Memory): Memory {
  const { digest, dataHash, secretVersion, missing = [], verdicts = [] } = memory;
  return {
    digest,
    dataHash,
    secretVersion,
    missing: missing.length === 0 ? NO_MISSING : missing,
    verdicts: verdicts.length === 0 ? NO_VERDICTS : verdicts,
  };
}

const { missing: NO_MISSING = [], verdicts: NO_VERDICTS = [] } = NOTHING;

/** A cluster has few intervals; however many somebody makes up, no more than these are kept. */
const MAX_CADENCES = 1_000;
const cadences = new Map<string, Cadence>();

function sharedCadence(cadence: Cadence): Cadence {
  const name = `${cadence.interval}/${cadence.onEdit}`;
  const known = cadences.get(name);
  if (known !== undefined) return known;
  if (cadences.size < MAX_CADENCES) cadences.set(name, cadence);
  return cadence;
}
