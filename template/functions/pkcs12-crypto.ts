/**
 * The passwords, ciphers and MACs of PKCS#12 (RFC 7292) that Go's go-pkcs12 knows: the old schemes of appendix B
 * with 3DES and RC2, PBES2 with PBKDF2 and AES-CBC, PBMAC1.
 */
import { createDecipheriv, createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import forge from 'node-forge';
import { type Call, GoError } from '../function.ts';
import { runes } from '../utf8.ts';
import { type Asn1, childrenOf, contentOf, intOf, isUniversal, oidOf } from './der.ts';
import { algorithmOf } from './x509.ts';

const { Type } = forge.asn1;

/** A password: UTF-16 for the old schemes, UTF-8 for the new. */
export interface Password {
  /** Big endian, with two zero bytes at its end; nothing at all for the other empty password. */
  readonly utf16: Buffer;
  readonly utf8: Buffer;
}

export const notImplemented = (what: string): GoError => new GoError(`pkcs12: ${what}`);

/** @throws GoError for characters beyond the basic plane */
export function passwordOf(text: string): Password {
  const utf16 = Buffer.from(
    runes(text).flatMap((rune) => {
      if (rune > 0xffff) throw notImplemented('string contains characters that cannot be encoded in UCS-2');
      return [rune >> 8, rune & 0xff];
    }),
  );
  return { utf16: Buffer.concat([utf16, Buffer.alloc(2)]), utf8: Buffer.from(text, 'latin1') };
}

/** Some programs make nothing, not even a zero character, of the empty password. */
export const NO_PASSWORD: Password = { utf16: Buffer.alloc(0), utf8: Buffer.alloc(0) };

/** One round of the old derivation takes so many steps of the budget, one of PBKDF2 a single one. */
const STEPS_A_ROUND = 5;

/** A file can ask for any number of rounds; none needs more than this. */
const MAX_ROUNDS = 5_000_000;

function checkRounds(rounds: number | undefined, call: Call, steps: number): number {
  if (rounds === undefined || rounds < 1 || rounds > MAX_ROUNDS)
    throw notImplemented('invalid number of iterations');
  call.spend(rounds * steps);
  return rounds;
}

const HASH_BLOCKS: ReadonlyMap<string, number> = new Map([
  ['sha1', 64],
  ['sha256', 64],
  ['sha512', 128],
]);

const FOR_KEY = 1;
const FOR_VECTOR = 2;
export const FOR_MAC = 3;

/** The derivation of RFC 7292, appendix B.2. */
export function deriveOld(
  hash: string,
  password: Password,
  salt: Buffer,
  rounds: number,
  purpose: number,
  size: number,
): Buffer {
  const block = HASH_BLOCKS.get(hash) ?? 64;
  const repeated = (bytes: Buffer): Buffer => Buffer.alloc(Math.ceil(bytes.length / block) * block, bytes);
  const diversifier = Buffer.alloc(block, purpose);
  const input = Buffer.concat([
    salt.length === 0 ? salt : repeated(salt),
    password.utf16.length === 0 ? password.utf16 : repeated(password.utf16),
  ]);
  const out: Buffer[] = [];
  for (let made = 0; made < size; ) {
    let digest = createHash(hash).update(diversifier).update(input).digest();
    for (let round = 1; round < rounds; round++) digest = createHash(hash).update(digest).digest();
    out.push(digest);
    made += digest.length;
    if (made < size) addToBlocks(input, Buffer.alloc(block, digest), block);
  }
  return Buffer.concat(out).subarray(0, size);
}

/** Adds the number `addend` + 1 to every block of the input, without carry between blocks. */
function addToBlocks(input: Buffer, addend: Buffer, block: number): void {
  for (let start = 0; start < input.length; start += block) {
    let carry = 1;
    for (let at = block - 1; at >= 0; at--) {
      carry += (input[start + at] ?? 0) + (addend[at] ?? 0);
      input[start + at] = carry & 0xff;
      carry >>= 8;
    }
  }
}

/** Scheme, size of the key in bytes. */
const OLD_SCHEMES: ReadonlyMap<string, readonly [cipher: '3des' | 'rc2', size: number]> = new Map([
  ['1.2.840.113549.1.12.1.3', ['3des', 24]],
  ['1.2.840.113549.1.12.1.5', ['rc2', 16]],
  ['1.2.840.113549.1.12.1.6', ['rc2', 5]],
]);

export const PBES2 = '1.2.840.113549.1.5.13';
export const PBKDF2 = '1.2.840.113549.1.5.12';
const PBMAC1 = '1.2.840.113549.1.5.14';
export const HMAC_SHA256 = '1.2.840.113549.2.9';

const PRFS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.2.7', 'sha1'],
  [HMAC_SHA256, 'sha256'],
  ['1.2.840.113549.2.11', 'sha512'],
]);

export const AES256_CBC = '2.16.840.1.101.3.4.1.42';

const AES_SIZES: ReadonlyMap<string, number> = new Map([
  ['2.16.840.1.101.3.4.1.2', 16],
  ['2.16.840.1.101.3.4.1.22', 24],
  [AES256_CBC, 32],
]);

export const SHA256 = '2.16.840.1.101.3.4.2.1';

const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  [SHA256, 'sha256'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);

const bytesOf = (value: Asn1 | undefined): Buffer => Buffer.from(contentOf(value), 'latin1');

/**
 * Decrypts what the scheme of an AlgorithmIdentifier encrypted, and takes the padding off.
 * @throws GoError in the words of go-pkcs12
 */
