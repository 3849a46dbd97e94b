/**
 * The contract between the engine and every generator: from a spec to new values. A generator is a file with its
 * semantics, a schema in api/generators and a line in registry.ts.
 */
import type { z } from 'zod';
import type { GeneratorKind } from '../../api/generators/names.ts';
import type { Problem } from '../../api/problem.ts';
import type { SecretValue } from '../../api/secret-value.ts';

export interface Generator<Spec> {
  readonly kind: GeneratorKind;
  readonly schema: z.ZodType<Spec>;
  /** Rules beyond the schema: what keeps this spec from ever giving values. Paths are relative to it. */
  validateSpec(spec: Spec): readonly Problem[];
  /**
   * Values by key, new ones at each call; without I/O but for the system's random numbers.
   * @param spec parsed by the schema and without problems
   * @throws EsaError INVALID_OBJECT
   */
  generate(spec: Spec): ReadonlyMap<string, SecretValue>;
}
