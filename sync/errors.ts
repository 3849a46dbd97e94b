/** Errors of the engine, with the words that ESO's users look for. */
import { type ErrorCode, EsaError, toEsaError } from '../api/errors.ts';
import type { FieldPath } from '../api/problem.ts';
import { ProviderError } from '../providers/contract.ts';
import { StoreUnavailable } from './breaker.ts';

/** What ESO writes into the message of a Ready=False condition (eso.md 3.1); the cause follows after `: `. */
const CONDITION_TEXT = {
  fetch: 'could not get secret data from provider',
  apply: 'could not update secret',
  immutable: 'could not update secret, target is immutable',
  ownership: 'failed to take ownership of target secret',
  ownedByOther: 'target is owned by another ExternalSecret',
  delete: 'could not delete secret',
  orphans: 'could not delete orphaned secrets',
} as const;

export type Stage = keyof typeof CONDITION_TEXT;

/** A sync that did not succeed: where it stopped, and the error with its code. Its message is safe to show. */
export class SyncError extends EsaError {
  readonly stage: Stage;
  /** The cause alone, without the frame that ESO puts around it. */
  readonly reason: string;
  /** The field whose read failed, in the hub version; undefined if no single one did. */
  readonly path: FieldPath | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(stage: Stage, error: EsaError, where?: { location: string; path: FieldPath }) {
    // The `error processing ..., err: ...` frame is ESO's, so that alerts on event texts go on working.
    super(
      error.code,
      where === undefined ? error.message : `error processing ${where.location}, err: ${error.message}`,
      { cause: error },
    );
    this.name = 'SyncError';
    this.stage = stage;
    this.reason = error instanceof SyncError ? error.reason : error.message;
    this.path = where?.path;
    this.retryAfterMs =
      error instanceof ProviderError || error instanceof StoreUnavailable ? error.retryAfterMs : undefined;
  }

  /** The message of the Ready condition: ESO's text, then the cause. */
  get conditionMessage(): string {
    return `${CONDITION_TEXT[this.stage]}: ${this.message}`;
  }
}

export function toSyncError(stage: Stage, thrown: unknown): SyncError {
  return thrown instanceof SyncError ? thrown : new SyncError(stage, toEsaError(thrown));
}

const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  'PROVIDER_THROTTLED',
  'PROVIDER_UNREACHABLE',
  'PROVIDER_TIMEOUT',
  'STORE_NOT_READY',
  'STORE_UNAVAILABLE',
  'STORE_BUSY',
  'KUBE_API',
  'DEADLINE',
  'OVERLOADED',
]);

/** True if the same attempt may succeed later without anybody changing an object. */
export const isTransient = (code: ErrorCode): boolean => TRANSIENT.has(code);