export function decrypt(scheme: Asn1 | undefined, encrypted: Buffer, password: Password, call: Call): string {
  const { algorithm, parameters } = algorithmOf(scheme);
  const old = OLD_SCHEMES.get(algorithm);
  if (old === undefined && algorithm !== PBES2)
    throw notImplemented(`pbe algorithm ${algorithm} is not supported`);
  const plain =
    old === undefined
      ? decryptPbes2(parameters, encrypted, password, call)
      : decryptOld(old, parameters, encrypted, password, call);
  const padding = plain.at(-1) ?? 0;
  const block = old === undefined ? 16 : 8;
  const isPadded =
    padding > 0 && padding <= block && plain.subarray(-padding).every((byte) => byte === padding);
  if (!isPadded) throw notImplemented('decryption error, incorrect padding');
  return plain.toString('latin1', 0, plain.length - padding);
}

function checkBlocks(encrypted: Buffer, block: number): void {
  if (encrypted.length === 0) throw notImplemented('empty encrypted data');
  if (encrypted.length % block !== 0) throw notImplemented('input is not a multiple of the block size');
}

function decryptOld(
  [cipher, size]: readonly ['3des' | 'rc2', number],
  parameters: Asn1 | undefined,
  encrypted: Buffer,
  password: Password,
  call: Call,
): Buffer {
  const [saltValue, iterations] = childrenOf(parameters);
  const rounds = checkRounds(intOf(iterations), call, 3 * STEPS_A_ROUND);
  const derive = (purpose: number, length: number): Buffer =>
    deriveOld('sha1', password, bytesOf(saltValue), rounds, purpose, length);
  const [key, vector] = [derive(FOR_KEY, size), derive(FOR_VECTOR, 8)];
  checkBlocks(encrypted, 8);
  if (cipher === '3des') return withoutPadding('des-ede3-cbc', key, vector, encrypted);
  // OpenSSL has put RC2 away; forge still has it.
  call.spend(20 * encrypted.length);
  const rc2 = forge.rc2.createDecryptionCipher(key.toString('latin1'), size * 8);
  rc2.start(vector.toString('latin1'));
  rc2.update(forge.util.createBuffer(encrypted.toString('latin1')));
  rc2.finish(() => true);
  return Buffer.from(rc2.output.getBytes(), 'latin1');
}

function withoutPadding(cipher: string, key: Buffer, vector: Buffer, encrypted: Buffer): Buffer {
  const decipher = createDecipheriv(cipher, key, vector);
  decipher.setAutoPadding(false);
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
}

function decryptPbes2(
  parameters: Asn1 | undefined,
  encrypted: Buffer,
  password: Password,
  call: Call,
): Buffer {
  const [derivation, scheme] = childrenOf(parameters);
  const kdf = algorithmOf(derivation);
  if (kdf.algorithm !== PBKDF2) throw notImplemented(`pbes2 kdf algorithm ${kdf.algorithm} is not supported`);
  const { algorithm, parameters: vectorValue } = algorithmOf(scheme);
  const size = AES_SIZES.get(algorithm);
  if (size === undefined) throw notImplemented(`pbes2 algorithm ${algorithm} is not supported`);
  const vector = bytesOf(vectorValue);
  if (vector.length !== 16) throw notImplemented('invalid IV length in PBES2 encryption scheme');
  checkBlocks(encrypted, 16);
  return withoutPadding(
    `aes-${size * 8}-cbc`,
    pbkdf2('pbes2', kdf.parameters, password, size, call),
    vector,
    encrypted,
  );
}

/** @param size of the key in bytes; undefined: what the parameters say */
function pbkdf2(
  scheme: string,
  parameters: Asn1 | undefined,
  password: Password,
  size: number | undefined,
  call: Call,
): Buffer {
  const [salt, iterations, ...rest] = childrenOf(parameters);
  if (!isUniversal(salt, Type.OCTETSTRING)) {
    throw notImplemented(`only octet string salts are supported for ${scheme}/pbkdf2`);
  }
  const prf = rest.find((value) => isUniversal(value, Type.SEQUENCE));
  const prfName = prf === undefined ? '' : algorithmOf(prf).algorithm;
  const hash = prf === undefined ? 'sha1' : PRFS.get(prfName);
  if (hash === undefined) throw notImplemented(`${scheme} prf ${prfName} is not supported`);
  const length = size ?? intOf(rest.find((value) => isUniversal(value, Type.INTEGER))) ?? 0;
  if (length < 16 || length > 64) throw notImplemented(`key length ${length} is not supported`);
  return pbkdf2Sync(password.utf8, bytesOf(salt), checkRounds(intOf(iterations), call, 1), length, hash);
}

/**
 * The MAC that a MacData should hold.
 * @throws GoError
 */
export function computeMac(macData: Asn1, message: string, password: Password, call: Call): Buffer {
  const [digestInfo, salt, iterations] = childrenOf(macData);
  const { algorithm, parameters } = algorithmOf(childrenOf(digestInfo)[0]);
  const content = Buffer.from(message, 'latin1');
  if (algorithm === PBMAC1) {
    const [derivation, scheme] = childrenOf(parameters);
    const hash = PRFS.get(oidOf(childrenOf(scheme)[0]));
    if (hash === undefined) throw notImplemented('PBMAC1 MAC algorithm is not supported');
    const key = pbkdf2('PBMAC1', algorithmOf(derivation).parameters, password, undefined, call);
    return createHmac(hash, key).update(content).digest();
  }
  const hash = DIGESTS.get(algorithm);
  if (hash === undefined) throw notImplemented(`MAC digest algorithm not supported: ${algorithm}`);
  const rounds = checkRounds(iterations === undefined ? 1 : intOf(iterations), call, STEPS_A_ROUND);
  const size = createHash(hash).digest().length;
  const key = deriveOld(hash, password, bytesOf(salt), rounds, FOR_MAC, size);
  return createHmac(hash, key).update(content).digest();
}
