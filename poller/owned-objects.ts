/** Which ExternalSecrets belong to which ClusterExternalSecret, as the watch has shown them. */
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { clusterOwner } from '../sync/cluster-external-secret.ts';
import { keyOf } from './object-index.ts';

export class OwnedObjects {
  readonly #owners = new Map<string, string>();
  /** Names by owner and namespace: mostly one, two while a name changes. */
  readonly #names = new Map<string, Map<string, Set<string>>>();

  /** @returns the owner that the object has, and the one that it had, if any */
  observe(es: ExternalSecret): readonly string[] {
    const { namespace = '', name = '' } = es.metadata;
    const before = this.#owners.get(keyOf(namespace, name));
    const owner = clusterOwner(es);
    if (before !== owner) {
      this.forget(namespace, name);
      if (owner !== undefined) this.#add(owner, namespace, name);
    }
    return [before, owner].filter((one) => one !== undefined);
  }

  /** @returns the owner that it had, if any */
  forget(namespace: string, name: string): readonly string[] {
    const key = keyOf(namespace, name);
    const owner = this.#owners.get(key);
    if (owner === undefined) return [];
    this.#owners.delete(key);
    const namespaces = this.#names.get(owner);
    const names = namespaces?.get(namespace);
    names?.delete(name);
    if (names?.size === 0) namespaces?.delete(namespace);
    if (namespaces?.size === 0) this.#names.delete(owner);
    return [owner];
  }

  /** Names of the objects in one namespace. */
  names(owner: string, namespace: string): readonly string[] {
    return [...(this.#names.get(owner)?.get(namespace) ?? [])];
  }

  namespaces(owner: string): Iterable<string> {
    return this.#names.get(owner)?.keys() ?? [];
  }

  #add(owner: string, namespace: string, name: string): void {
    this.#owners.set(keyOf(namespace, name), owner);
    const namespaces = this.#names.get(owner) ?? new Map<string, Set<string>>();
    this.#names.set(owner, namespaces);
    namespaces.set(namespace, (namespaces.get(namespace) ?? new Set()).add(name));
  }
}
