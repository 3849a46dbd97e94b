/** Whose is a Secret? The rule of design.md 3 ("Ours means"), as one pure function. */

import {
  ANNOTATION_ADOPT,
  ANNOTATION_PENDING,
  GROUP,
  LABEL_CREATED_BY,
  LABEL_MANAGED,
} from '../api/external-secrets/names.ts';
import { createdByHash, FIELD_MANAGER_PREFIX, fieldManager } from '../api/go-hash.ts';
import { KES_API_VERSION, KES_GROUP, qualifiedName, splitName } from '../api/kubernetes-client/names.ts';
import type { ObjectMeta, OwnerReference } from '../api/meta.ts';
import type { SecretObject } from '../kube/objects.ts';
import { type Marker, type MarkerKey, parseMarker, verifyMarker } from './marker.ts';
import { decodeData } from './secret-data.ts';

export type Ownership =
  /** Controlled by this very object. */
  | { readonly kind: 'owned' }
  /** Controlled by an object of the same kind and name that is gone (another uid). */
  | { readonly kind: 'dangling' }
  /** Nobody controls it and its labels say that it is this object's (a restored backup has no owners). */
  | { readonly kind: 'labelled' }
  /** Made by admission for this object and not adopted yet; the signature holds. */
  | { readonly kind: 'pending'; readonly marker: Marker }
  /** Managed for nobody in particular, but another ExternalSecret has written to it (Merge, Orphan). */
  | { readonly kind: 'shared'; readonly owner: string }
  /** Nobody's, but its owner allows that it is taken over. */
  | { readonly kind: 'adoptable' }
  | { readonly kind: 'unmanaged' }
  | { readonly kind: 'other-external-secret'; readonly owner: string }
  | { readonly kind: 'other-controller'; readonly owner: string };

/** The reference that makes `es` the controller of its Secret (eso.md 3.2). @param es.name see `qualifiedName` */
export function ownerReference(es: { name: string; uid: string }): OwnerReference {
  const { kes, name } = splitName(es.name);
  // As KES writes it, so that it and this program may follow each other without a write.
  if (kes)
    return { apiVersion: KES_API_VERSION, kind: 'ExternalSecret', name, uid: es.uid, controller: true };
  return {
    apiVersion: `${GROUP}/v1`,
    kind: 'ExternalSecret',
    name: es.name,
    uid: es.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

const controllerOf = (meta: ObjectMeta): OwnerReference | undefined =>
  meta.ownerReferences?.find((reference) => reference.controller === true);

/**
 * The other ExternalSecret that wrote to a Secret which this one never did. Without it a Secret that somebody
 * merges keys into would, by its label alone, be anybody's to replace.
 */
function otherWriter(meta: ObjectMeta, name: string): string | undefined {
  const managers = (meta.managedFields ?? []).map(({ manager = '' }) => manager);
  if (managers.includes(fieldManager(name))) return undefined;
  return managers
    .find((manager) => manager.startsWith(FIELD_MANAGER_PREFIX))
    ?.slice(FIELD_MANAGER_PREFIX.length);
}

/** True for a reference to an ExternalSecret, whatever its version and whichever of the two kinds. */
export function isExternalSecretReference({ kind, apiVersion }: OwnerReference): boolean {
  const [group] = apiVersion.split('/');
  return kind === 'ExternalSecret' && (group === GROUP || group === KES_GROUP);
}

/** See `qualifiedName`; of an ExternalSecret. */
export const referencedName = ({ apiVersion, name }: OwnerReference): string =>
  qualifiedName({ apiVersion, metadata: { name } });

/**
 * @param es the ExternalSecret, by its qualified name; its uid is undefined while it is being created
 * @param keys the keys that verify a pending marker; without the right one a marker counts for nothing
 */
export function ownership(
  secret: SecretObject,
  es: { readonly namespace: string; readonly name: string; readonly uid: string | undefined },
  keys: readonly MarkerKey[],
): Ownership {
  const controller = controllerOf(secret.metadata);
  if (controller !== undefined) {
    if (!isExternalSecretReference(controller))
      return { kind: 'other-controller', owner: `${controller.kind} ${controller.name}` };
    // By name, as ESO compares: the uid changes when the object is deleted and made again.
    const name = referencedName(controller);
    if (name !== es.name) return { kind: 'other-external-secret', owner: name };
    return controller.uid === es.uid ? { kind: 'owned' } : { kind: 'dangling' };
  }
  const text = secret.metadata.annotations?.[ANNOTATION_PENDING];
  const marker = text === undefined ? undefined : parseMarker(text);
  if (
    marker !== undefined &&
    verifyMarker(keys, marker, {
      namespace: es.namespace,
      name: secret.metadata.name ?? '',
      data: decodeData(secret),
    })
  ) {
    return marker.externalSecret === es.name
      ? { kind: 'pending', marker }
      : { kind: 'other-external-secret', owner: marker.externalSecret };
  }
  const labels = secret.metadata.labels ?? {};
  const createdBy = labels[LABEL_CREATED_BY];
  if (labels[LABEL_MANAGED] === 'true') {
    if (createdBy === createdByHash(es.namespace, es.name)) return { kind: 'labelled' };
    const other = createdBy === undefined ? otherWriter(secret.metadata, es.name) : undefined;
    if (createdBy === undefined)
      return other === undefined ? { kind: 'labelled' } : { kind: 'shared', owner: other };
  }
  if (secret.metadata.annotations?.[ANNOTATION_ADOPT] === 'true') return { kind: 'adoptable' };
  return { kind: 'unmanaged' };
}
