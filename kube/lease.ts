/**
 * Leader election on a coordination.k8s.io Lease, after the rules of client-go: a lease is only taken over
 * when it has not changed for its whole duration on our own monotonic clock (the times in it are another
 * machine's), the leader stops being one when it could not renew in time, and every write carries the
 * resourceVersion that was read. A Lease does not fence: what a leader writes must be harmless if two do.
 */
import { type Clock, systemClock } from '../api/clock.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { pause } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { isAlreadyExists, isConflict, isNotFound, KubeError, toKubeError } from './errors.ts';
import type { KubeLog } from './log.ts';
import { resourcePath } from './path.ts';

export interface LeaseOptions {
  readonly kube: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process; the name of its Pod will do. */
  readonly identity: string;
  readonly log: KubeLog;
  /** How long others leave a silent leader in place; whole seconds, 15 s if absent. */
  readonly leaseDurationMs?: number | undefined;
  /** A leader that could not renew for so long is none; below leaseDurationMs, 10 s if absent. */
  readonly renewDeadlineMs?: number | undefined;
  /** Between two attempts to get or renew the lease, before jitter; 2 s if absent. */
  readonly retryMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /**
   * Called when this process becomes the leader. The signal aborts when it is none any more; a promise
   * that is returned is waited for before the lease is given back by stop().
   */
  readonly onStarted?: ((leading: AbortSignal) => void | Promise<void>) | undefined;
  /** Called when this process was the leader and is not any more. */
  readonly onLost?: (() => void) | undefined;
}

export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export interface LeaseObject {
  readonly metadata: ObjectMeta;
  readonly spec?: LeaseSpec;
}

const RELEASE_TIMEOUT_MS = 2000;

interface Leadership {
  readonly controller: AbortController;
  readonly work: Promise<void>;
}

