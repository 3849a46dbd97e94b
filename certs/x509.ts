/** Reading and verifying certificates, with node:crypto. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/**
 * notBefore lies this far back, for clients whose clock is behind: an hour is what a wrong time zone or
 * daylight-saving rule is off by, and it must be more than that.
 */
export const CLOCK_SKEW_MS = 2 * 3_600_000;

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0';

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

/** True if the text is a certificate whose time has come and is not over. */
export function isValidAt(pem: string, now: number): boolean {
  const certificate = readCertificate(pem);
  return (
    certificate !== undefined && certificate.validFromDate.getTime() <= now && now < notAfter(certificate)
  );
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

const hasIssued = (authority: X509Certificate, certificate: X509Certificate): boolean =>
  authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);

/** True if one of the CAs in `bundle` has signed a certificate of `chain` (PEM both, the leaf comes first). */
export function isTrusted(chain: string, bundle: string): boolean {
  const read = (pem: string): X509Certificate[] =>
    splitBundle(pem).flatMap((one) => readCertificate(one) ?? []);
  const authorities = read(bundle);
  return read(chain).some((certificate) =>
    authorities.some((authority) => hasIssued(authority, certificate)),
  );
}

/** Says why this cannot be served under these names at this time, or undefined. Who signed it is not looked at. */
export function servingProblem(
  pair: { readonly key: string; readonly cert: string },
  dnsNames: readonly string[],
  now: number,
): string | undefined {
  const certificate = readCertificate(pair.cert);
  const key = readPrivateKey(pair.key);
  if (!certificate || !key) return 'it cannot be read';
  if (certificate.ca) return 'it is a CA';
  if (!certificate.checkPrivateKey(key)) return 'its key does not fit';
  if (!isValidAt(pair.cert, now)) {
    return `it is valid from ${certificate.validFromDate.toISOString()} to ${certificate.validToDate.toISOString()} only`;
  }
  // Without the extension a certificate is for anything (RFC 5280 4.2.1.12).
  const usages: readonly string[] | undefined = certificate.keyUsage;
  if (usages && !usages.includes(SERVER_AUTH) && !usages.includes(ANY_EXTENDED_KEY_USAGE)) {
    return 'it is not for servers';
  }
  // Go clients, which API servers are, do not look at the subject.
  const missing = dnsNames.find((name) => certificate.checkHost(name, { subject: 'never' }) === undefined);
  return missing === undefined ? undefined : `it is not valid for ${missing}`;
}

/** Says why a client that trusts this CA only would refuse this leaf, or undefined. */
export function leafProblem(
  leaf: { readonly key: string; readonly cert: string },
  authorityPem: string,
  dnsNames: readonly string[],
  now: number,
): string | undefined {
  const problem = servingProblem(leaf, dnsNames, now);
  if (problem !== undefined) return problem;
  const [certificate, authority] = [readCertificate(leaf.cert), readCertificate(authorityPem)];
  const signed = certificate !== undefined && authority !== undefined && hasIssued(authority, certificate);
  return signed ? undefined : 'its CA did not sign it';
}
