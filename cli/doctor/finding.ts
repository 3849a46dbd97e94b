/** What checks come to. */
import { FINDINGS, type FindingId, type Severity } from './catalogue.ts';

export interface Finding {
  readonly id: FindingId;
  readonly severity: Severity;
  /** Kind and name of the object, `Secret ns/name`. */
  readonly where: string;
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
  /** What to type, in this order; none where only the reader can know. */
  readonly commands: readonly string[];
}

/** What one check came to. */
export interface CheckResult {
  /** A few words: what was looked at. */
  readonly name: string;
  /** What there was to see, e.g. `25 definitions`. */
  readonly seen: string;
  readonly findings: readonly Finding[];
  /** What could not be looked at, and why, a sentence each. */
  readonly unseen: readonly string[];
}

/** What differs from case to case. */
export interface Case {
  readonly where: string;
  readonly what: string;
  readonly commands?: readonly string[];
  /** Where it is another one than in general. */
  readonly severity?: Severity;
  /** Where it is another one than in general. */
  readonly remedy?: string;
}

export function finding(id: FindingId, { where, what, commands = [], ...other }: Case): Finding {
  const { severity, why, remedy } = FINDINGS[id];
  return {
    id,
    severity: other.severity ?? severity,
    where,
    what,
    why,
    remedy: other.remedy ?? remedy,
    commands,
  };
}

/** The first few of a list, and how many more there are. */
export function few(names: readonly string[], most = 3): string {
  const rest = names.length - most;
  return `${names.slice(0, most).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
