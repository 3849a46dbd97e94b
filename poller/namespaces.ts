/** What ClusterExternalSecrets need to know of the namespaces, as the watch has shown them. */
import { isDeepStrictEqual } from 'node:util';
import type { ClusterExternalSecretSpec } from '../api/external-secrets/v1/index.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { selectsNamespace } from '../sync/cluster-external-secret.ts';
import { hasEsoNamespaceFinalizer } from './finalizer.ts';

interface NamespaceState {
  readonly labels: Readonly<Record<string, string>>;
  readonly terminating: boolean;
  /** Kept only of a namespace that ESO's finalizers hold. */
  readonly held: ObjectMeta | undefined;
}

export class Namespaces {
  readonly #states = new Map<string, NamespaceState>();

  /** @returns false if nothing has changed that decides about ExternalSecrets */
  observe(metadata: ObjectMeta): boolean {
    const { name = '', labels = {}, deletionTimestamp } = metadata;
    const terminating = deletionTimestamp !== undefined;
    const held = terminating && hasEsoNamespaceFinalizer(metadata) ? metadata : undefined;
    const before = this.#states.get(name);
    this.#states.set(name, { labels, terminating, held });
    return before?.terminating !== terminating || !isDeepStrictEqual(before.labels, labels);
  }

  forget(name: string): void {
    this.#states.delete(name);
  }

  names(): Iterable<string> {
    return this.#states.keys();
  }

  /** The namespace, if it is to go and ESO's finalizers hold it. */
  held(name: string): ObjectMeta | undefined {
    return this.#states.get(name)?.held;
  }

  /** False also where nothing can be made any more. */
  selects(spec: ClusterExternalSecretSpec, name: string): boolean {
    const state = this.#states.get(name);
    return state !== undefined && !state.terminating && selectsNamespace(spec, name, state.labels);
  }

  /** True also of one that is gone. */
  isGoing(name: string): boolean {
    return this.#states.get(name)?.terminating !== false;
  }
}
