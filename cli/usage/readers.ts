/** Which ExternalSecrets read a remote object, told from what stands in the cluster, without a provider. */

import { toEsaError } from '../../api/errors.ts';
import type { StoreKind } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { generatorResource } from '../../api/generators/names.ts';
import { compileGoRegexp, GoRegexpError } from '../../api/go-regexp.ts';
import { isKes, KES_GROUP } from '../../api/kubernetes-client/names.ts';
import { kesOf } from '../../api/kubernetes-client/part.ts';
import { kesStore } from '../../api/kubernetes-client/to-hub.ts';
import { formatFieldPath } from '../../api/problem.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/path.ts';
import { checkExternalSecret } from '../../policy/check-object.ts';
import type { FindRequest } from '../../providers/contract.ts';
import { type PlannedRead, plan, propertyOf, type StoreReference } from '../../sync/plan.ts';
import { readyCondition } from '../../sync/status.ts';
import { bindStore, type ResolvedStore, type StoreObject } from '../../sync/stores.ts';
import type { Cluster } from '../cluster/access.ts';
import { listKes } from '../cluster/kes.ts';
import { listObjects } from '../cluster/list.ts';
import { pathOf } from '../cluster/named.ts';

export interface KeyQuestion {
  /** As in `remoteRef.key`, or as providers name the object (docs/policies.md). */
  readonly key: string;
  readonly property?: string | undefined;
  readonly store?: { readonly kind: StoreKind; readonly name: string } | undefined;
}

/** One entry of an ExternalSecret that reads it. */
export interface Reader {
  readonly namespace: string;
  readonly name: string;
  /** Of an object that is none of external-secrets.io. */
  readonly group?: string;
  /** `spec.data[0].remoteRef.key` */
  readonly path: string;
  readonly how: 'data' | 'extract' | 'find' | 'generator';
  /** False for a find by tags: whether it comes upon the object only the provider knows. */
  readonly certain: boolean;
  readonly key?: string | undefined;
  readonly property?: string | undefined;
  readonly version?: string | undefined;
  readonly store?: { readonly kind: StoreKind; readonly name: string } | undefined;
  /** `vault`; of an object of KES, which has it in place of a store. */
  readonly backendType?: string | undefined;
  readonly generator?: { readonly kind: string; readonly name: string } | undefined;
  /** The Ready condition; absent if nobody has tried it. */
  readonly ready?: 'True' | 'False' | undefined;
}

export interface Readers {
  readonly readers: readonly Reader[];
  /** The ExternalSecrets that they are entries of, each once. */
  readonly objects: readonly ExternalSecret[];
  /** ExternalSecrets that were looked at. */
  readonly looked: number;
  /** What could not be read, so that less may be known. */
  readonly unread: readonly string[];
}

interface Known {
  /** By `Kind/namespace/name`; of one that is bound to its namespace, or to none. */
  readonly stores: ReadonlyMap<string, ResolvedStore>;
  /** spec.path of VaultDynamicSecrets by `namespace/name`. */
  readonly dynamic: ReadonlyMap<string, string>;
  readonly unread: readonly string[];
}

/** @param namespace undefined: all of them @throws KubeError if ExternalSecrets cannot be listed */
export async function readersOf(
  question: KeyQuestion,
  { kube, call }: Cluster,
  namespace: string | undefined,
): Promise<Readers> {
  // Its stores are no objects that could be asked for.
  const listing = question.store === undefined ? listKes({ kube, call }, namespace) : undefined;
  const known = await whatIsKnown({ kube, call }, namespace);
  const readers: Reader[] = [];
  const objects: ExternalSecret[] = [];
  let looked = 0;
  const look = (es: ExternalSecret): void => {
    looked += 1;
    const own = readsOf(es, question, known);
    readers.push(...own);
    if (own.length > 0) objects.push(es);
  };
  for await (const es of listObjects<ExternalSecret>(kube, pathOf('ExternalSecret', namespace), call))
    look(es);
  const kes = await listing;
  for (const es of kes?.objects ?? []) look(es);
  return { readers, objects, looked, unread: [...known.unread, ...(kes?.unread ?? [])] };
}

const storeKey = (kind: StoreKind, namespace: string, name: string): string =>
  `${kind}/${kind === 'SecretStore' ? namespace : ''}/${name}`;

