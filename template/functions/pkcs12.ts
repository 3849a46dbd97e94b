/** ESO's PKCS#12 functions. Files come and go as Go strings; those that are written are base64. */
import type { KeyObject } from 'node:crypto';
import { type Call, type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { T } from '../value.ts';
import { ofStrings } from './arguments.ts';
import { encodeBase64 } from './base64.ts';
import { certificatesPem, countBlocks, orderChain, STEPS_A_CERTIFICATE } from './pem.ts';
import { decodePem, pemOf } from './pem-blocks.ts';
import { type KeyStore, readKeyStore } from './pkcs12-read.ts';
import { writeKeyStore, writeTrustStore } from './pkcs12-write.ts';
import { type Certificate, parseCertificate, pkcs8Of, readAnyPrivateKey } from './x509.ts';

function open(p12: string, password: string, prefix: string, call: Call): KeyStore {
  call.allocate(4 * p12.length);
  try {
    return readKeyStore(p12, password, call);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`${prefix}: ${error.message}`);
  }
}

const keyOf = (p12: string, password: string, call: Call): string =>
  pemOf('PRIVATE KEY', pkcs8Of(open(p12, password, 'unable to decode pkcs12 with password', call).key));

/** Leaf first, if the certificates are one chain; as they stand in the file, if not. */
function certificatesOf(p12: string, password: string, call: Call): string {
  const { certificates } = open(p12, password, 'unable to decode pkcs12 certificate with password', call);
  try {
    return certificatesPem(orderChain(certificates));
  } catch (error) {
    if (error instanceof GoError) return certificatesPem(certificates);
    throw error;
  }
}

/** Where Go dereferences nil for lack of a PEM block, the message says what is missing. */
const noPem = (what: string): GoError =>
  new GoError(
    `no PEM block with a ${what}`,
    'runtime error: invalid memory address or nil pointer dereference',
  );

function firstCertificate(pem: string): { certificate: Certificate; rest: string } {
  const found = decodePem(pem);
  if (found === undefined) throw noPem('certificate');
  return { certificate: parseCertificate(found.block.bytes), rest: found.rest };
}

/** Certificates to the last byte: anything behind or between them is an error. */
function allCertificates(pem: string): Certificate[] {
  const certificates: Certificate[] = [];
  for (let rest = pem; rest !== ''; ) {
    const found = firstCertificate(rest);
    certificates.push(found.certificate);
    rest = found.rest;
  }
  return certificates;
}

function privateKeyOf(pem: string): KeyObject {
  const found = decodePem(pem);
  if (found === undefined) throw noPem('private key');
  return readAnyPrivateKey(found.block.bytes);
}

function pay(pem: string, call: Call): void {
  call.spend(countBlocks(pem) * STEPS_A_CERTIFICATE);
  call.allocate(4 * pem.length);
}

function fromPem(chain: string, key: string, password: string, withOthers: boolean, call: Call): string {
  pay(chain, call);
  const { certificate, rest } = firstCertificate(chain);
  const others = withOthers ? allCertificates(rest) : [];
  return encodeBase64(writeKeyStore(privateKeyOf(key), certificate, others, password));
}

function fromTrusted(certificates: string, password: string, call: Call): string {
  pay(certificates, call);
  return encodeBase64(writeTrustStore(allCertificates(certificates), password));
}

/** Deriving keys from passwords takes milliseconds. */
const slow = (count: number, compute: Parameters<typeof ofStrings>[2]): GoFunction => ({
  ...ofStrings(count, T.string, compute),
  slow: true,
});

export const PKCS12: FunctionMap = new Map<string, GoFunction>([
  ['pkcs12key', slow(1, ([p12], call) => keyOf(p12, '', call))],
  ['pkcs12keyPass', slow(2, ([password, p12], call) => keyOf(p12, password, call))],
  ['pkcs12cert', slow(1, ([p12], call) => certificatesOf(p12, '', call))],
  ['pkcs12certPass', slow(2, ([password, p12], call) => certificatesOf(p12, password, call))],
  ['pemToPkcs12', slow(2, ([cert, key], call) => fromPem(cert, key, '', false, call))],
  ['pemToPkcs12Pass', slow(3, ([cert, key, password], call) => fromPem(cert, key, password, false, call))],
  ['fullPemToPkcs12', slow(2, ([chain, key], call) => fromPem(chain, key, '', true, call))],
  [
    'fullPemToPkcs12Pass',
    slow(3, ([chain, key, password], call) => fromPem(chain, key, password, true, call)),
  ],
  ['pemTruststoreToPKCS12', slow(1, ([certs], call) => fromTrusted(certs, '', call))],
  ['pemTruststoreToPKCS12Pass', slow(2, ([certs, password], call) => fromTrusted(certs, password, call))],
]);
