/** The references of a provider's block to objects of the cluster: checked, followed and read in one way. */
import { type FieldPath, formatFieldPath, type Report } from '../api/problem.ts';
import type { SecretValue } from '../api/secret-value.ts';
import { parseCaBundle } from './ca-bundle.ts';
import { type NamedDependency, ProviderError, type ProviderPorts, type StoreContext } from './contract.ts';
import {
  checkReference,
  namespaceOf,
  type ReferenceOptions,
  resolveReference,
  type StoreReference,
} from './references.ts';

type StoreScope = Pick<StoreContext, 'kind' | 'namespace'>;

/** A reference and the field that makes it. */
export interface BlockReference {
  readonly kind: 'Secret' | 'ConfigMap' | 'ServiceAccount';
  readonly path: FieldPath;
  readonly reference: StoreReference & { readonly key?: string | undefined };
  readonly options?: ReferenceOptions | undefined;
  /** True if the reference means a whole object, all of its keys. */
  readonly wholeObject?: boolean | undefined;
}

/** The part of a block that says how its server is trusted. */
export interface TrustBlock {
  readonly caBundle?: string | undefined;
  readonly caProvider?:
    | (StoreReference & { readonly type: 'Secret' | 'ConfigMap'; readonly key?: string | undefined })
    | undefined;
}

/** The reference that a caProvider is; caBundle outranks it, as in ESO. It is checked all the same. */
export function caReference({ caProvider }: TrustBlock, at: FieldPath = []): BlockReference[] {
  if (caProvider === undefined) return [];
  const path = [...at, 'caProvider'];
  return [{ kind: caProvider.type, path, reference: caProvider, options: { namespaceRequired: true } }];
}

/** Reports what is wrong with references; without I/O. */
export function checkReferences(
  references: readonly BlockReference[],
  store: StoreScope,
  report: Report,
): void {
  for (const { kind, path, reference, options, wholeObject } of references) {
    checkReference(store, reference, path, report, options);
    if (kind === 'ServiceAccount' || wholeObject === true) continue;
    if (reference.key === undefined || reference.key === '')
      report('store-ref-key', [...path, 'key'], `name the key of the ${kind}`);
  }
}

/** Reports a caBundle that holds no certificates. */
export function checkCaBundle({ caBundle }: TrustBlock, at: FieldPath, report: Report): void {
  if (caBundle !== undefined && parseCaBundle(caBundle) === undefined) {
    const text = 'must hold X.509 certificates as PEM, or as PEM in base64';
    report('store-ca-bundle', [...at, 'caBundle'], text);
  }
}

/** The objects that the references mean for this use of the store; those that nobody gives a namespace are left out. */
export function dependenciesOf(
  references: readonly BlockReference[],
  store: StoreContext,
): NamedDependency[] {
  return references.flatMap(({ kind, path, reference }): NamedDependency[] => {
    const namespace = namespaceOf(store, reference);
    const { name, key } = reference;
    return namespace === undefined || name === undefined ? [] : [{ kind, namespace, name, path, key }];
  });
}

/** True if each reference means the same object for everyone who uses the store. */
export const allFollowable = (references: readonly BlockReference[], store: StoreContext): boolean =>
  references.every(({ reference }) => namespaceOf(store, reference) !== undefined);

/** The references as part of an identity: equal if they mean the same objects. */
export const referenceIdentity = (references: readonly BlockReference[], store: StoreContext): unknown[] =>
  references.map(({ kind, path, reference }) => [
    kind,
    formatFieldPath(path),
    namespaceOf(store, reference) ?? '',
    reference.name ?? '',
    reference.key ?? '',
  ]);

/**
 * What the key of a Secret holds that a reference names, and words for where that is.
 * @throws EsaError REFERENCE_FORBIDDEN, REFERENCE_NOT_FOUND, KUBE_API; ProviderError PROVIDER_INVALID_CONFIG
 */
export async function readKey(
  { path, reference, options }: BlockReference,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<{ readonly value: SecretValue; readonly where: string }> {
  const { namespace, name } = resolveReference(store, reference, path, options);
  const { key } = reference;
  if (key === undefined || key === '') {
    const text = `${store.kind} ${store.name}: ${formatFieldPath([...path, 'key'])}: name the key`;
    throw new ProviderError('PROVIDER_INVALID_CONFIG', text);
  }
  const { value } = await ports.secretKey({ namespace, name, key }, signal);
  return { value, where: `key ${key} of Secret ${namespace}/${name}` };
}

/** The same without the words. @throws as readKey */
export const readReference = async (...asked: Parameters<typeof readKey>): Promise<SecretValue> =>
  (await readKey(...asked)).value;

/**
 * PEM of the CAs to trust; undefined for those of the system.
 * @param at where the fields stand in the block
 * @throws as readReference
 */
export async function readCa(
  block: TrustBlock,
  at: FieldPath,
  store: StoreContext,
  ports: ProviderPorts,
  signal: AbortSignal,
): Promise<string | undefined> {
  const invalid = (field: string, what: string): ProviderError =>
    new ProviderError(
      'PROVIDER_INVALID_CONFIG',
      `${store.kind} ${store.name}: ${formatFieldPath([...at, field])}: ${what} holds no valid certificate`,
    );
  if (block.caBundle !== undefined) {
    const ca = parseCaBundle(block.caBundle);
    if (ca === undefined) throw invalid('caBundle', 'it');
    return ca;
  }
  const [reference] = caReference(block, at);
  if (reference === undefined) return undefined;
  const { namespace, name } = resolveReference(store, reference.reference, reference.path, reference.options);
  const { key = '' } = reference.reference;
  const text =
    reference.kind === 'ConfigMap'
      ? (await ports.configMapKey({ namespace, name, key }, signal)).value
      : (await ports.secretKey({ namespace, name, key }, signal)).value.revealText();
  const ca = parseCaBundle(text);
  if (ca !== undefined) return ca;
  throw invalid('caProvider', `key ${key} of ${reference.kind} ${namespace}/${name}`);
}
