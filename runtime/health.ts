/**
 * What /healthz says: that the program makes progress. An outage of the API server or of a provider is no reason to
 * fail it, since a restart would not heal that and would lose what is in memory; a loop that stands still is.
 */
import type { Clock } from '../api/clock.ts';

/** A loop that should move. */
export interface Loop {
  readonly name: string;
  /** For how long it has not moved although it should have, milliseconds; 0 while it has nothing to do. */
  readonly stalledMs: () => number;
  /** How long that may be: longer than any time limit within it. */
  readonly limitMs: number;
}

/** @returns why the program should be started anew; undefined if all loops move */
export function stalledLoop(loops: Iterable<Loop>): string | undefined {
  for (const { name, stalledMs, limitMs } of loops) {
    const ms = stalledMs();
    if (ms > limitMs) return `${name} has stood still for ${Math.round(ms / 1000)} s`;
  }
  return undefined;
}

const TICK_MS = 5_000;
const TICK_LIMIT_MS = 60_000;

/** A loop of nothing but a timer: it stands still when timers do. */
export function timerLoop(clock: Clock): Loop & Disposable {
  let tickedAt = clock.monotonic();
  const timer = setInterval(() => {
    tickedAt = clock.monotonic();
  }, TICK_MS).unref();
  return {
    name: 'the timers',
    stalledMs: () => clock.monotonic() - tickedAt,
    limitMs: TICK_LIMIT_MS,
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
