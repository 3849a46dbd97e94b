/** Lists of a cluster, page by page. */
import type { CallOptions, KubeClient, Query } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';

interface Page {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly continue?: string | undefined };
  /** Go writes null for a list that was never filled. */
  readonly items: readonly KubeObject[] | null;
}

const PAGE_SIZE = 500;

/**
 * Every object of a collection. Members of a list name no kind; here they do.
 * @param path of the collection, see resourcePath
 * @throws KubeError; isNotFound: the API server does not know the kind
 */
export async function* listObjects<T extends KubeObject>(
  kube: KubeClient,
  path: string,
  options: CallOptions & { readonly query?: Query; readonly accept?: string } = {},
): AsyncGenerator<T> {
  const { query, ...call } = options;
  let from: string | undefined;
  do {
    const page: Page = await kube.request('GET', path, {
      ...call,
      query: { ...query, limit: PAGE_SIZE, continue: from },
      what: `list ${path.split('/').slice(2).join('/')}`,
    });
    const kind = page.kind?.replace(/List$/, '');
    for (const item of page.items ?? []) yield { apiVersion: page.apiVersion, kind, ...item } as T;
    from = page.metadata?.continue;
  } while (from !== undefined && from !== '');
}
