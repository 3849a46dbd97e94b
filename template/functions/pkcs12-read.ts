/** Reading PKCS#12 files, as go-pkcs12's DecodeChain does. */
import { type KeyObject, timingSafeEqual } from 'node:crypto';
import forge from 'node-forge';
import { type Call, GoError } from '../function.ts';
import { type Asn1, childrenOf, contentOf, intOf, isTagged, isUniversal, oidOf, parseDer } from './der.ts';
import {
  computeMac,
  decrypt,
  NO_PASSWORD,
  notImplemented,
  type Password,
  passwordOf,
} from './pkcs12-crypto.ts';
import { type Certificate, parseCertificate, readPrivateKey } from './x509.ts';

/** What a file holds: one key, the certificate that comes first, and the others. */
export interface KeyStore {
  readonly key: KeyObject;
  readonly certificates: readonly [Certificate, ...Certificate[]];
}

export const DATA = '1.2.840.113549.1.7.1';
export const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const KEY_BAG = '1.2.840.113549.1.12.10.1.1';
export const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
export const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';
export const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';

const malformed = (where: string): GoError => notImplemented(`error ${where}: asn1: structure error`);

function read(bytes: string, where: string): Asn1 {
  const value = parseDer(bytes);
  if (value === undefined) throw malformed(where);
  return value;
}

/** The value inside of `[0]`. */
const inside = (value: Asn1 | undefined): Asn1 | undefined =>
  isTagged(value, 0) ? childrenOf(value)[0] : undefined;

/**
 * Decodes a file with a key and one or more certificates.
 * @param p12 a Go string
 * @throws GoError in the words of go-pkcs12
 */
export function readKeyStore(p12: string, passwordText: string, call: Call): KeyStore {
  const given = passwordOf(passwordText);
  const pfx = read(p12, 'reading P12 data');
  const [version, authSafe, macData] = childrenOf(pfx);
  if (!isUniversal(version, forge.asn1.Type.INTEGER) || authSafe === undefined)
    throw malformed('reading P12 data');
  if (intOf(version) !== 3) throw notImplemented("can only decode v3 PFX PDU's");
  const [contentType, content] = childrenOf(authSafe);
  if (oidOf(contentType) !== DATA) throw notImplemented('only password-protected PFX is implemented');
  const safe = contentOf(inside(content));
  const password = verify(macData, safe, passwordText, given, call);
  const contents = childrenOf(read(safe, 'reading P12 data'));
  if (contents.length < 1 || contents.length > 2) {
    throw notImplemented(
      `expected between 1 and 2 items in the authenticated safe, but this file has ${contents.length}`,
    );
  }
  return assemble(
    contents.flatMap((info) => childrenOf(read(safeContents(info, password, call), 'reading P12 data'))),
    password,
    call,
  );
}

/** The password that fits the MAC. */
function verify(
  macData: Asn1 | undefined,
  safe: string,
  text: string,
  password: Password,
  call: Call,
): Password {
  if (macData === undefined) {
    if (text !== '') throw notImplemented('no MAC in data');
    return password;
  }
  const expected = Buffer.from(contentOf(childrenOf(childrenOf(macData)[0])[1]), 'latin1');
  for (const candidate of text === '' ? [password, NO_PASSWORD] : [password]) {
    const mac = computeMac(macData, safe, candidate, call);
    if (mac.length === expected.length && timingSafeEqual(mac, expected)) return candidate;
  }
  throw notImplemented('decryption password incorrect');
}

/** The DER of a SafeContents, decrypted if need be. */
function safeContents(info: Asn1, password: Password, call: Call): string {
  const [contentType, content] = childrenOf(info);
  const type = oidOf(contentType);
  if (type === DATA) return contentOf(inside(content));
  if (type !== ENCRYPTED_DATA) {
    throw notImplemented('only data and encryptedData content types are supported in authenticated safe');
  }
  const [version, encryptedInfo] = childrenOf(inside(content));
  if (intOf(version) !== 0) throw notImplemented('only version 0 of EncryptedData is supported');
  const [, scheme, encrypted] = childrenOf(encryptedInfo);
  return decrypt(scheme, Buffer.from(contentOf(encrypted), 'latin1'), password, call);
}

function assemble(bags: readonly Asn1[], password: Password, call: Call): KeyStore {
  const certificates: Certificate[] = [];
  let key: KeyObject | undefined;
  for (const bag of bags) {
    const [id, value] = childrenOf(bag);
    const type = oidOf(id);
    if (type === CERTIFICATE_BAG) certificates.push(certificateOf(inside(value)));
    else if (type === KEY_BAG || type === SHROUDED_KEY_BAG) {
      if (key !== undefined) throw notImplemented('expected exactly one key bag');
      key = type === KEY_BAG ? plainKey(inside(value)) : shroudedKey(inside(value), password, call);
    }
  }
  const [first, ...others] = certificates;
  if (first === undefined) throw notImplemented('certificate missing');
  if (key === undefined) throw notImplemented('private key missing');
  return { key, certificates: [first, ...others] };
}

function certificateOf(bag: Asn1 | undefined): Certificate {
  const [id, value] = childrenOf(bag);
  if (oidOf(id) !== X509_CERTIFICATE)
    throw notImplemented('only X509 certificates are supported in cert bags');
  return parseCertificate(contentOf(inside(value)));
}

function pkcs8Key(der: string): KeyObject {
  const key = readPrivateKey(der, 'pkcs8');
  if (key === undefined)
    throw notImplemented('error parsing PKCS#8 private key: x509: failed to parse private key');
  return key;
}

const plainKey = (value: Asn1 | undefined): KeyObject =>
  pkcs8Key(value === undefined ? '' : forge.asn1.toDer(value).getBytes());

function shroudedKey(value: Asn1 | undefined, password: Password, call: Call): KeyObject {
  const [scheme, encrypted] = childrenOf(value);
  try {
    return pkcs8Key(decrypt(scheme, Buffer.from(contentOf(encrypted), 'latin1'), password, call));
  } catch (error) {
    if (!(error instanceof GoError) || error.message.startsWith('pkcs12: error parsing')) throw error;
    throw notImplemented(`error decrypting PKCS#8 shrouded key bag: ${error.message}`);
  }
}
