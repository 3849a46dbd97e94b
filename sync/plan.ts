/** From the spec of an ExternalSecret to the reads it asks for; pure. */

import type {
  CreationPolicy,
  DeletionPolicy,
  ExternalSecret,
  ExternalSecretSpec,
  FindSpec,
  RemoteRefSpec,
  StoreRef,
} from '../api/external-secrets/v1/index.ts';
import { type GeneratorRefKind, LEASED_KIND } from '../api/generators/names.ts';
import { kesOf } from '../api/kubernetes-client/part.ts';
import type { FieldPath } from '../api/problem.ts';
import type { FindRequest, RemoteRef } from '../providers/contract.ts';
import { kesReads } from './kes/plan.ts';
import type { Plan, PlannedRead, StoreReference, StoreSource } from './planned.ts';

export type { GeneratorReference, Plan, PlannedRead, StoreReference } from './planned.ts';

const filled = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : text;

function remoteRef(spec: RemoteRefSpec): RemoteRef {
  return {
    key: spec.key,
    property: filled(spec.property),
    version: filled(spec.version),
    ...(spec.metadataPolicy === 'Fetch' ? { metadata: true } : {}),
  };
}

const findRequest = (spec: FindSpec): FindRequest => ({
  path: filled(spec.path),
  nameRegexp: filled(spec.name?.regexp),
  tags: spec.tags,
});

/** The name of the Secret that the ExternalSecret keeps (eso.md 2.1: target.name, else its own name). */
export function targetName(es: {
  metadata: { name?: string | undefined };
  spec?: ExternalSecretSpec | undefined;
}): string {
  return filled(es.spec?.target?.name) ?? es.metadata.name ?? '';
}

/**
 * What adds to a Secret that others made, or freezes it, needs the object's uid or somebody's leisure, and leases need
 * somebody to keep account of them: not admission's.
 */
export const leftToPoller = (spec: ExternalSecretSpec): boolean => {
  const policy = creationPolicyOf(spec);
  return policy === 'Merge' || policy === 'None' || spec.target?.immutable === true || leases(spec);
};

/** True if an entry names a generator whose values are leased; one in a wrapper is seen when it is read. */
const leases = ({ dataFrom = [] }: ExternalSecretSpec): boolean =>
  dataFrom.some(({ sourceRef }) => sourceRef?.generatorRef?.kind === LEASED_KIND);

/** What to do with the Secret; the API server writes the default, objects of older versions may lack it. */
export const creationPolicyOf = (spec: ExternalSecretSpec | undefined): CreationPolicy =>
  spec?.target?.creationPolicy ?? 'Owner';

/** What to do when the provider says that everything is gone. */
export const deletionPolicyOf = (spec: ExternalSecretSpec | undefined): DeletionPolicy =>
  spec?.target?.deletionPolicy ?? 'Retain';

const storeReference = (ref: StoreRef | undefined): StoreReference => ({
  kind: ref?.kind === 'ClusterSecretStore' ? 'ClusterSecretStore' : 'SecretStore',
  name: ref?.name ?? '',
});

const storeSource = (spec: ExternalSecretSpec, entry: FieldPath, own: StoreRef | undefined): StoreSource => ({
  store: storeReference(own ?? spec.secretStoreRef),
  storePath:
    own === undefined ? ['spec', 'secretStoreRef', 'name'] : [...entry, 'sourceRef', 'storeRef', 'name'],
});

/**
 * @param es an ExternalSecret in the hub version that passed validation: what the engine cannot do was
 *   refused there, so every entry here names a generator or a store, its own or the object's
 */
