/** What has to be written so that a live Secret becomes the desired one; pure. */

import { EsaError } from '../api/errors.ts';
import {
  ANNOTATION_ADOPT,
  ANNOTATION_DATA_HASH,
  ANNOTATION_PENDING,
  LABEL_CREATED_BY,
} from '../api/external-secrets/names.ts';
import { dataHash, fieldManager } from '../api/go-hash.ts';
import type { ObjectMeta, OwnerReference } from '../api/meta.ts';
import type { SecretObject } from '../kube/objects.ts';
import { isExternalSecretReference, ownerReference, referencedName } from './ownership.ts';
import { decodeData, encodeData, revealData } from './secret-data.ts';
import { type DesiredSecret, mergesKeys } from './shape.ts';

/** The ExternalSecret that a Secret is written for. */
export interface Writer {
  /** See `qualifiedName`. */
  readonly name: string;
  readonly uid: string;
}

/**
 * The body of a POST.
 * @param extra.owner who becomes its controller (policy Owner)
 * @param extra.pending the marker of a Secret whose owner has no uid yet
 */
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
        [ANNOTATION_DATA_HASH]: dataHash(revealData(desired.data)),
        ...(extra.pending === undefined ? {} : { [ANNOTATION_PENDING]: extra.pending }),
      },
      ...(desired.finalizers.length === 0 ? {} : { finalizers: [...desired.finalizers] }),
      ...(extra.owner === undefined ? {} : { ownerReferences: [extra.owner] }),
    },
    type: desired.type ?? 'Opaque',
    ...(desired.immutable ? { immutable: true } : {}),
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
    finalizers?: string[];
    ownerReferences?: OwnerReference[];
  };
  immutable?: true;
  data?: Removable<string>;
}

export interface Difference {
  /** Undefined: nothing to write. */
  readonly patch: SecretPatch | undefined;
  /** What is wanted and cannot be written, whatever else is. */
  readonly blocked: EsaError | undefined;
}

type FieldSet = Readonly<Record<string, unknown>> | undefined;

/**
 * Names in `metadata.labels`, `metadata.annotations` or `data` that a manager once set, from managedFields: what
 * of it is no longer wanted is removed, what others set stays (eso.md 2.3, 2.7). By the manager's name alone:
 * ESO's writes are updates, ours patches, and either may have been the last.
 */
export function onceSet(
  meta: ObjectMeta,
  manager: string,
  where: 'f:labels' | 'f:annotations' | 'f:data',
): string[] {
  const names: string[] = [];
  for (const entry of meta.managedFields ?? []) {
    if (entry.manager !== manager) continue;
    const fields = entry.fieldsV1 as { [field: string]: FieldSet } | undefined;
    const set = where === 'f:data' ? fields?.['f:data'] : (fields?.['f:metadata']?.[where] as FieldSet);
    for (const field of Object.keys(set ?? {})) if (field.startsWith('f:')) names.push(field.slice(2));
  }
  return names;
}

const removable = <T>(entries: ReadonlyMap<string, T | null>): Removable<T> | undefined =>
  entries.size === 0 ? undefined : Object.fromEntries(entries);

function mapPatch(
  live: Readonly<Record<string, string>>,
  desired: Readonly<Record<string, string>>,
  drop: readonly string[],
): Map<string, string | null> {
  const patch = new Map<string, string | null>();
  for (const [key, value] of Object.entries(desired)) if (live[key] !== value) patch.set(key, value);
  for (const key of drop) if (Object.hasOwn(live, key) && !Object.hasOwn(desired, key)) patch.set(key, null);
  return patch;
}

/** @param owner undefined: the Secret is to have no reference to an ExternalSecret of the writer's name */
function ownersPatch(
  live: readonly OwnerReference[],
  writer: Writer,
  owner: OwnerReference | undefined,
): OwnerReference[] | undefined {
  const others = live.filter(
    (reference) => !(isExternalSecretReference(reference) && referencedName(reference) === writer.name),
  );
  if (owner === undefined) return others.length === live.length ? undefined : others;
  const mine = live.filter((reference) => !others.includes(reference));
  const only = mine.length === 1 ? mine[0] : undefined;
  if (only?.uid === owner.uid && only.controller === true && only.apiVersion === owner.apiVersion)
    return undefined;
  return [...others, owner];
}

interface DataChange {
  readonly entries: ReadonlyMap<string, Buffer | null>;
  /** All data after the change. */
  readonly result: ReadonlyMap<string, Buffer>;
}

