/**
 * The contract between the engine and every generator: a source of values that no provider keeps. A generator is a
 * file here and one line in registry.ts. What it may ask of the cluster and of servers, it asks as a provider does.
 */
import type { z } from 'zod';
import type { GeneratorKind } from '../../api/generators/names.ts';
import type { Problem } from '../../api/problem.ts';
import type { SecretValue } from '../../api/secret-value.ts';
import type { ProviderPorts, StoreContext } from '../contract.ts';

/** A hold on values at the server that made them: they end with it. */
export interface Lease {
  /** What the server, or the generator, knows it by. Not a secret: alone it opens nothing. */
  readonly id: string;
  /** When the values are made anew, and when they end; wall-clock milliseconds. */
  readonly renewAt: number;
  readonly expiresAt: number;
}

/** For whom values are made, and what a generator may ask of the cluster for it. */
export interface GeneratorUse {
  /**
   * The generator as a store: a SecretStore of the namespace of the ExternalSecret, or, within a ClusterGenerator, a
   * ClusterSecretStore. It says where references are followed, and which servers may be asked.
   */
  readonly store: StoreContext;
  readonly ports: ProviderPorts;
  /** Called for values that end, before they are returned. Always there for a generator that has `revoke`. */
  readonly leased?: ((lease: Lease) => void) | undefined;
}

export interface Generator<Spec> {
  readonly kind: GeneratorKind;
  readonly schema: z.ZodType<Spec>;
  /**
   * Rules beyond the schema: what keeps this spec from ever giving values. Paths are relative to it.
   * @param clusterWide true within a ClusterGenerator
   */
  validateSpec(spec: Spec, clusterWide: boolean): readonly Problem[];
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
  /**
   * Present: values may come with a lease, so they are made by whoever keeps account of leases, the poller.
   * Ends a lease and the values with it; one that is not there any more counts as ended. @throws as generate
   */
  revoke?(spec: Spec, lease: string, use: GeneratorUse, signal: AbortSignal): Promise<void>;
}
