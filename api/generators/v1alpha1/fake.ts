/** Fake v1alpha1: values from the object itself, for tests. */
import { z } from 'zod';

export const fakeSpec = z
  .strictObject({
    controller: z
      .string()
      .optional()
      .describe('Controller class that serves the generator. Absent means that every controller does.'),
    data: z.record(z.string(), z.string()).optional().describe('The values by key.'),
  })
  .describe('Static values. For tests and demonstrations only.');
export type FakeSpec = z.output<typeof fakeSpec>;
