/**
 * Which part of the cluster a program serves: what it lists, watches and reads, and which reviews it judges. What is
 * not in it needs no rights.
 */
import { EsaError } from '../api/errors.ts';
import type { StoreKind } from '../api/external-secrets/names.ts';
import type { GeneratorRefKind } from '../api/generators/names.ts';

export interface Scope {
  /** The one namespace that is served; undefined: all of them. */
  readonly namespace: string | undefined;
  /** ClusterSecretStores are used. */
  readonly clusterStores: boolean;
  /** ClusterGenerators are used. */
  readonly clusterGenerators: boolean;
}

export const WHOLE_CLUSTER: Scope = { namespace: undefined, clusterStores: true, clusterGenerators: true };

type Flag = 'scoped-namespace' | 'process-cluster-store' | 'process-cluster-generator';

/** RFC 1123 label, which the name of a namespace is. */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * What the flags say. Kinds of the cluster are served unless there is one namespace: its rights then end with it.
 * @throws EsaError CONFIGURATION
 */
export function scopeFlags(flags: Readonly<Record<Flag, string | undefined>>): Scope {
  const namespace = flags['scoped-namespace'];
  if (namespace !== undefined && !NAMESPACE.test(namespace))
    throw new EsaError('CONFIGURATION', `--scoped-namespace: "${namespace}" is not the name of a namespace`);
  const whole = namespace === undefined;
  return {
    namespace,
    clusterStores: switchFlag('process-cluster-store', flags['process-cluster-store'], whole),
    clusterGenerators: switchFlag('process-cluster-generator', flags['process-cluster-generator'], whole),
  };
}

/**
 * Whether ClusterExternalSecrets are carried out: they write into several namespaces, so never where only one is served.
 * @param text of `--cluster-external-secrets`
 * @throws EsaError CONFIGURATION
 */
export function carriesOutClusterExternalSecrets(text: string | undefined, { namespace }: Scope): boolean {
  const name = 'cluster-external-secrets';
  const wanted = switchFlag(name, text, namespace === undefined);
  if (wanted && namespace !== undefined)
    throw new EsaError(
      'CONFIGURATION',
      `--${name}: "true" does not go together with --scoped-namespace, since they make objects in several namespaces`,
    );
  return wanted;
}

/** Why an object of this kind is not used; undefined if it is. Nobody but who starts the programs can change it. */
export function notServed(
  { clusterStores, clusterGenerators }: Scope,
  kind: StoreKind | GeneratorRefKind,
  name: string,
): EsaError | undefined {
  const served =
    kind === 'ClusterSecretStore' ? clusterStores : kind !== 'ClusterGenerator' || clusterGenerators;
  if (served) return undefined;
  return new EsaError('KIND_NOT_SERVED', `could not get ${kind} "${name}": no ${kind}s are served here`);
}

function switchFlag(name: string, text: string | undefined, otherwise: boolean): boolean {
  if (text === undefined) return otherwise;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new EsaError('CONFIGURATION', `--${name}: "${text}" is not one of true, false`);
}
