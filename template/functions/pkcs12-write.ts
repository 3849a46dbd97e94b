/**
 * Writing PKCS#12 files in go-pkcs12's Modern profile: PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA-256, a SHA-256
 * MAC, 2048 rounds each. Java and OpenSSL 1.1 and newer read them.
 */
import { createCipheriv, createHash, createHmac, type KeyObject, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type Asn1, derOf, explicit, implicit, integer, nil, octets, oid, sequence, set } from './der.ts';
import { bmpString, nameText } from './distinguished-name.ts';
import {
  AES256_CBC,
  deriveOld,
  FOR_MAC,
  HMAC_SHA256,
  notImplemented,
  type Password,
  PBES2,
  PBKDF2,
  passwordOf,
  SHA256,
} from './pkcs12-crypto.ts';
import { CERTIFICATE_BAG, DATA, ENCRYPTED_DATA, SHROUDED_KEY_BAG, X509_CERTIFICATE } from './pkcs12-read.ts';
import { type Certificate, pkcs8Of } from './x509.ts';

const ROUNDS = 2048;
const SALT_BYTES = 16;
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21';
const FRIENDLY_NAME = '1.2.840.113549.1.9.20';
/** What marks an entry of a Java trust store, and that it is trusted for any use. */
const JAVA_TRUST_STORE = '2.16.840.1.113894.746875.1.1';
const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0';

const latin1 = (bytes: Buffer): string => bytes.toString('latin1');

/** The scheme with fresh salt and vector, and the content encrypted by it. */
function encrypt(plain: string, password: Password): { scheme: Asn1; encrypted: string } {
  const [salt, vector] = [randomBytes(SALT_BYTES), randomBytes(16)];
  const key = pbkdf2Sync(password.utf8, salt, ROUNDS, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, vector);
  const encrypted = Buffer.concat([cipher.update(Buffer.from(plain, 'latin1')), cipher.final()]);
  const derivation = sequence(
    oid(PBKDF2),
    sequence(octets(latin1(salt)), integer(ROUNDS), sequence(oid(HMAC_SHA256), nil())),
  );
  const scheme = sequence(
    oid(PBES2),
    sequence(derivation, sequence(oid(AES256_CBC), octets(latin1(vector)))),
  );
  return { scheme, encrypted: latin1(encrypted) };
}

const attribute = (type: string, value: Asn1): Asn1 => sequence(oid(type), set(value));

function bag(type: string, value: Asn1, attributes: readonly Asn1[]): Asn1 {
  const parts = [oid(type), explicit(0, value)];
  return attributes.length === 0 ? sequence(...parts) : sequence(...parts, set(...attributes));
}

const certificateBag = (certificate: Certificate, attributes: readonly Asn1[]): Asn1 =>
  bag(CERTIFICATE_BAG, sequence(oid(X509_CERTIFICATE), explicit(0, octets(certificate.raw))), attributes);

const data = (bytes: string): Asn1 => sequence(oid(DATA), explicit(0, octets(bytes)));

function encryptedBags(bags: readonly Asn1[], password: Password): Asn1 {
  const { scheme, encrypted } = encrypt(derOf(sequence(...bags)), password);
  const info = sequence(oid(DATA), scheme, implicit(0, encrypted));
  return sequence(oid(ENCRYPTED_DATA), explicit(0, sequence(integer(0), info)));
}

/** The file around its parts, with the MAC. */
function pfx(contents: readonly Asn1[], password: Password): string {
  const safe = derOf(sequence(...contents));
  const salt = randomBytes(SALT_BYTES);
  const key = deriveOld('sha256', password, salt, ROUNDS, FOR_MAC, 32);
  const mac = createHmac('sha256', key).update(Buffer.from(safe, 'latin1')).digest();
  const digest = sequence(sequence(oid(SHA256), nil()), octets(latin1(mac)));
  return derOf(sequence(integer(3), data(safe), sequence(digest, octets(latin1(salt)), integer(ROUNDS))));
}

/**
 * A file with a key, its certificate and others.
 * @returns a Go string
 * @throws GoError for a password beyond UCS-2
 */
export function writeKeyStore(
  key: KeyObject,
  certificate: Certificate,
  others: readonly Certificate[],
  passwordText: string,
): string {
  const password = passwordOf(passwordText);
  const fingerprint = createHash('sha1').update(Buffer.from(certificate.raw, 'latin1')).digest();
  const keyId = attribute(LOCAL_KEY_ID, octets(latin1(fingerprint)));
  const { scheme, encrypted } = encrypt(pkcs8Of(key), password);
  const bags = [certificateBag(certificate, [keyId]), ...others.map((other) => certificateBag(other, []))];
  const keyBag = bag(SHROUDED_KEY_BAG, sequence(scheme, octets(encrypted)), [keyId]);
  return pfx([encryptedBags(bags, password), data(derOf(sequence(keyBag)))], password);
}

/** A file of trusted certificates for Java, each under the name of its subject. @returns a Go string @throws GoError */
export function writeTrustStore(certificates: readonly Certificate[], passwordText: string): string {
  const password = passwordOf(passwordText);
  const trusted = attribute(JAVA_TRUST_STORE, oid(ANY_EXTENDED_KEY_USAGE));
  const bags = certificates.map((certificate) => {
    const name = bmpString(nameText(certificate.subject));
    if (name === undefined)
      throw notImplemented('string contains characters that cannot be encoded in UCS-2');
    return certificateBag(certificate, [trusted, attribute(FRIENDLY_NAME, name)]);
  });
  return pfx([encryptedBags(bags, password)], password);
}
