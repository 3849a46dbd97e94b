/** From the spec of an ExternalSecret to the reads it asks for; pure. */

import type { StoreKind } from '../api/external-secrets/names.ts';
import type { ExternalSecret, RemoteRefSpec } from '../api/external-secrets/v1/index.ts';
import type { FieldPath } from '../api/problem.ts';
import type { RemoteRef } from '../providers/contract.ts';
import type { ConversionStrategy } from './keys.ts';

export interface StoreReference {
  readonly kind: StoreKind;
  readonly name: string;
}

/** One entry of spec.dataFrom or spec.data. */
export interface PlannedRead {
  /** Where it stands, as ESO words it in its events: `spec.data[0] (key: path/of/secret)`. */
  readonly location: string;
  readonly path: FieldPath;
  readonly store: StoreReference;
  readonly remote: RemoteRef;
  readonly into:
    | { readonly kind: 'key'; readonly secretKey: string }
    | { readonly kind: 'map'; readonly conversion: ConversionStrategy };
}

export interface Plan {
  /** Name of the Secret to keep. */
  readonly target: string;
  /** In the order in which they are merged: dataFrom first, then data; a later one overwrites. */
  readonly reads: readonly PlannedRead[];
}

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

/** The name of the Secret that the ExternalSecret keeps (eso.md 2.1: target.name, else its own name). */
export function targetName(es: {
  metadata: { name?: string | undefined };
  spec?: ExternalSecret['spec'] | undefined;
}): string {
  return filled(es.spec?.target?.name) ?? es.metadata.name ?? '';
}

/**
 * @param es an ExternalSecret in the hub version that passed validation: what the engine cannot do was
 *   refused there, so every entry here is one of data[] or dataFrom[].extract with a default store
 */
export function plan(es: ExternalSecret): Plan {
  const store: StoreReference = {
    kind: es.spec.secretStoreRef?.kind === 'ClusterSecretStore' ? 'ClusterSecretStore' : 'SecretStore',
    name: es.spec.secretStoreRef?.name ?? '',
  };
  const reads: PlannedRead[] = [];
  for (const [index, entry] of (es.spec.dataFrom ?? []).entries()) {
    if (entry.extract === undefined) continue;
    reads.push({
      location: `spec.dataFrom[${index}].extract`,
      path: ['spec', 'dataFrom', index, 'extract', 'key'],
      store,
      remote: remoteRef(entry.extract),
      into: { kind: 'map', conversion: entry.extract.conversionStrategy ?? 'Default' },
    });
  }
  for (const [index, entry] of (es.spec.data ?? []).entries()) {
    reads.push({
      location: `spec.data[${index}] (key: ${entry.remoteRef.key})`,
      path: ['spec', 'data', index, 'remoteRef', 'key'],
      store,
      remote: remoteRef(entry.remoteRef),
      into: { kind: 'key', secretKey: entry.secretKey },
    });
  }
  return { target: targetName(es), reads };
}
