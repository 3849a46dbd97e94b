/** CA certificates as stores give them. */
import { X509Certificate } from 'node:crypto';

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * The certificates of a bundle as PEM; the bundle may be PEM, or PEM in base64 (what ESO's schema asks for),
 * once or twice. Undefined if it holds no certificate, or one that does not parse.
 */
export function parseCaBundle(bundle: string): string | undefined {
  let text = bundle;
  for (let depth = 0; depth < 3; depth++) {
    const blocks = text.match(PEM_BLOCK);
    if (blocks !== null) return blocks.every(isCertificate) ? `${blocks.join('\n')}\n` : undefined;
    text = Buffer.from(text, 'base64').toString('latin1');
  }
  return undefined;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.byteLength > 0;
  } catch {
    return false;
  }
}
