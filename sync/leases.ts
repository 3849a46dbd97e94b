/**
 * Leases of generated values (docs/decisions/0024-leases.md): what is recorded of them in the status of the
 * ExternalSecret, when they make a sync due, and how they are given back.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret, LeaseRecord } from '../api/external-secrets/v1/index.ts';
import { timeLimit } from '../api/time-limit.ts';
import type { Lease } from '../providers/generators/contract.ts';
import { type GeneratorReader, type ResolvedGenerator, resolveGenerator, useOf } from './generators.ts';
import type { GeneratorReference } from './plan.ts';
import type { PolicyGate } from './policies.ts';

/** A lease that a sync has brought, and the generator that knows it. */
export interface IssuedLease extends Lease {
  readonly ref: GeneratorReference;
}

/** So many are kept of one object; the values before them were replaced that often. */
const MAX_RECORDS = 8;
const MAX_REMEMBERED = 1_000;
const REVOKE_TIMEOUT_MS = 10_000;
const TRIES = 3;
const PAUSE_MS = 2_000;

const kubeTime = (ms: number): string => `${new Date(Math.max(0, ms)).toISOString().slice(0, 19)}Z`;

const recordOf = ({ ref, id, renewAt, expiresAt }: IssuedLease): LeaseRecord => ({
  generator: { kind: ref.kind, name: ref.name },
  id,
  renewTime: kubeTime(renewAt),
  expireTime: kubeTime(Math.min(expiresAt, Date.parse('9999-12-31'))),
});

const recordsOf = ({ status }: Pick<ExternalSecret, 'status'>): readonly LeaseRecord[] =>
  status?.leases ?? [];

export interface Account {
  /** What the status should list; undefined if it never listed any, and has none to list. */
  readonly records: readonly LeaseRecord[] | undefined;
  /** What nobody needs any more. */
  readonly superfluous: readonly LeaseRecord[];
}

/**
 * After a sync: its leases first, then those of the values before them, which their readers may still use: they run
 * out by themselves. If nothing is leased any more, they are given back.
 * @param now wall-clock milliseconds
 */
export function accountOf(
  es: Pick<ExternalSecret, 'status'>,
  issued: readonly IssuedLease[],
  now: number,
): Account {
  const before = recordsOf(es).filter(({ expireTime }) => Date.parse(expireTime) > now);
  if (issued.length === 0) {
    return { records: es.status?.leases === undefined ? undefined : [], superfluous: before };
  }
  const all = [...issued.map(recordOf), ...before];
  const room = Math.max(MAX_RECORDS, issued.length);
  return { records: all.slice(0, room), superfluous: all.slice(room) };
}

/** When values that are in use have to be made anew, wall-clock milliseconds; undefined if nothing of it is leased. */
export function leasesDue(es: Pick<ExternalSecret, 'status'>): number | undefined {
  const newest = new Map<string, number>();
  for (const { generator, renewTime } of recordsOf(es)) {
    const name = `${generator.kind}/${generator.name}`;
    const due = Date.parse(renewTime);
    newest.set(name, Math.max(newest.get(name) ?? 0, due));
  }
  return newest.size === 0 ? undefined : Math.min(...newest.values());
}

export interface LeaseBookOptions {
  readonly clock: Clock;
  readonly generators: GeneratorReader;
  readonly policies: PolicyGate;
  readonly controllerClass: string;
  /** Called for a lease that could not be given back; it runs out by itself. */
  readonly onFailure: (namespace: string, lease: Pick<LeaseRecord, 'generator'>, error: unknown) => void;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly stop: AbortSignal;
}

/** Gives leases back. Remembers the generators that it has seen: they are often deleted together with their users. */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #seen = new LRUCache<string, ResolvedGenerator>({ max: MAX_REMEMBERED });

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  /** A generator that has given leases. */
  remember(namespace: string, ref: GeneratorReference, generator: ResolvedGenerator): void {
    this.#seen.set(`${namespace}/${ref.kind}/${ref.name}`, generator);
  }

  /** Gives leases back, and tries it more than once. Nobody waits for it; never throws. */
  async giveBack(namespace: string, leases: readonly Pick<LeaseRecord, 'generator' | 'id'>[]): Promise<void> {
    for (const lease of leases) await this.#giveBack(namespace, lease);
  }

  async #giveBack(namespace: string, lease: Pick<LeaseRecord, 'generator' | 'id'>): Promise<void> {
    const { onFailure, sleep, stop } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const limit = timeLimit(REVOKE_TIMEOUT_MS, stop);
      try {
        return await this.#revoke(namespace, lease, limit.signal);
      } catch (error) {
        if (tries >= TRIES || stop.aborted) return onFailure(namespace, lease, error);
      } finally {
        limit.end();
      }
      await sleep(PAUSE_MS, stop);
    }
  }

  async #revoke(
    namespace: string,
    { generator: ref, id }: Pick<LeaseRecord, 'generator' | 'id'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { generators, policies, controllerClass } = this.#options;
    const key = `${namespace}/${ref.kind}/${ref.name}`;
    const resolved =
      this.#seen.get(key) ?? (await resolveGenerator(ref, namespace, generators, controllerClass, signal));
    const { guard } = await policies(namespace, signal);
    const use = useOf(resolved, { namespace, guard }, generators.ports);
    await resolved.generator.revoke?.(resolved.spec, id, use, signal);
  }
}
