/** The block spec.provider.fake: values written into the store itself, for tests and demonstrations. */
import { z } from 'zod';

const fakeData = z.strictObject({
  key: z.string().describe('Name of the secret; remoteRef.key asks for it.'),
  value: z.string().optional().describe('Value of the secret.'),
  valueMap: z
    .record(z.string(), z.string())
    .optional()
    .describe('Value of the secret as a map (v1alpha1 and v1beta1 of old); used when value is empty.'),
  version: z.string().optional().describe('Version; remoteRef.version asks for exactly this one.'),
});

export const fakeConfigSchema = z
  .strictObject({
    data: z.array(fakeData).describe('The secrets this store knows.'),
    validationResult: z
      .int()
      .min(0)
      .max(2)
      .optional()
      .describe('Outcome of the live check of the store: 0 ready, 1 unknown, 2 error.'),
  })
  .describe('Static values from the store itself. For tests and demonstrations only.');

export type FakeConfig = z.output<typeof fakeConfigSchema>;
