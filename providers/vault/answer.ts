/** What comes back from Vault. */

/** One answer of the server, whatever its status. */
export interface VaultAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** False if there was a body that is not JSON. */
  readonly isJson: boolean;
  /** The parsed body, numbers with their digits; undefined if empty or not JSON. */
  readonly body: unknown;
  /** The member `errors` of the body, if it is a list. */
  readonly errors: readonly string[] | undefined;
}

/** A member of an object that came over the wire. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
