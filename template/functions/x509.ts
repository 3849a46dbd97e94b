/** X.509 certificates and private keys as far as templates look into them. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { GoError } from '../function.ts';
import { type Asn1, childrenOf, contentOf, derOf, isTagged, oidOf, parseDer } from './der.ts';

export interface Certificate {
  /** The whole certificate in DER. */
  readonly raw: string;
  /** Empty where Go has nil. */
  readonly subjectKeyId: string;
  readonly authorityKeyId: string;
  /** The name in DER. */
  readonly subject: Asn1;
  readonly extensions: ReadonlyMap<string, string>;
}

const SUBJECT_KEY_ID = '2.5.29.14';
const AUTHORITY_KEY_ID = '2.5.29.35';

/**
 * Reads one certificate.
 * @param der a Go string
 * @throws GoError in the words of crypto/x509 for what is no certificate at all
 */
export function parseCertificate(der: string): Certificate {
  const parts = childrenOf(parseDer(der));
  if (parts[0] !== undefined && !Array.isArray(parts[0].value))
    throw new GoError('x509: malformed tbs certificate');
  const fields = childrenOf(parts[0]);
  try {
    // The judge of what is a certificate.
    void new X509Certificate(Buffer.from(der, 'latin1'));
  } catch {
    throw new GoError('x509: malformed certificate');
  }
  const start = isTagged(fields[0], 0) ? 1 : 0;
  const subject = fields[start + 4];
  if (subject === undefined) throw new GoError('x509: malformed certificate');
  const extensions = new Map(
    childrenOf(childrenOf(fields.find((field) => isTagged(field, 3)))[0]).map((extension) => {
      const parts = childrenOf(extension);
      return [oidOf(parts[0]), contentOf(parts.at(-1))] as const;
    }),
  );
  const keyIds = childrenOf(parseDer(extensions.get(AUTHORITY_KEY_ID) ?? ''));
  return {
    raw: der,
    subject,
    extensions,
    subjectKeyId: contentOf(parseDer(extensions.get(SUBJECT_KEY_ID) ?? '')),
    authorityKeyId: contentOf(keyIds.find((part) => isTagged(part, 0))),
  };
}

/** Reads a key in one of the forms; undefined if it is none. */
export function readPrivateKey(der: string, type: 'pkcs1' | 'pkcs8' | 'sec1'): KeyObject | undefined {
  try {
    return createPrivateKey({ key: Buffer.from(der, 'latin1'), format: 'der', type });
  } catch {
    return undefined;
  }
}

/**
 * Reads a private key in PKCS#1, PKCS#8 or SEC 1 form.
 * @throws GoError
 */
export function readAnyPrivateKey(der: string): KeyObject {
  const key = readPrivateKey(der, 'pkcs1') ?? readPrivateKey(der, 'pkcs8') ?? readPrivateKey(der, 'sec1');
  if (key === undefined) throw new GoError('unable to parse private key type');
  return key;
}

/** `x509.MarshalPKCS8PrivateKey`. */
export const pkcs8Of = (key: KeyObject): string =>
  key.export({ format: 'der', type: 'pkcs8' }).toString('latin1');

/** Of an AlgorithmIdentifier: its algorithm, and the parameters in DER. */
export function algorithmOf(value: Asn1 | undefined): { algorithm: string; parameters: Asn1 | undefined } {
  const [algorithm, parameters] = childrenOf(value);
  return { algorithm: oidOf(algorithm), parameters };
}

/** The name of a certificate in DER. */
export const subjectDer = (certificate: Certificate): string => derOf(certificate.subject);
