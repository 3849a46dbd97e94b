/** What one execution of a template may use up, and the account of it. */
import type { Clock } from '../api/clock.ts';
import { budgetError } from './errors.ts';
import type { Call } from './function.ts';

export interface Limits {
  /** Statements, commands and iterations, those within functions included. */
  readonly steps: number;
  /** Bytes that functions may make, all together. */
  readonly allocated: number;
  /** Bytes of the result. */
  readonly output: number;
  /** Templates that call templates. */
  readonly templates: number;
}

const MiB = 1 << 20;

/** Chosen so that an execution takes some tens of milliseconds and of megabytes at most. */
export const DEFAULT_LIMITS: Limits = {
  steps: 500_000,
  allocated: 16 * MiB,
  output: 16 * MiB,
  templates: 100,
};

/**
 * How deep blocks, parentheses and templates may be within each other while a template runs: each level is some
 * frames of the stack of the process.
 */
const MAX_NESTING = 500;

export class Budget implements Call {
  readonly clock: Clock;
  readonly #limits: Limits;
  #steps = 0;
  #allocated = 0;
  #output = 0;
  #templates = 0;
  #nesting = 0;

  constructor(clock: Clock, limits: Limits) {
    this.clock = clock;
    this.#limits = limits;
  }

  spend(count: number): void {
    this.#steps += count;
    if (!(this.#steps <= this.#limits.steps)) {
      throw budgetError(`takes more than ${this.#limits.steps} steps`);
    }
  }

  allocate(bytes: number): void {
    this.#allocated += bytes;
    if (!(this.#allocated <= this.#limits.allocated)) {
      throw budgetError(`makes more than ${this.#limits.allocated} bytes`);
    }
  }

  /** Before `bytes` of output. */
  write(bytes: number): void {
    this.#output += bytes;
    if (!(this.#output <= this.#limits.output)) {
      throw budgetError(`has more than ${this.#limits.output} bytes of output`);
    }
  }

  enter(): void {
    if (++this.#nesting > MAX_NESTING) throw budgetError(`runs nested more than ${MAX_NESTING} deep`);
  }

  leave(): void {
    this.#nesting--;
  }

  enterTemplate(): void {
    if (++this.#templates > this.#limits.templates) {
      throw budgetError(`exceeded maximum template depth (${this.#limits.templates})`);
    }
  }

  leaveTemplate(): void {
    this.#templates--;
  }
}