export class LeaderElector {
  readonly #options: LeaseOptions;
  readonly #clock: Clock;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryMs: number;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #observed: LeaseObject | undefined;
  #observedSpec = '';
  #observedAt = 0;
  /** Monotonic time at which the last successful renewal was sent. */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #leadership: Leadership | undefined;
  #holder: string | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryMs = options.retryMs ?? 2000;
    if (this.#leaseDurationMs % 1000 !== 0 || this.#leaseDurationMs <= this.#renewDeadlineMs) {
      throw new RangeError('leaseDurationMs must be whole seconds and above renewDeadlineMs');
    }
    if (this.#renewDeadlineMs <= this.#retryMs) {
      throw new RangeError('renewDeadlineMs must be above retryMs');
    }
  }

  /** Begins to strive for the lease; returns at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** True while the lease is ours and was renewed within the deadline. */
  isLeader(): boolean {
    return this.#leadership !== undefined && this.#untilDeadline() > 0;
  }

  /** Who had the lease when it was last seen: `''` if nobody, undefined if it was not seen yet. */
  get holder(): string | undefined {
    return this.#holder;
  }

  /** Gives up leadership, waits for the leader's work, and gives the lease back. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    const led = this.#leadership;
    if (led === undefined) return;
    this.#lose();
    await led.work;
    await this.#release();
  }

  #untilDeadline(): number {
    return this.#renewedAt + this.#renewDeadlineMs - this.#clock.monotonic();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const held = await this.#attempt();
      if (signal.aborted) return;
      if (held) this.#gain();
      else if (this.#leadership && (this.#heldByOther() || this.#untilDeadline() <= 0)) this.#lose();
      // client-go's jitter: up to 20 % for a leader that renews, up to 120 % for those who wait.
      const spread = this.#leadership ? 0.2 : 1.2;
      const wait = this.#retryMs * (1 + Math.random() * spread);
      await pause(this.#leadership ? Math.min(wait, Math.max(0, this.#untilDeadline())) : wait, signal);
    }
  }

  #gain(): void {
    if (this.#leadership) return;
    const { log, name, identity, onStarted } = this.#options;
    const controller = new AbortController();
    log.info({ lease: name, identity }, 'became the leader');
    const work = Promise.resolve()
      .then(() => onStarted?.(controller.signal))
      .catch((error: unknown) => log.error({ lease: name, err: error }, 'the work of the leader failed'));
    this.#leadership = { controller, work };
  }

  #lose(): void {
    const { log, name, identity, onLost } = this.#options;
    this.#leadership?.controller.abort();
    this.#leadership = undefined;
    log.info({ lease: name, identity }, 'is not the leader any more');
    onLost?.();
  }

  #heldByOther(): boolean {
    const holder = this.#observed?.spec?.holderIdentity;
    return holder !== undefined && holder !== '' && holder !== this.#options.identity;
  }

  /** One attempt to get or renew the lease; true if it is ours now. Failures are logged, not thrown. */
  async #attempt(): Promise<boolean> {
    const startedAt = this.#clock.monotonic();
    // An attempt of the leader must not outlast its deadline: the next one may still save it.
    const timeoutMs = Math.max(
      50,
      this.#leadership ? Math.min(this.#renewDeadlineMs / 2, this.#untilDeadline()) : this.#renewDeadlineMs,
    );
    try {
      if (!(await this.#acquireOrRenew(timeoutMs))) return false;
      this.#renewedAt = startedAt;
      return true;
    } catch (error) {
      if (this.#stop.signal.aborted) return false;
      // Somebody was faster; what they wrote is read next time.
      this.#forget();
      if (isConflict(error) || isAlreadyExists(error)) return false;
      const { log, name } = this.#options;
      log.warn(
        { lease: name, err: toKubeError(error, `renew Lease ${name}`) },
        'the lease could not be renewed',
      );
      return false;
    }
  }

  async #acquireOrRenew(timeoutMs: number): Promise<boolean> {
    const known = this.#observed;
    // A leader that knows its own last write renews without reading.
    if (this.#leadership && known && !this.#heldByOther()) {
      this.#observe(await this.#write('PUT', this.#next(known), timeoutMs));
      return true;
    }
    let lease: LeaseObject;
    try {
      lease = await this.#read(timeoutMs, this.#stop.signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const { namespace, name } = this.#options;
      this.#observe(await this.#write('POST', this.#next({ metadata: { namespace, name } }), timeoutMs));
      return true;
    }
    this.#observe(lease);
    if (this.#heldByOther() && this.#untilExpiry(lease) > 0) return false;
    this.#observe(await this.#write('PUT', this.#next(lease), timeoutMs));
    return true;
  }

  #untilExpiry(lease: LeaseObject): number {
    const seconds = lease.spec?.leaseDurationSeconds;
    const durationMs = seconds === undefined ? this.#leaseDurationMs : seconds * 1000;
    return this.#observedAt + durationMs - this.#clock.monotonic();
  }

  /** Restarts the count of a lease whose spec has changed; changes of metadata renew nothing. */
  #observe(lease: LeaseObject): void {
    const spec = JSON.stringify(lease.spec ?? {});
    if (spec !== this.#observedSpec) this.#observedAt = this.#clock.monotonic();
    this.#observedSpec = spec;
    this.#holder = lease.spec?.holderIdentity ?? '';
    this.#observed = lease;
  }

  /** Reads the lease next time, but keeps counting since its last observed change. */
  #forget(): void {
    this.#observed = undefined;
  }

  #next(lease: LeaseObject): LeaseObject {
    const { identity } = this.#options;
    const now = microTime(this.#clock.now());
    const old = lease.spec ?? {};
    const same = old.holderIdentity === identity;
    return {
      ...lease,
      spec: {
        ...old,
        holderIdentity: identity,
        leaseDurationSeconds: this.#leaseDurationMs / 1000,
        acquireTime: same && old.acquireTime ? old.acquireTime : now,
        renewTime: now,
        leaseTransitions: (old.leaseTransitions ?? 0) + (same || old.holderIdentity === undefined ? 0 : 1),
      },
    };
  }

  async #release(): Promise<void> {
    const { log, name } = this.#options;
    try {
      // What was observed last may be forgotten, after a renewal whose answer did not come.
      const lease = this.#observed ?? (await this.#read(RELEASE_TIMEOUT_MS, undefined));
      this.#observe(lease);
      if (this.#heldByOther()) return;
      const now = microTime(this.#clock.now());
      const spec = {
        ...lease.spec,
        holderIdentity: '',
        leaseDurationSeconds: 1,
        acquireTime: now,
        renewTime: now,
      };
      await this.#write('PUT', { ...lease, spec }, RELEASE_TIMEOUT_MS);
    } catch (error) {
      // It runs out by itself.
      if (isConflict(error)) return;
      log.warn(
        { lease: name, err: toKubeError(error, `release Lease ${name}`) },
        'the lease was not given back',
      );
    }
  }

  #read(timeoutMs: number, signal: AbortSignal | undefined): Promise<LeaseObject> {
    return this.#request('GET', undefined, timeoutMs, signal);
  }

  #write(method: 'POST' | 'PUT', lease: LeaseObject, timeoutMs: number): Promise<LeaseObject> {
    // Not to be cut off: a write that is may have happened, and stop() would then leave a lease behind.
    return this.#request(
      method,
      { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...lease },
      timeoutMs,
    );
  }

  // Plain JSON instead of the generated API: a lease is read, changed and written back, and the generated
  // types would drop what they do not know and cut microseconds.
  async #request(
    method: 'GET' | 'POST' | 'PUT',
    body: unknown,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<LeaseObject> {
    const { kube, namespace, name } = this.#options;
    const path = resourcePath({
      group: 'coordination.k8s.io',
      version: 'v1',
      resource: 'leases',
      namespace,
      name: method === 'POST' ? undefined : name,
    });
    const answer = await kube.request<LeaseObject>(method, path, {
      body,
      timeoutMs,
      signal,
      what: `${method === 'GET' ? 'read' : 'write'} Lease ${namespace}/${name}`,
    });
    if (answer?.metadata?.name !== name) {
      throw new KubeError(`Lease ${namespace}/${name}: the answer is not a Lease`, {
        status: 0,
        reason: 'InvalidResponse',
      });
    }
    return answer;
  }
}

/** metav1.MicroTime wants exactly six digits. @param ms since the epoch */
export const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');