async function whatIsKnown(
  { kube, call }: Pick<Cluster, 'kube' | 'call'>,
  namespace: string | undefined,
): Promise<Known> {
  const stores = new Map<string, ResolvedStore>();
  const dynamic = new Map<string, string>();
  const unread: string[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      // A kind that is not installed has no objects.
      if (!isNotFound(error)) unread.push(toEsaError(error).message);
    }
  };
  for (const kind of ['SecretStore', 'ClusterSecretStore'] as const) {
    await attempt(async () => {
      for await (const object of listObjects<StoreObject & KubeObject>(kube, pathOf(kind, namespace), call)) {
        const { name = '', namespace: where = '' } = object.metadata;
        const store = bound({ ...object, kind }, undefined);
        if (store !== undefined) stores.set(storeKey(kind, where, name), store);
      }
    });
  }
  await attempt(async () => {
    const { namespaced: _, ...resource } = generatorResource('VaultDynamicSecret');
    for await (const one of listObjects<KubeObject & { spec?: { path?: string } }>(
      kube,
      resourcePath({ ...resource, namespace }),
      call,
    ))
      dynamic.set(`${one.metadata.namespace}/${one.metadata.name}`, one.spec?.path ?? '');
  });
  return { stores, dynamic, unread };
}

function readsOf(stored: ExternalSecret, question: KeyQuestion, known: Known): readonly Reader[] {
  // What breaks a rule is read by nobody, but says what it would read.
  const { hub } = isKes(stored) ? { hub: stored } : checkExternalSecret(stored);
  const kes = kesOf(hub);
  const { namespace = '', name = '' } = hub.metadata;
  const ready = readyCondition(hub.status)?.status;
  let reads: readonly PlannedRead[];
  try {
    ({ reads } = plan(hub));
  } catch {
    return [];
  }
  return reads.flatMap((read): Reader[] => {
    const { source, path, into } = read;
    const group = kes === undefined ? {} : { group: KES_GROUP };
    const common = { namespace, name, ...group, path: formatFieldPath(path), ready };
    if (source.kind === 'generator') {
      const { ref } = source;
      const of =
        ref.kind === 'VaultDynamicSecret' ? known.dynamic.get(`${namespace}/${ref.name}`) : undefined;
      if (of !== question.key || question.store !== undefined) return [];
      return [{ ...common, how: 'generator', certain: true, generator: ref }];
    }
    const store = { kind: source.store.kind, name: source.store.name };
    if (question.store !== undefined && !isSame(store, question.store)) return [];
    const from = kes === undefined ? { store } : { backendType: kes.spec.backendType };
    if (source.kind === 'find') {
      const found = mayFind(source.request, question.key);
      return found === 'no' ? [] : [{ ...common, how: 'find', certain: found === 'yes', ...from }];
    }
    const { key, version } = source.remote;
    const property = propertyOf(read);
    const resolved =
      kes === undefined
        ? known.stores.get(storeKey(store.kind, namespace, store.name))
        : bound(kesStore(hub, kes), namespace);
    if (!namesTheSame(key, question.key, resolved)) return [];
    // Without a property the whole object is read.
    if (question.property !== undefined && property !== undefined && property !== question.property)
      return [];
    const isOne = into.kind === 'key' || (into.kind === 'kes' && into.entry.kind === 'value');
    return [{ ...common, how: isOne ? 'data' : 'extract', certain: true, key, property, version, ...from }];
  });
}

/** Undefined for a store through which nothing is read; the key as it is written still tells. */
function bound(object: StoreObject, namespace: string | undefined): ResolvedStore | undefined {
  try {
    return bindStore(object, namespace);
  } catch {
    return undefined;
  }
}

const isSame = (a: StoreReference, b: StoreReference): boolean => a.kind === b.kind && a.name === b.name;

function namesTheSame(key: string, asked: string, store: ResolvedStore | undefined): boolean {
  if (key === asked) return true;
  if (store === undefined) return false;
  const { provider, config } = store;
  try {
    const canonical = provider.canonicalKey(config, { key });
    return canonical === asked || canonical === provider.canonicalKey(config, { key: asked });
  } catch {
    // Some keys cannot be named at this provider.
    return false;
  }
}

function mayFind({ path = '', nameRegexp, tags }: FindRequest, key: string): 'yes' | 'may' | 'no' {
  if (!key.startsWith(path)) return 'no';
  if (nameRegexp === undefined) return tags === undefined ? 'yes' : 'may';
  try {
    return compileGoRegexp(nameRegexp).test(key) ? (tags === undefined ? 'yes' : 'may') : 'no';
  } catch (error) {
    if (error instanceof GoRegexpError) return 'no';
    throw error;
  }
}
