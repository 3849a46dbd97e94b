/** When remote objects were read, by OpenBao's audit log, and how evenly. */
import type { OpenBao } from '../../harness/openbao.ts';

/** Moments (milliseconds since the epoch) of the reads of `secret/data/<folder>/...`, by the name behind that. */
export function readsIn(
  openBao: OpenBao,
  folder: string,
  since: Date,
  until: Date,
): ReadonlyMap<string, readonly number[]> {
  const reads = new Map<string, number[]>();
  const prefix = `secret/data/${folder}/`;
  for (const { type, time, request } of openBao.auditLines()) {
    const at = Date.parse(time);
    if (type !== 'response' || request.operation !== 'read' || !request.path.startsWith(prefix)) continue;
    if (at < since.getTime() || at >= until.getTime()) continue;
    const name = request.path.slice(prefix.length);
    reads.set(name, [...(reads.get(name) ?? []), at]);
  }
  return reads;
}

/** Where in the interval an object is read: the middle one of its reads, which no single stall of the machine moves. */
export function phasesOf(
  reads: ReadonlyMap<string, readonly number[]>,
  intervalMs: number,
): ReadonlyMap<string, number> {
  return new Map(
    [...reads].map(([name, moments]) => {
      const phases = moments.map((at) => at % intervalMs);
      // Around the end of the interval phases jump; there the same is said from its middle.
      const wraps = Math.max(...phases) - Math.min(...phases) > intervalMs / 2;
      const turned = phases.map((phase) => (wraps && phase < intervalMs / 2 ? phase + intervalMs : phase));
      const middle = turned.toSorted((a, b) => a - b)[Math.floor((turned.length - 1) / 2)] ?? 0;
      return [name, middle % intervalMs] as const;
    }),
  );
}

/** How many of the phases fall into each of `count` equal parts of the interval. */
export function histogram(phases: Iterable<number>, intervalMs: number, count: number): readonly number[] {
  const parts = Array.from({ length: count }, () => 0);
  for (const phase of phases) {
    const part = Math.min(count - 1, Math.floor((phase / intervalMs) * count));
    parts[part] = (parts[part] ?? 0) + 1;
  }
  return parts;
}
