/**
 * What the mutating hook has found out about a create, for the validating hook of the same request, which comes
 * some milliseconds later and would read the same objects again. A note is only a saving: without one (another
 * replica, a dry run) the validating hook looks for itself.
 */
import { isDeepStrictEqual } from 'node:util';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';

/** The API server gives a request 34 s at most. */
const KEEP_MS = 35_000;
const MAX_NOTES = 4096;

export interface CreateNote {
  /** Why there is no Secret, as the user has been told; undefined if he was told nothing. */
  readonly said: string | undefined;
  /** True if the other objects were seen, and nothing is left to find out. */
  readonly complete: boolean;
}

export class CreateNotes {
  readonly #notes: LRUCache<string, CreateNote & { readonly spec: unknown }>;

  constructor(clock: Clock) {
    this.#notes = new LRUCache({
      max: MAX_NOTES,
      ttl: KEEP_MS,
      perf: { now: () => clock.monotonic() },
    });
  }

  /** @param es in the hub version */
  leave(es: ExternalSecret, note: CreateNote): void {
    this.#notes.set(keyOf(es), { ...note, spec: es.spec });
  }

  /** The note about this very create; undefined if there is none. It is given out once. */
  take(es: ExternalSecret): CreateNote | undefined {
    const key = keyOf(es);
    const note = this.#notes.get(key);
    // Another create of the name, or a hook after ours that has changed the object.
    if (note === undefined || !isDeepStrictEqual(note.spec, es.spec)) return undefined;
    this.#notes.delete(key);
    return note;
  }
}

const keyOf = ({ metadata }: ExternalSecret): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`;
