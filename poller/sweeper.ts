/**
 * Pending Secrets whose ExternalSecret never came to be (refused later, deleted at once, a create that failed)
 * are deleted. Age is measured on our own monotonic clock from when the Secret was first seen, and nothing
 * goes without a live look at the ExternalSecret.
 */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { pause } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import { getExternalSecret } from '../kube/objects.ts';
import type { Log } from '../runtime/log.ts';
import { parseMarker } from '../sync/marker.ts';
import type { MarkerKeys } from '../sync/marker-keys.ts';
import { targetName } from '../sync/plan.ts';
import { sweepPending } from '../sync/sweep.ts';

interface Pending {
  readonly namespace: string;
  readonly name: string;
  readonly externalSecret: string;
  readonly uid: string;
  /** Monotonic milliseconds. */
  readonly seenAt: number;
  checkAt: number;
}

export interface SweeperOptions {
  readonly kube: KubeClient;
  readonly keys: MarkerKeys;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds; at least 40 s, since the API server gives a request up to 34 s. */
  readonly afterMs: number;
  readonly stop: AbortSignal;
  /** The ExternalSecret exists after all: adopt. */
  readonly onAlive: (namespace: string, externalSecret: string) => void;
  readonly onSwept: () => void;
}

/** How often the list is looked through. */
const ROUND_MS = 1_000;

export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #pending = new Map<string, Pending>();
  /** When a round or a look at one Secret last began; undefined before the start. */
  #movedAt: number | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** The Secrets that were seen with a marker. */
  pending(): Iterable<{ readonly namespace: string; readonly name: string }> {
    return this.#pending.values();
  }

  /** For how long it has done nothing, milliseconds; it should do something each second. */
  get stalledMs(): number {
    return this.#movedAt === undefined ? 0 : this.#options.clock.monotonic() - this.#movedAt;
  }

  /** Sweeps for as long as this process leads. */
  async run(leading: AbortSignal): Promise<void> {
    while (!leading.aborted) {
      this.#movedAt = this.#options.clock.monotonic();
      await pause(ROUND_MS, leading);
      if (!leading.aborted) await this.#sweep(leading);
    }
    this.#movedAt = undefined;
  }

  /** A Secret with a marker was seen. @returns the ExternalSecret that the marker names; undefined if it is no marker */
  track(namespace: string, name: string, uid: string, annotation: string): string | undefined {
    const marker = parseMarker(annotation);
    if (marker === undefined) return undefined;
    const key = `${namespace}/${name}`;
    const known = this.#pending.get(key);
    const now = this.#options.clock.monotonic();
    // The same Secret for another object (a create that replaced it) has its time anew.
    if (known?.uid !== uid || known.externalSecret !== marker.externalSecret) {
      this.#pending.set(key, {
        namespace,
        name,
        uid,
        externalSecret: marker.externalSecret,
        seenAt: now,
        checkAt: now + this.#options.afterMs,
      });
    }
    return marker.externalSecret;
  }

  /** True if this Secret was seen with a marker. */
  isPending(namespace: string, name: string): boolean {
    return this.#pending.has(`${namespace}/${name}`);
  }

  /** The Secret is gone, or no longer pending. */
  untrack(namespace: string, name: string): void {
    this.#pending.delete(`${namespace}/${name}`);
  }

  async #sweep(leading: AbortSignal): Promise<void> {
    const now = this.#options.clock.monotonic();
    for (const pending of [...this.#pending.values()]) {
      if (leading.aborted) return;
      if (pending.checkAt <= now) await this.#check(pending);
    }
  }

  async #check(pending: Pending): Promise<void> {
    const { kube, keys, log, afterMs, clock, stop, onAlive, onSwept } = this.#options;
    const { namespace, name, externalSecret } = pending;
    this.#movedAt = clock.monotonic();
    pending.checkAt = this.#movedAt + afterMs;
    try {
      const result = await sweepPending(kube, keys, { namespace, name }, () => this.#wanted(pending), stop);
      if (result === 'wanted') onAlive(namespace, externalSecret);
      if (result !== 'deleted') return;
      this.untrack(namespace, name);
      onSwept();
      log.info({ namespace, secret: name, name: externalSecret }, 'leftover pending Secret deleted');
    } catch (error) {
      log.warn({ namespace, secret: name, err: error }, 'sweep failed, trying again later');
    }
  }

  /** A live read: is there an ExternalSecret of that name and kind that wants this Secret? */
  async #wanted(pending: Pending): Promise<boolean> {
    try {
      const es = await getExternalSecret<ExternalSecret>(
        this.#options.kube,
        pending.namespace,
        pending.externalSecret,
        { signal: this.#options.stop },
      );
      return targetName(es) === pending.name;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }
}
