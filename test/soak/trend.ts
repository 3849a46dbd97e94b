/** Does a number grow? */
export interface Sample {
  /** Milliseconds. */
  readonly at: number;
  readonly value: number;
}

/**
 * How much a straight line through the samples (least squares) rises from the first to the last of them, in percent of
 * where it begins; 0 for fewer than three.
 */
export function growthPercent(samples: readonly Sample[]): number {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined || samples.length < 3) return 0;
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, one) => sum + one, 0) / values.length;
  const at = mean(samples.map((sample) => sample.at));
  const value = mean(samples.map((sample) => sample.value));
  const covariance = mean(samples.map((sample) => (sample.at - at) * (sample.value - value)));
  const variance = mean(samples.map((sample) => (sample.at - at) ** 2));
  if (variance === 0) return 0;
  const slope = covariance / variance;
  const begin = value + slope * (first.at - at);
  return Math.round(((slope * (last.at - first.at)) / begin) * 1000) / 10;
}
