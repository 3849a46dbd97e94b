/** What has to be written so that a live Secret becomes the desired one; pure. */

import { EsaError } from '../api/errors.ts';
import { ANNOTATION_ADOPT, ANNOTATION_PENDING } from '../api/external-secrets/names.ts';
import { fieldManager } from '../api/go-hash.ts';
import type { ObjectMeta, OwnerReference } from '../api/meta.ts';
import type { SecretObject } from '../kube/objects.ts';
import { isExternalSecretReference } from './ownership.ts';
import { decodeData, encodeData } from './secret-data.ts';
import type { DesiredSecret } from './shape.ts';

/** The body of a POST. */
export function newSecret(
  desired: DesiredSecret,
  extra: { owner?: OwnerReference; pending?: string },
): SecretObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: desired.name,
      namespace: desired.namespace,
      labels: { ...desired.labels },
      annotations: {
        ...desired.annotations,
        ...(extra.pending === undefined ? {} : { [ANNOTATION_PENDING]: extra.pending }),
      },
      ...(extra.owner === undefined ? {} : { ownerReferences: [extra.owner] }),
    },
    type: desired.type,
    data: encodeData(desired.data),
  };
}

type Removable<T> = { [key: string]: T | null };

/** A JSON merge patch of a Secret; null removes a member. */
export interface SecretPatch {
  metadata: {
    uid?: string;
    resourceVersion?: string;
    labels?: Removable<string>;
    annotations?: Removable<string>;
    ownerReferences?: OwnerReference[];
  };
  data?: Removable<string>;
}

/**
 * Names of the labels or annotations that our manager once set, from managedFields: those that are no longer
 * wanted are removed, those of others stay (eso.md 2.7).
 */
function onceOurs(meta: ObjectMeta, manager: string, what: 'f:labels' | 'f:annotations'): string[] {
  const names: string[] = [];
  for (const entry of meta.managedFields ?? []) {
    if (entry.manager !== manager) continue;
    const fields = (
      entry.fieldsV1 as { 'f:metadata'?: Record<string, Record<string, unknown>> } | undefined
    )?.['f:metadata']?.[what];
    for (const field of Object.keys(fields ?? {})) if (field.startsWith('f:')) names.push(field.slice(2));
  }
  return names;
}

function mapPatch(
  live: Readonly<Record<string, string>>,
  desired: Readonly<Record<string, string>>,
  drop: readonly string[],
): Removable<string> | undefined {
  const patch: Removable<string> = {};
  for (const [key, value] of Object.entries(desired)) if (live[key] !== value) patch[key] = value;
  for (const key of drop) if (key in live && !(key in desired)) patch[key] = null;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function ownersPatch(live: readonly OwnerReference[], owner: OwnerReference): OwnerReference[] | undefined {
  const others = live.filter(
    (reference) => !(isExternalSecretReference(reference) && reference.name === owner.name),
  );
  const mine = live.filter((reference) => !others.includes(reference));
  const only = mine.length === 1 ? mine[0] : undefined;
  if (only?.uid === owner.uid && only.controller === true && only.apiVersion === owner.apiVersion)
    return undefined;
  return [...others, owner];
}

/**
 * The merge patch that turns `live` into `desired` with `owner` as its controller, or undefined if nothing
 * differs. Data is replaced as a whole (creationPolicy Owner); labels and annotations of others stay. It
 * carries uid and resourceVersion, so that it fails when the Secret changed meanwhile.
 * @throws EsaError TARGET_IMMUTABLE if data differs and the live Secret is immutable
 */
export function diff(
  live: SecretObject,
  desired: DesiredSecret,
  owner: OwnerReference,
): SecretPatch | undefined {
  const manager = fieldManager(owner.name);
  const labels = mapPatch(
    live.metadata.labels ?? {},
    desired.labels,
    onceOurs(live.metadata, manager, 'f:labels'),
  );
  const annotations = mapPatch(live.metadata.annotations ?? {}, desired.annotations, [
    ...onceOurs(live.metadata, manager, 'f:annotations').filter((name) => name !== ANNOTATION_ADOPT),
    ANNOTATION_PENDING,
  ]);
  const ownerReferences = ownersPatch(live.metadata.ownerReferences ?? [], owner);

  const wanted = encodeData(desired.data);
  const bytes = decodeData(live);
  const data: Removable<string> = {};
  for (const [key, value] of desired.data) {
    const present = bytes.get(key);
    if (present === undefined || !present.equals(value.revealBytes())) data[key] = wanted[key] ?? '';
  }
  for (const key of bytes.keys()) if (!desired.data.has(key)) data[key] = null;
  const dataDiffers = Object.keys(data).length > 0;
  if (dataDiffers && live.immutable === true) {
    throw new EsaError(
      'TARGET_IMMUTABLE',
      `Secret ${desired.namespace}/${desired.name} is immutable and its data would change; delete it to have it made anew`,
    );
  }
  if (live.type !== undefined && live.type !== desired.type) {
    throw new EsaError(
      'INVALID_OBJECT',
      `Secret ${desired.namespace}/${desired.name} has type ${live.type}, wanted is ${desired.type}, and a type cannot change; delete the Secret to have it made anew`,
    );
  }
  if (labels === undefined && annotations === undefined && ownerReferences === undefined && !dataDiffers)
    return undefined;
  return {
    metadata: {
      ...(live.metadata.uid === undefined ? {} : { uid: live.metadata.uid }),
      ...(live.metadata.resourceVersion === undefined
        ? {}
        : { resourceVersion: live.metadata.resourceVersion }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
    ...(dataDiffers ? { data } : {}),
  };
}
