/**
 * A circuit breaker: a store that fails in a row is left alone for a moment, so that nobody waits for it, and
 * it is not asked by everybody at once when it comes back. One request at a time then finds out.
 */
import type { Clock } from '../api/clock.ts';
import { type ErrorCode, EsaError } from '../api/errors.ts';
import type { StoreLimits } from '../policy/store-limits.ts';
import { ProviderError } from '../providers/contract.ts';

/** `paused`: the provider has asked for it (429, or 503 with Retry-After); the others are the field's usual words. */
export type BreakerState = 'closed' | 'half-open' | 'open' | 'paused';

/** Up to this much longer, at random: replicas do not come back together. */
const JITTER_MS = 500;
/** The longest pause that is granted to a provider; it may ask for another one then. */
const MAX_PAUSE_MS = 5 * 60_000;
/** While one request finds out, others wait so long for what it finds. A provider that is back needs less. */
const PROBE_WAIT_MS = 250;

/** Below the level of answers: nobody there, too slow, or not able to serve (5xx). */
const FAILED: ReadonlySet<ErrorCode> = new Set(['PROVIDER_UNREACHABLE', 'PROVIDER_TIMEOUT']);

/** The store was not asked. */
export class StoreUnavailable extends EsaError {
  /** Milliseconds until it may be asked again. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super('STORE_UNAVAILABLE', message);
    this.name = 'StoreUnavailable';
    this.retryAfterMs = retryAfterMs;
  }
}

interface Probe {
  readonly startedAt: number;
  readonly over: PromiseWithResolvers<void>;
}

export type BreakerSettings = Pick<StoreLimits, 'breakerFailures' | 'breakerCoolDownMs'>;

export interface BreakerOptions {
  readonly clock: Clock;
  readonly settings: BreakerSettings;
  /** It was open or paused (`asked`: by the provider) and is closed now; called before anybody else is let through. */
  readonly onRecovered?: (asked: boolean) => void;
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onRecovered: BreakerOptions['onRecovered'];
  #settings: BreakerSettings;
  #failures = 0;
  /** Set while it is not closed: until when nobody is let through (monotonic), and why. */
  #tripped: { readonly until: number; readonly why: string; readonly paused: boolean } | undefined;
  #probe: Probe | undefined;

  constructor({ clock, settings, onRecovered, random = Math.random }: BreakerOptions) {
    this.#clock = clock;
    this.#settings = settings;
    this.#onRecovered = onRecovered;
    this.#random = random;
  }

  /** Other settings, from the next failure on. */
  configure(settings: BreakerSettings): void {
    this.#settings = settings;
  }

  get state(): BreakerState {
    if (this.#tripped === undefined) return 'closed';
    if (this.#clock.monotonic() >= this.#tripped.until) return 'half-open';
    return this.#tripped.paused ? 'paused' : 'open';
  }

  /** True if there is nothing to remember. */
  get idle(): boolean {
    return this.#tripped === undefined && this.#failures === 0;
  }

  /**
   * @param label the store, for the message
   * @throws StoreUnavailable while it is open or paused
   */
  check(label: string): void {
    const tripped = this.#tripped;
    if (tripped === undefined) return;
    const left = tripped.until - this.#clock.monotonic();
    if (left > 0) throw new StoreUnavailable(`${label}: ${tripped.why}`, left);
  }

  /**
   * Runs `work` and learns from how it ends.
   * @param work may have to wait; then it calls `recheck`, which throws if the store must no longer be asked
   * @throws StoreUnavailable without running it; what `work` throws
   */
  async run<T>(label: string, work: (recheck: () => void) => Promise<T>): Promise<T> {
    const probe = await this.#admit(label);
    const recheck = (): void => {
      if (probe !== undefined || this.#tripped === undefined) return;
      this.check(label);
      throw new StoreUnavailable(`${label}: ${this.#tripped.why}`, this.#settings.breakerCoolDownMs);
    };
    try {
      const result = await work(recheck);
      this.#answered(probe !== undefined);
      return result;
    } catch (error) {
      this.#learn(error, probe !== undefined);
      throw error;
    } finally {
      if (probe !== undefined) {
        this.#probe = undefined;
        probe.over.resolve();
      }
    }
  }

  /** @returns the probe if the caller is to find out whether the store is back */
  async #admit(label: string): Promise<Probe | undefined> {
    this.check(label);
    if (this.#tripped === undefined) return undefined;
    const running = this.#probe;
    if (running === undefined) {
      this.#probe = { startedAt: this.#clock.monotonic(), over: Promise.withResolvers() };
      return this.#probe;
    }
    const wait = running.startedAt + PROBE_WAIT_MS - this.#clock.monotonic();
    if (wait > 0) await within(running.over.promise, wait);
    const { why } = this.#tripped ?? {};
    if (why === undefined) return undefined;
    throw new StoreUnavailable(`${label}: ${why}`, this.#settings.breakerCoolDownMs);
  }

  #learn(error: unknown, probing: boolean): void {
    const { code, message } = error instanceof EsaError ? error : { code: undefined, message: '' };
    const asked = error instanceof ProviderError ? error.retryAfterMs : undefined;
    // Who has too many requests and does not say for how long gets the time of a failure.
    const pauseMs = code === 'PROVIDER_THROTTLED' ? (asked ?? this.#settings.breakerCoolDownMs) : asked;
    if (pauseMs !== undefined) {
      this.#failures = 0;
      const until = this.#clock.monotonic() + Math.min(pauseMs, MAX_PAUSE_MS) + this.#jitter();
      const cause = code === 'PROVIDER_THROTTLED' ? 'too many requests' : causeOf(message);
      this.#tripped = { until, paused: true, why: `${cause} (left alone for a while, as it asked)` };
    } else if (code !== undefined && FAILED.has(code)) {
      this.#failures += 1;
      // What was sent before it opened says nothing new.
      const opens = this.#tripped === undefined ? this.#failures >= this.#settings.breakerFailures : probing;
      if (!opens) return;
      const until = this.#clock.monotonic() + this.#settings.breakerCoolDownMs + this.#jitter();
      const why = `${causeOf(message)} (failing, left alone for a moment)`;
      this.#tripped = { until, paused: false, why };
    } else if (error instanceof ProviderError) {
      // A refusal is an answer.
      this.#answered(probing);
    }
  }

  /** What was sent before it asked for a pause says nothing about that. */
  #answered(probing: boolean): void {
    if (probing || this.#tripped?.paused !== true) this.#close();
  }

  #jitter(): number {
    return this.#random() * JITTER_MS;
  }

  #close(): void {
    const tripped = this.#tripped;
    this.#failures = 0;
    this.#tripped = undefined;
    if (tripped !== undefined) this.#onRecovered?.(tripped.paused);
  }
}

/**
 * What stands behind server and request in an error of a provider. The request is somebody else's, perhaps of another
 * namespace, whose keys are nobody's business.
 */
const causeOf = (message: string): string => message.slice(message.lastIndexOf(': ') + 1).trim();

/** Resolves with the promise, or after so many milliseconds. */
async function within(promise: Promise<void>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
