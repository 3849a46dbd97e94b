/**
 * Events on objects, as people see them with `kubectl describe`. Recording never waits and never fails:
 * what cannot be delivered is dropped and counted. An event that repeats is counted up instead of being
 * written again, and an object that produces too many different ones is held back.
 */
import { randomInt } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from '../api/clock.ts';
import { EVENT_SOURCE } from '../api/external-secrets/names.ts';
import { pause } from './backoff.ts';
import { type KubeClient, PATCH } from './client.ts';
import { isNotFound, toKubeError } from './errors.ts';
import type { KubeLog } from './log.ts';
import type { KubeObject } from './objects.ts';
import { resourcePath } from './path.ts';

export type EventType = 'Normal' | 'Warning';

interface EventRecorderOptions {
  readonly kube: KubeClient;
  readonly log: KubeLog;
  readonly clock?: Clock | undefined;
  /** Same object, type, reason and message within this time are one event; 10 min if absent. */
  readonly aggregateMs?: number | undefined;
  /** Events that wait to be sent; further ones are dropped. 1000 if absent. */
  readonly queueLimit?: number | undefined;
  /** Writes for one object at once, and the time until one more is allowed; 25 and 5 min if absent. */
  readonly perObject?: { readonly burst: number; readonly refillMs: number } | undefined;
}

interface Pending {
  readonly key: string;
  readonly object: KubeObject;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  /** Milliseconds since the epoch. */
  firstAt: number;
  lastAt: number;
  /** Occurrences that the API server does not know of yet. */
  count: number;
}

