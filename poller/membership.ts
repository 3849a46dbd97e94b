/**
 * Makes this process one of several that share the objects: keeps its Lease, follows those of the others, and carries
 * out what poller/shard-view.ts decides.
 */
import type { Clock } from '../api/clock.ts';
import { pause } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound, toKubeError } from '../kube/errors.ts';
import type { LeaseObject } from '../kube/lease.ts';
import { Reflector } from '../kube/reflector.ts';
import type { Log } from '../runtime/log.ts';
import { isReleased, MEMBERS, MemberLeases } from './member-leases.ts';
import { type MemberState, ShardView } from './shard-view.ts';

/** What shares its work by this. */
export interface ShardHost {
  /** Lets go of every object that is not owned any more; resolves when nothing is under way on them. @param now true: without any grace */
  release(now: boolean): Promise<void>;
  /** Objects may have been gained: have all of them delivered again. */
  gained(): void;
}

export interface MembershipOptions {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly namespace: string;
  /** Before the names of the Leases. */
  readonly prefix: string;
  /** Unique to this process, and fit for a name. */
  readonly identity: string;
  /** Whole seconds. */
  readonly leaseDurationMs: number;
  readonly log: Log;
  readonly newRound: () => string;
  /** Who leads, by the Lease of leader election; see LeaderElector.holder. */
  readonly leader: () => string | undefined;
}

