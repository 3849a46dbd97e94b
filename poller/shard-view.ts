/**
 * Which replica has which objects, agreed on through Leases alone; the protocol without any I/O
 * (docs/decisions/0019-shards.md). A view is the set of live members. Who sees another set than before
 *
 * 1. stops at once to begin work on what the new set gives to others, and takes a new round (a random name);
 * 2. when what was under way has ended, publishes the round, and the hash of all members with their rounds;
 * 3. begins with what it gained when every member of the set has published that same hash.
 *
 * The rounds make a hash a promise about now: it can only be published by who has read this round of everybody, so
 * an earlier agreement on the same set, read late, is none. Objects stay with a member as long as every set since the
 * last agreement gives them to it.
 *
 * Liveness is judged by the own monotonic clock: another member is gone when its Lease was not seen to change for its
 * `silenceMs` and a live read confirms that; a member itself stops, by its own clock, well before.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../api/clock.ts';
import { Rendezvous } from './rendezvous.ts';

/** What the Lease of a member says. */
export interface MemberState {
  readonly id: string;
  /** Changes with each renewal; what is in it is not looked at. */
  readonly stamp: string;
  /** For how long it may say nothing new before it is taken for dead; longer than it works without renewing. */
  readonly silenceMs: number;
  /** It has stopped working and leaves, or somebody has found it dead. */
  readonly released: boolean;
  /** Empty until it has published one. */
  readonly round: string;
  readonly view: string;
}

export interface Publication {
  readonly round: string;
  readonly view: string;
}

export interface ShardViewOptions {
  readonly id: string;
  readonly clock: Clock;
  /** For how long after the last renewal was sent this member may work. */
  readonly renewDeadlineMs: number;
  readonly newRound: () => string;
  /** False while somebody works who is no member. Looked at again by check(). */
  readonly mayGain?: () => boolean;
  /**
   * What `owns` says has become less: stop, wait for what is under way, then call drained() with this round.
   * `expired`: nothing may be written any more.
   */
  readonly onLost: (round: string, expired: boolean) => void;
  /** All agree: what `owns` says may have become more. */
  readonly onGained: () => void;
  /** `publication` has changed: write it. */
  readonly onPublication: () => void;
}

interface Other {
  state: MemberState;
  /** Monotonic milliseconds at which the stamp was first seen. */
  seenAt: number;
  dead: boolean;
}

const NOTHING: Publication = { round: '', view: '' };

export class ShardView {
  readonly #options: ShardViewOptions;
  readonly #others = new Map<string, Other>();
  #members: Rendezvous;
  /** The set that all agreed on last, and every one since; empty: nothing is owned. */
  #held: readonly Rendezvous[] = [];
  #round: string;
  #drained = true;
  #settled = false;
  #publication = NOTHING;
  #renewedAt = Number.NEGATIVE_INFINITY;
  /** Counts the times that this member became one. */
  #term = 0;
  /** True between renewed() and the end of that renewal. */
  #alive = false;
  /** The members are known as of after this member became one. */
  #listed = false;

  constructor(options: ShardViewOptions) {
    this.#options = options;
    this.#round = options.newRound();
    this.#members = new Rendezvous([options.id]);
  }

  /** Live members, sorted; itself is one of them. */
  get members(): readonly string[] {
    return this.#members.members;
  }

  /** True while everybody agrees on the members, so that each object has its replica. */
  get settled(): boolean {
    return this.#settled && this.valid();
  }

  /** What the own Lease has to say. */
  get publication(): Publication {
    return this.#publication;
  }

  /** True if this member may work on the object now. */
  owns(key: string): boolean {
    const { id } = this.#options;
    return this.valid() && this.#held.length > 0 && this.#held.every((set) => set.ownerOf(key) === id);
  }

