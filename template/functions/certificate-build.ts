/** Building X.509 certificates as Go's x509.CreateCertificate does for the templates of sprig. */
import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import forge from 'node-forge';
import { GoError } from '../function.ts';
import {
  type Asn1,
  bits,
  bool,
  childrenOf,
  contentOf,
  derOf,
  explicit,
  implicit,
  integer,
  nil,
  octets,
  oid,
  parseDer,
  primitive,
  sequence,
  set,
} from './der.ts';
import { type Certificate, subjectDer } from './x509.ts';

const { Type } = forge.asn1;

/** What a certificate is to say. Strings are Go strings. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  /** 4 or 16 bytes each. */
  readonly addresses: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly isAuthority: boolean;
}

/** Who signs: the subject itself, or an authority. */
export interface Signer {
  readonly key: KeyObject;
  /** Absent if the certificate is signed by its own key. */
  readonly certificate?: Certificate;
}

interface SignatureAlgorithm {
  readonly identifier: Asn1;
  /** Of node:crypto; null where the scheme has its own. */
  readonly hash: string | null;
}

const ECDSA: ReadonlyMap<string, readonly [oid: string, hash: string]> = new Map([
  ['prime256v1', ['1.2.840.10045.4.3.2', 'sha256']],
  ['secp384r1', ['1.2.840.10045.4.3.3', 'sha384']],
  ['secp521r1', ['1.2.840.10045.4.3.4', 'sha512']],
]);

/** What Go signs with by default for the kind of key. */
function signatureAlgorithm(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === 'rsa') {
    return { identifier: sequence(oid('1.2.840.113549.1.1.11'), nil()), hash: 'sha256' };
  }
  if (key.asymmetricKeyType === 'ed25519') return { identifier: sequence(oid('1.3.101.112')), hash: null };
  const scheme = ECDSA.get(key.asymmetricKeyDetails?.namedCurve ?? '');
  if (scheme === undefined) {
    throw new GoError('error creating certificate: x509: only RSA, ECDSA and Ed25519 keys supported');
  }
  return { identifier: sequence(oid(scheme[0])), hash: scheme[1] };
}

const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

function nameOf(commonName: string): Asn1 {
  if (commonName === '') return sequence();
  const text = primitive(PRINTABLE.test(commonName) ? Type.PRINTABLESTRING : Type.UTF8, commonName);
  return sequence(set(sequence(oid('2.5.4.3'), text)));
}

/** UTCTime until 2049, GeneralizedTime from then on. */
function timeOf(ms: number): Asn1 {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 0 || date.getUTCFullYear() > 9999) {
    throw new GoError('error creating certificate: cannot represent time as GeneralizedTime');
  }
  const text = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  const isShort = date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050;
  return isShort ? primitive(Type.UTCTIME, text.slice(2)) : primitive(Type.GENERALIZEDTIME, text);
}

function extension(id: string, isCritical: boolean, value: Asn1): Asn1 {
  const parts = isCritical ? [oid(id), bool(true)] : [oid(id)];
  return sequence(...parts, octets(derOf(value)));
}

/** Digital signature and key encipherment; certificate signing too for an authority. */
const keyUsage = (isAuthority: boolean): Asn1 => (isAuthority ? bits('\xa4', 2) : bits('\xa0', 5));

function extensionsOf(request: CertificateRequest, publicKey: Asn1, signer: Signer): Asn1[] {
  const { isAuthority, dnsNames, addresses, commonName } = request;
  const extensions = [
    extension('2.5.29.15', true, keyUsage(isAuthority)),
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))),
    extension('2.5.29.19', true, isAuthority ? sequence(bool(true)) : sequence()),
  ];
  if (isAuthority) extensions.push(extension('2.5.29.14', false, octets(keyIdOf(publicKey))));
  const authority = signer.certificate;
  if (
    authority !== undefined &&
    authority.subjectKeyId !== '' &&
    subjectDer(authority) !== derOf(nameOf(commonName))
  ) {
    extensions.push(extension('2.5.29.35', false, sequence(implicit(0, authority.subjectKeyId))));
  }
  const names = [
    ...dnsNames.map((name) => implicit(2, name)),
    ...addresses.map((bytes) => implicit(7, bytes)),
  ];
  if (names.length > 0) extensions.push(extension('2.5.29.17', commonName === '', sequence(...names)));
  return extensions;
}

/** The first 160 bits of the SHA-256 of the key (RFC 7093, method 1), as Go since 1.25. */
function keyIdOf(publicKey: Asn1): string {
  const key = contentOf(childrenOf(publicKey)[1]).slice(1);
  return createHash('sha256').update(Buffer.from(key, 'latin1')).digest().toString('latin1', 0, 20);
}

/**
 * A certificate for the public half of `key`.
 * @returns DER, a Go string
 * @throws GoError
 */
export function buildCertificate(request: CertificateRequest, key: KeyObject, signer: Signer): string {
  const { identifier, hash } = signatureAlgorithm(signer.key);
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('latin1');
  const publicKey = parseDer(spki);
  if (publicKey === undefined)
    throw new GoError('error creating certificate: x509: unsupported public key type');
  const unencodable = request.dnsNames.find((name) => /[\x80-\xff]/.test(name));
  if (unencodable !== undefined) {
    throw new GoError(
      'error creating certificate: x509: [redacted] cannot be encoded as an IA5String',
      `error creating certificate: x509: "${unencodable}" cannot be encoded as an IA5String`,
    );
  }
  const subject = nameOf(request.commonName);
  const toSign = sequence(
    explicit(0, integer(2)),
    integer(BigInt(`0x${randomBytes(16).toString('hex')}`)),
    identifier,
    signer.certificate?.subject ?? subject,
    sequence(timeOf(request.notBefore), timeOf(request.notAfter)),
    subject,
    publicKey,
    explicit(3, sequence(...extensionsOf(request, publicKey, signer))),
  );
  const signature = sign(hash, Buffer.from(derOf(toSign), 'latin1'), signer.key);
  return derOf(sequence(toSign, identifier, bits(signature.toString('latin1'))));
}
