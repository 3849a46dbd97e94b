/** MFA: a one-time password of the time (TOTP, RFC 6238), and the seconds it is still good for. */
import { createHmac } from 'node:crypto';
import { type MfaSpec, mfaSpec } from '../../api/generators/v1alpha1/mfa.ts';
import { collector, type Problem } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { decodeBase32 } from '../../template/functions/base64.ts';
import { ProviderError } from '../contract.ts';
import type { Generator } from './contract.ts';
import { readSecret } from './references.ts';

const ALGORITHMS = ['sha1', 'sha256', 'sha512'];
/** The number behind a token has 31 bits; more digits of it say nothing. */
const MAX_DIGITS = 10;
const MAX_PERIOD = 24 * 60 * 60;

const digitsOf = ({ length = 0 }: MfaSpec): number => (length > 0 ? length : 6);
const periodOf = ({ timePeriod = 0 }: MfaSpec): number => (timePeriod > 0 ? timePeriod : 30);
/** SHA-256, sha256: both are in use. */
const algorithmOf = ({ algorithm = '' }: MfaSpec): string =>
  algorithm === '' ? 'sha1' : algorithm.toLowerCase().replace('-', '');

function validateSpec(spec: MfaSpec): Problem[] {
  const { report, problems } = collector();
  if (digitsOf(spec) > MAX_DIGITS)
    report('generator-mfa-length', ['length'], `a token has at most ${MAX_DIGITS} digits`);
  if (periodOf(spec) > MAX_PERIOD)
    report('generator-mfa-period', ['timePeriod'], `at most ${MAX_PERIOD} seconds`);
  if (!ALGORITHMS.includes(algorithmOf(spec)))
    report('generator-mfa-algorithm', ['algorithm'], `supported: ${ALGORITHMS.join(', ')}`);
  if (spec.when !== undefined && Number.isNaN(Date.parse(spec.when)))
    report('generator-mfa-when', ['when'], 'must be a time: 2026-01-31T12:00:00Z');
  if ((spec.secret.name ?? '') === '') report('generator-ref-name', ['secret', 'name'], 'name the Secret');
  if ((spec.secret.key ?? '') === '')
    report('generator-ref-key', ['secret', 'key'], 'name the key of the Secret');
  return problems;
}

/** The bytes of a seed as people write it: base32, perhaps in groups, in small letters, without its padding. */
function seedOf(value: SecretValue, where: string): Buffer {
  const bare = value.revealText().replaceAll(/[\s-]/g, '').replace(/=+$/, '').toUpperCase();
  const padded = bare.padEnd(Math.ceil(bare.length / 8) * 8, '=');
  const decoded = decodeBase32(padded);
  if ('error' in decoded || decoded.bytes === '')
    throw new ProviderError('PROVIDER_INVALID_CONFIG', `${where} is no seed in base32 (letters and 2 to 7)`);
  return Buffer.from(decoded.bytes, 'latin1');
}

/**
 * A token of RFC 6238.
 * @param time seconds since 1970
 */
export function totp(seed: Buffer, time: number, spec: MfaSpec): string {
  const counter = Buffer.alloc(8);
  counter.writeBigInt64BE(BigInt(Math.floor(time / periodOf(spec))));
  const hash = createHmac(algorithmOf(spec), seed).update(counter).digest();
  // RFC 4226, 5.3: the last four bits say where the 31 bits are taken from.
  const offset = (hash.at(-1) ?? 0) & 0xf;
  const number = hash.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** digitsOf(spec)).padStart(digitsOf(spec), '0');
}

export const mfaGenerator = {
  kind: 'MFA',
  schema: mfaSpec,
  validateSpec,
  lifeMs: (spec) => periodOf(spec) * 1_000,
  async generate(spec, use, signal) {
    const { value, where } = await readSecret(spec.secret, ['secret'], use, signal);
    const seed = seedOf(value, where);
    const time = Math.floor(
      (spec.when === undefined ? use.ports.clock.now() : Date.parse(spec.when)) / 1_000,
    );
    const period = periodOf(spec);
    const left = period - (((time % period) + period) % period);
    return new Map([
      ['token', SecretValue.fromText(totp(seed, time, spec))],
      ['timeLeft', SecretValue.fromText(String(left))],
    ]);
  },
} satisfies Generator<MfaSpec>;