/** Part of the lease duration: a member that could not renew for so long has nothing. See SILENCE in member-leases.ts. */
const DEADLINE = 0.5;
const LEAVE_TIMEOUT_MS = 2_000;
/** The Lease of who has died is deleted by the leader after so many of its durations. */
const KEEP_DURATIONS = 4;
/** Shortest time between two looks at the clock. */
const SHORTEST_WAIT_MS = 100;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #view: ShardView;
  readonly #leases: MemberLeases;
  readonly #reflector: Reflector<LeaseObject>;
  readonly #stop = new AbortController();
  #host: ShardHost | undefined;
  #own: LeaseObject | undefined;
  #wake = Promise.withResolvers<void>();
  /** The Lease is to be written before its time. */
  #urgent = true;
  #running: Promise<void> | undefined;
  #leaving = false;
  /** Those whose Leases are being read. */
  readonly #busy = new Set<string>();
  /** Identities of members that were ever seen, this one included. */
  readonly #known = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { kube, log, identity, clock, leaseDurationMs, leader, newRound } = options;
    this.#leases = new MemberLeases(options);
    this.#view = new ShardView({
      id: identity,
      clock,
      newRound,
      renewDeadlineMs: leaseDurationMs * DEADLINE,
      mayGain: () => {
        // A poller that does not share leads: it works on everything. Nobody does if there is no leader.
        const holder = leader();
        return holder !== undefined && (holder === '' || this.#known.has(holder));
      },
      onLost: (round, expired) => this.#lost(round, expired),
      onGained: () => this.#gained(),
      onPublication: () => this.#hurry(),
    });
    this.#reflector = new Reflector<LeaseObject>({
      kube,
      log,
      path: this.#leases.path(),
      query: MEMBERS,
      // Members come and go within seconds, and so does the API server's own restart.
      backoffMs: { min: 200, max: leaseDurationMs / 5 },
      handlers: {
        onUpsert: (lease) => {
          this.#seen(lease);
          this.#check();
        },
        onDelete: ({ name, uid }) => {
          const id = this.#leases.idOf(name);
          if (id !== identity) this.#view.gone(id);
          // Not an earlier one that was made anew since.
          else if (uid === this.#own?.metadata.uid) this.#taken();
        },
      },
    });
  }

  /** True if this process may work on the object (`namespace/name`) now. */
  owns = (key: string): boolean => this.#view.owns(key);

  /** False when it may write nothing, since others may work on what it had. */
  valid = (): boolean => this.#view.valid();

  /** How many share the work, as far as is known. */
  get members(): number {
    return this.#view.members.length;
  }

  /** True while all agree on who shares the work. */
  get settled(): boolean {
    return this.#view.settled;
  }

  /** Becomes a member. @param host is told from now on */
  start(host: ShardHost): void {
    this.#host = host;
    this.#known.add(this.#options.identity);
    this.#running ??= this.#renew();
  }

  /** Gives back what it has, and leaves: others follow at once. Work has to have ended. */
  async stop(): Promise<void> {
    this.#leaving = true;
    this.#stop.abort();
    this.#wake.resolve();
    clearTimeout(this.#timer);
    await Promise.all([this.#running, this.#reflector.stop()]);
    if (this.#own === undefined) return;
    const { log, identity } = this.#options;
    try {
      // First said, then done: a Lease that only vanishes might be that of one who works.
      const { publication } = this.#view;
      const released = await this.#leases.renew(identity, this.#own, '', publication, LEAVE_TIMEOUT_MS);
      await this.#leases.delete(released);
    } catch (error) {
      // It runs out by itself.
      log.warn(
        { member: identity, err: toKubeError(error, 'leave the shards') },
        'the Lease was not given back',
      );
    }
  }

  /** As long as this process leads it removes the Leases of those who died. */
  async tidy(leading: AbortSignal): Promise<void> {
    const { leaseDurationMs, log } = this.#options;
    while (!leading.aborted) {
      for (const { id, stamp } of this.#view.left(KEEP_DURATIONS * leaseDurationMs)) {
        try {
          const lease = await this.#leases.read(id, leading);
          // One who is back after all is left alone; the watch says so too.
          if (lease !== undefined && this.#leases.state(lease).stamp !== stamp) continue;
          if (lease !== undefined) await this.#leases.delete(lease);
          this.#view.missing(id);
        } catch (error) {
          log.warn({ member: id, err: toKubeError(error, 'tidy up') }, 'Lease of a dead member not deleted');
        }
      }
      await pause(leaseDurationMs, leading);
    }
  }

  #lost(round: string, expired: boolean): void {
    const { log } = this.#options;
    const fields = { members: this.#view.members.length, round };
    if (expired) log.warn(fields, 'the own Lease was not renewed in time: all work is given up');
    else log.info({ ...fields, names: this.#view.members }, 'other replicas share the objects than before');
    const host = this.#host;
    if (expired) this.#hurry();
    void host?.release(expired).then(() => this.#view.drained(round));
  }

  #gained(): void {
    this.#options.log.info(
      { members: this.#view.members.length },
      'all replicas agree on who has which objects',
    );
    this.#host?.gained();
  }

  #hurry(): void {
    this.#urgent = true;
    this.#wake.resolve();
  }

  /** Renews the Lease at its times, and at once when there is something to say. */
  async #renew(): Promise<void> {
    const { leaseDurationMs, clock } = this.#options;
    const everyMs = leaseDurationMs / 6;
    while (!this.#leaving) {
      this.#wake = Promise.withResolvers<void>();
      this.#urgent = false;
      const done = await this.#attempt();
      if (this.#leaving) return;
      if (this.#urgent && done) continue;
      // After a failure soon again, before the deadline; jitter, or all replicas would come together.
      const wait = (done ? everyMs : everyMs / 3) * (0.9 + Math.random() / 5);
      const until = clock.monotonic() + wait;
      await Promise.race([this.#wake.promise, pause(wait, this.#stop.signal)]);
      // Something to say does not shorten the pause after a failure.
      if (!done && clock.monotonic() < until) await pause(until - clock.monotonic(), this.#stop.signal);
    }
  }

  async #attempt(): Promise<boolean> {
    const { clock, log, leaseDurationMs, identity } = this.#options;
    const sentAt = clock.monotonic();
    try {
      this.#own = await this.#leases.renew(
        identity,
        this.#own,
        identity,
        this.#view.publication,
        leaseDurationMs / 4,
      );
    } catch (error) {
      await this.#notWritten(error);
      this.#check();
      log.warn(
        { member: identity, err: toKubeError(error, 'renew the Lease') },
        'the own Lease could not be renewed',
      );
      return false;
    }
    const term = this.#view.renewed(sentAt);
    const listed = term === undefined || (await this.#list(term));
    // Not before the own Lease: whoever lists later sees it.
    this.#reflector.start();
    this.#check();
    return listed;
  }

  /** What became of the own Lease? */
  async #notWritten(error: unknown): Promise<void> {
    if (isNotFound(error)) this.#taken();
    if (!isConflict(error) && !isAlreadyExists(error)) return;
    try {
      // A write whose answer was lost, or somebody's annotation; or others have taken this member for dead.
      this.#own = await this.#leases.read(this.#options.identity, this.#stop.signal);
      if (this.#own !== undefined && isReleased(this.#own)) this.#view.lost();
    } catch {
      // Found out next time.
    }
  }

  /** Somebody has deleted the own Lease: others will soon take over. */
  #taken(): void {
    if (this.#leaving || this.#own === undefined) return;
    this.#own = undefined;
    this.#options.log.warn({ member: this.#options.identity }, 'the own Lease was deleted by somebody');
    this.#view.lost();
    this.#hurry();
  }

  async #list(term: number): Promise<boolean> {
    try {
      const items = await this.#leases.list(this.#stop.signal);
      for (const lease of items) this.#known.add(this.#leases.idOf(lease.metadata.name));
      this.#view.listed(
        term,
        items.map((lease) => this.#leases.state(lease)),
      );
      return true;
    } catch (error) {
      // The next renewal asks for it again.
      if (!this.#leaving)
        this.#options.log.warn(
          { err: toKubeError(error, 'list the Leases of members') },
          'members not known yet',
        );
      return false;
    }
  }

  #seen(lease: LeaseObject): void {
    const state = this.#leases.state(lease);
    this.#known.add(state.id);
    this.#view.seen(state);
  }

  /** Looks at the clock, now and when it matters next. */
  #check(): void {
    if (this.#leaving) return;
    const { clock } = this.#options;
    const next = this.#view.check();
    for (const suspect of this.#view.suspects()) void this.#confirm(suspect);
    const wait = Math.max(SHORTEST_WAIT_MS, Math.ceil(next - clock.monotonic()));
    clearTimeout(this.#timer);
    if (Number.isFinite(wait)) this.#timer = setTimeout(() => this.#check(), wait);
  }

  /** A watch may be late: nobody is taken for dead without a live look. */
  async #confirm(suspect: MemberState): Promise<void> {
    const { id } = suspect;
    if (this.#busy.has(id)) return;
    this.#busy.add(id);
    try {
      const lease = await this.#leases.read(id, this.#stop.signal);
      if (lease === undefined) this.#view.missing(id);
      else {
        const state = this.#leases.state(lease);
        if (state.stamp === suspect.stamp) {
          this.#view.silent(suspect);
          await this.#bury(lease);
        } else this.#view.seen(state);
      }
    } catch (error) {
      this.#options.log.warn(
        { member: id, err: toKubeError(error, 'look for a member') },
        'cannot tell whether a member lives',
      );
      await pause(this.#options.leaseDurationMs / 15, this.#stop.signal);
    } finally {
      this.#busy.delete(id);
    }
    this.#check();
  }

  /** Says for everybody that this member is gone: who has come since it fell silent would wait for it anew. */
  async #bury(lease: LeaseObject): Promise<void> {
    try {
      await this.#leases.release(lease);
    } catch (error) {
      // Somebody else did it, or will.
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  }
}