function dataChange(live: SecretObject, desired: DesiredSecret, manager: string): DataChange {
  const result = decodeData(live);
  const entries = new Map<string, Buffer | null>();
  const stale = mergesKeys(desired) ? onceSet(live.metadata, manager, 'f:data') : [...result.keys()];
  for (const key of stale) {
    if (desired.data.has(key) || !result.delete(key)) continue;
    entries.set(key, null);
  }
  for (const [key, value] of desired.data) {
    const wanted = value.revealBytes();
    if (result.get(key)?.equals(wanted) === true) continue;
    entries.set(key, wanted);
    result.set(key, wanted);
  }
  return { entries, result };
}

/**
 * The merge patch that turns `live` into `desired` for `writer`. With Owner and Orphan data is replaced as a
 * whole, with Merge and CreateOrMerge only own keys are compared, written and removed; labels and annotations of
 * others stay. It carries uid and resourceVersion, so that it fails when the Secret changed meanwhile.
 * @throws EsaError INVALID_OBJECT if the live Secret has another type: that cannot be changed
 */
export function diff(live: SecretObject, desired: DesiredSecret, writer: Writer): Difference {
  const where = `Secret ${desired.namespace}/${desired.name}`;
  if (desired.type !== undefined && live.type !== undefined && live.type !== desired.type) {
    throw new EsaError(
      'INVALID_OBJECT',
      `${where} has type ${live.type}, wanted is ${desired.type}, and a type cannot change; delete the Secret to have it made anew`,
    );
  }
  const manager = fieldManager(writer.name);
  const { metadata } = live;
  const labels = mapPatch(metadata.labels ?? {}, desired.labels, [
    ...onceSet(metadata, manager, 'f:labels'),
    LABEL_CREATED_BY,
  ]);
  const kept: readonly string[] = [ANNOTATION_ADOPT, ANNOTATION_DATA_HASH];
  const annotations = mapPatch(metadata.annotations ?? {}, desired.annotations, [
    ...onceSet(metadata, manager, 'f:annotations').filter((name) => !kept.includes(name)),
    ANNOTATION_PENDING,
  ]);
  const ownerReferences = ownersPatch(
    metadata.ownerReferences ?? [],
    writer,
    desired.policy === 'Owner' ? ownerReference(writer) : undefined,
  );
  const missingFinalizers = desired.finalizers.filter((name) => !(metadata.finalizers ?? []).includes(name));

  // An immutable target is written once; what the provider says later is for the next Secret of this name.
  const change = desired.immutable ? undefined : dataChange(live, desired, manager);
  const differs = change !== undefined && change.entries.size > 0;
  const blocked =
    differs && live.immutable === true
      ? new EsaError(
          'TARGET_IMMUTABLE',
          `${where} is immutable and its data would change; delete it to have it made anew`,
        )
      : undefined;
  const freezes = desired.immutable && live.immutable !== true;
  const hash = change === undefined || blocked !== undefined ? undefined : dataHash(change.result);
  const hashDiffers = hash !== undefined && metadata.annotations?.[ANNOTATION_DATA_HASH] !== hash;
  const otherwise =
    labels.size > 0 ||
    annotations.size > 0 ||
    ownerReferences !== undefined ||
    missingFinalizers.length > 0 ||
    freezes ||
    (differs && blocked === undefined);
  // The hash covers keys of others too (ESO's rule): where those may change, it alone is no reason to write.
  if (!otherwise && !(hashDiffers && !mergesKeys(desired))) return { patch: undefined, blocked };
  if (hashDiffers) annotations.set(ANNOTATION_DATA_HASH, hash);

  const labelPatch = removable(labels);
  const annotationPatch = removable(annotations);
  const data =
    differs && blocked === undefined
      ? Object.fromEntries(
          [...change.entries].map(([key, bytes]) => [key, bytes?.toString('base64') ?? null]),
        )
      : undefined;
  return {
    blocked,
    patch: {
      metadata: {
        ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
        ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
        ...(labelPatch === undefined ? {} : { labels: labelPatch }),
        ...(annotationPatch === undefined ? {} : { annotations: annotationPatch }),
        ...(missingFinalizers.length === 0
          ? {}
          : { finalizers: [...(metadata.finalizers ?? []), ...missingFinalizers] }),
        ...(ownerReferences === undefined ? {} : { ownerReferences }),
      },
      ...(freezes ? { immutable: true as const } : {}),
      ...(data === undefined ? {} : { data }),
    },
  };
}

/** Hash of what the Secret holds of a writer: all data, or with Merge and CreateOrMerge its own keys. */
export function heldHash(live: SecretObject, writer: string, policy: DesiredSecret['policy']): string {
  const data = decodeData(live);
  if (!mergesKeys({ policy })) return dataHash(data);
  const own = new Set(onceSet(live.metadata, fieldManager(writer), 'f:data'));
  return dataHash(new Map([...data].filter(([key]) => own.has(key))));
}