/** An event that exists at the API server. */
interface Written {
  readonly path: string;
  /** Occurrences up to now, told to the API server or not. */
  readonly count: number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

// The API server refuses longer ones.
const MAX_MESSAGE = 1024;
const CACHE_SIZE = 4096;
const SEND_TIMEOUT_MS = 5000;
const MAX_ATTEMPTS = 3;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #aggregateMs: number;
  readonly #queueLimit: number;
  readonly #perObject: { readonly burst: number; readonly refillMs: number };
  readonly #stop = new AbortController();
  /** Waiting events by key, in the order of their first occurrence. */
  readonly #queue = new Map<string, Pending>();
  readonly #written: LRUCache<string, Written>;
  readonly #buckets = new LRUCache<string, Bucket>({ max: CACHE_SIZE });
  #sending: Promise<void> | undefined;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#aggregateMs = options.aggregateMs ?? 600_000;
    this.#queueLimit = options.queueLimit ?? 1000;
    this.#perObject = options.perObject ?? { burst: 25, refillMs: 300_000 };
    this.#written = new LRUCache({ max: CACHE_SIZE, ttl: this.#aggregateMs, perf: this.#lruClock() });
  }

  /** Events that were not delivered: held back, queue full, or refused by the API server. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Records an event of an object, which needs apiVersion, kind, name and uid. Returns at once. `message`
   * is public: it must not hold a value of a secret.
   */
  record(object: KubeObject, type: EventType, reason: string, message: string): void {
    if (this.#stop.signal.aborted) return;
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 3)}...` : message;
    const key = JSON.stringify([identity(object), type, reason, text]);
    const now = this.#clock.now();
    const waiting = this.#queue.get(key);
    if (waiting) {
      waiting.count++;
      waiting.lastAt = now;
      return;
    }
    if (this.#queue.size >= this.#queueLimit || !this.#takeToken(identity(object))) {
      // What is held back of a known event is told with its next count.
      const known = this.#written.get(key);
      if (known) this.#written.set(key, { ...known, count: known.count + 1 }, { noUpdateTTL: true });
      else this.#dropped++;
      return;
    }
    this.#queue.set(key, { key, object, type, reason, message: text, firstAt: now, lastAt: now, count: 1 });
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Waits until what was recorded so far is sent or dropped. */
  async flush(): Promise<void> {
    while (this.#sending) await this.#sending;
  }

  /** Sends what waits, for at most `graceMs`, and takes no more. */
  async stop(graceMs = 2000): Promise<void> {
    await Promise.race([this.flush(), pause(graceMs, this.#stop.signal)]);
    this.#stop.abort();
    await this.flush();
  }

  // lru-cache asks `perf.now()`; with ours, tests hold its time too.
  #lruClock(): { now(): number } {
    return { now: () => this.#clock.monotonic() };
  }

  #takeToken(object: string): boolean {
    const now = this.#clock.monotonic();
    const { burst, refillMs } = this.#perObject;
    const bucket = this.#buckets.get(object) ?? { tokens: burst, filledAt: now };
    const refill = Math.floor((now - bucket.filledAt) / refillMs);
    bucket.tokens = Math.min(burst, bucket.tokens + refill);
    bucket.filledAt += refill * refillMs;
    this.#buckets.set(object, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  async #drain(): Promise<void> {
    // Begin in another turn, so that a burst of equal events is counted before the first is sent.
    await Promise.resolve();
    for (let next = this.#shift(); next; next = this.#shift()) {
      if (this.#stop.signal.aborted || !(await this.#deliver(next))) this.#dropped++;
    }
  }

  #shift(): Pending | undefined {
    const [first] = this.#queue.values();
    if (first) this.#queue.delete(first.key);
    return first;
  }

  async #deliver(event: Pending): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#send(event);
        return true;
      } catch (thrown) {
        const error = toKubeError(thrown, `record event ${event.reason}`);
        const transient = 'status' in error && [0, 429, 500, 503, 504].includes(Number(error.status));
        if (!transient || attempt === MAX_ATTEMPTS || this.#stop.signal.aborted) {
          this.#options.log.warn({ err: error, reason: event.reason }, 'an event was not delivered');
          return false;
        }
        await pause(attempt * 500, this.#stop.signal);
      }
    }
  }

  async #send(event: Pending): Promise<void> {
    const known = this.#written.get(event.key);
    if (known) {
      try {
        await this.#countUp(event, known);
        return;
      } catch (error) {
        // Events end after an hour, or with their namespace.
        if (!isNotFound(error)) throw error;
        this.#written.delete(event.key);
      }
    }
    await this.#create(event);
  }

  async #countUp(event: Pending, known: Written): Promise<void> {
    const count = known.count + event.count;
    await this.#options.kube.request('PATCH', known.path, {
      body: { count, lastTimestamp: rfc3339(event.lastAt) },
      contentType: PATCH.merge,
      signal: this.#stop.signal,
      timeoutMs: SEND_TIMEOUT_MS,
      what: `count event ${event.reason}`,
    });
    // The time of the first one is kept: after ten minutes people see a new event.
    this.#written.set(event.key, { ...known, count }, { noUpdateTTL: true });
  }

  async #create(event: Pending): Promise<void> {
    const { metadata, apiVersion, kind } = event.object;
    const { name = '', uid, resourceVersion } = metadata;
    // Cluster-scoped objects have their events in `default`, where kubectl describe looks for them.
    const namespace = metadata.namespace || 'default';
    const eventName = this.#newName(name);
    await this.#options.kube.request('POST', resourcePath({ version: 'v1', resource: 'events', namespace }), {
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { namespace, name: eventName },
        involvedObject: { apiVersion, kind, name, namespace: metadata.namespace, uid, resourceVersion },
        type: event.type,
        reason: event.reason,
        message: event.message,
        source: { component: EVENT_SOURCE },
        reportingComponent: EVENT_SOURCE,
        firstTimestamp: rfc3339(event.firstAt),
        lastTimestamp: rfc3339(event.lastAt),
        count: event.count,
      },
      signal: this.#stop.signal,
      timeoutMs: SEND_TIMEOUT_MS,
      what: `record event ${event.reason}`,
    });
    const path = resourcePath({ version: 'v1', resource: 'events', namespace, name: eventName });
    this.#written.set(event.key, { path, count: event.count });
  }

  /** client-go's form, name and nanoseconds in hex; random below the millisecond, for other replicas. */
  #newName(object: string): string {
    const stamp = BigInt(Math.round(this.#clock.now())) * 1_000_000n + BigInt(randomInt(1_000_000));
    // 253 is the limit of names.
    return `${object.slice(0, 230)}.${stamp.toString(16)}`;
  }
}

const identity = ({ kind, metadata }: KubeObject): string =>
  `${kind ?? ''}/${metadata.namespace ?? ''}/${metadata.name ?? ''}/${metadata.uid ?? ''}`;

/** metav1.Time has whole seconds. */
const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
