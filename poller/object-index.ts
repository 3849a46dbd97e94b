/** Which ExternalSecrets name a Secret as their target, and which read from a store. */
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { creationPolicyOf, storeReferences, targetName } from '../sync/plan.ts';
import { storeKey } from './store-monitor.ts';

/** `namespace/name`, by its qualified name for an ExternalSecret of KES; joined, so that what is kept is one flat string and not a tree of its parts. */
export const keyOf = (namespace: string | undefined, name: string | undefined): string =>
  [namespace ?? '', name ?? ''].join('/');

/** Keys of the stores an object names. */
function storesOf(es: ExternalSecret): string[] {
  return storeReferences(es.spec).map(({ kind, name }) => storeKey(kind, es.metadata.namespace, name));
}

/** Where an object stands in the index. The index fills in the last two. */
export interface Indexed {
  readonly key: string;
  /** Key of its Secret; undefined: there is none of this object. */
  target: string | undefined;
  /** Keys of its stores. */
  stores: readonly string[];
}

interface StoreUsers<T> {
  /** The list of just this store, which most of its users share. */
  readonly alone: readonly string[];
  readonly users: Set<T>;
}

export class ObjectIndex<T extends Indexed> {
  readonly #objects = new Map<string, T>();
  /**
   * Only those whose Secret has another name than they: for the others their own key says it. Two objects may name one
   * target, one of them in error.
   */
  readonly #byTarget = new Map<string, Set<T>>();
  readonly #byStore = new Map<string, StoreUsers<T>>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** All objects; it may change while somebody walks through it. */
  all(): Iterable<T> {
    return this.#objects.values();
  }

  /** Puts the object in, or anew, under what `es` says of it. */
  put(object: T, es: ExternalSecret): void {
    if (this.#objects.get(object.key) === object) this.#unlink(object);
    else this.#objects.set(object.key, object);
    object.target = this.#targetOf(object.key, es);
    if (object.target !== undefined && object.target !== object.key) {
      const others = this.#byTarget.get(object.target);
      if (others === undefined) this.#byTarget.set(object.target, new Set([object]));
      else others.add(object);
    }
    const keys = storesOf(es);
    object.stores = keys;
    for (const key of keys) {
      const store = this.#byStore.get(key) ?? { alone: [key], users: new Set() };
      this.#byStore.set(key, store);
      store.users.add(object);
      if (keys.length === 1) object.stores = store.alone;
    }
  }

  remove(object: T): void {
    if (this.#objects.delete(object.key)) this.#unlink(object);
  }

  #unlink(object: T): void {
    if (object.target !== undefined) {
      const others = this.#byTarget.get(object.target);
      others?.delete(object);
      if (others?.size === 0) this.#byTarget.delete(object.target);
    }
    for (const key of object.stores) {
      const store = this.#byStore.get(key);
      store?.users.delete(object);
      if (store?.users.size === 0) this.#byStore.delete(key);
    }
  }

  /** The objects whose Secret this is. */
  ofTarget(namespace: string, name: string): readonly T[] {
    const key = keyOf(namespace, name);
    const namesake = this.#objects.get(key);
    const others = this.#byTarget.get(key);
    return [...(namesake?.target === key ? [namesake] : []), ...(others ?? [])];
  }

  isTarget(namespace: string, name: string): boolean {
    const key = keyOf(namespace, name);
    return this.#byTarget.has(key) || this.#objects.get(key)?.target === key;
  }

  isUsed(store: string): boolean {
    return this.#byStore.has(store);
  }

  /** The objects that read from a store. */
  ofStore(store: string): Iterable<T> {
    return this.#byStore.get(store)?.users ?? [];
  }

  #targetOf(key: string, es: ExternalSecret): string | undefined {
    // With None there is no Secret of this object, whatever its name.
    if (creationPolicyOf(es.spec) === 'None') return undefined;
    // Most have the name of their object; those keep one string.
    const target = keyOf(es.metadata.namespace, targetName(es));
    return target === key ? key : target;
  }
}
