/** Reading and verifying certificates, with node:crypto. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** notBefore lies this far back, for clients whose clock is behind. */
export const CLOCK_SKEW_MS = 3_600_000;

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The certificates of a bundle, one PEM block each. */
export const splitBundle = (bundle: string): string[] => bundle.match(PEM_BLOCK) ?? [];

/** One bundle of several certificates. */
export const joinBundle = (certificates: readonly string[]): string =>
  certificates.map((pem) => `${pem.trim()}\n`).join('');

/** The certificate, or undefined if the text is none. */
export function readCertificate(pem: string | undefined): X509Certificate | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** The private key, or undefined if the text is none. */
export function readPrivateKey(pem: string | undefined): KeyObject | undefined {
  try {
    return pem === undefined ? undefined : createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** Milliseconds since the epoch. */
export const notAfter = (certificate: X509Certificate): number => certificate.validToDate.getTime();

/** When two thirds of a certificate's life are over, milliseconds since the epoch. */
export function renewalTime(certificate: X509Certificate): number {
  const issuedAt = certificate.validFromDate.getTime() + CLOCK_SKEW_MS;
  return issuedAt + ((notAfter(certificate) - issuedAt) * 2) / 3;
}

/** True for a self-signed RSA CA certificate with its own key. */
export function isAuthority(certificate: X509Certificate, key: KeyObject): boolean {
  return (
    certificate.ca &&
    key.asymmetricKeyType === 'rsa' &&
    certificate.checkPrivateKey(key) &&
    certificate.checkIssued(certificate) &&
    certificate.verify(certificate.publicKey)
  );
}

/** Says why a client would refuse this leaf, or undefined. */
export function leafProblem(
  leaf: { readonly key: string; readonly cert: string },
  authorityPem: string,
  dnsNames: readonly string[],
): string | undefined {
  const certificate = readCertificate(leaf.cert);
  const authority = readCertificate(authorityPem);
  const key = readPrivateKey(leaf.key);
  if (!certificate || !authority || !key) return 'it cannot be read';
  if (certificate.ca) return 'it is a CA';
  if (!certificate.checkPrivateKey(key)) return 'its key does not fit';
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    return 'its CA did not sign it';
  }
  const missing = dnsNames.find((name) => certificate.checkHost(name) === undefined);
  return missing === undefined ? undefined : `it is not valid for ${missing}`;
}
