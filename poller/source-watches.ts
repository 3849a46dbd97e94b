/**
 * Watches of what ExternalSecrets and stores read beside Secrets: ConfigMaps, ServiceAccounts, generators. Metadata
 * only, each begun when something names an object of the kind: a cluster that uses none of them is not asked.
 */
import { type GeneratorRefKind, generatorResource } from '../api/generators/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Interest } from '../kube/known-objects.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/path.ts';
import { Reflector, type ReflectorHandlers } from '../kube/reflector.ts';
import { supportsGenerator } from '../providers/generators/registry.ts';
import type { Log } from '../runtime/log.ts';
import type { Scope } from '../sync/scope.ts';

export type WatchedKind = 'ConfigMap' | 'ServiceAccount' | GeneratorRefKind;

export interface WatchedObject {
  readonly kind: WatchedKind;
  readonly namespace: string;
  readonly name: string;
}

/**
 * `listed`: it was there when the watch began, so it may be what others have read. `made`: a generator is there that
 * was not. `changed`: it says something else, or is gone.
 */
export type Change = 'listed' | 'made' | 'changed';

export interface SourceWatchesOptions {
  readonly kube: KubeClient;
  readonly log: Log;
  readonly relistMs: number;
  readonly scope: Scope;
  readonly onChange: (object: WatchedObject, how: Change) => void;
  /** The objects of a kind that something names: only those are remembered. */
  readonly named: (kind: WatchedKind) => Iterable<{ readonly namespace: string; readonly name: string }>;
}

export class SourceWatches {
  readonly #options: SourceWatchesOptions;
  readonly #reflectors = new Map<WatchedKind, Reflector<KubeObject>>();
  #stopped = false;

  constructor(options: SourceWatchesOptions) {
    this.#options = options;
  }

  /** Begins to watch this kind, unless it is watched. It goes on until the end, whoever still names an object. */
  need(kind: WatchedKind): void {
    if (this.#stopped || this.#reflectors.has(kind) || !this.#isWatched(kind)) return;
    const reflector = isCore(kind) ? this.#followCore(kind) : this.#followGenerator(kind);
    this.#reflectors.set(kind, reflector);
    reflector.start();
  }

  /** See Reflector; the longest of all. */
  get stalledMs(): number {
    return Math.max(0, ...[...this.#reflectors.values()].map((reflector) => reflector.stalledMs));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.stop()));
  }

  #isWatched(kind: WatchedKind): boolean {
    if (isCore(kind)) return true;
    return supportsGenerator(kind) && (kind !== 'ClusterGenerator' || this.#options.scope.clusterGenerators);
  }

  #follow(
    kind: WatchedKind,
    handlers: ReflectorHandlers<KubeObject>,
    interests?: () => Iterable<Interest>,
  ): Reflector<KubeObject> {
    const { kube, log, relistMs, scope } = this.#options;
    return new Reflector<KubeObject>({
      kube,
      log,
      relistMs,
      path: pathOf(kind, scope.namespace),
      metadataOnly: true,
      interests,
      handlers,
    });
  }

  #followCore(kind: 'ConfigMap' | 'ServiceAccount'): Reflector<KubeObject> {
    const { onChange, named } = this.#options;
    let listed = false;
    const interests = function* (): Iterable<Interest> {
      for (const { namespace, name } of named(kind)) yield { namespace, name, resourceVersion: undefined };
    };
    const handlers: ReflectorHandlers<KubeObject> = {
      onUpsert: ({ metadata: { namespace = '', name = '' } }) =>
        onChange({ kind, namespace, name }, listed ? 'changed' : 'listed'),
      onDelete: ({ namespace = '', name }) => onChange({ kind, namespace, name }, 'changed'),
      onSynced: () => {
        listed = true;
      },
    };
    return this.#follow(kind, handlers, interests);
  }

  /**
   * New values are made when a generator says something else: not when somebody labels it, and not because the event
   * of its creation is late. One that is deleted changes nothing before the next refresh.
   */
  #followGenerator(kind: GeneratorRefKind): Reflector<KubeObject> {
    const generations = new Map<string, number | undefined>();
    return this.#follow(kind, {
      onUpsert: ({ metadata: { namespace = '', name = '', generation } }) => {
        const key = `${namespace}/${name}`;
        const known = generations.has(key);
        const same = known && generations.get(key) === generation;
        generations.set(key, generation);
        if (!same) this.#options.onChange({ kind, namespace, name }, known ? 'changed' : 'made');
      },
      onDelete: ({ namespace = '', name }) => generations.delete(`${namespace}/${name}`),
    });
  }
}

const isCore = (kind: WatchedKind): kind is keyof typeof CORE_RESOURCES =>
  kind === 'ConfigMap' || kind === 'ServiceAccount';

const CORE_RESOURCES = { ConfigMap: 'configmaps', ServiceAccount: 'serviceaccounts' } as const;

function pathOf(kind: WatchedKind, namespace: string | undefined): string {
  if (isCore(kind)) return resourcePath({ version: 'v1', resource: CORE_RESOURCES[kind], namespace });
  const { namespaced, ...resource } = generatorResource(kind);
  return resourcePath({ ...resource, namespace: namespaced ? namespace : undefined });
}