export function plan(es: ExternalSecret): Plan {
  const { spec } = es;
  const kes = kesOf(es);
  if (kes !== undefined)
    return { target: targetName(es), reads: kesReads(es, kes), skipsMissing: false, kes };
  const reads: PlannedRead[] = [];
  for (const [index, { extract, find, rewrite = [], sourceRef }] of (spec.dataFrom ?? []).entries()) {
    const common = { missing: `spec.dataFrom[${index}]` };
    const generator = sourceRef?.generatorRef;
    if (generator !== undefined) {
      reads.push({
        ...common,
        location: `spec.dataFrom[${index}].sourceRef.generatorRef`,
        path: ['spec', 'dataFrom', index, 'sourceRef', 'generatorRef'],
        source: { kind: 'generator', ref: { kind: generator.kind, name: generator.name } },
        into: { kind: 'map', conversion: undefined, rewrite },
        decoding: 'None',
        nullBytes: 'Ignore',
      });
      continue;
    }
    const from = storeSource(spec, ['spec', 'dataFrom', index], sourceRef?.storeRef);
    const what = extract ?? find;
    if (what === undefined) continue;
    const rest = {
      into: { kind: 'map', conversion: what.conversionStrategy ?? 'Default', rewrite },
      decoding: what.decodingStrategy ?? 'None',
      nullBytes: what.nullBytePolicy ?? 'Ignore',
    } as const;
    if (extract !== undefined) {
      reads.push({
        ...common,
        ...rest,
        location: `spec.dataFrom[${index}].extract`,
        path: ['spec', 'dataFrom', index, 'extract', 'key'],
        source: { kind: 'read', ...from, remote: remoteRef(extract) },
      });
    } else if (find !== undefined) {
      reads.push({
        ...common,
        ...rest,
        location: `spec.dataFrom[${index}].find`,
        path: ['spec', 'dataFrom', index, 'find'],
        source: { kind: 'find', ...from, request: findRequest(find) },
      });
    }
  }
  for (const [index, { secretKey, remoteRef: remote, sourceRef }] of (spec.data ?? []).entries()) {
    reads.push({
      location: `spec.data[${index}] (key: ${remote.key})`,
      missing: `spec.data[${index}] (key=${remote.key})`,
      path: ['spec', 'data', index, 'remoteRef', 'key'],
      source: {
        kind: 'read',
        ...storeSource(spec, ['spec', 'data', index], sourceRef?.storeRef),
        remote: remoteRef(remote),
      },
      into: { kind: 'key', secretKey },
      decoding: remote.decodingStrategy ?? 'None',
      nullBytes: remote.nullBytePolicy ?? 'Ignore',
    });
  }
  return { target: targetName(es), reads, skipsMissing: deletionPolicyOf(spec) !== 'Retain' };
}

/** Which property of the remote object an entry takes; undefined: all of it, or it is no object. */
export const propertyOf = ({ source, into }: PlannedRead): string | undefined =>
  into.kind === 'kes'
    ? into.entry.kind === 'value'
      ? into.entry.property
      : undefined
    : source.kind === 'read'
      ? source.remote.property
      : undefined;

/** True if an entry has its values made by a generator. */
export const generates = (spec: ExternalSecretSpec): boolean =>
  spec.dataFrom?.some(({ sourceRef }) => sourceRef?.generatorRef !== undefined) === true;

/** Kinds of objects of the cluster that a sync reads beside stores. */
export type SourceKind = 'Secret' | 'ConfigMap' | GeneratorRefKind;

/** What templateFrom and the entries of a spec read beside stores; robust as `storeReferences`, repetitions stay. */
export function sourceReferences(
  spec: ExternalSecretSpec | undefined,
): readonly { readonly kind: SourceKind; readonly name: string }[] {
  const templates = (spec?.target?.template?.templateFrom ?? []).flatMap(({ configMap, secret }) => [
    ...(configMap === undefined ? [] : [{ kind: 'ConfigMap' as const, name: configMap.name }]),
    ...(secret === undefined ? [] : [{ kind: 'Secret' as const, name: secret.name }]),
  ]);
  const generators = (spec?.dataFrom ?? []).flatMap(({ sourceRef }) => {
    const ref = sourceRef?.generatorRef;
    return ref === undefined ? [] : [{ kind: ref.kind, name: ref.name }];
  });
  return [...templates, ...generators];
}

/** Every store that the entries of a spec name, each once; robust against specs that were never validated. */
export function storeReferences(spec: ExternalSecretSpec | undefined): readonly StoreReference[] {
  const seen = new Map<string, StoreReference>();
  const add = (ref: StoreRef | undefined): void => {
    const reference = storeReference(ref);
    if (reference.name !== '') seen.set(`${reference.kind}/${reference.name}`, reference);
  };
  for (const entry of [...(spec?.dataFrom ?? []), ...(spec?.data ?? [])]) {
    if (entry.sourceRef?.generatorRef === undefined) add(entry.sourceRef?.storeRef ?? spec?.secretStoreRef);
  }
  return [...seen.values()];
}
