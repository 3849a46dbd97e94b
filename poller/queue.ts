/**
 * The work queue: each key at most once, at its moment, in the order of urgency, and never twice at a time.
 */
import TinyQueue from 'tinyqueue';
import type { Clock } from '../api/clock.ts';

/** Lower is sooner: what somebody waits for goes before what is only due. */
export const URGENCY = { now: 0, refresh: 1, check: 2 } as const;
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
  /** Does the work for one key. `due` is when it was (monotonic milliseconds). It must not throw. */
  readonly work: (key: string, due: number, urgency: Urgency) => Promise<void>;
}

/** Node fires longer timeouts at once. */
const LONGEST_TIMEOUT_MS = 60_000;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Waiting for their moment. Tickets that were replaced stay inside and are skipped when they come up. */
  readonly #later = new TinyQueue<Ticket>([], (a, b) => a.due - b.due);
  readonly #ready = new TinyQueue<Ticket>(
    [],
    (a, b) => a.urgency - b.urgency || a.due - b.due || a.sequence - b.sequence,
  );
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
    return this.#ready.length + this.#running.size;
  }

  isRunning(key: string): boolean {
    return this.#running.has(key);
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
      if (this.#valid.get(next.key) === next) this.#ready.push(next);
    }
    this.#dispatch();
    this.#schedule();
  }

  #dispatch(): void {
    const waiting: Ticket[] = [];
    while (this.#running.size < this.#options.workers && !this.#stopped) {
      const ticket = this.#ready.pop();
      if (ticket === undefined) break;
      if (this.#valid.get(ticket.key) !== ticket) continue;
      if (this.#running.has(ticket.key)) waiting.push(ticket);
      else this.#run(ticket);
    }
    for (const ticket of waiting) this.#ready.push(ticket);
  }

  #run(ticket: Ticket): void {
    this.#valid.delete(ticket.key);
    const running = this.#options.work(ticket.key, ticket.due, ticket.urgency).finally(() => {
      this.#running.delete(ticket.key);
      this.#dispatch();
    });
    this.#running.set(ticket.key, running);
  }
}
