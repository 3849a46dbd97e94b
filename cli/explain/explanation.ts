/** What `esa explain` has found out about an object; the JSON of `-o json` is this. No value of a secret is in it. */
import { ERROR_CATALOGUE, type ErrorCode } from '../../api/errors.ts';

export interface Explained {
  readonly kind: string;
  /** Absent for kinds of the cluster. */
  readonly namespace?: string | undefined;
  readonly name: string;
  /** Of an object that is none of external-secrets.io. */
  readonly group?: string | undefined;
}

/**
 * `ready`: as it should be. `not-ready`: the last attempt failed, or the next one will. `waiting`: nobody has tried yet.
 * `ignored`: it belongs to another controller. `deleting`: it is on its way out.
 */
export type Verdict = 'ready' | 'not-ready' | 'waiting' | 'ignored' | 'deleting';

/** Something that stands in the way, and what to do. */
export interface Cause {
  /** Of docs/errors.md; absent if the text tells none. */
  readonly code?: ErrorCode | undefined;
  readonly message: string;
  /** The field that it is about. */
  readonly path?: string | undefined;
  readonly remedy: string;
  /** `status`: so says the last attempt. `now`: so it is at this moment. */
  readonly seen: 'status' | 'now';
}

/** One thing that was looked at. */
export interface Fact {
  readonly about: 'target' | 'store' | 'reads' | 'template' | 'policy' | 'namespace' | 'poller' | 'objects';
  readonly state: 'ok' | 'wrong' | 'unknown' | 'note';
  readonly text: string;
}

export interface Told {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly last: string;
}

export interface Next {
  /**
   * `schedule`: derived from the interval, as the poller derives it. `within`: at the latest then. `event`: only when
   * something changes. `none`: nobody will try.
   */
  readonly kind: 'schedule' | 'within' | 'now' | 'event' | 'none';
  /** RFC 3339. */
  readonly at?: string | undefined;
  readonly text: string;
}

export interface Explanation {
  readonly object: Explained;
  readonly verdict: Verdict;
  /** One sentence. */
  readonly summary: string;
  /** What has to be mended, the first first. */
  readonly causes: readonly Cause[];
  readonly facts: readonly Fact[];
  /** The newest first. */
  readonly events: readonly Told[];
  /** When the last attempt succeeded that the status tells of, and since when the condition stands. */
  readonly lastSuccess?: string | undefined;
  /** Of KES, whose status tells when it has failed: the last attempt that it records. */
  readonly lastAttempt?: string | undefined;
  readonly since?: string | undefined;
  readonly next?: Next | undefined;
}

/** `ExternalSecret shop/database`, `ExternalSecret.kubernetes-client.io shop/database`. */
export const labelOf = ({ kind, group, namespace, name }: Explained): string =>
  `${kind}${group === undefined ? '' : `.${group}`} ${namespace === undefined ? '' : `${namespace}/`}${name}`;

const NO_CODE =
  'See docs/troubleshooting.md for the text of the message, and the log of the poller for more.';

/** With the remedy of its code. */
export const causeOf = (
  code: ErrorCode | undefined,
  message: string,
  seen: Cause['seen'],
  path?: string,
): Cause => ({
  code,
  message,
  path,
  seen,
  remedy: code === undefined ? NO_CODE : ERROR_CATALOGUE[code].remedy,
});
