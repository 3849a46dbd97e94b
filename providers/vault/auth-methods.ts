/** The auth methods of a block, as it names them. */
import type { VaultAuth } from './config.ts';

export type AuthMethod = Exclude<keyof VaultAuth, 'namespace'>;

/** In the order in which ESO tries them. */
export const AUTH_METHODS: readonly AuthMethod[] = [
  'tokenSecretRef',
  'appRole',
  'kubernetes',
  'ldap',
  'userPass',
  'jwt',
  'cert',
  'iam',
  'gcp',
];

const DEFAULT_IAM_MOUNT = 'aws';
/** Life of a requested token, seconds; the least that the API server gives. */
export const TOKEN_SECONDS = 600;

/** Where the method is mounted: the field that says so, and its text. Undefined for a token, which asks for no login. */
export function mountOf(
  auth: VaultAuth,
  method: AuthMethod,
): readonly [field: string, mount: string] | undefined {
  switch (method) {
    case 'tokenSecretRef':
      return undefined;
    case 'kubernetes':
      return ['mountPath', auth.kubernetes?.mountPath ?? ''];
    case 'iam':
      return ['path', auth.iam?.path || DEFAULT_IAM_MOUNT];
    default:
      return ['path', auth[method]?.path ?? ''];
  }
}

/** The role that the block asks for, if its method has roles. */
export function roleOf(auth: VaultAuth | undefined): string | undefined {
  return (
    auth?.kubernetes?.role ??
    auth?.jwt?.role ??
    auth?.cert?.vaultRole ??
    auth?.iam?.vaultRole ??
    auth?.gcp?.role
  );
}

/** What a login sends. */
export interface LoginRequest {
  /** Below /v1, not encoded. */
  readonly segments: readonly string[];
  /** The role, for messages. */
  readonly role?: string | undefined;
  /** Stored credentials that the login stands for; only ever hashed. */
  readonly credential: unknown;
  /** Made anew for each login. */
  body(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}
