/**
 * Which ExternalSecrets depend on which objects beside their stores: the Secrets and ConfigMaps of templateFrom,
 * and generators. Only what some object names is kept.
 */
import type { Clock } from '../api/clock.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { generatorResource } from '../api/generators/names.ts';
import { type SourceKind, sourceReferences, targetName } from '../sync/plan.ts';
import { keyOf } from './object-index.ts';

/** An object that is followed for what depends on it; `namespace` is empty for kinds of the cluster. */
export interface Source {
  readonly kind: SourceKind;
  readonly namespace: string;
  readonly name: string;
}

interface Named {
  /** Keys of the ExternalSecrets that name it. */
  readonly users: Set<string>;
  /** When they are tried because of it, at the latest one that was asked for (monotonic milliseconds). */
  dueAt: number;
}

/** However often an object is written: who depends on it is tried because of it once in this time. */
const SHORTEST_MS = 1_000;

export class Dependents {
  readonly #clock: Clock;
  readonly #named = new Map<string, Named>();
  /** What each object names; objects that name nothing are not in it. */
  readonly #sources = new Map<string, readonly Source[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes in an object as it is now. @returns the kinds of what it names */
  observe(es: ExternalSecret): readonly SourceKind[] {
    const key = keyOf(es.metadata.namespace, es.metadata.name);
    const sources = sourcesOf(es);
    this.#forget(key);
    if (sources.length === 0) return [];
    this.#sources.set(key, sources);
    for (const source of sources) {
      const named = this.#named.get(nameOf(source)) ?? {
        users: new Set<string>(),
        dueAt: Number.NEGATIVE_INFINITY,
      };
      named.users.add(key);
      this.#named.set(nameOf(source), named);
    }
    return sources.map(({ kind }) => kind);
  }

  forget(namespace: string | undefined, name: string): void {
    this.forgetKey(keyOf(namespace, name));
  }

  /** @param key `namespace/name` of an ExternalSecret */
  forgetKey(key: string): void {
    this.#forget(key);
  }

  /**
   * The object has changed, come or gone. @returns who depends on it, and when they should be tried (monotonic
   * milliseconds); undefined if nobody does, or all of them wait for that already
   */
  changed(source: Source): { readonly users: Iterable<string>; readonly due: number } | undefined {
    const named = this.#named.get(nameOf(source));
    if (named === undefined) return undefined;
    const now = this.#clock.monotonic();
    if (named.dueAt > now) return undefined;
    named.dueAt = Math.max(now, named.dueAt + SHORTEST_MS);
    return { users: named.users, due: named.dueAt };
  }

  /** The objects of this kind that are named. */
  *of(wanted: SourceKind): Iterable<{ readonly namespace: string; readonly name: string }> {
    for (const name of this.#named.keys()) {
      const [kind, namespace = '', object = ''] = name.split('/');
      if (kind === wanted) yield { namespace, name: object };
    }
  }

  #forget(key: string): void {
    for (const source of this.#sources.get(key) ?? []) {
      const named = this.#named.get(nameOf(source));
      named?.users.delete(key);
      if (named?.users.size === 0) this.#named.delete(nameOf(source));
    }
    this.#sources.delete(key);
  }
}

const nameOf = ({ kind, namespace, name }: Source): string => `${kind}/${namespace}/${name}`;

function sourcesOf(es: ExternalSecret): readonly Source[] {
  const { namespace = '' } = es.metadata;
  const target = targetName(es);
  return sourceReferences(es.spec)
    .filter(({ kind, name }) => kind !== 'Secret' || name !== target)
    .map(({ kind, name }) => ({ kind, name, namespace: isClusterKind(kind) ? '' : namespace }));
}

const isClusterKind = (kind: SourceKind): boolean =>
  kind !== 'Secret' && kind !== 'ConfigMap' && !generatorResource(kind).namespaced;
