/** From a reference to a generator to new values. They are never shared: each caller gets his own. */
import { EsaError, toEsaError } from '../api/errors.ts';
import { generatorResource } from '../api/generators/names.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { formatProblem } from '../api/problem.ts';
import type { SecretValue } from '../api/secret-value.ts';
import { timeLimit } from '../api/time-limit.ts';
import type { ProviderPorts, ServerGuard, StoreContext } from '../providers/contract.ts';
import type { GeneratorUse, Lease } from '../providers/generators/contract.ts';
import { type GeneratorChoice, generatorClass, generatorOf } from '../providers/generators/registry.ts';
import type { GeneratorReference } from './plan.ts';

/** An object of any kind of generator. */
export interface GeneratorObject {
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
}

/** How generators are read: live, by both programs. */
export interface GeneratorReader {
  /** What generators themselves may ask of the cluster. */
  readonly ports: ProviderPorts;
  /**
   * @param namespace of the ExternalSecret; kinds of the cluster are not looked for in it
   * @returns undefined = it does not exist
   */
  generator(
    ref: GeneratorReference,
    namespace: string,
    signal: AbortSignal,
  ): Promise<GeneratorObject | undefined>;
}

/** A generator that may be used, with its parsed spec. */
export type ResolvedGenerator = Extract<GeneratorChoice, { ok: true }> & {
  /** `Kind namespace/name`, for messages. */
  readonly label: string;
  /** False for a ClusterGenerator. */
  readonly namespaced: boolean;
  readonly metadata: ObjectMeta;
};

/** Values that come with a lease are made by whoever keeps account of leases. */
export class LeftToPoller extends EsaError {
  constructor() {
    super('DEADLINE', 'the poller makes values that are leased');
    this.name = 'LeftToPoller';
  }
}

/** ESO's frame, which its users look for. */
const failure = (error: EsaError): EsaError =>
  new EsaError(error.code, `error using generator: ${error.message}`, { cause: error });

/**
 * The generator that an entry refers to.
 * @throws EsaError STORE_OTHER_CLASS if it is of another controller class (then that is all that matters),
 *   REFERENCE_NOT_FOUND, INVALID_OBJECT, KUBE_API
 */
export async function resolveGenerator(
  ref: GeneratorReference,
  namespace: string,
  reader: GeneratorReader,
  controllerClass: string,
  signal: AbortSignal,
): Promise<ResolvedGenerator> {
  const { kind, name } = ref;
  const { group, namespaced } = generatorResource(kind);
  const label = `${kind} ${namespaced ? `${namespace}/` : ''}${name}`;
  const object = await reader.generator(ref, namespace, signal).catch((error: unknown) => {
    throw failure(toEsaError(error));
  });
  if (object === undefined) {
    // As the API server words it; with the namespace too, a warning would have no room for the kind.
    throw failure(new EsaError('REFERENCE_NOT_FOUND', `${kind}.${group} "${name}" not found`));
  }
  const itsClass = generatorClass(kind, object.spec);
  if (itsClass !== '' && itsClass !== controllerClass)
    throw new EsaError('STORE_OTHER_CLASS', `${label} belongs to controller class "${itsClass}"`);
  const choice = generatorOf(kind, object.spec);
  if (!choice.ok) {
    // Checked at admission too, but the object may predate the webhook, or have come in while it was off.
    const problems = choice.problems.map((one) => formatProblem({ ...one, path: ['spec', ...one.path] }));
    throw failure(new EsaError('INVALID_OBJECT', `${label}: ${problems.join('; ')}`));
  }
  return { ...choice, label, namespaced, metadata: object.metadata };
}

/** Whose sync it is. */
export interface GeneratorCaller {
  readonly namespace: string;
  readonly controllerClass: string;
  /** What the policies of the namespace say about servers. */
  readonly guard: ServerGuard | undefined;
  /** Longest time that the making may take, milliseconds. */
  readonly timeoutMs: number;
  /** Told of each lease, and of the generator that gave it. Absent: nobody could keep account of one. */
  readonly leased?: ((ref: GeneratorReference, lease: Lease, from: ResolvedGenerator) => void) | undefined;
}

/** The generator as it is used for an ExternalSecret of this namespace. */
export const useOf = (
  { label, namespaced, metadata }: ResolvedGenerator,
  { namespace, guard }: Pick<GeneratorCaller, 'namespace' | 'guard'>,
  ports: ProviderPorts,
): GeneratorUse & { readonly store: StoreContext } => ({
  store: {
    kind: namespaced ? 'SecretStore' : 'ClusterSecretStore',
    name: label,
    namespace: namespaced ? namespace : undefined,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 0,
    callerNamespace: namespace,
    guard,
  },
  ports,
});

/**
 * New values from the generator that an entry refers to.
 * @throws EsaError as `resolveGenerator`, and what the generator says; LeftToPoller
 */
export async function generate(
  ref: GeneratorReference,
  caller: GeneratorCaller,
  reader: GeneratorReader,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, SecretValue>> {
  const { namespace, controllerClass, timeoutMs, leased } = caller;
  const resolved = await resolveGenerator(ref, namespace, reader, controllerClass, signal);
  const { generator, spec } = resolved;
  if (generator.revoke !== undefined && leased === undefined) throw new LeftToPoller();
  const use = {
    ...useOf(resolved, caller, reader.ports),
    leased: (lease: Lease) => leased?.(ref, lease, resolved),
  };
  const limit = timeLimit(timeoutMs, signal);
  try {
    return await generator.generate(spec, use, limit.signal);
  } catch (error) {
    throw failure(toEsaError(error));
  } finally {
    limit.end();
  }
}
