/**
 * The work queue: each key at most once, at its moment, in the order of urgency, and never twice at a time.
 */
import TinyQueue from 'tinyqueue';
import type { Clock } from '../api/clock.ts';
import { type Deadline, DeadlineHeap } from './deadline-heap.ts';

/**
 * Lower is sooner: what somebody waits for goes before what is only due; then looks at Secrets that may have
 * drifted; last the adoption of Secrets that admission has made, which are there and in use already.
 */
export const URGENCY = { now: 0, refresh: 1, check: 2, adopt: 3 } as const;
export type Urgency = (typeof URGENCY)[keyof typeof URGENCY];

interface Ticket extends Deadline {
  readonly key: string;
  readonly due: number;
  readonly urgency: Urgency;
  readonly sequence: number;
}

const inOrder = (a: Ticket, b: Ticket): number => a.due - b.due || a.sequence - b.sequence;

/** Those of one urgency that are due. */
interface Lane {
  readonly tickets: TinyQueue<Ticket>;
  running: number;
  /** Tickets of groups that have enough workers, in the order in which they came up. */
  readonly parked: Map<string, Ticket[]>;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** How many keys are worked on at a time. */
  readonly workers: number;
  /** How many of one urgency run at a time, where that is less. */
  readonly limits?: Partial<Record<Urgency, number>>;
  /**
   * What the work for a key has to wait for (its store). One group never takes all workers: it may have as many as it
   * leaves free, so that however slow it is, there are some for the others.
   */
  readonly groupOf?: (key: string) => string | undefined;
  /** Does the work for one key. `due` is when it was (monotonic milliseconds). It must not throw. */
  readonly work: (key: string, due: number, urgency: Urgency) => Promise<void>;
}

