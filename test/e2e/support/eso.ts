/** What External Secrets Operator leaves in a cluster, worked out from its documents and not by our own code. */
import { createHash } from 'node:crypto';
import type { CreationPolicy, ExternalSecretStatus } from '../../../api/external-secrets/v1/index.ts';
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

/** The status of an object that was refreshed just now; without a target ESO made no Secret. */
export function syncedByEso(
  metadata: ObjectMeta,
  target: string | undefined,
  { status = 'True', reason = 'SecretSynced', message = 'secret synced' } = {},
): ExternalSecretStatus {
  return {
    conditions: [
      {
        type: 'Ready',
        status,
        reason,
        message,
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ],
    refreshTime: `${new Date().toISOString().slice(0, 19)}Z`,
    syncedResourceVersion: syncedVersion(metadata),
    binding: { name: target ?? '' },
  };
}

/** How the Secret of an ExternalSecret differs from the plain one. */
export interface EsoSecretOptions {
  /** Owner if it is left out; None makes no Secret. */
  readonly policy?: Exclude<CreationPolicy, 'None'>;
  /** The name of the ExternalSecret if it is left out. */
  readonly name?: string;
  readonly type?: string;
  readonly immutable?: boolean;
  /** What target.template.metadata renders to; without a template both are those of the ExternalSecret. */
  readonly template?: { readonly labels?: StringMap; readonly annotations?: StringMap };
  /** Keys of others that are in it, too. */
  readonly others?: StringMap;
}

type StringMap = Readonly<Record<string, string>>;

/** The Secret of an ExternalSecret, to be written under secretManager(). */
export function secretOfEso(
  { namespace = '', name = '', uid = '', labels = {}, annotations = {} }: ObjectMeta,
  values: StringMap,
  { policy = 'Owner', name: target = name, type, immutable, template, others = {} }: EsoSecretOptions = {},
): Manifest {
  const all = { ...others, ...values };
  const bytes = Object.entries(all).map(([key, value]) => [key, `[${[...Buffer.from(value)].join(' ')}]`]);
  const owner = { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', name, uid };
  const owned = policy === 'Owner';
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: target,
      namespace,
      labels: {
        ...(template === undefined ? labels : template.labels),
        'reconcile.external-secrets.io/managed': 'true',
        ...(owned ? { 'reconcile.external-secrets.io/created-by': sha3(`${namespace}/${name}`) } : {}),
      },
      annotations: {
        ...(template === undefined ? annotations : template.annotations),
        'reconcile.external-secrets.io/data-hash': sha3(goMap(Object.fromEntries(bytes))),
      },
      ...(owned ? { ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }] } : {}),
    },
    type: type ?? 'Opaque',
    ...(immutable === true ? { immutable } : {}),
    stringData: all,
  };
}

const MANAGER = 'externalsecrets.external-secrets.io/';
/** A manager of more characters the API server would shorten. */
const MANAGER_LENGTH = 63;

/** The field manager of an ExternalSecret's writes to its Secret. */
export const secretManager = (name: string): string =>
  MANAGER.length + name.length <= MANAGER_LENGTH ? `${MANAGER}${name}` : `${MANAGER}sha3/${sha3(name)}`;
