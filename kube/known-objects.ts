/**
 * What a reflector remembers of the objects it has shown: enough to tell what is new and what a list lacks. In two
 * sizes, since a cluster has hundreds of thousands of Secrets of which few matter.
 */
import { nameHash } from './name-hash.ts';

/** The name of an object that matters, and the version in which it was last known to exist, if it was. */
export interface Interest {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string | undefined;
}

export interface Seen {
  /** The object is known in this version. */
  readonly isSame: boolean;
  /** uid of an earlier object that had the name until now. */
  readonly replaced: string | undefined;
}

export type Missing = readonly [key: string, uid: string | undefined];

export interface KnownObjects {
  readonly size: number;
  /** A list begins, from which everything comes that exists. */
  beginList(): void;
  /** Everything counts as new when it is seen again. */
  forgetVersions(): void;
  /** The object was shown. */
  see(key: string, uid: string, resourceVersion: string): Seen;
  /** @param resourceVersion '' = none, so that it counts as new when it is seen again */
  set(key: string, uid: string, resourceVersion: string): void;
  delete(key: string): void;
  /** False if it was certainly not shown. */
  mayBeKnown(key: string): boolean;
  /**
   * What the list that is complete now has not shown: key and uid; and an undefined now and then, where others may have
   * their turn.
   * @param version of the list
   */
  missing(interests: Iterable<Interest>, version: string): Iterable<Missing | undefined>;
  endList(): void;
}

/** So many objects are looked at in one turn of the event loop. */
const CHUNK = 2_000;

const NOT_SEEN: Seen = { isSame: false, replaced: undefined };
const SAME: Seen = { isSame: true, replaced: undefined };

/** Keeps the names. */
export class KnownNames implements KnownObjects {
  /** `resourceVersion/uid` by key: one string takes less than an object of two. */
  readonly #versions = new Map<string, string>();
  /** During a list: what it has shown. */
  #listed: Set<string> | undefined;

  get size(): number {
    return this.#versions.size;
  }

  beginList(): void {
    this.#listed = new Set();
  }

  forgetVersions(): void {
    for (const [key, known] of this.#versions) this.#versions.set(key, versionAndUid('', uidIn(known)));
  }

  see(key: string, uid: string, resourceVersion: string): Seen {
    this.#listed?.add(key);
    const known = this.#versions.get(key);
    if (known === undefined) return NOT_SEEN;
    if (known === versionAndUid(resourceVersion, uid)) return SAME;
    const before = uidIn(known);
    return before === uid ? NOT_SEEN : { isSame: false, replaced: before };
  }

  set(key: string, uid: string, resourceVersion: string): void {
    this.#versions.set(key, versionAndUid(resourceVersion, uid));
  }

  delete(key: string): void {
    this.#versions.delete(key);
  }

  mayBeKnown(key: string): boolean {
    return this.#versions.has(key);
  }

  *missing(): Iterable<Missing | undefined> {
    let count = 0;
    for (const [key, known] of this.#versions) {
      count += 1;
      if (count % CHUNK === 0) yield undefined;
      if (this.#listed?.has(key) === false) yield [key, uidIn(known)];
    }
  }

  endList(): void {
    this.#listed = undefined;
  }
}

const versionAndUid = (resourceVersion: string, uid: string): string => [resourceVersion, uid].join('/');
const uidIn = (known: string): string => known.slice(known.indexOf('/') + 1);

/** Keeps a number for each name, and the version. Two objects never have one version, so the uid is not needed. */
export class KnownHashes implements KnownObjects {
  readonly #hash = nameHash();
  readonly #versions = new Map<number, number | string>();
  #listed: Set<number> | undefined;

  get size(): number {
    return this.#versions.size;
  }

  beginList(): void {
    this.#listed = new Set();
  }

  forgetVersions(): void {
    for (const id of this.#versions.keys()) this.#versions.set(id, '');
  }

  see(key: string, _uid: string, resourceVersion: string): Seen {
    const id = this.#hash(key);
    this.#listed?.add(id);
    return this.#versions.get(id) === compact(resourceVersion) ? SAME : NOT_SEEN;
  }

  set(key: string, _uid: string, resourceVersion: string): void {
    this.#versions.set(this.#hash(key), compact(resourceVersion));
  }

  delete(key: string): void {
    this.#versions.delete(this.#hash(key));
  }

  /** A list may have shown it before there was a watch, under a name that nobody had asked for. */
  mayBeKnown(): boolean {
    return true;
  }

  /**
   * A list shows everything that exists in its version: who was known to exist in that or an earlier one, and is not in
   * it, is gone. Where no version is known it has to have been shown before.
   */
  *missing(interests: Iterable<Interest>, version: string): Iterable<Missing | undefined> {
    let count = 0;
    for (const { namespace, name, resourceVersion } of interests) {
      count += 1;
      if (count % CHUNK === 0) yield undefined;
      const key = [namespace, name].join('/');
      const id = this.#hash(key);
      if (this.#listed?.has(id) !== false) continue;
      const existed =
        resourceVersion === undefined ? this.#versions.has(id) : !(Number(resourceVersion) > Number(version));
      if (existed) yield [key, undefined];
    }
  }

  endList(): void {
    for (const id of this.#versions.keys()) if (this.#listed?.has(id) === false) this.#versions.delete(id);
    this.#listed = undefined;
  }
}

/** Versions are numbers that fit into a word in any cluster but the largest; whatever else they may be stays text. */
function compact(resourceVersion: string): number | string {
  const number = Number(resourceVersion);
  return Number.isSafeInteger(number) && String(number) === resourceVersion ? number : resourceVersion;
}
