/** Where an object of any kind lies on an API server: what kubectl finds out, too. */
import type { Cluster } from '../harness/cluster.ts';

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

interface Located {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export class Discovery {
  readonly #cluster: Pick<Cluster, 'request'>;
  readonly #groups = new Map<string, Promise<readonly Resource[]>>();

  constructor(cluster: Pick<Cluster, 'request'>) {
    this.#cluster = cluster;
  }

  /** Path of the object; one of a kind with namespaces that names none lies in `default`. @throws Error for an unknown kind */
  async pathOf({ apiVersion, kind, metadata }: Located): Promise<string> {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const resources = this.#groups.get(root) ?? this.#resources(root);
    this.#groups.set(root, resources);
    const resource = (await resources).find((one) => one.kind === kind && !one.name.includes('/'));
    if (resource === undefined) throw new Error(`the API server serves no ${kind} of ${apiVersion}`);
    const namespace = resource.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
    return `${root}${namespace}/${resource.name}/${metadata.name}`;
  }

  async #resources(root: string): Promise<readonly Resource[]> {
    const { body } = await this.#cluster.request<{ resources?: readonly Resource[] }>('GET', root);
    return body.resources ?? [];
  }
}
