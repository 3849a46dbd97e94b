/** What one lookup may cost. Paths come from users, and short ones can double a text at every step. */

/** A path that would do too much work, or nests too deeply. The message holds neither path nor value. */
export class GjsonLimitError extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'GjsonLimitError';
  }
}

/** Characters read or written by one path: some passes over the largest value that a Secret can hold. */
const WORK = 4 * 1024 * 1024;
/** What a step into another path costs at least, in characters. */
export const STEP = 256;
/** Nesting of objects, arrays, queries and pipes. */
const DEPTH = 500;

/** Counts the work of one lookup. */
export class GjsonBudget {
  #left = WORK;
  #depth = 0;

  /** @throws GjsonLimitError when all is spent */
  spend(characters: number): void {
    this.#left -= characters + 1;
    if (this.#left < 0) throw new GjsonLimitError('the path takes too much work on this value');
  }

  /** Runs `work` one level deeper. @throws GjsonLimitError */
  nested<T>(work: () => T): T {
    if (this.#depth >= DEPTH) throw new GjsonLimitError('the path or the value nests too deeply');
    this.#depth++;
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }
}
