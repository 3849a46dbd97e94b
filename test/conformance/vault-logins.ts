/** An OpenBao with a role for each auth method, and the blocks that log in with them. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { selfSigned } from '../../providers/testing/self-signed.ts';
import type { OpenBao } from '../harness/openbao.ts';

export const READER = 'path "secret/*" { capabilities = ["read", "list"] }';

/** A token of an issuer that `enableLogins` makes known. */
export function jwtOf(key: KeyObject, audience: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'issuer', sub: 'app', aud: [audience], iat: now, exp: now + 600 };
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}

export interface Logins {
  readonly roleId: string;
  /** Its first half is used up by each login that one asks for; a new one. */
  secretId(more?: object): Promise<string>;
  /** Signs the JWTs of role `app` at auth/jwt. */
  readonly issuer: KeyObject;
  /** PEM of a certificate that role `app` at auth/cert knows, and its key. */
  readonly client: { readonly cert: string; readonly key: string };
}

/** Mounts approle, userpass (user `app`, password `pw`), jwt and cert, each with a role `app` that may read `secret/`. */
export async function enableLogins(bao: OpenBao, client = selfSigned('127.0.0.1')): Promise<Logins> {
  const admin = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await bao.request<T>(method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  await admin('PUT', 'sys/policies/acl/app', { policy: READER });
  for (const type of ['approle', 'userpass', 'jwt', 'cert'])
    await admin('POST', `sys/auth/${type}`, { type });
  const token = { token_policies: ['app'], token_ttl: '1h' };
  await admin('POST', 'auth/approle/role/app', token);
  await admin('POST', 'auth/userpass/users/app', { password: 'pw', ...token });
  const { privateKey: issuer, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await admin('POST', 'auth/jwt/config', {
    jwt_validation_pubkeys: [publicKey.export({ type: 'spki', format: 'pem' })],
  });
  await admin('POST', 'auth/jwt/role/app', {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: ['vault'],
    ...token,
  });
  await admin('POST', 'auth/cert/certs/app', { certificate: client.cert, ...token });
  const { data } = await admin<{ data: { role_id: string } }>('GET', 'auth/approle/role/app/role-id');
  return {
    roleId: data.role_id,
    issuer,
    client,
    async secretId(more = {}) {
      const path = 'auth/approle/role/app/secret-id';
      return (await admin<{ data: { secret_id: string } }>('POST', path, more)).data.secret_id;
    },
  };
}
