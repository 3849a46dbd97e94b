/** Which ExternalSecrets name a Secret as their target, and which read from a store. */
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { creationPolicyOf, storeReferences, targetName } from '../sync/plan.ts';
import { storeKey } from './store-monitor.ts';

/** `namespace/name`. */
export const keyOf = (namespace: string | undefined, name: string | undefined): string =>
  `${namespace ?? ''}/${name ?? ''}`;

/** Keys of the stores an object names. */
export function storesOf(es: ExternalSecret): string[] {
  return storeReferences(es.spec).map(({ kind, name }) => storeKey(kind, es.metadata.namespace, name));
}

export class ObjectIndex {
  /** Two objects may name one target, one of them in error. */
  readonly #byTarget = new Map<string, Set<string>>();
  readonly #byStore = new Map<string, Set<string>>();

  add(key: string, es: ExternalSecret): void {
    // With None there is no Secret of this object, whatever its name.
    if (creationPolicyOf(es.spec) !== 'None')
      add(this.#byTarget, keyOf(es.metadata.namespace, targetName(es)), key);
    for (const store of storesOf(es)) add(this.#byStore, store, key);
  }

  remove(key: string, es: ExternalSecret): void {
    remove(this.#byTarget, keyOf(es.metadata.namespace, targetName(es)), key);
    for (const store of storesOf(es)) remove(this.#byStore, store, key);
  }

  /** Keys of the objects whose Secret this is. */
  ofTarget(namespace: string, name: string): Iterable<string> {
    return this.#byTarget.get(keyOf(namespace, name)) ?? [];
  }

  isTarget(namespace: string, name: string): boolean {
    return this.#byTarget.has(keyOf(namespace, name));
  }

  isUsed(store: string): boolean {
    return this.#byStore.has(store);
  }

  /** Keys of the objects that read from a store. */
  ofStore(store: string): Iterable<string> {
    return this.#byStore.get(store) ?? [];
  }
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function remove(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
