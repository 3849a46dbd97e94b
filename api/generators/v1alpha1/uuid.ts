/** UUID v1alpha1. */
import { z } from 'zod';

export const uuidSpec = z.strictObject({}).describe('Nothing can be set.');
export type UuidSpec = z.output<typeof uuidSpec>;
