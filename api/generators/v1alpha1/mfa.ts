/** MFA v1alpha1: fields of External Secrets Operator 2.9. */
import { z } from 'zod';
import { dateTime, secretKeySelector } from '../../external-secrets/shared.ts';

export const mfaSpec = z
  .strictObject({
    secret: secretKeySelector.describe('Key of a Secret that holds the seed, in base32.'),
    length: z.int().optional().describe('Digits of the token. Absent and 0 mean 6.'),
    timePeriod: z.int().optional().describe('Seconds that a token is good for. Absent and 0 mean 30.'),
    algorithm: z.string().optional().describe('sha1 (default), sha256 or sha512.'),
    when: dateTime().optional().describe('The time that the token is for. Absent means now.'),
  })
  .describe('What the one-time password is made of.');
export type MfaSpec = z.output<typeof mfaSpec>;