  /** False if the own Lease was not renewed in time: then nothing may be written. */
  valid(): boolean {
    const { clock, renewDeadlineMs } = this.#options;
    if (!this.#alive) return false;
    if (clock.monotonic() < this.#renewedAt + renewDeadlineMs) return true;
    this.#expire();
    return false;
  }

  /**
   * A write of the own Lease has succeeded that was sent at `sentAt` (monotonic milliseconds).
   * @returns a number if the members have to be listed now, with a read that begins after this; it goes to listed()
   */
  renewed(sentAt: number): number | undefined {
    // First of all: was it in time?
    this.valid();
    this.#renewedAt = Math.max(this.#renewedAt, sentAt);
    this.#alive = true;
    return this.#listed ? undefined : this.#term;
  }

  /** The own Lease was taken away: as if it had not been renewed in time. */
  lost(): void {
    if (this.#alive) this.#expire();
  }

  /** Everybody's Leases, read after renewed() asked for it. */
  listed(term: number, states: readonly MemberState[]): void {
    if (term !== this.#term || !this.valid()) return;
    const ids = new Set(states.map(({ id }) => id));
    for (const id of this.#others.keys()) if (!ids.has(id)) this.#others.delete(id);
    for (const state of states) this.#note(state);
    this.#listed = true;
    this.#regroup();
  }

  /** A Lease was seen, by the watch or a read. */
  seen(state: MemberState): void {
    this.#note(state);
    this.#regroup();
  }

  /**
   * The watch says that this Lease is gone. Of who has left or died that is no news; somebody may have deleted the Lease of who
   * still works, so that one keeps its time.
   */
  gone(id: string): void {
    const other = this.#others.get(id);
    if (other !== undefined && !isLive(other)) this.#others.delete(id);
  }

  /** Members whose time is over: read their Leases live, then tell seen(), silent() or missing(). */
  suspects(): readonly MemberState[] {
    const now = this.#options.clock.monotonic();
    return [...this.#others.values()]
      .filter((other) => isLive(other) && endOf(other) <= now)
      .map(({ state }) => state);
  }

  /** A read that began after its time was over has shown the same Lease. */
  silent({ id, stamp }: MemberState): void {
    const other = this.#others.get(id);
    if (other?.state.stamp !== stamp) return;
    other.dead = true;
    this.#regroup();
  }

  /** Such a read has shown that there is none. */
  missing(id: string): void {
    this.#others.delete(id);
    this.#regroup();
  }

  /** Those that have left or died, and whose Leases have said nothing new for so long. */
  left(forMs: number): readonly MemberState[] {
    const now = this.#options.clock.monotonic();
    return [...this.#others.values()]
      .filter((other) => !isLive(other) && other.seenAt + forMs <= now)
      .map(({ state }) => state);
  }

  /** True if this member, dead or alive, is known or is the own one. */
  knows(id: string): boolean {
    return id === this.#options.id || this.#others.has(id);
  }

  /** Nothing is under way any more that the current set gives to others. */
  drained(round: string): void {
    if (round !== this.#round) return;
    this.#drained = true;
    this.#evaluate();
  }

  /** To be called when time has passed. @returns when to call it again (monotonic milliseconds) */
  check(): number {
    this.valid();
    this.#evaluate();
    const ends = [...this.#others.values()].filter(isLive).map(endOf);
    const own = this.#alive ? [this.#renewedAt + this.#options.renewDeadlineMs] : [];
    return Math.min(Number.POSITIVE_INFINITY, ...ends, ...own);
  }

  #note(state: MemberState): void {
    if (state.id === this.#options.id) return;
    const other = this.#others.get(state.id);
    if (other?.state.stamp === state.stamp) {
      other.state = state;
      return;
    }
    const seenAt = this.#options.clock.monotonic();
    this.#others.set(state.id, { state, seenAt, dead: false });
  }

  /** Others may have taken over everything: nothing is held, and whoever is a member has to be found out anew. */
  #expire(): void {
    this.#alive = false;
    this.#listed = false;
    this.#settled = false;
    this.#term += 1;
    this.#held = [];
    this.#publication = NOTHING;
    this.#lose(true);
  }

  #lose(expired: boolean): void {
    this.#round = this.#options.newRound();
    this.#drained = false;
    this.#options.onLost(this.#round, expired);
  }

  #regroup(): void {
    if (!this.#listed || !this.valid()) return;
    const live = [...this.#others.values()].filter(isLive).map(({ state }) => state.id);
    const next = new Rendezvous([this.#options.id, ...live]);
    if (next.members.join() !== this.#members.members.join()) {
      this.#members = next;
      this.#settled = false;
      const known = this.#held.some(({ members }) => members.join() === next.members.join());
      if (this.#held.length > 0 && !known) this.#held = [...this.#held, next];
      this.#lose(false);
    }
    this.#evaluate();
  }

  /** The hash of the members and their rounds, as far as they are known. */
  #hash(): string {
    const { id } = this.#options;
    const rounds = this.#members.members.map((member) => [
      member,
      member === id ? this.#round : this.#others.get(member)?.state.round,
    ]);
    return createHash('sha256').update(JSON.stringify(rounds)).digest('base64url').slice(0, 22);
  }

  #evaluate(): void {
    if (!this.#listed || !this.#drained || !this.valid()) return;
    const { id, mayGain, onGained, onPublication } = this.#options;
    const view = this.#hash();
    if (this.#publication.view !== view) {
      this.#publication = { round: this.#round, view };
      onPublication();
    }
    const agreed = this.members.every(
      (member) => member === id || this.#others.get(member)?.state.view === view,
    );
    if (!agreed || mayGain?.() === false) {
      this.#settled = false;
      return;
    }
    this.#settled = true;
    if (this.#held.length === 1 && this.#held[0] === this.#members) return;
    this.#held = [this.#members];
    onGained();
  }
}

const isLive = ({ state, dead }: Other): boolean => !dead && !state.released;
const endOf = ({ state, seenAt }: Other): number => seenAt + state.silenceMs;
