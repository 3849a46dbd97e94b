/**
 * The contract between the engine and every generator: from a spec to new values. A generator is a file with its
 * semantics, a schema in api/generators and a line in registry.ts.
 */
import type { z } from 'zod';
import type { GeneratorKind } from '../../api/generators/names.ts';
import type { Problem } from '../../api/problem.ts';
import type { SecretValue } from '../../api/secret-value.ts';
import type { ProviderPorts, StoreContext } from '../contract.ts';

/** For whom values are made, and what a generator may ask of the cluster for it. */
export interface GeneratorUse {
  /**
   * The generator as a SecretStore of the namespace of the ExternalSecret, a ClusterGenerator too: its references are
   * followed there, and its guard says which servers may be asked.
   */
  readonly store: StoreContext;
  readonly ports: ProviderPorts;
}

export interface Generator<Spec> {
  readonly kind: GeneratorKind;
  readonly schema: z.ZodType<Spec>;
  /** Rules beyond the schema: what keeps this spec from ever giving values. Paths are relative to it. */
  validateSpec(spec: Spec): readonly Problem[];
  /** How long what it gives is of use, milliseconds; absent: it does not expire. */
  lifeMs?(spec: Spec): number;

  /**
   * Values by key, new ones at each call.
   * @param spec parsed by the schema and without problems
   * @throws EsaError INVALID_OBJECT; of its references; ProviderError of its server
   */
  generate(
    spec: Spec,
    use: GeneratorUse,
    signal: AbortSignal,
  ): ReadonlyMap<string, SecretValue> | Promise<ReadonlyMap<string, SecretValue>>;
}
