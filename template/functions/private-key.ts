/** Private keys in the PEM forms that sprig writes and reads, DSA included. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { GoError } from '../function.ts';
import { type Asn1, childrenOf, contentOf, derOf, integer, octets, oid, parseDer, sequence } from './der.ts';
import { decodePem, pemOf } from './pem-blocks.ts';
import { pkcs8Of, readPrivateKey } from './x509.ts';

const DSA_OID = '1.2.840.10040.4.1';

const numberOf = (value: Asn1 | undefined): bigint =>
  BigInt(`0x0${Buffer.from(contentOf(value), 'latin1').toString('hex')}`);

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let [factor, left] = [base % modulus, exponent]; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * factor) % modulus;
    factor = (factor * factor) % modulus;
  }
  return result;
}

/** OpenSSL's traditional form of a DSA key: version, p, q, g, y, x. */
function dsaPem(key: KeyObject): string {
  const [, algorithm, wrapped] = childrenOf(parseDer(pkcs8Of(key)));
  const [p, q, g] = childrenOf(childrenOf(algorithm)[1]).map(numberOf);
  const x = numberOf(parseDer(contentOf(wrapped)));
  if (p === undefined || q === undefined || g === undefined)
    throw new GoError('failed to generate private key: dsa');
  return pemOf(
    'DSA PRIVATE KEY',
    derOf(sequence(...[0n, p, q, g, power(g, x, p), x].map((value) => integer(value)))),
  );
}

/** The form that sprig writes a key in: each kind of key in its own traditional one. */
export function privateKeyPem(key: KeyObject): string {
  const der = (type: 'pkcs1' | 'sec1' | 'pkcs8'): string =>
    key.export({ format: 'der', type }).toString('latin1');
  if (key.asymmetricKeyType === 'rsa') return pemOf('RSA PRIVATE KEY', der('pkcs1'));
  if (key.asymmetricKeyType === 'ec') return pemOf('EC PRIVATE KEY', der('sec1'));
  return key.asymmetricKeyType === 'dsa' ? dsaPem(key) : pemOf('PRIVATE KEY', der('pkcs8'));
}

export const generateRsa = (bits: number): KeyObject =>
  generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;

/** A new key of the kind, as PEM; for an unknown kind a text that says so. */
export function generatePrivateKeyPem(kind: string): string {
  switch (kind) {
    case '':
    case 'rsa':
      return privateKeyPem(generateRsa(4096));
    case 'dsa':
      return privateKeyPem(
        generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }).privateKey,
      );
    case 'ecdsa':
      return privateKeyPem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    case 'ed25519':
      return privateKeyPem(generateKeyPairSync('ed25519').privateKey);
    default:
      return `Unknown type ${kind}`;
  }
}

/**
 * The key in the first PEM block, by the type of the block.
 * @throws GoError in sprig's words
 */
export function parsePrivateKeyPem(pem: string): KeyObject {
  const found = decodePem(pem);
  if (found === undefined) throw new GoError('no PEM data in input');
  const { type, bytes } = found.block;
  const read = (form: 'pkcs1' | 'pkcs8' | 'sec1', failure: string): KeyObject => {
    const key = readPrivateKey(bytes, form);
    if (key === undefined) throw new GoError(`${failure}: the key cannot be read`);
    return key;
  };
  if (type === 'PRIVATE KEY') return read('pkcs8', 'decoding PEM as PKCS#8');
  if (!type.endsWith(' PRIVATE KEY')) {
    throw new GoError('no private key data in PEM block', `no private key data in PEM block of type ${type}`);
  }
  if (type === 'RSA PRIVATE KEY') return read('pkcs1', 'parsing RSA private key from PEM');
  if (type === 'EC PRIVATE KEY') return read('sec1', 'parsing EC private key from PEM');
  if (type === 'DSA PRIVATE KEY') return dsaKey(bytes);
  throw new GoError('invalid private key type', `invalid private key type ${type}`);
}

function dsaKey(der: string): KeyObject {
  const numbers = childrenOf(parseDer(der)).map(numberOf);
  const [, p, q, g, , x] = numbers;
  if (p === undefined || q === undefined || g === undefined || x === undefined) {
    throw new GoError('parsing DSA private key from PEM: asn1: structure error');
  }
  const algorithm = sequence(oid(DSA_OID), sequence(integer(p), integer(q), integer(g)));
  const pkcs8 = derOf(sequence(integer(0), algorithm, octets(derOf(integer(x)))));
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8, 'latin1'), format: 'der', type: 'pkcs8' });
  } catch {
    throw new GoError('parsing DSA private key from PEM: the numbers are no key');
  }
}
