/** Time is always asked of a Clock, so that tests can hold it. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch; for timestamps that people or other programs read. */
  now(): number;
  /** Monotonic milliseconds; for deadlines and intervals. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
