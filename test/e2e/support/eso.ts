/** What External Secrets Operator leaves in a cluster, worked out from its documents and not by our own code. */
import { createHash } from 'node:crypto';
import type { ExternalSecretStatus } from '../../../api/external-secrets/v1/index.ts';
import type { ObjectMeta } from '../../../api/meta.ts';
import type { Manifest } from './cluster.ts';

const sha3 = (text: string): string => createHash('sha3-224').update(text).digest('hex');

/** What Go prints of a map, `map[a:1 b:2]`; keys are ASCII here. */
function goMap(map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).toSorted((a, b) => (a < b ? -1 : 1));
  return `map[${keys.map((key) => `${key}:${map[key]}`).join(' ')}]`;
}

/** status.syncedResourceVersion of an object that is in sync. */
export function syncedVersion({ generation = 0, labels = {}, annotations = {} }: ObjectMeta): string {
  return `${generation}-${sha3(`{annotations:${goMap(annotations)} labels:${goMap(labels)}}`)}`;
}

/** The status of an object that was refreshed just now. */
export function syncedByEso(metadata: ObjectMeta, target: string): ExternalSecretStatus {
  return {
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'SecretSynced',
        message: 'secret synced',
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ],
    refreshTime: `${new Date().toISOString().slice(0, 19)}Z`,
    syncedResourceVersion: syncedVersion(metadata),
    binding: { name: target },
  };
}

/** The Secret of an ExternalSecret of this name, to be created under secretManager(). */
export function secretOfEso(
  { namespace = '', name = '', uid = '', labels = {} }: ObjectMeta,
  values: Readonly<Record<string, string>>,
): Manifest {
  const bytes = Object.entries(values).map(([key, value]) => [key, `[${[...Buffer.from(value)].join(' ')}]`]);
  const owner = { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', name, uid };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace,
      labels: {
        ...labels,
        'reconcile.external-secrets.io/managed': 'true',
        'reconcile.external-secrets.io/created-by': sha3(`${namespace}/${name}`),
      },
      annotations: { 'reconcile.external-secrets.io/data-hash': sha3(goMap(Object.fromEntries(bytes))) },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
    },
    type: 'Opaque',
    stringData: values,
  };
}

/** The field manager of an ExternalSecret's writes to its Secret. */
export const secretManager = (name: string): string => `externalsecrets.external-secrets.io/${name}`;
