/**
 * The JWT of a gcp login of type `iam`: signed by the service account itself, with a key that Google publishes. Vault
 * asks for `aud` "vault/<role>" and an end within 15 minutes
 * (https://developer.hashicorp.com/vault/docs/auth/gcp, "Self-signed JWTs").
 */
import { createPrivateKey, sign } from 'node:crypto';
import { z } from 'zod';
import { SecretValue } from '../../api/secret-value.ts';

const LIFE_SECONDS = 10 * 60;

const serviceAccountKey = z.object({
  client_email: z.string().min(1),
  private_key: z.string().min(1),
  private_key_id: z.string().min(1),
});

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * @param key the JSON file of a service account's key
 * @param now wall-clock milliseconds
 * @throws Error if it is none; its message says nothing about the key
 */
export function signedJwt(key: SecretValue, role: string, now: number): SecretValue {
  const parsed = serviceAccountKey.safeParse(jsonOf(key.revealText()));
  if (!parsed.success) throw new Error('no key of a service account');
  const { client_email: email, private_key: pem, private_key_id: kid } = parsed.data;
  const header = { alg: 'RS256', typ: 'JWT', kid };
  const claims = { sub: email, aud: `vault/${role}`, exp: Math.floor(now / 1000) + LIFE_SECONDS };
  const signed = `${encode(header)}.${encode(claims)}`;
  const signature = sign('RSA-SHA256', Buffer.from(signed), createPrivateKey(pem)).toString('base64url');
  return SecretValue.fromText(`${signed}.${signature}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
