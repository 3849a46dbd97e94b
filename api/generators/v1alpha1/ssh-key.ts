/** SSHKey v1alpha1: fields and defaults of External Secrets Operator 2.9. */
import { z } from 'zod';

export const sshKeySpec = z
  .strictObject({
    keyType: z.enum(['rsa', 'ecdsa', 'ed25519']).default('rsa').describe('Kind of the key.'),
    keySize: z
      .int()
      .min(256)
      .max(8192)
      .optional()
      .describe(
        'Bits: 2048 (default) to 8192 for rsa, 256 (default), 384 or 521 for ecdsa. ed25519 has one size.',
      ),
    comment: z.string().optional().describe('Comment of the key, such as a name.'),
  })
  .describe('What the key pair is like.');
export type SshKeySpec = z.output<typeof sshKeySpec>;
