/** The flags of the webhook's certificates, and what they mean for certs/. */
import { EsaError } from '../api/errors.ts';
import type { CertificateFiles } from '../certs/files.ts';
import type { CertificateTimes } from '../certs/options.ts';
import { durationFlag, type Flag, type FlagValues } from '../runtime/program.ts';

export const CERTIFICATE_FLAGS = {
  'ca-lifetime': { help: 'Life of a CA; the next one is made after two thirds of it (default 8760h).' },
  'leaf-lifetime': {
    help: 'Life of a serving certificate; the next one is made after two thirds of it (default 720h).',
  },
  'ca-overlap': {
    help: 'How long a new CA is published before it signs, and the old one trusted after (default 10m, or a sixth of --ca-lifetime).',
  },
  'tls-cert-file': {
    help: 'Serve the certificate of this file (PEM; intermediate CAs after it), read again when it changes, instead of making one. caBundle is then left to others, such as cert-manager.',
  },
  'tls-private-key-file': { help: 'Private key of --tls-cert-file (PEM).' },
} as const satisfies Record<string, Flag>;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A CA has to live through publishing its successor and keeping its predecessor, with room for delays. */
const OVERLAPS_A_LIFE = 6;
/** How often files are read. */
const FILES_TICK_MS = 2 * SECOND;

/**
 * What certs/ is told.
 * @throws EsaError CONFIGURATION for a time out of its range, half a pair of files, or a lifetime beside files
 */
export function certificateOptions(flags: FlagValues<typeof CERTIFICATE_FLAGS>): {
  readonly files: CertificateFiles | undefined;
  readonly times: Partial<CertificateTimes>;
} {
  const cert = flags['tls-cert-file'];
  const key = flags['tls-private-key-file'];
  if ((cert === undefined) !== (key === undefined)) {
    throw new EsaError('CONFIGURATION', '--tls-cert-file and --tls-private-key-file go together');
  }
  if (cert !== undefined && key !== undefined) {
    for (const name of ['ca-lifetime', 'leaf-lifetime', 'ca-overlap'] as const) {
      if (flags[name] === undefined) continue;
      throw new EsaError(
        'CONFIGURATION',
        `--${name} is for certificates of our own making, and means nothing beside --tls-cert-file`,
      );
    }
    return { files: { cert, key }, times: { tickMs: FILES_TICK_MS } };
  }
  const authorityMs = durationFlag('ca-lifetime', flags['ca-lifetime'] ?? '8760h', MINUTE, 3650 * DAY);
  const leafMs = durationFlag('leaf-lifetime', flags['leaf-lifetime'] ?? '720h', 30 * SECOND, 3650 * DAY);
  const longest = authorityMs / OVERLAPS_A_LIFE;
  const overlap = flags['ca-overlap'];
  const overlapMs =
    overlap === undefined
      ? Math.min(10 * MINUTE, longest)
      : durationFlag('ca-overlap', overlap, SECOND, Math.min(DAY, longest));
  const tickMs = Math.min(10 * SECOND, overlapMs / 4, leafMs / 20);
  return { files: undefined, times: { authorityMs, leafMs, overlapMs, tickMs } };
}
