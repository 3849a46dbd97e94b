/** remoteRef.key at Key Vault: `name` or `secret/name`, `cert/name`, `key/name`. */
export type ObjectType = 'secret' | 'cert' | 'key';

/** How the REST API names each kind. */
export const COLLECTIONS = { secret: 'secrets', cert: 'certificates', key: 'keys' } as const satisfies Record<
  ObjectType,
  string
>;

export interface ObjectKey {
  readonly type: ObjectType;
  readonly name: string;
}

const KEY = /^(?:(secret|cert|key)\/)?([0-9A-Za-z-]{1,127})$/;

/** undefined for what no object of a vault can be called. */
export function parseKey(key: string): ObjectKey | undefined {
  const [, type = 'secret', name] = KEY.exec(key) ?? [];
  return name === undefined ? undefined : { type: type as ObjectType, name };
}
