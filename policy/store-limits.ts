/**
 * How much of its provider a store may take: annotations of the store, over what the program was started with.
 * Admission and the engine read them here alike.
 */
import { parseGoDuration } from '../api/duration.ts';
import { EsaError } from '../api/errors.ts';
import {
  ANNOTATION_BATCH_READS,
  ANNOTATION_BREAKER_COOL_DOWN,
  ANNOTATION_BREAKER_FAILURES,
  ANNOTATION_MAX_IN_FLIGHT,
  ANNOTATION_RATE_BURST,
  ANNOTATION_RATE_LIMIT,
} from '../api/external-secrets/names.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { collector, type Problem } from '../api/problem.ts';
import type { RuleId } from '../api/rules.ts';

/** What one identity of a store may do, in each replica by itself. */
export interface StoreLimits {
  /** Uses of connections at a time. */
  readonly maxInFlight: number;
  /** Requests a second; undefined: no limit. */
  readonly rate: number | undefined;
  /** So many requests may come at once where none came before. */
  readonly burst: number;
  /** Failures in a row that open the breaker. */
  readonly breakerFailures: number;
  /** How long it stays open, milliseconds. */
  readonly breakerCoolDownMs: number;
  /** Reads of one moment may be sent as one request. */
  readonly batchReads: boolean;
}

/** What holds where neither a flag nor an annotation says otherwise. */
export const DEFAULT_STORE_LIMITS: StoreLimits = {
  // As many connections as one server gets.
  maxInFlight: 32,
  rate: undefined,
  // A limit is kept to in each second, not only on average.
  burst: 1,
  // Each may have cost a create its whole budget, so few; more than one, since a connection that was kept too long, or
  // a leader that stepped down, fails one request and not the next.
  breakerFailures: 3,
  // Much shorter than the shortest refresh interval in common use (10 s), so that an outage is over for everybody
  // within one turn after the provider is back; one request in that time is no load.
  breakerCoolDownMs: 1_000,
  batchReads: false,
};

interface Setting {
  readonly rule: RuleId;
  /** For messages, behind `is not`. */
  readonly form: string;
  /** undefined: the text is not of that form. */
  readonly read: (text: string) => Partial<StoreLimits> | undefined;
}

const whole =
  (min: number, max: number, set: (value: number) => Partial<StoreLimits>): Setting['read'] =>
  (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? set(value) : undefined;
  };

const COOL_DOWN_MS = { min: 100, max: 5 * 60_000 } as const;

/** By the annotation without its prefix; the flag is the same name behind `--store-`. */
const STORE_SETTINGS = {
  'max-in-flight': {
    rule: 'store-max-in-flight',
    form: 'a whole number from 1 to 32',
    read: whole(1, 32, (maxInFlight) => ({ maxInFlight })),
  },
  'rate-limit': {
    rule: 'store-rate-limit',
    form: 'a number of requests a second from 1 to 10000, or 0 for no limit',
    read: whole(0, 10_000, (rate) => ({ rate: rate === 0 ? undefined : rate })),
  },
  'rate-burst': {
    rule: 'store-rate-burst',
    form: 'a number of requests from 1 to 10000',
    read: whole(1, 10_000, (burst) => ({ burst })),
  },
  'breaker-failures': {
    rule: 'store-breaker-failures',
    form: 'a whole number from 1 to 1000',
    read: whole(1, 1_000, (breakerFailures) => ({ breakerFailures })),
  },
  'breaker-cool-down': {
    rule: 'store-breaker-cool-down',
    form: 'a duration from 100ms to 5m',
    read: (text) => {
      const ms = parseGoDuration(text);
      return ms !== undefined && ms >= COOL_DOWN_MS.min && ms <= COOL_DOWN_MS.max
        ? { breakerCoolDownMs: ms }
        : undefined;
    },
  },
  'batch-reads': {
    rule: 'store-batch-reads',
    form: 'true or false',
    read: (text) => (text === 'true' || text === 'false' ? { batchReads: text === 'true' } : undefined),
  },
} as const satisfies Readonly<Record<string, Setting>>;

const ANNOTATIONS: readonly (readonly [annotation: string, Setting])[] = [
  [ANNOTATION_MAX_IN_FLIGHT, STORE_SETTINGS['max-in-flight']],
  [ANNOTATION_RATE_LIMIT, STORE_SETTINGS['rate-limit']],
  [ANNOTATION_RATE_BURST, STORE_SETTINGS['rate-burst']],
  [ANNOTATION_BREAKER_FAILURES, STORE_SETTINGS['breaker-failures']],
  [ANNOTATION_BREAKER_COOL_DOWN, STORE_SETTINGS['breaker-cool-down']],
  [ANNOTATION_BATCH_READS, STORE_SETTINGS['batch-reads']],
];

/**
 * @param defaults what holds where an annotation is missing, or does not make sense
 * @returns the limits, and a problem for each annotation that does not make sense
 */
export function storeLimits(
  annotations: ObjectMeta['annotations'],
  defaults: StoreLimits,
): { readonly limits: StoreLimits; readonly problems: readonly Problem[] } {
  const { report, problems } = collector(['metadata', 'annotations']);
  let limits = defaults;
  for (const [annotation, { rule, form, read }] of ANNOTATIONS) {
    const text = annotations?.[annotation];
    // Whatever it is, if it is no text: others say so.
    if (typeof text !== 'string') continue;
    const set = read(text);
    if (set === undefined) report(rule, [annotation], `"${text}" is not ${form}`);
    else limits = { ...limits, ...set };
  }
  return { limits, problems };
}

const LIMIT_FLAGS = [
  'max-in-flight',
  'rate-limit',
  'rate-burst',
  'breaker-failures',
  'breaker-cool-down',
] as const satisfies readonly (keyof typeof STORE_SETTINGS)[];

/** What the flags of a program say of stores that say nothing else. @throws EsaError CONFIGURATION */
export function storeLimitFlags(
  flags: Readonly<Record<`store-${(typeof LIMIT_FLAGS)[number]}`, string>>,
): StoreLimits {
  let limits = DEFAULT_STORE_LIMITS;
  for (const name of LIMIT_FLAGS) {
    const text = flags[`store-${name}`];
    const { form, read } = STORE_SETTINGS[name];
    const set = read(text);
    if (set === undefined) throw new EsaError('CONFIGURATION', `--store-${name}: "${text}" is not ${form}`);
    limits = { ...limits, ...set };
  }
  return limits;
}
