/** What a process has logged in with, kept for all that log in with the same. */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../api/clock.ts';

/** A name for what a name must not show: identities and credentials, as JSON writes them. */
export const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url');

/** The sessions of one provider in the whole process; those that were not used for longest go first. */
export class Sessions<S extends object> {
  readonly #kept = new LRUCache<string, S>({ max: 4096 });
  readonly #begin: (clock: Clock) => S;

  constructor(begin: (clock: Clock) => S) {
    this.#begin = begin;
  }

  /** The session for an identity and what it is made from, credentials included: both are only hashed. */
  for(parts: unknown, clock: Clock): S {
    const key = digest(parts);
    const existing = this.#kept.get(key);
    if (existing !== undefined) return existing;
    const created = this.#begin(clock);
    this.#kept.set(key, created);
    return created;
  }

  /** Drops every session; what a server gave for them lives until it expires. */
  clear(): void {
    this.#kept.clear();
  }
}
