/** ESO's `rsaDecrypt`. */
import { constants, type KeyObject, privateDecrypt } from 'node:crypto';
import { type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { T } from '../value.ts';
import { ofStrings } from './arguments.ts';
import { decodePem } from './pem-blocks.ts';
import { readAnyPrivateKey } from './x509.ts';

/** Anything else is SHA-256. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ['SHA1', 'sha1'],
  ['SHA512', 'sha512'],
]);

function rsaDecrypt(scheme: string, hash: string, ciphertext: string, keyPem: string): string {
  if (scheme === 'None') return ciphertext;
  if (scheme !== 'RSA-OAEP') {
    throw new GoError(
      'decryption scheme [redacted] is not supported',
      `decryption scheme ${scheme} is not supported`,
    );
  }
  const key = rsaKeyOf(keyPem);
  try {
    return privateDecrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: HASHES.get(hash) ?? 'sha256' },
      Buffer.from(ciphertext, 'latin1'),
    ).toString('latin1');
  } catch {
    throw new GoError('error decrypting data with RSA: crypto/rsa: decryption error');
  }
}

function rsaKeyOf(pem: string): KeyObject {
  const found = decodePem(pem);
  if (found === undefined) throw new GoError('failed to decode PEM block');
  let key: KeyObject;
  try {
    key = readAnyPrivateKey(found.block.bytes);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`could not parse private key: ${error.message}`);
  }
  if (key.asymmetricKeyType !== 'rsa') throw new GoError('could not parse RSA private key');
  return key;
}

/** A decryption with a key of 4096 bits takes a few milliseconds. */
const STEPS = 50_000;

export const RSA: FunctionMap = new Map<string, GoFunction>([
  [
    'rsaDecrypt',
    {
      ...ofStrings(4, T.string, ([scheme, hash, ciphertext, key], call) => {
        if (scheme === 'RSA-OAEP') call.spend(STEPS);
        return rsaDecrypt(scheme, hash, ciphertext, key);
      }),
      slow: true,
    },
  ],
]);
