/** What a function of a template is, and what it may use up. */
import type { Clock } from '../api/clock.ts';
import type { GoType, GoValue } from './value.ts';

/** What one execution has to its disposal; every function that makes something large or loops says so first. */
export interface Call {
  readonly clock: Clock;
  /**
   * Before work in proportion to `count` (elements, characters, iterations).
   * @throws TemplateError TEMPLATE_BUDGET if the execution has used its steps up
   */
  spend(count: number): void;
  /**
   * Before `bytes` of new memory.
   * @throws TemplateError TEMPLATE_BUDGET if the execution would hold too much
   */
  allocate(bytes: number): void;
}

/**
 * A function as Go's reflection sees it. The executor checks number and types of the arguments against `params`
 * with Go's error texts, so `call` gets what it declared: a parameter of `T.any` may be anything, `null` included.
 */
export interface GoFunction {
  readonly params: readonly GoType[];
  /** The last of `params` is the element type of a variadic parameter (`...T`). */
  readonly variadic?: boolean;
  /** The static type of the result; `T.any` if Go declares `interface {}`. */
  readonly result: GoType;
  /** True if a call may take milliseconds (key generation, bcrypt, scrypt): such a template runs off the loop. */
  readonly slow?: boolean;
  readonly call: (args: readonly GoValue[], call: Call) => GoValue;
}

/** The functions of a template by name. */
export type FunctionMap = ReadonlyMap<string, GoFunction>;

/**
 * The error that a Go function returns or a panic of it. Go's own text often quotes its input, which may be the
 * value of a secret, so there are two: `goText` is Go's, for tests against Go; `message` says the same without the
 * value, and is the only one that leaves the engine.
 */
export class GoError extends Error {
  readonly goText: string;

  /** @param message Go's text with every value of the input replaced by `[redacted]` @param goText if it differs */
  constructor(message: string, goText: string = message) {
    super(message);
    this.name = 'GoError';
    this.goText = goText;
  }
}
