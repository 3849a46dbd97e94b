/**
 * The contract between the engine and every generator: from a spec to new values. A generator is a file with its
 * semantics, a schema in api/generators and a line in registry.ts.
 */
import type { z } from 'zod';
import type { GeneratorKind } from '../../api/generators/names.ts';
import type { Problem } from '../../api/problem.ts';
import type { SecretValue } from '../../api/secret-value.ts';
import type { ProviderPorts, ServerGuard } from '../contract.ts';

/** A hold on values at the server that made them: they end with it. */
export interface Lease {
  /** What the server, or the generator, knows it by. Not a secret: alone it opens nothing. */
  readonly id: string;
  /** When the values are made anew, and when they end; wall-clock milliseconds. */
  readonly renewAt: number;
  readonly expiresAt: number;
}

/** For whom values are made, and what may be used for it. */
export interface GeneratorContext {
  /** Namespace of the ExternalSecret; references of the spec are followed in it. */
  readonly namespace: string;
  /** Name of the generator, for messages. */
  readonly name: string;
  readonly ports: ProviderPorts;
  /** Absent: no policy says anything about servers. */
  readonly guard?: ServerGuard | undefined;
  readonly signal: AbortSignal;
  /** Called for values that end, before they are returned. */
  readonly leased: (lease: Lease) => void;
}

export interface Generator<Spec> {
  readonly kind: GeneratorKind;
  readonly schema: z.ZodType<Spec>;
  /** Rules beyond the schema: what keeps this spec from ever giving values. Paths are relative to it. */
  validateSpec(spec: Spec): readonly Problem[];
  /**
   * Values by key, new ones at each call.
   * @param spec parsed by the schema and without problems
   * @throws EsaError INVALID_OBJECT, REFERENCE_NOT_FOUND, REFERENCE_FORBIDDEN; ProviderError
   */
  generate(
    spec: Spec,
    context: GeneratorContext,
  ): ReadonlyMap<string, SecretValue> | Promise<ReadonlyMap<string, SecretValue>>;
  /**
   * Present: values may come with a lease, so they are made by whoever keeps account of leases, the poller.
   * Ends a lease and the values with it; one that is not there any more counts as ended. @throws EsaError; ProviderError
   */
  revoke?(spec: Spec, lease: string, context: Omit<GeneratorContext, 'leased'>): Promise<void>;
}
