/**
 * What is known about the mounts of one identity. Vault answers 404 with an empty list of errors both for a
 * secret that does not exist and for a version 2 path on a version 1 mount; only the first may be taken
 * for "absent", so the mount's engine has to be known before.
 */

/** How long an answer about a mount counts: it can be replaced by one of another version. */
const FRESH_MS = 60_000;

export interface Mount {
  /** With its trailing slash, as Vault names it. */
  readonly path: string;
  readonly type: string;
  /** Version of a KV engine; 1 where the server names none. */
  readonly version: 1 | 2;
}

/** The server does not let us look. */
export const DENIED = 'denied';

export class MountTable {
  readonly #known = new Map<string, { readonly mount: Mount | typeof DENIED; readonly at: number }>();
  readonly #good = new Set<string>();

  /** What the server said about this mount in the last minute. */
  get(mount: string, now: number): Mount | typeof DENIED | undefined {
    const entry = this.#known.get(mount);
    return entry !== undefined && now - entry.at < FRESH_MS ? entry.mount : undefined;
  }

  set(mount: string, value: Mount | typeof DENIED, now: number): void {
    this.#known.set(mount, { mount: value, at: now });
  }

  /** A read of this mount was answered as an engine of this version does. */
  markGood(mount: string, version: string): void {
    this.#good.add(`${version} ${mount}`);
  }

  isGood(mount: string, version: string): boolean {
    return this.#good.has(`${version} ${mount}`);
  }
}