/** Node fires longer timeouts at once. */
const LONGEST_TIMEOUT_MS = 60_000;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Waiting for their moment. */
  readonly #later = new DeadlineHeap<Ticket>();
  /** Waiting for a worker. Tickets that were replaced stay inside and are skipped when they come up. */
  readonly #ready = Object.values(URGENCY).map((urgency) => ({
    urgency,
    tickets: new TinyQueue<Ticket>([], inOrder),
    running: 0,
    parked: new Map<string, Ticket[]>(),
  }));
  readonly #valid = new Map<string, Ticket>();
  readonly #running = new Map<string, Promise<void>>();
  /** Workers of each group. */
  readonly #groups = new Map<string, number>();
  #parked = 0;
  /** When the work on each of those began, the oldest first. */
  readonly #began = new Map<string, number>();
  /** When work last began or ended. */
  #movedAt = Number.NEGATIVE_INFINITY;
  #sequence = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakesAt = 0;
  #stopped = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Number of keys that are due and wait for a worker, or run. */
  get depth(): number {
    return this.#ready.reduce((sum, { tickets }) => sum + tickets.length, this.#running.size + this.#parked);
  }

  /** For how long the key that waits longest has been due, milliseconds; 0 if none waits. */
  get oldestMs(): number {
    const { clock } = this.#options;
    return Math.max(0, clock.monotonic() - this.#oldestDue());
  }

  /** For how long nothing has begun or ended although a key was due, or one key was worked on; milliseconds. */
  get stalledMs(): number {
    const now = this.#options.clock.monotonic();
    const [began = now] = this.#began.values();
    return Math.max(0, now - began, now - Math.max(this.#movedAt, this.#oldestDue()));
  }

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  /** Resolves when what runs for the key has ended. */
  async ended(key: string): Promise<void> {
    await this.#running.get(key);
  }

  /**
   * Puts the key in for `due` (monotonic milliseconds; the past means now). One that is in already keeps the
   * sooner moment and the higher urgency. While it is worked on, it waits for the end of that.
   */
  add(key: string, due: number, urgency: Urgency): void {
    if (this.#stopped) return;
    const present = this.#valid.get(key);
    if (present !== undefined && present.due <= due && present.urgency <= urgency) return;
    const soonest = Math.min(due, present?.due ?? due);
    this.#put(key, soonest, Math.min(urgency, present?.urgency ?? urgency) as Urgency);
  }

  /** Like add, but a later moment replaces a sooner one. */
  set(key: string, due: number, urgency: Urgency): void {
    if (!this.#stopped) this.#put(key, due, urgency);
  }

  /** Takes the key out; what runs goes on. */
  remove(key: string): void {
    const ticket = this.#valid.get(key);
    if (ticket === undefined) return;
    this.#valid.delete(key);
    this.#later.remove(ticket);
  }

  /** Takes all keys out; resolves when what runs has ended. What is put in meanwhile stays. */
  async clear(): Promise<void> {
    for (const ticket of this.#valid.values()) this.#later.remove(ticket);
    this.#valid.clear();
    await Promise.all(this.#running.values());
  }

  /** No more work is begun; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#valid.clear();
    await Promise.all(this.#running.values());
  }

  #put(key: string, due: number, urgency: Urgency): void {
    const before = this.#valid.get(key);
    if (before !== undefined) this.#later.remove(before);
    const ticket: Ticket = { key, due, urgency, sequence: this.#sequence++, place: -1 };
    this.#valid.set(key, ticket);
    this.#later.push(ticket);
    this.#schedule();
  }

  /** When the key was due that waits longest; infinitely late if none waits. */
  #oldestDue(): number {
    let oldest = this.#later.peek()?.due ?? Number.POSITIVE_INFINITY;
    for (const { tickets, parked } of this.#ready) {
      for (const list of parked.values())
        oldest = Math.min(oldest, list.find((ticket) => this.#isValid(ticket))?.due ?? oldest);
      let first = tickets.peek();
      // Those that were replaced tell nothing.
      while (first !== undefined && this.#valid.get(first.key) !== first) {
        tickets.pop();
        first = tickets.peek();
      }
      oldest = Math.min(oldest, first?.due ?? oldest);
    }
    return oldest;
  }

  #schedule(): void {
    const next = this.#later.peek();
    if (next === undefined || this.#stopped) return;
    // The timer that runs comes soon enough for most; setting one costs more than all the rest here.
    if (this.#timer !== undefined && this.#wakesAt <= next.due) return;
    clearTimeout(this.#timer);
    const now = this.#options.clock.monotonic();
    const wait = Math.min(Math.max(Math.ceil(next.due - now), 0), LONGEST_TIMEOUT_MS);
    this.#wakesAt = now + wait;
    this.#timer = setTimeout(() => this.#wake(), wait);
  }

  #wake(): void {
    this.#timer = undefined;
    const now = this.#options.clock.monotonic();
    for (let next = this.#later.peek(); next !== undefined && next.due <= now; next = this.#later.peek()) {
      this.#later.remove(next);
      this.#ready[next.urgency]?.tickets.push(next);
    }
    this.#dispatch();
    this.#schedule();
  }

  #dispatch(): void {
    for (const lane of this.#ready) {
      const limit = this.#options.limits?.[lane.urgency] ?? this.#options.workers;
      const waiting: Ticket[] = [];
      while (lane.running < limit && this.#running.size < this.#options.workers && !this.#stopped) {
        const ticket = this.#next(lane);
        if (ticket === undefined) break;
        if (this.#running.has(ticket.key)) waiting.push(ticket);
        else this.#run(ticket, lane);
      }
      for (const ticket of waiting) lane.tickets.push(ticket);
    }
  }

  /** The first ticket whose group may have a worker; those before it are parked. */
  #next({ tickets, parked }: Lane): Ticket | undefined {
    let first: { readonly group: string; readonly ticket: Ticket } | undefined;
    for (const [group, list] of parked) {
      while (list[0] !== undefined && !this.#isValid(list[0])) this.#unpark(parked, group);
      const [ticket] = list;
      if (ticket === undefined || !this.#mayRun(group)) continue;
      if (first === undefined || inOrder(ticket, first.ticket) < 0) first = { group, ticket };
    }
    for (let next = tickets.peek(); next !== undefined; next = tickets.peek()) {
      if (first !== undefined && inOrder(first.ticket, next) < 0) break;
      tickets.pop();
      if (!this.#isValid(next)) continue;
      const group = this.#options.groupOf?.(next.key);
      if (group === undefined || this.#mayRun(group)) return next;
      const list = parked.get(group);
      if (list === undefined) parked.set(group, [next]);
      else list.push(next);
      this.#parked += 1;
    }
    if (first !== undefined) this.#unpark(parked, first.group);
    return first?.ticket;
  }

  #unpark(parked: Lane['parked'], group: string): void {
    const list = parked.get(group);
    if (list?.shift() !== undefined) this.#parked -= 1;
    if (list?.length === 0) parked.delete(group);
  }

  #isValid(ticket: Ticket): boolean {
    return this.#valid.get(ticket.key) === ticket;
  }

  #mayRun(group: string): boolean {
    return (this.#groups.get(group) ?? 0) < this.#options.workers - this.#running.size;
  }

  #run(ticket: Ticket, lane: Lane): void {
    this.#valid.delete(ticket.key);
    lane.running += 1;
    const group = this.#options.groupOf?.(ticket.key);
    if (group !== undefined) this.#groups.set(group, (this.#groups.get(group) ?? 0) + 1);
    this.#movedAt = this.#options.clock.monotonic();
    this.#began.set(ticket.key, this.#movedAt);
    const running = this.#options.work(ticket.key, ticket.due, ticket.urgency).finally(() => {
      lane.running -= 1;
      this.#running.delete(ticket.key);
      this.#began.delete(ticket.key);
      if (group !== undefined) this.#leave(group);
      this.#movedAt = this.#options.clock.monotonic();
      this.#dispatch();
    });
    this.#running.set(ticket.key, running);
  }

  #leave(group: string): void {
    const rest = (this.#groups.get(group) ?? 1) - 1;
    if (rest === 0) this.#groups.delete(group);
    else this.#groups.set(group, rest);
  }
}
