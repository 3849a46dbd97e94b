/** When a CA is due for what. Pure; the manager carries it out. */
import { isExpired, type SharedState } from './authority.ts';
import type { KeyAndCertificate } from './issue.ts';
import { readCertificate, renewalTime } from './x509.ts';

/**
 * `replace`: the CA has expired, nothing trusts it any more. `introduce`: make the next CA and publish it.
 * `switch`: the next CA signs from now on. `drop`: forget CAs whose last leaf has ended.
 */
export type Step = 'replace' | 'introduce' | 'switch' | 'drop';

export interface Situation {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The bundle with the next CA was read back everywhere, long enough ago for API servers to know it. */
  readonly published: boolean;
  readonly leafLifetimeMs: number;
}

/** The step that is due, if any. */
export function nextStep(
  state: SharedState,
  { now, published, leafLifetimeMs }: Situation,
): Step | undefined {
  if (isExpired(state.current, now)) return 'replace';
  if (state.next !== undefined) return published ? 'switch' : undefined;
  const current = readCertificate(state.current.cert);
  if (current !== undefined && now >= renewalTime(current)) return 'introduce';
  if (state.previous.length === 0) return undefined;
  const lastLeafEnds = (state.switchedAt ?? 0) + leafLifetimeMs;
  const over = now >= lastLeafEnds || state.previous.every((cert) => isExpired({ cert }, now));
  return over ? 'drop' : undefined;
}

/** The state after a step. `build` makes a CA. */
export async function takeStep(
  state: SharedState,
  step: Step,
  now: number,
  build: () => Promise<KeyAndCertificate>,
): Promise<SharedState> {
  const { current, next, previous } = state;
  switch (step) {
    case 'replace': {
      // One that was introduced in time is trusted already.
      const heir = next !== undefined && !isExpired(next, now) ? next : await build();
      return { ...state, current: heir, next: undefined, previous: [], switchedAt: undefined };
    }
    case 'introduce':
      return { ...state, next: await build() };
    case 'switch': {
      const retired = [current.cert, ...previous].filter((cert) => !isExpired({ cert }, now));
      return { ...state, current: next ?? current, next: undefined, previous: retired, switchedAt: now };
    }
    case 'drop':
      return { ...state, previous: [], switchedAt: undefined };
  }
}
