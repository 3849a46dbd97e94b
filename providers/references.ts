/**
 * The one place where a reference of a store to an object of the cluster becomes a namespace and a name.
 *
 * A namespaced store reaches only its own namespace. A ClusterSecretStore reaches the namespace it names;
 * where it names none, the namespace of the ExternalSecret that is served ("referent"), never that of the
 * store's author or of this program. Reading across namespaces through a store was a confused-deputy hole
 * more than once (CVE-2026-42875 for the ConfigMap of caProvider, among others), so nothing else in this room
 * may build such a name.
 */
import { EsaError } from '../api/errors.ts';
import { collector, type FieldPath, formatFieldPath, type Report } from '../api/problem.ts';
import { ProviderError, type StoreContext } from './contract.ts';

/** A reference as it stands in a store; the name is optional in some of ESO's shapes. */
export interface StoreReference {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}

export interface ReferenceOptions {
  /** True where a ClusterSecretStore has to name the namespace (caProvider). */
  readonly namespaceRequired?: boolean;
}

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

// The CRD says the same, but objects stored before it did, and offline use, never saw the CRD.
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

const FOREIGN_NAMESPACE =
  'namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore; leave it out, or use a ClusterSecretStore';

/** Reports the first thing wrong with a reference, if there is one; without I/O. */
export function checkReference(
  store: StoreScope,
  reference: StoreReference | undefined,
  path: FieldPath,
  report: Report,
  options: ReferenceOptions = {},
): void {
  if (reference === undefined) return;
  const { name, namespace } = reference;
  if (name === undefined || name === '') {
    report('store-ref-name', [...path, 'name'], 'name the object to read');
    return;
  }
  if (name.length > 253 || !NAME.test(name)) {
    report(
      'store-ref-name-format',
      [...path, 'name'],
      'must be a lowercase DNS subdomain: letters, digits, "-" and "."',
    );
    return;
  }
  if (namespace === undefined || namespace === '') {
    if (store.kind !== 'ClusterSecretStore' || options.namespaceRequired !== true) return;
    report(
      'store-ref-namespace',
      [...path, 'namespace'],
      'a ClusterSecretStore has to name the namespace here',
    );
    return;
  }
  if (namespace.length > 63 || !NAMESPACE.test(namespace)) {
    report(
      'store-ref-namespace-format',
      [...path, 'namespace'],
      'must be the name of a namespace: lowercase letters, digits and "-"',
    );
    return;
  }
  // An offline check (a manifest without metadata.namespace) cannot know the store's namespace: only an
  // equal one could be right, so any is refused then.
  if (store.kind === 'SecretStore' && namespace !== store.namespace) {
    report('store-ref-own-namespace', [...path, 'namespace'], FOREIGN_NAMESPACE);
  }
}

/** True if the reference means the namespace of whichever ExternalSecret is served. */
export function isReferent(store: StoreScope, reference: StoreReference | undefined): boolean {
  return (
    store.kind === 'ClusterSecretStore' &&
    reference !== undefined &&
    (reference.namespace === undefined || reference.namespace === '')
  );
}

/**
 * The namespace that a reference means for this use of the store; undefined where it names none and no
 * ExternalSecret gives one. Whether the reference is allowed is not asked here: only `resolveReference`
 * may lead to a read.
 */
export function namespaceOf(store: StoreContext, reference: StoreReference): string | undefined {
  if (store.kind === 'SecretStore') return store.namespace;
  return isReferent(store, reference) ? store.callerNamespace : reference.namespace;
}

/**
 * The namespace and name that a reference means for this use of the store.
 * @throws EsaError REFERENCE_FORBIDDEN for another namespace; ProviderError PROVIDER_INVALID_CONFIG for a
 * reference that is malformed, or that nobody is there to give a namespace to
 */
export function resolveReference(
  store: StoreContext,
  reference: StoreReference,
  path: FieldPath,
  options: ReferenceOptions = {},
): { namespace: string; name: string } {
  const { report, problems } = collector();
  checkReference(store, reference, path, report, options);
  const [problem] = problems;
  if (problem !== undefined) {
    const text = `${store.kind} ${store.name}: ${formatFieldPath(problem.path)}: ${problem.message}`;
    if (problem.reason === 'FieldValueForbidden') throw new EsaError('REFERENCE_FORBIDDEN', text);
    throw new ProviderError('PROVIDER_INVALID_CONFIG', text);
  }
  const name = reference.name ?? '';
  const namespace = namespaceOf(store, reference);
  if (namespace === undefined || namespace === '') {
    throw new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${store.kind} ${store.name}: ${formatFieldPath(path)} names no namespace, so it can only be followed for an ExternalSecret`,
    );
  }
  return { namespace, name };
}
