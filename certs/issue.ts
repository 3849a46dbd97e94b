/**
 * Builds certificates with forge; node:crypto makes the keys and the signatures, for which forge would take tens of
 * milliseconds of CPU. This runs in a worker thread only (build-worker.ts). Nothing here verifies: that is
 * node:crypto's part, too.
 */
import { generateKeyPair, randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';

/** A private key (PKCS#8) and its certificate, PEM. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

/** Times are milliseconds since the epoch; a certificate knows whole seconds. */
interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface AuthorityOrder extends Validity {
  readonly kind: 'authority';
  readonly commonName: string;
}

export interface LeafOrder extends Validity {
  readonly kind: 'leaf';
  readonly authority: KeyAndCertificate;
  /** The first one is the subject, too. */
  readonly dnsNames: readonly string[];
}

export type Order = AuthorityOrder | LeafOrder;

const DNS_NAME = 2;
// RFC 5280, upper bound of commonName.
const MAX_COMMON_NAME = 64;

const newKey = promisify(generateKeyPair);

/** RFC 5280 4.1.2.2: positive, at most 20 octets, unguessable. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  // Below 0x80 it is positive; from 0x40 on it has no leading zeros, which DER forbids.
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString('hex');
}

async function newCertificate(
  order: Validity,
  commonName: string,
): Promise<{ key: string; certificate: forge.pki.Certificate }> {
  const { publicKey, privateKey } = await newKey('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = serialNumber();
  certificate.validity.notBefore = new Date(order.notBefore);
  certificate.validity.notAfter = new Date(order.notAfter);
  certificate.setSubject([{ name: 'commonName', value: commonName.slice(0, MAX_COMMON_NAME) }]);
  return { key: privateKey, certificate };
}

/** Signs it with this private key (PEM), RSA with SHA-256. */
function signWith(certificate: forge.pki.Certificate, key: string): void {
  // forge builds what is to be signed, and then asks the key.
  const signer: Partial<forge.pki.rsa.PrivateKey> = {
    sign: () => {
      const toBeSigned = forge.asn1.toDer(certificate.tbsCertificate).getBytes();
      return sign('sha256', Buffer.from(toBeSigned, 'latin1'), key).toString('latin1');
    },
  };
  certificate.sign(signer as forge.pki.rsa.PrivateKey, forge.md.sha256.create());
}

const toPem = (certificate: forge.pki.Certificate): string =>
  forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n');

async function issueAuthority(order: AuthorityOrder): Promise<KeyAndCertificate> {
  const { key, certificate } = await newCertificate(order, order.commonName);
  certificate.setIssuer(certificate.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: true },
  ]);
  signWith(certificate, key);
  return { key, cert: toPem(certificate) };
}

async function issueLeaf(order: LeafOrder): Promise<KeyAndCertificate> {
  const [subject] = order.dnsNames;
  if (subject === undefined) throw new RangeError('a leaf needs a DNS name');
  const authority = forge.pki.certificateFromPem(order.authority.cert);
  const { key, certificate } = await newCertificate(order, subject);
  certificate.setIssuer(authority.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: order.dnsNames.map((value) => ({ type: DNS_NAME, value })) },
    { name: 'subjectKeyIdentifier' },
    // forge would take the leaf's own key for `true`.
    { name: 'authorityKeyIdentifier', keyIdentifier: authority.generateSubjectKeyIdentifier().getBytes() },
  ]);
  signWith(certificate, order.authority.key);
  return { key, cert: toPem(certificate) };
}

/** Makes a key pair and a certificate for it. */
export const issue = (order: Order): Promise<KeyAndCertificate> =>
  order.kind === 'authority' ? issueAuthority(order) : issueLeaf(order);
