/** Password v1alpha1: fields and defaults of External Secrets Operator 2.9. */
import { z } from 'zod';

const PASSWORD_ENCODINGS = ['base64', 'base64url', 'base32', 'hex', 'raw'] as const;

export const passwordSpec = z
  .strictObject({
    length: z.int().default(24).describe('Length of the password before it is encoded. 0 means 24.'),
    digits: z
      .int()
      .optional()
      .describe('How many of the characters are digits. Absent means a quarter of them, rounded down.'),
    symbols: z
      .int()
      .optional()
      .describe('How many of the characters are symbols. Absent means a quarter of them, rounded down.'),
    symbolCharacters: z
      .string()
      .optional()
      .describe('The symbols to choose from. Absent means ~!@#$%^&*()_+`-={}|[]\\:"<>?,./'),
    noUpper: z.boolean().default(false).describe('Leaves out the letters A to Z.'),
    allowRepeat: z.boolean().default(false).describe('Lets a character occur more than once.'),
    secretKeys: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('Keys that each get a password of their own. Absent means the one key `password`.'),
    encoding: z
      .enum(PASSWORD_ENCODINGS)
      .default('raw')
      .describe('How the finished password is written; all but raw make it longer.'),
  })
  .describe('What the password is made of.');
export type PasswordSpec = z.output<typeof passwordSpec>;
