/** What commands share: where they write, how they end, and what is wrong with the way they were called. */

/** Streams of the process, or of a test. */
export interface Terminal {
  /** Result of the command. */
  readonly out: (text: string) => void;
  /** Everything else: errors and notes. */
  readonly error: (text: string) => void;
  /** True if the result is read by somebody who sees colours. */
  readonly colours?: boolean;
  /** True if somebody watches where errors and notes go, so that a line may be written over. */
  readonly progress?: boolean;
  /** All of standard input. */
  readonly readInput: () => Promise<Uint8Array>;
}

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** What the command looked at is wrong. */
  wrong: 1,
  /** The command was called in a way that it cannot serve: flags, files that cannot be read. */
  usage: 2,
  /** The cluster could not be asked: no way to it, no login, no right. */
  cluster: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command was called wrongly; the message says what to do. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
