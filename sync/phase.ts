/** At which moments of its interval an object is refreshed; the same after a restart, and for all that read one remote object. */
import { hash } from 'node:crypto';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { plan } from './plan.ts';
import type { ResolvedStore } from './stores.ts';

/**
 * Turns fall on multiples of this. A process that wakes up for each object by itself does its work with cold caches: 573
 * of them, spread over ten seconds, take five times the CPU of 14 of them each quarter of a second.
 */
const TICK_MS = 250;
/** An interval has so many ticks at least. */
const MIN_TICKS = 8;

/** A number from 0 up to `interval` (milliseconds) that is always the same for the same text. */
export function phaseOf(text: string, interval: number): number {
  if (interval <= 0) return 0;
  const tick = Math.min(TICK_MS, interval / MIN_TICKS);
  const ticks = Math.floor(interval / tick);
  return Math.floor((hash('sha1', text, 'buffer').readUInt32BE(0) / 2 ** 32) * ticks) * tick;
}

/** The first moment after `now` that lies `phase` behind a multiple of the interval; all in milliseconds. */
export function nextSlot(now: number, interval: number, phase: number): number {
  return Math.floor((now - phase) / interval + 1) * interval + phase;
}

/**
 * Objects that read the same remote object through the same identity get the same phase.
 * @param key `namespace/name` of the object
 * @param stores those that it reads from
 */
export function phaseFor(
  key: string,
  es: ExternalSecret,
  stores: readonly ResolvedStore[],
  interval: number,
): number {
  if (interval <= 0) return 0;
  const names = plan(es).reads.flatMap(({ source }) => {
    if (source.kind === 'generator') return [];
    const { kind, name } = source.store;
    return stores
      .filter(({ object }) => object.kind === kind && object.metadata.name === name)
      .map(({ identity, provider, config }) =>
        source.kind === 'read'
          ? `${identity}|${provider.canonicalKey(config, source.remote)}`
          : `${identity}|find ${JSON.stringify(source.request)}`,
      );
  });
  const [smallest] = names.sort();
  return phaseOf(smallest ?? key, interval);
}
