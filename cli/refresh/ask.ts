/**
 * How the poller is asked: by an annotation on the object, which no Secret gets a copy of; or, where all that read from a
 * store are meant, by one on the store, so that nothing has to be written for each of them (decision 0033).
 */
import { ANNOTATION_REFRESH } from '../../api/external-secrets/names.ts';
import type { ExternalSecret } from '../../api/external-secrets/v1/index.ts';
import { isKes } from '../../api/kubernetes-client/names.ts';
import { PATCH } from '../../kube/client.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import { type StoreReference, storeReferences } from '../../sync/plan.ts';
import type { Cluster } from '../cluster/access.ts';
import { labelOfKind, type NamedKind, pathOf } from '../cluster/named.ts';
import type { Progress } from '../cluster/words.ts';

export interface AskOptions {
  /** All that read from this store are meant, or from any; at least within their namespace. */
  readonly wholeStores: StoreReference | 'any' | undefined;
  /** And in all namespaces. */
  readonly allNamespaces: boolean;
}

export interface Asked {
  /** Those that have a wish of their own, as they were before. */
  readonly objects: readonly ExternalSecret[];
  /** Stores that were asked in place of the others. */
  readonly stores: number;
}

/** Requests at a time, as many as there are connections; the API server serves others, too. */
const AT_ONCE = 32;

/** @throws KubeError */
export async function askForRefresh(
  objects: readonly ExternalSecret[],
  cluster: Cluster,
  progress: Progress,
  { wholeStores, allNamespaces }: AskOptions,
): Promise<Asked> {
  const now = Date.now();
  const value = new Date(now).toISOString();
  const stores = new Map<string, StoreReference & { readonly namespace: string }>();
  const storeOf = (es: ExternalSecret): string | undefined => {
    // The stores of KES are no objects that could be asked.
    if (wholeStores === undefined || isKes(es)) return undefined;
    const own = wholeStores === 'any' ? storeReferences(es.spec) : [wholeStores];
    // One will do: whoever asks it has the whole object read.
    const one = own.find(({ kind }) => kind === 'SecretStore' || allNamespaces);
    if (one === undefined) return undefined;
    const namespace = one.kind === 'SecretStore' ? (es.metadata.namespace ?? '') : '';
    const key = `${one.kind}/${namespace}/${one.name}`;
    stores.set(key, { ...one, namespace });
    return key;
  };
  const wanted = objects.map((es) => ({ es, store: storeOf(es) }));
  const done = new Set<string>();
  await sideBySide([...stores], async ([key, { kind, namespace, name }]) => {
    if (await annotate(cluster, kind, namespace, name, value)) done.add(key);
  });
  const rest = wanted.filter(({ store }) => store === undefined || !done.has(store)).map(({ es }) => es);
  let count = 0;
  await sideBySide(rest, async (es) => {
    const { namespace = '', name = '' } = es.metadata;
    const [kind, wish]: [NamedKind, string] = isKes(es)
      ? ['KesExternalSecret', kesWish(es, now)]
      : ['ExternalSecret', value];
    if (!(await annotate(cluster, kind, namespace, name, wish, true))) return;
    count += 1;
    progress.show(`asked ${count} of ${rest.length}`);
  });
  return { objects: rest, stores: done.size };
}

/** A status of KES answers a wish by its time, whichever clock is late. */
function kesWish({ status }: ExternalSecret, now: number): string {
  const answered = Date.parse(status?.refreshTime ?? '') || 0;
  return new Date(Math.max(now, answered + 1)).toISOString();
}

/** @returns false if it is gone, or if the caller may not do that and `must` is not set */
async function annotate(
  { kube, call }: Cluster,
  kind: NamedKind,
  namespace: string,
  name: string,
  value: string,
  must = false,
): Promise<boolean> {
  try {
    await kube.request('PATCH', pathOf(kind, namespace, name), {
      ...call,
      query: { fieldManager: 'esa' },
      contentType: PATCH.merge,
      body: { metadata: { annotations: { [ANNOTATION_REFRESH]: value } } },
      what: `annotate ${labelOfKind(kind)} ${namespace === '' ? '' : `${namespace}/`}${name}`,
    });
    return true;
  } catch (error) {
    if (isNotFound(error) || (!must && isForbidden(error))) return false;
    throw error;
  }
}

async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
