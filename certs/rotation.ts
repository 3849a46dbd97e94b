/**
 * When a CA is due for what. Pure; the manager carries it out. Every step is one write of the Secret, and what
 * has been published or waited for is measured anew by each leader: so a leader may die between any two writes.
 */
import { MAX_PREVIOUS, type SharedState } from './authority.ts';
import type { KeyAndCertificate } from './issue.ts';
import { isValidAt, readCertificate, renewalTime } from './x509.ts';

/**
 * `introduce`: make the next CA, to be published beside the current one. `switch`: the next CA signs from now
 * on. `drop`: forget the CAs that signed before.
 */
export type Step = 'introduce' | 'switch' | 'drop';

/** Durations are by the monotonic clock: a jump of the wall clock cuts no waiting short. */
export interface Situation {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** For how long all callers were seen to hold the bundle of this state; undefined if not all do. */
  readonly publishedMs: number | undefined;
  /** For how long the state has been known here. */
  readonly heldMs: number;
  /** What callers are given to learn of a CA before it signs, and replicas to stop using one. */
  readonly overlapMs: number;
  /** Somebody has asked for a new CA. */
  readonly requested: boolean;
}

/** While the current CA is of no use every further wait is an outage: so long callers that listen are given, */
const URGENT_MS = 1000;
/** and so long those that cannot be told. */
const URGENT_PATIENCE_MS = 10_000;

/** The step that is due, if any. */
export function nextStep(
  { current, next, previous }: SharedState,
  { now, publishedMs = -1, heldMs, overlapMs, requested }: Situation,
): Step | undefined {
  const valid = isValidAt(current.cert, now);
  if (next !== undefined && isValidAt(next.cert, now)) {
    if (publishedMs >= (valid ? overlapMs : Math.min(overlapMs, URGENT_MS))) return 'switch';
    return !valid && heldMs >= Math.min(overlapMs, URGENT_PATIENCE_MS) ? 'switch' : undefined;
  }
  // Nothing was there to publish it for so long that it has expired, too.
  if (!valid || next !== undefined) return 'introduce';
  if (previous.length > 0) return heldMs >= overlapMs ? 'drop' : undefined;
  const certificate = readCertificate(current.cert);
  const due = certificate !== undefined && now >= renewalTime(certificate);
  return due || requested ? 'introduce' : undefined;
}

/** The state after a step. `request` is what was asked for when it was taken; `build` makes a CA. */
export async function takeStep(
  state: SharedState,
  step: Step,
  request: string | undefined,
  build: () => Promise<KeyAndCertificate>,
): Promise<SharedState> {
  const { current, next, previous } = state;
  const after = { ...state, generation: state.generation + 1 };
  switch (step) {
    case 'introduce':
      return { ...after, next: await build(), answered: request };
    case 'switch':
      return {
        ...after,
        current: next ?? current,
        next: undefined,
        previous: [current.cert, ...previous].slice(0, MAX_PREVIOUS),
      };
    case 'drop':
      return { ...after, previous: [] };
  }
}
