/**
 * The work queue: each key at most once, at its moment, in the order of urgency, and never twice at a time.
 */
import TinyQueue from 'tinyqueue';
import type { Clock } from '../api/clock.ts';

/**
 * Lower is sooner: what somebody waits for goes before what is only due; then looks at Secrets that may have
 * drifted; last the adoption of Secrets that admission has made, which are there and in use already.
 */
export const URGENCY = { now: 0, refresh: 1, check: 2, adopt: 3 } as const;
export type Urgency = (typeof URGENCY)[keyof typeof URGENCY];

interface Ticket {
  readonly key: string;
  readonly due: number;
  readonly urgency: Urgency;
  readonly sequence: number;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** How many keys are worked on at a time. */
  readonly workers: number;
  /** How many of one urgency run at a time, where that is less. */
  readonly limits?: Partial<Record<Urgency, number>>;
  /** Does the work for one key. `due` is when it was (monotonic milliseconds). It must not throw. */
  readonly work: (key: string, due: number, urgency: Urgency) => Promise<void>;
}

/** Node fires longer timeouts at once. */
const LONGEST_TIMEOUT_MS = 60_000;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Waiting for their moment. Tickets that were replaced stay inside and are skipped when they come up. */
  readonly #later = new TinyQueue<Ticket>([], (a, b) => a.due - b.due);
  readonly #ready = Object.values(URGENCY).map((urgency) => ({
    urgency,
    tickets: new TinyQueue<Ticket>([], (a, b) => a.due - b.due || a.sequence - b.sequence),
    running: 0,
  }));
  readonly #valid = new Map<string, Ticket>();
  readonly #running = new Map<string, Promise<void>>();
  #sequence = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Number of keys that are due and wait for a worker, or run. */
  get depth(): number {
    return this.#ready.reduce((sum, { tickets }) => sum + tickets.length, this.#running.size);
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
    this.#put({
      key,
      due: Math.min(due, present?.due ?? due),
      urgency: Math.min(urgency, present?.urgency ?? urgency) as Urgency,
      sequence: this.#sequence++,
    });
  }

  /** Like add, but a later moment replaces a sooner one. */
  set(key: string, due: number, urgency: Urgency): void {
    if (!this.#stopped) this.#put({ key, due, urgency, sequence: this.#sequence++ });
  }

  /** Takes the key out; what runs goes on. */
  remove(key: string): void {
    this.#valid.delete(key);
  }

  /** Takes all keys out; resolves when what runs has ended. What is put in meanwhile stays. */
  async clear(): Promise<void> {
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

  #put(ticket: Ticket): void {
    this.#valid.set(ticket.key, ticket);
    this.#later.push(ticket);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const next = this.#later.peek();
    if (next === undefined || this.#stopped) return;
    const wait = Math.ceil(next.due - this.#options.clock.monotonic());
    this.#timer = setTimeout(() => this.#wake(), Math.min(Math.max(wait, 0), LONGEST_TIMEOUT_MS));
  }

  #wake(): void {
    const now = this.#options.clock.monotonic();
    for (let next = this.#later.peek(); next !== undefined && next.due <= now; next = this.#later.peek()) {
      this.#later.pop();
      if (this.#valid.get(next.key) === next) this.#ready[next.urgency]?.tickets.push(next);
    }
    this.#dispatch();
    this.#schedule();
  }

  #dispatch(): void {
    for (const lane of this.#ready) {
      const limit = this.#options.limits?.[lane.urgency] ?? this.#options.workers;
      const waiting: Ticket[] = [];
      while (lane.running < limit && this.#running.size < this.#options.workers && !this.#stopped) {
        const ticket = lane.tickets.pop();
        if (ticket === undefined) break;
        if (this.#valid.get(ticket.key) !== ticket) continue;
        if (this.#running.has(ticket.key)) waiting.push(ticket);
        else this.#run(ticket, lane);
      }
      for (const ticket of waiting) lane.tickets.push(ticket);
    }
  }

  #run(ticket: Ticket, lane: { running: number }): void {
    this.#valid.delete(ticket.key);
    lane.running += 1;
    const running = this.#options.work(ticket.key, ticket.due, ticket.urgency).finally(() => {
      lane.running -= 1;
      this.#running.delete(ticket.key);
      this.#dispatch();
    });
    this.#running.set(ticket.key, running);
  }
}
