/** One line of a bench: a JSON object on stdout. */
export function report(line: {
  bench: string;
  metric: string;
  value: number;
  unit: string;
  baseline: number;
  n: number;
}): void {
  const ratio = line.baseline === 0 ? null : round(line.value / line.baseline);
  process.stdout.write(
    `${JSON.stringify({ ...line, value: round(line.value), baseline: round(line.baseline), ratio })}\n`,
  );
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** The q-quantile (0 to 1) of the samples, nearest rank. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}
